/* The tasks: where each one stands, and what changes when it moves. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/scheduler/inside.h"

enum { BLOCK_COUNT = 512 };

struct sched_task_block {
    struct sched_task_block *next;
    struct sched_task tasks[BLOCK_COUNT];
};

static struct sched_task *new_task(struct scheduler *s, const char *id)
{
    if (!s->free_tasks) {
        struct sched_task_block *block = mem_alloc(sizeof *block);
        block->next = s->task_blocks;
        s->task_blocks = block;
        for (size_t i = BLOCK_COUNT; i-- > 0;) {
            block->tasks[i].next = s->free_tasks;
            s->free_tasks = &block->tasks[i];
        }
    }
    struct sched_task *task = s->free_tasks;
    s->free_tasks = task->next;
    *task = (struct sched_task){.where = SCHED_NOWHERE};
    memcpy(task->id, id, strlen(id) + 1);
    sched_table_add(&s->tasks, task);
    return task;
}

void sched_task_free_all(struct scheduler *s)
{
    for (size_t i = 0; i < s->tasks.capacity; i++) {
        struct sched_task *task = s->tasks.items[i];
        if (task && task->grant)
            sched_generics_release(&task->node->generics, task->grant);
    }
    while (s->task_blocks) {
        struct sched_task_block *block = s->task_blocks;
        s->task_blocks = block->next;
        free(block);
    }
}

/* It stands nowhere afterwards; its group and node are still set, and still count it. */
static void leave(struct scheduler *s, struct sched_task *task)
{
    switch ((enum sched_where)task->where) {
    case SCHED_NOWHERE:
        break;
    case SCHED_PENDING:
        s->pending_count--;
        sched_queue_drop(s, task);
        break;
    case SCHED_PREASSIGNED:
        s->pending_count--;
        DL_DELETE(task->node->waiting, task);
        break;
    case SCHED_ON_NODE:
        if (task->is_active)
            sched_node_deactivate(s, task);
        sched_node_unbear(s, task);
        break;
    case SCHED_TO_END:
        if (task->prev) /* else it was told already, and is in no list */
            DL_DELETE(s->to_end, task);
        break;
    }
    task->where = SCHED_NOWHERE;
    task->next = task->prev = NULL;
    task->is_decided = false;
}

static void let_node_go(struct scheduler *s, struct sched_task *task)
{
    struct sched_node *node = task->node;
    task->node = NULL;
    if (!node)
        return;
    node->task_count--;
    sched_node_let_go(s, node);
}

static void set_node(struct scheduler *s, struct sched_task *task, struct sched_node *node)
{
    if (task->node == node)
        return;
    if (node)
        node->task_count++;
    let_node_go(s, task);
    task->node = node;
}

static void set_group(struct scheduler *s, struct sched_task *task, struct sched_group *group)
{
    struct sched_group *old = task->group;
    if (old == group)
        return;
    group->use_count++;
    task->group = group;
    if (old)
        sched_group_let_go(s, old);
}

static void forget(struct scheduler *s, struct sched_task *task)
{
    leave(s, task);
    let_node_go(s, task);
    sched_group_let_go(s, task->group);
    sched_table_remove(&s->tasks, task);
    task->next = s->free_tasks;
    s->free_tasks = task;
}

static int state_of(const Task *message)
{
    return message->status ? (int)message->status->state : 0;
}

static bool is_to_run(const Task *message)
{
    return message->desired_state <= DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE;
}

static enum sched_where where_of(const Task *message)
{
    bool is_pending = state_of(message) == DOCKER__SWARMKIT__V1__TASK_STATE__PENDING;
    if (text_empty(message->node_id))
        return is_to_run(message) ? SCHED_PENDING : SCHED_TO_END;
    if (!is_pending)
        return SCHED_ON_NODE;
    return is_to_run(message) ? SCHED_PREASSIGNED : SCHED_TO_END;
}

static void take_node(struct scheduler *s, struct sched_task *task, const Task *message)
{
    struct sched_node *node = task->node;
    task->grant =
        message->n_assigned_generic_resources > 0
            ? sched_generics_claim_recorded(&node->generics, message->assigned_generic_resources, message->n_assigned_generic_resources)
            : sched_generics_claim(&node->generics, task->group->generics, task->group->generic_count);
    sched_node_bear(s, task);
    if (is_to_run(message))
        sched_node_activate(s, task);
}

