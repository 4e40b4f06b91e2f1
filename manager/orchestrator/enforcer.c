/* manager/orchestrator/enforcer.c – nodes that changed, each looked at in a transaction of its own: what it decides is true there. */
#include "manager/orchestrator/enforcer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/orchestrator/labels.h"
#include "manager/scheduler/fit.h"
#include "proto/message.h"

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__Task Task;

/* A node that is to be looked at. */
struct mark {
    UT_hash_handle hh;
    char id[];
};

struct enforcer {
    struct part_host host;
    struct store_watcher *watcher;
    struct mark *marks;
    size_t writes;
    bool is_listed, has_failed;
    uint64_t hold_until_ns; /* the store refused: nothing is looked at before */
};

/* One node on its way through the store. */
struct look {
    struct enforcer *enforcer;
    size_t misfits_count;
    struct error why; /* of the last one */
    bool is_unfinished;
    char id[];
};

/* --- one node --- */

static bool holds_resources(const Task *task)
{
    int state = task->status ? (int)task->status->state : STATE(NEW);
    bool is_wanted = task->desired_state >= STATE(ASSIGNED) && task->desired_state <= STATE(COMPLETE);
    return is_wanted && state >= STATE(ASSIGNED) && state <= STATE(RUNNING);
}

static const Docker__Swarmkit__V1__Placement *placement_of(struct store_tx *tx, const Task *task)
{
    const Docker__Swarmkit__V1__Service *service = task->service_id[0] ? store_tx_service(tx, task->service_id) : NULL;
    const Docker__Swarmkit__V1__TaskSpec *spec = service && service->spec ? service->spec->task : task->spec;
    return spec ? spec->placement : NULL;
}

/* Those of its tasks that it does not satisfy, as many as one transaction takes. */
static size_t find_misfits(struct store_tx *tx, struct look *look, const Node *node, const Task **out, size_t room)
{
    struct store_cursor cursor;
    const Task *task;
    struct fit fit;
    size_t count = 0, bytes = 0;

    fit_init(&fit, node);
    store_tx_find(tx, STORE_TASK, STORE_BY_NODE, node->id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL) {
        if (!holds_resources(task) || fit_take(&fit, placement_of(tx, task), task, &look->why) == 0)
            continue;
        bytes += protobuf_c_message_get_packed_size(&task->base);
        if (count == room || (count > 0 && bytes > ORCHESTRATOR_WRITE_BYTES)) {
            look->is_unfinished = true;
            break;
        }
        out[count++] = task; /* kept aside: what is changed moves in the list that is walked */
    }
    fit_deinit(&fit);
    return count;
}

/* Where a slot is guarded its next task is to wait until this one has stopped, so it is asked to. */
static bool is_guarded(struct store_tx *tx, const Task *task)
{
    const Docker__Swarmkit__V1__Service *service = task->service_id[0] ? store_tx_service(tx, task->service_id) : NULL;
    return service && labels_read(service).stop_after_ns > 0;
}

static int ask_to_stop(struct store_tx *tx, const Task *old, struct error *err)
{
    Task task = *old;

    task.desired_state = STATE(SHUTDOWN);
    return store_tx_update(tx, &task.base, err);
}

/* Else as in Swarm: its state, not what is desired of it, which is for whoever orchestrates it. */
static int reject(struct store_tx *tx, const Task *old, struct error *err)
{
    Google__Protobuf__Timestamp timestamp;
    Docker__Swarmkit__V1__TaskStatus status = *old->status;
    Task task = *old;

    message_set_timestamp(&timestamp, store_tx_wall_ns(tx));
    status.timestamp = &timestamp;
    status.state = STATE(REJECTED);
    status.message = (char *)(uintptr_t) "task rejected by constraint enforcer";
    status.err = (char *)(uintptr_t) "assigned node no longer meets constraints";
    task.status = &status;
    return store_tx_update(tx, &task.base, err);
}

static int look_at_node(struct store_tx *tx, void *ctx, struct error *err)
{
    struct look *look = ctx;
    const Node *node = store_tx_node(tx, look->id);
    const Task *misfits[STORE_ACTIONS_COUNT];
    int failed = 0;

    look->misfits_count = 0;
    look->is_unfinished = false;
    if (node == NULL || (node->spec && node->spec->availability != DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE))
        return 0;
    size_t count = find_misfits(tx, look, node, misfits, store_tx_room(tx));
    for (; look->misfits_count < count && failed == 0; look->misfits_count++) {
        const Task *task = misfits[look->misfits_count];
        failed = is_guarded(tx, task) ? ask_to_stop(tx, task, err) : reject(tx, task, err);
    }
    return failed;
}

