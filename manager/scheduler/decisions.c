/* manager/scheduler/decisions.c – see decisions.h. */
#include "manager/scheduler/decisions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/message.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__TaskStatus Status;
typedef Docker__Swarmkit__V1__Annotations__LabelsEntry Label;
typedef Docker__Swarmkit__V1__GenericResource Generic;

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

/* A task about which something is on its way. */
struct flight {
    UT_hash_handle hh;
    size_t items;
    unsigned latest;     /* number of the newest of them */
    bool has_changed;    /* the store has it otherwise than the scheduler was told */
    struct flight *next; /* among the landed */
    char id[SCHEDULER_ID_SIZE_CHARS + 1];
};

struct item {
    enum scheduler_decision_kind kind;
    struct flight *flight;
    unsigned number;
    uint64_t version; /* of the task that was decided on */
    const char *node_id, *text;
    enum isolation isolation;
    struct scheduler_generic *generics;
    size_t generic_count;
};

struct write {
    struct decisions *decisions;
    struct arena arena; /* what the items point to */
    size_t count;
    struct item items[];
};

/* --- what a transaction sees --- */

/* Objects never change: of the version that was decided on it is the same in all. */
static bool is_as_decided(const Task *task, const struct item *item)
{
    return task && task->status && task->status->state == STATE(PENDING) &&
           store_message_version(STORE_TASK, &task->base) == item->version && item->flight->latest == item->number;
}

static bool takes_tasks(const Node *node)
{
    if (CLUSTER_MUTANT(ANY_AVAILABILITY))
        return node != NULL;
    return node && node->status && node->status->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY &&
           (!node->spec || node->spec->availability == DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE);
}

/* --- what is written --- */

static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Generic resources as messages, each in its list's place. */
static void fill_generics(const struct item *item, struct arena *arena, Task *task)
{
    Generic **list = arena_alloc(arena, (item->generic_count + 1) * sizeof *list);

    for (size_t i = 0; i < item->generic_count; i++) {
        const struct scheduler_generic *from = &item->generics[i];
        Generic *generic = list[i] = arena_alloc(arena, sizeof *generic);
        docker__swarmkit__v1__generic_resource__init(generic);
        if (from->value) {
            generic->resource_case = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC;
            generic->named_resource_spec = arena_alloc(arena, sizeof *generic->named_resource_spec);
            docker__swarmkit__v1__named_generic_resource__init(generic->named_resource_spec);
            generic->named_resource_spec->kind = unconst(from->kind);
            generic->named_resource_spec->value = unconst(from->value);
        } else {
            generic->resource_case = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
            generic->discrete_resource_spec = arena_alloc(arena, sizeof *generic->discrete_resource_spec);
            docker__swarmkit__v1__discrete_generic_resource__init(generic->discrete_resource_spec);
            generic->discrete_resource_spec->kind = unconst(from->kind);
            generic->discrete_resource_spec->value = from->amount;
        }
    }
    task->assigned_generic_resources = list;
    task->n_assigned_generic_resources = item->generic_count;
}

/* The task's own labels with that of its isolation. @annotations has what it had. */
static void fill_isolation(const struct item *item, struct arena *arena, Docker__Swarmkit__V1__Annotations *annotations)
{
    Label **list = arena_alloc(arena, (annotations->n_labels + 1) * sizeof *list), *label = arena_alloc(arena, sizeof *label);
    size_t count = 0;

    for (size_t i = 0; i < annotations->n_labels; i++)
        if (strcmp(annotations->labels[i]->key, DECISIONS_LABEL_ISOLATION) != 0)
            list[count++] = annotations->labels[i];
    docker__swarmkit__v1__annotations__labels_entry__init(label);
    label->key = unconst(DECISIONS_LABEL_ISOLATION);
    label->value = unconst(isolation_name(item->isolation));
    list[count++] = label;
    annotations->labels = list;
    annotations->n_labels = count;
}