static void enter(struct scheduler *s, struct sched_task *task, enum sched_where where, const Task *message)
{
    task->where = (uint8_t)where;
    switch (where) {
    case SCHED_NOWHERE:
        break;
    case SCHED_PENDING:
        s->pending_count++;
        sched_queue_task(s, task);
        break;
    case SCHED_PREASSIGNED:
        s->pending_count++;
        task->was_preassigned = true;
        DL_APPEND(task->node->waiting, task);
        sched_node_touch(s, task->node, SCHED_WAITING);
        break;
    case SCHED_ON_NODE:
        take_node(s, task, message);
        break;
    case SCHED_TO_END:
        DL_APPEND(s->to_end, task);
        break;
    }
}

/* On the same node as before, with the same of it: mostly a state that moved on, or our own decision come back. */
static bool stays_on_node(struct scheduler *s, struct sched_task *task, const struct sched_group *group, const Task *message)
{
    bool is_unrecorded = message->n_assigned_generic_resources == 0 && !task->is_decided;
    if (task->where != SCHED_ON_NODE || task->group != group || strcmp(task->node->id, message->node_id) != 0 ||
        (!is_unrecorded && !sched_grant_equals(task->grant, message->assigned_generic_resources, message->n_assigned_generic_resources)))
        return false;
    task->is_decided = false;
    if (task->is_active && !is_to_run(message))
        sched_node_deactivate(s, task);
    else if (!task->is_active && is_to_run(message))
        sched_node_activate(s, task);
    return true;
}

static void update(struct scheduler *s, struct sched_task *task, const Task *message)
{
    struct sched_group *group = sched_group_of(s, message);
    enum sched_where where = where_of(message);
    if (where == SCHED_ON_NODE && stays_on_node(s, task, group, message))
        return;
    const char *refusal = message->status ? message->status->err : NULL;
    uint32_t told = text_empty(refusal) ? 0 : sched_text_hash(refusal);
    bool is_untold = told != task->told; /* where it stays: its refusal was not written */
    task->told = told;
    if (where == SCHED_PENDING && task->where == SCHED_PENDING && task->group == group) {
        if (is_untold)
            sched_queue_retell(s, group);
        return;
    }
    if (where == SCHED_PREASSIGNED && task->where == SCHED_PREASSIGNED && task->group == group &&
        strcmp(task->node->id, message->node_id) == 0) {
        if (is_untold)
            sched_node_touch(s, task->node, SCHED_WAITING);
        return;
    }
    group->use_count++; /* nothing that leaves may take it along */
    leave(s, task);
    set_group(s, task, group);
    group->use_count--;
    set_node(s, task, text_empty(message->node_id) ? NULL : sched_node_need(s, message->node_id));
    enter(s, task, where, message);
}

int scheduler_task_set(struct scheduler *s, const Task *message, struct error *err)
{
    if (text_empty(message->id))
        return error_set(err, ERR_INVALID, "a task without an id");
    if (strlen(message->id) > SCHEDULER_ID_SIZE_CHARS)
        return error_set(err, ERR_LIMIT, "task %.40s…: an id has at most %d characters", message->id, SCHEDULER_ID_SIZE_CHARS);
    struct sched_task *task = sched_table_find(&s->tasks, message->id);
    int state = state_of(message);
    if (state < DOCKER__SWARMKIT__V1__TASK_STATE__PENDING)
        return 0;
    if (state > DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING) {
        bool has_failed = state == DOCKER__SWARMKIT__V1__TASK_STATE__FAILED || state == DOCKER__SWARMKIT__V1__TASK_STATE__REJECTED;
        if (task && has_failed && task->where == SCHED_ON_NODE && !task->was_preassigned)
            sched_failures_note(s, task->group, task->node->index);
        if (task)
            forget(s, task);
        return 0;
    }
    if (state > DOCKER__SWARMKIT__V1__TASK_STATE__PENDING && text_empty(message->node_id))
        return error_set(err, ERR_INVALID, "task %s: its state is beyond PENDING, and it has no node", message->id);
    if (!task && s->tasks.count >= SCHEDULER_TASKS_COUNT)
        return error_set(err, ERR_LIMIT, "task %s: %d tasks are known already", message->id, SCHEDULER_TASKS_COUNT);
    if (!task)
        task = new_task(s, message->id);
    update(s, task, message);
    return 0;
}

void scheduler_task_remove(struct scheduler *s, const char *id)
{
    struct sched_task *task = sched_table_find(&s->tasks, id);
    if (task)
        forget(s, task);
}