/* --- following --- */

static void mark(struct enforcer *enforcer, const char *id)
{
    size_t length = strlen(id);
    struct mark *known;

    HASH_FIND_STR(enforcer->marks, id, known);
    if (known)
        return;
    known = mem_alloc(sizeof *known + length + 1);
    memcpy(known->id, id, length + 1);
    HASH_ADD_STR(enforcer->marks, id, known);
}

static void unmark(struct enforcer *enforcer, struct mark *known)
{
    HASH_DEL(enforcer->marks, known);
    free(known);
}

static void list(struct enforcer *enforcer)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(enforcer->host.store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL)
        mark(enforcer, store_message_id(STORE_NODE, message));
    enforcer->is_listed = true;
}

static void follow(struct enforcer *enforcer)
{
    const struct store_commit *commit;
    struct error err = {0};
    int result;

    if (!enforcer->is_listed)
        list(enforcer);
    while ((result = store_watch_next(enforcer->watcher, &commit, &err)) != ERR_NOT_FOUND) {
        if (result < 0) {
            list(enforcer);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++)
            if (commit->changes[i].kind == STORE_NODE && commit->changes[i].action == STORE_UPDATE)
                mark(enforcer, store_object_id(commit->changes[i].object));
    }
}

static void done(void *ctx, const struct error *err)
{
    struct look *look = ctx;
    struct enforcer *enforcer = look->enforcer;

    if (err) {
        log_warn("enforcer", "node %s: the tasks that it no longer satisfies were not taken from it: %s", look->id, err->message);
        enforcer->has_failed = true;
    } else if (look->misfits_count > 0) {
        log_info("enforcer", "node %s no longer satisfies %zu of its tasks: %s", look->id, look->misfits_count, look->why.message);
    }
    if (err || look->is_unfinished)
        mark(enforcer, look->id);
    enforcer->writes--;
    part_wake(&enforcer->host);
    free(look);
}

static void send(struct enforcer *enforcer)
{
    struct mark *known, *next;

    HASH_ITER (hh, enforcer->marks, known, next) {
        if (enforcer->writes >= ENFORCER_NODES_COUNT)
            return;
        size_t length = strlen(known->id);
        struct look *look = mem_alloc(sizeof *look + length + 1);
        look->enforcer = enforcer;
        memcpy(look->id, known->id, length + 1);
        unmark(enforcer, known);
        enforcer->writes++;
        store_update(enforcer->host.store, look_at_node, done, look);
    }
}

/* --- the part --- */

static void on_ready(void *ctx)
{
    part_wake(&((struct enforcer *)ctx)->host);
}

static void step(void *self, uint64_t now_ns)
{
    struct enforcer *enforcer = self;

    if (enforcer->has_failed)
        enforcer->hold_until_ns = now_ns + ORCHESTRATOR_RETRY_MS * NS_PER_MS;
    enforcer->has_failed = false;
    follow(enforcer);
    if (now_ns >= enforcer->hold_until_ns)
        send(enforcer);
}

static uint64_t deadline_ns(const void *self)
{
    const struct enforcer *enforcer = self;
    bool has_room = enforcer->writes < ENFORCER_NODES_COUNT; /* else it is waked when it has */
    return enforcer->marks && has_room ? enforcer->hold_until_ns : PART_NEVER;
}

static void free_enforcer(void *self)
{
    struct enforcer *enforcer = self;
    struct mark *known, *next;

    assert(enforcer->writes == 0); /* part.h: they have been told */
    store_unwatch(enforcer->watcher);
    HASH_ITER (hh, enforcer->marks, known, next)
        unmark(enforcer, known);
    free(enforcer);
}

struct part enforcer_new(const struct part_host *host)
{
    struct enforcer *enforcer = mem_alloc(sizeof *enforcer);

    enforcer->host = *host;
    enforcer->watcher = store_watch(host->store, on_ready, enforcer);
    return (struct part){.name = "enforcer", .step = step, .deadline_ns = deadline_ns, .free = free_enforcer, .self = enforcer};
}
