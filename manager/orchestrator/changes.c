/* manager/orchestrator/changes.c – decisions become transactions: whole groups, as many as one entry of the log takes. A writer goes by
 * what its transaction sees: what was moved or removed meanwhile is left alone. */
#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "manager/orchestrator/inside.h"
#include "manager/orchestrator/new_task.h"

enum change_kind { CHANGE_CREATE, CHANGE_DESIRE, CHANGE_REMOVE };

struct change {
    enum change_kind kind;
    struct view_slot *slot; /* NULL: of no service; else it and its service stay until the outcome is known */
    size_t group;
    size_t size_bytes;             /* of what it writes, about */
    char id[STORE_KEY_SIZE_BYTES]; /* the task's */
    int desired;                   /* of a creation or a move */
};

struct write {
    struct orchestrator *orchestrator;
    size_t count;
    struct change changes[];
};

/* --- collecting --- */

void changes_group(struct orchestrator *orchestrator)
{
    orchestrator->group++;
}

static struct change *add(struct orchestrator *orchestrator, enum change_kind kind, struct view_slot *slot, const char *id)
{
    if (orchestrator->changes_count == orchestrator->changes_capacity) {
        orchestrator->changes_capacity = orchestrator->changes_capacity ? 2 * orchestrator->changes_capacity : 64;
        orchestrator->changes = mem_resize(orchestrator->changes, orchestrator->changes_capacity * sizeof(struct change));
    }
    struct change *change = &orchestrator->changes[orchestrator->changes_count++];
    *change = (struct change){.kind = kind, .slot = slot, .group = orchestrator->group};
    snprintf(change->id, sizeof change->id, "%s", id);
    if (slot)
        slot->writes++;
    return change;
}

const char *changes_create(struct orchestrator *orchestrator, struct view_slot *slot, int desired)
{
    char id[ID_SIZE_CHARS + 1];

    id_make(&orchestrator->host.random, id);
    struct change *change = add(orchestrator, CHANGE_CREATE, slot, id);
    change->desired = desired;
    change->size_bytes = slot->service->object->size_bytes;
    return change->id;
}

static struct change *add_of_task(struct orchestrator *orchestrator, enum change_kind kind, struct view_task *task)
{
    struct change *change = add(orchestrator, kind, task->slot, store_object_id(task->object));
    change->size_bytes = task->object->size_bytes;
    return change;
}

void changes_desire(struct orchestrator *orchestrator, struct view_task *task, int desired)
{
    add_of_task(orchestrator, CHANGE_DESIRE, task)->desired = desired;
}

void changes_remove(struct orchestrator *orchestrator, struct view_task *task)
{
    add_of_task(orchestrator, CHANGE_REMOVE, task);
}

void slot_promise(struct view_slot *slot, enum slot_class class)
{
    assert(slot->writes);
    slot->promise = class;
    view_set_class(slot, class);
}

/* --- writing --- */

static int create(struct store_tx *tx, const struct change *change, struct error *err)
{
    const struct view_slot *slot = change->slot;
    const Docker__Swarmkit__V1__Service *service = store_tx_service(tx, slot->service->id);
    struct store_cursor cursor;
    struct new_task new_task;

    if (service == NULL)
        return 0;
    store_tx_find(tx, STORE_CLUSTER, STORE_ALL, NULL, &cursor);
    const Docker__Swarmkit__V1__Cluster *cluster = (const void *)store_next(&cursor);
    bool is_global = view_mode_is_global(slot->service->mode);
    new_task_fill(&new_task, service, cluster, change->id, slot->number, is_global ? slot->key : "", store_tx_wall_ns(tx));
    new_task.task.desired_state = (Docker__Swarmkit__V1__TaskState)change->desired;
    return store_tx_create(tx, &new_task.task.base, err);
}

static int desire(struct store_tx *tx, const struct change *change, struct error *err)
{
    const Docker__Swarmkit__V1__Task *old = store_tx_task(tx, change->id);

    if (old == NULL || (int)old->desired_state >= change->desired)
        return 0;
    Docker__Swarmkit__V1__Task task = *old;
    task.desired_state = (Docker__Swarmkit__V1__TaskState)change->desired;
    return store_tx_update(tx, &task.base, err);
}

static int take_away(struct store_tx *tx, const struct change *change, struct error *err)
{
    return store_tx_task(tx, change->id) ? store_tx_remove(tx, STORE_TASK, change->id, err) : 0;
}

static int carry_out(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct write *write = ctx;
    int failed = 0;

    for (size_t i = 0; i < write->count && failed == 0; i++) {
        const struct change *change = &write->changes[i];
        switch (change->kind) {
        case CHANGE_CREATE:
            failed = create(tx, change, err);
            break;
        case CHANGE_DESIRE:
            failed = desire(tx, change, err);
            break;
        case CHANGE_REMOVE:
            failed = take_away(tx, change, err);
            break;
        }
    }
    return failed;
}

static void done(void *ctx, const struct error *err)
{
    struct write *write = ctx;
    struct orchestrator *orchestrator = write->orchestrator;

    if (err) {
        log_warn("orchestrator", "%zu changes of tasks were not written: %s", write->count, err->message);
        orchestrator->has_failed = true;
    }
    for (size_t i = 0; i < write->count; i++) {
        struct view_slot *slot = write->changes[i].slot;
        if (err && write->changes[i].kind == CHANGE_CREATE)
            view_forget_start(&orchestrator->view, write->changes[i].id);
        if (slot == NULL) {
            orchestrator->view.is_loose_changed |= err != NULL;
            continue;
        }
        slot->writes--;
        view_mark_slot(&orchestrator->view, slot);
        view_mark_service(&orchestrator->view, slot->service);
    }
    orchestrator->writes--;
    part_wake(&orchestrator->host);
    free(write);
}

/* --- sending off --- */

/* How many changes from @first on go in one transaction. */
static size_t portion(const struct orchestrator *orchestrator, size_t first)
{
    const struct change *changes = orchestrator->changes;
    size_t end = first, size = 0;

    while (end < orchestrator->changes_count) {
        size_t next = end, next_size = size;
        while (next < orchestrator->changes_count && changes[next].group == changes[end].group)
            next_size += changes[next++].size_bytes;
        if (end > first && (next - first > STORE_ACTIONS_COUNT || next_size > ORCHESTRATOR_WRITE_BYTES))
            break;
        end = next;
        size = next_size;
    }
    return end - first;
}

void changes_flush(struct orchestrator *orchestrator)
{
    for (size_t first = 0, count; first < orchestrator->changes_count; first += count) {
        count = portion(orchestrator, first);
        struct write *write = mem_alloc(sizeof *write + count * sizeof(struct change));
        write->orchestrator = orchestrator;
        write->count = count;
        memcpy(write->changes, &orchestrator->changes[first], count * sizeof(struct change));
        orchestrator->writes++;
        store_update(orchestrator->host.store, carry_out, done, write);
    }
    orchestrator->changes_count = 0;
}
