/* manager/dispatcher/statuses.c – what nodes say of their tasks, checked and on its way into the store. A task never goes backwards, and
 * what is known already – agents report everything again with each session – costs no entry of the log. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/text.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/dispatcher/inside.h"
#include "proto/message.h"

#define ROOM "dispatcher"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__TaskStatus Status;
typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate Update;

struct status_write {
    struct dispatcher_write base;
    Status *status; /* in one piece */
};

static struct status_write *as_status(struct dispatcher_write *write)
{
    return (struct status_write *)(void *)write;
}

/* --- into the store --- */

static void free_status_write(struct dispatcher_write *base)
{
    struct status_write *write = as_status(base);

    free(write->status);
    free(write);
}

static void merge(struct dispatcher_write *newer_base, struct dispatcher_write *older_base)
{
    struct status_write *newer = as_status(newer_base), *older = as_status(older_base);

    if (older->status->state <= newer->status->state)
        return;
    Status *higher = older->status;
    older->status = newer->status;
    newer->status = higher;
}

static bool is_same(const Status *a, const Status *b)
{
    Status left = *a, right = *b;

    left.applied_by = right.applied_by = (char *)(uintptr_t)protobuf_c_empty_string;
    left.applied_at = right.applied_at = NULL;
    return message_equal(&left.base, &right.base);
}

static bool is_news(const Task *task, const Status *status)
{
    bool is_lower = task->status && task->status->state > status->state && !CLUSTER_MUTANT(LOWER_STATUS);

    return task->status == NULL || (!is_lower && !is_same(task->status, status));
}

static int write_status(struct dispatcher *dispatcher, struct store_tx *tx, struct dispatcher_write *base, struct error *err)
{
    const Task *old = store_tx_task(tx, base->id);
    Status status = *as_status(base)->status;
    Google__Protobuf__Timestamp applied_at;

    if (old == NULL || !is_news(old, &status))
        return 0;
    Task task = *old;
    message_set_timestamp(&applied_at, store_tx_wall_ns(tx));
    status.applied_by = dispatcher->node_id;
    status.applied_at = &applied_at;
    task.status = &status;
    return store_tx_update(tx, &task.base, err);
}

static bool settled(struct dispatcher *dispatcher, struct dispatcher_write *base, const struct error *err)
{
    (void)dispatcher;
    if (err && err->code == ERR_LIMIT)
        log_with(LOG_ERROR, ROOM, LOG_FIELDS({"task", base->id}), "the task's status cannot be stored: %s", err->message);
    return err && err->code != ERR_LIMIT;
}

const struct dispatcher_writes_kind dispatcher_status_writes = {
    .write = write_status, .merge = merge, .settled = settled, .free = free_status_write};

static void put(struct dispatcher *dispatcher, const char *task_id, const Status *status, uint64_t now_ns)
{
    const struct store_object *object = store_get_object(dispatcher->host.store, STORE_TASK, task_id);
    struct status_write *write = mem_alloc(sizeof *write);

    write->base.id = mem_string(task_id);
    write->status = (void *)message_compact(&status->base, &write->base.size_bytes);
    write->base.size_bytes += object ? object->size_bytes : 0;
    dispatcher_writes_put(&dispatcher->status_writes, &write->base, now_ns);
}

/* --- from a node --- */

/* What a node may set: what it did with a task. The rest is the managers'. */
static bool is_of_node(int state)
{
    switch (state) {
    case DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED:
    case DOCKER__SWARMKIT__V1__TASK_STATE__ACCEPTED:
    case DOCKER__SWARMKIT__V1__TASK_STATE__PREPARING:
    case DOCKER__SWARMKIT__V1__TASK_STATE__READY:
    case DOCKER__SWARMKIT__V1__TASK_STATE__STARTING:
    case DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING:
    case DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE:
    case DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN:
    case DOCKER__SWARMKIT__V1__TASK_STATE__FAILED:
    case DOCKER__SWARMKIT__V1__TASK_STATE__REJECTED:
        return true;
    default:
        return false;
    }
}