static int assign(struct store_tx *tx, const struct item *item, const Task *old, struct error *err)
{
    static const char *const messages[] = {[SCHEDULER_ASSIGN] = "scheduler assigned task to node",
                                           [SCHEDULER_CONFIRM] = "scheduler confirmed task can run on preassigned node"};
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Google__Protobuf__Timestamp timestamp;
    Task task = *old;

    message_set_timestamp(&timestamp, store_tx_wall_ns(tx));
    status.timestamp = &timestamp;
    status.state = STATE(ASSIGNED);
    status.message = unconst(messages[item->kind]);
    task.status = &status;
    task.node_id = unconst(item->node_id);
    fill_generics(item, &arena, &task);
    if (item->isolation != ISOLATION_DEFAULT) {
        if (old->annotations)
            annotations = *old->annotations;
        fill_isolation(item, &arena, &annotations);
        task.annotations = &annotations;
    }
    return store_tx_update(tx, &task.base, err);
}

static int refuse(struct store_tx *tx, const struct item *item, const Task *old, struct error *err)
{
    Google__Protobuf__Timestamp timestamp;
    Status status = *old->status;
    Task task = *old;

    if (strcmp(status.err, item->text) == 0)
        return 0;
    message_set_timestamp(&timestamp, store_tx_wall_ns(tx));
    status.timestamp = &timestamp;
    status.err = unconst(item->text);
    task.status = &status;
    return store_tx_update(tx, &task.base, err);
}

static int end_task(struct store_tx *tx, const Task *old, struct error *err)
{
    Google__Protobuf__Timestamp timestamp;
    Status status = *old->status;
    Task task = *old;

    message_set_timestamp(&timestamp, store_tx_wall_ns(tx));
    status.timestamp = &timestamp;
    status.state = STATE(SHUTDOWN);
    status.err = unconst("");
    task.status = &status;
    return store_tx_update(tx, &task.base, err);
}

static int carry_out(struct store_tx *tx, const struct item *item, struct error *err)
{
    const Task *task = store_tx_task(tx, item->flight->id);

    if (!is_as_decided(task, item))
        return 0;
    switch (item->kind) {
    case SCHEDULER_ASSIGN:
    case SCHEDULER_CONFIRM:
        return takes_tasks(store_tx_node(tx, item->node_id)) ? assign(tx, item, task, err) : 0;
    case SCHEDULER_REFUSE:
        return refuse(tx, item, task, err);
    case SCHEDULER_OVER:
        return end_task(tx, task, err);
    }
    return 0;
}

static int carry_out_all(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct write *write = ctx;
    int failed = 0;

    for (size_t i = 0; i < write->count && failed == 0; i++)
        failed = carry_out(tx, &write->items[i], err);
    return failed;
}

/* --- landing --- */

static void land(struct decisions *decisions, struct flight *flight)
{
    if (--flight->items > 0)
        return;
    flight->next = decisions->landed;
    decisions->landed = flight;
}

static void done(void *ctx, const struct error *err)
{
    struct write *write = ctx;
    struct decisions *decisions = write->decisions;

    if (err) {
        log_warn("scheduler", "%zu decisions were not written: %s", write->count, err->message);
        decisions->has_failed = true;
    }
    for (size_t i = 0; i < write->count; i++)
        land(decisions, write->items[i].flight);
    decisions->writes--;
    part_wake(decisions->host);
    arena_deinit(&write->arena);
    free(write);
}

bool decisions_hold_back(struct decisions *decisions, const char *task_id)
{
    struct flight *flight;

    HASH_FIND_STR(decisions->flights, task_id, flight);
    if (flight)
        flight->has_changed = true;
    return flight != NULL;
}

size_t decisions_settle(struct decisions *decisions, void (*fn)(void *ctx, const char *task_id), void *ctx)
{
    struct flight *flight, *next = decisions->landed;
    size_t count = 0;

    decisions->landed = NULL;
    while ((flight = next) != NULL) {
        next = flight->next;
        HASH_DEL(decisions->flights, flight);
        fn(ctx, flight->id);
        free(flight);
        count++;
    }
    return count;
}