/* At most DISPATCHER_STATUS_TEXT_BYTES of it, no character cut in two. NULL: it is short enough. */
static char *cut(const char *text)
{
    size_t length = text ? strlen(text) : 0;

    if (length <= DISPATCHER_STATUS_TEXT_BYTES)
        return NULL;
    for (length = DISPATCHER_STATUS_TEXT_BYTES - 3; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    return mem_format("%.*s…", (int)length, text);
}

struct cut_status {
    Status status;
    char *message, *err;
};

static void cut_status(const Status *status, struct cut_status *out)
{
    *out = (struct cut_status){.status = *status, .message = cut(status->message), .err = cut(status->err)};
    if (out->message)
        out->status.message = out->message;
    if (out->err)
        out->status.err = out->err;
    out->status.applied_by = (char *)(uintptr_t)protobuf_c_empty_string;
    out->status.applied_at = NULL;
}

static void cut_status_deinit(struct cut_status *cut)
{
    free(cut->message);
    free(cut->err);
}

static int check_update(const struct dispatcher *dispatcher, const char *node_id, const Update *update, struct error *err)
{
    const Task *task = store_task(dispatcher->host.store, update->task_id);
    struct cut_status cut;

    if (update->status == NULL || task == NULL)
        return 0;
    if (strcmp(task->node_id, node_id) != 0)
        return error_set(err, ERR_PERMISSION, "cannot update a task not assigned this node");
    cut_status(update->status, &cut);
    size_t size = protobuf_c_message_get_packed_size(&cut.status.base);
    cut_status_deinit(&cut);
    if (size > DISPATCHER_STATUS_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "the status of task %.64s has %zu bytes: more than %u", update->task_id, size,
                         DISPATCHER_STATUS_SIZE_BYTES);
    return 0;
}

static int check(const struct dispatcher *dispatcher, const char *node_id, const Docker__Swarmkit__V1__UpdateTaskStatusRequest *request,
                 struct error *err)
{
    if (request->n_updates > DISPATCHER_UPDATES_COUNT)
        return error_set(err, ERR_LIMIT, "%zu statuses in one call: more than %u", request->n_updates, DISPATCHER_UPDATES_COUNT);
    for (size_t i = 0; i < request->n_updates; i++) {
        int failed = check_update(dispatcher, node_id, request->updates[i], err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static bool take(struct dispatcher *dispatcher, const Update *update, uint64_t now_ns)
{
    const Task *task = store_task(dispatcher->host.store, update->task_id);
    struct cut_status cut;

    if (task == NULL || update->status == NULL || !is_of_node((int)update->status->state))
        return false;
    cut_status(update->status, &cut);
    bool is_taken = dispatcher_writes_find(&dispatcher->status_writes, task->id) || is_news(task, &cut.status);
    if (is_taken)
        put(dispatcher, task->id, &cut.status, now_ns);
    cut_status_deinit(&cut);
    return is_taken;
}

int dispatcher_update_status(struct dispatcher *dispatcher, const char *node_id,
                             const Docker__Swarmkit__V1__UpdateTaskStatusRequest *request, uint64_t now_ns, struct error *err)
{
    struct dispatcher_node *node;
    int failed = dispatcher_check_running(dispatcher, err);

    dispatcher->now_ns = now_ns;
    if (failed == 0)
        failed = dispatcher_node_check_session(dispatcher, node_id, request->session_id, &node, err);
    if (failed == 0)
        failed = check(dispatcher, node_id, request, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < request->n_updates; i++) {
        dispatcher->stats.statuses++;
        if (!take(dispatcher, request->updates[i], now_ns))
            dispatcher->stats.statuses_passed_over++;
    }
    return 0;
}

/* --- the manager's own words --- */

void dispatcher_orphan_tasks(struct dispatcher *dispatcher, const char *node_id, uint64_t now_ns)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(dispatcher->host.store, STORE_TASK, STORE_BY_NODE, node_id, &cursor);
    while ((message = store_next(&cursor)) != NULL) {
        const Task *task = (const Task *)(const void *)message;
        if (task->status == NULL || task->status->state < DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED ||
            task->status->state > DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING)
            continue;
        Status status = *task->status;
        status.state = DOCKER__SWARMKIT__V1__TASK_STATE__ORPHANED;
        put(dispatcher, task->id, &status, now_ns);
        dispatcher->stats.orphaned++;
    }
}

void dispatcher_refuse_task(struct dispatcher *dispatcher, const char *task_id, const char *why, uint64_t now_ns)
{
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Google__Protobuf__Timestamp timestamp;

    message_set_timestamp(&timestamp, clock_wall_ns(&dispatcher->host.clock));
    status.timestamp = &timestamp;
    status.state = DOCKER__SWARMKIT__V1__TASK_STATE__REJECTED;
    status.message = (char *)(uintptr_t) "assigning";
    status.err = (char *)(uintptr_t)why;
    put(dispatcher, task_id, &status, now_ns);
}