/* --- sending --- */

static struct flight *obtain_flight(struct decisions *decisions, const char *task_id)
{
    struct flight *flight;

    HASH_FIND_STR(decisions->flights, task_id, flight);
    if (flight)
        return flight;
    flight = mem_alloc(sizeof *flight);
    memcpy(flight->id, task_id, strlen(task_id) + 1);
    HASH_ADD_STR(decisions->flights, id, flight);
    return flight;
}

static void keep_generics(struct arena *arena, const struct scheduler_decision *decision, struct item *item)
{
    if (decision->generic_count == 0)
        return;
    item->generics = arena_copy(arena, decision->generics, decision->generic_count * sizeof *decision->generics);
    item->generic_count = decision->generic_count;
    for (size_t i = 0; i < item->generic_count; i++) {
        item->generics[i].kind = arena_string(arena, item->generics[i].kind);
        item->generics[i].value = arena_string(arena, item->generics[i].value);
    }
}

/* Tasks of a group share their explanation: its text is copied once for those that follow each other. */
static const char *keep_text(struct write *write, const struct scheduler_decision *decision)
{
    const struct item *last = write->count > 0 ? &write->items[write->count - 1] : NULL;
    const char *text = decision->explanation ? decision->explanation->text : NULL;

    if (text == NULL)
        return NULL;
    return last && last->text && strcmp(last->text, text) == 0 ? last->text : arena_string(&write->arena, text);
}

static void add(struct write *write, const struct scheduler_decision *decision, uint64_t version)
{
    struct flight *flight = obtain_flight(write->decisions, decision->task_id);

    if (flight->has_changed)
        return; /* decided on something older: it is settled with what is on its way about the task */
    struct item item = {.kind = decision->kind,
                        .flight = flight,
                        .number = ++flight->latest,
                        .version = version,
                        .node_id = arena_string(&write->arena, decision->node_id),
                        .text = keep_text(write, decision),
                        .isolation = decision->isolation};
    keep_generics(&write->arena, decision, &item);
    flight->items++;
    write->items[write->count++] = item;
}

/* What a decision adds to an entry, about: the task, and what is written beside it. */
static size_t weight(const struct store_object *object, const struct scheduler_decision *decision)
{
    return (object ? object->size_bytes : 0) + (1 + decision->generic_count) * 64;
}

/* One transaction, of as many of them as fit. Returns how many. */
static size_t send(struct decisions *decisions, const struct scheduler_decision *items, size_t count)
{
    size_t most = count < STORE_ACTIONS_COUNT ? count : STORE_ACTIONS_COUNT, taken = 0, size = 0;
    struct write *write = mem_alloc(sizeof *write + most * sizeof(struct item));

    write->decisions = decisions;
    for (; taken < most; taken++) {
        const struct store_object *object = store_get_object(decisions->host->store, STORE_TASK, items[taken].task_id);
        size += weight(object, &items[taken]);
        if (taken > 0 && size > SCHEDULER_WRITE_BYTES)
            break;
        add(write, &items[taken], object ? store_object_version(object) : 0);
    }
    if (write->count == 0) {
        arena_deinit(&write->arena);
        free(write);
        return taken;
    }
    decisions->writes++;
    store_update(decisions->host->store, carry_out_all, done, write);
    return taken;
}

void decisions_send(struct decisions *decisions, const struct scheduler_decision *items, size_t count)
{
    assert(decisions->landed == NULL); /* decisions_settle() */
    while (count > 0) {
        size_t taken = send(decisions, items, count);
        items += taken;
        count -= taken;
    }
}

void decisions_init(struct decisions *decisions, const struct part_host *host)
{
    *decisions = (struct decisions){.host = host};
}

void decisions_deinit(struct decisions *decisions)
{
    struct flight *flight, *next;

    assert(decisions->writes == 0);
    HASH_ITER (hh, decisions->flights, flight, next) {
        HASH_DEL(decisions->flights, flight);
        free(flight);
    }
}
