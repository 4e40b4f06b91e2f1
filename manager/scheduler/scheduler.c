/* The scheduler as a whole: made, run, asked. What it knows is in inside.h; who decides what is in the files beside. */
#include "manager/scheduler/scheduler.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "manager/scheduler/inside.h"

/* Names of what lies in the tables. */

static const char *node_name(const void *item)
{
    return ((const struct sched_node *)item)->id;
}

static const char *task_name(const void *item)
{
    return ((const struct sched_task *)item)->id;
}

static const char *service_name(const void *item)
{
    return ((const struct sched_service *)item)->id;
}

static const char *image_name(const void *item)
{
    return ((const struct sched_image *)item)->reference;
}

static const char *rules_name(const void *item)
{
    return ((const struct sched_rules *)item)->key;
}

struct scheduler *scheduler_new(void)
{
    struct scheduler *s = mem_alloc(sizeof *s);
    sched_strings_init(&s->strings);
    s->nodes_by_id.name = node_name;
    s->tasks.name = task_name;
    s->services.name = service_name;
    s->images.name = image_name;
    s->rules.name = rules_name;
    return s;
}

static void free_services(struct scheduler *s)
{
    for (size_t i = 0; i < s->services.capacity; i++) {
        struct sched_service *service = s->services.items[i];
        struct sched_group *group, *next;
        if (!service)
            continue;
        for (group = service->groups; group; group = next) {
            next = group->service_next;
            sched_group_free(s, group);
        }
        sched_presence_deinit(&service->presence);
        free(service);
    }
}

static void free_tables(struct scheduler *s)
{
    for (size_t i = 0; i < s->images.capacity; i++)
        if (s->images.items[i])
            sched_image_free(s, s->images.items[i]);
    for (size_t i = 0; i < s->rules.capacity; i++)
        if (s->rules.items[i])
            sched_rules_free(s, s->rules.items[i]);
    for (uint32_t i = 0; i < s->node_limit; i++)
        if (s->nodes[i])
            sched_node_free(s, s->nodes[i]);
    sched_table_deinit(&s->images);
    sched_table_deinit(&s->rules);
    sched_table_deinit(&s->nodes_by_id);
    sched_table_deinit(&s->tasks);
    sched_table_deinit(&s->services);
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    sched_task_free_all(s);
    free_services(s);
    free_tables(s);
    sched_strings_deinit(&s->strings);
    sched_order_deinit(&s->order);
    free((void *)s->nodes);
    free(s->loads);
    free(s->free_indexes);
    free(s->blocked);
    free(s->dirty);
    free(s->failures);
    free(s->failing_by_node);
    free(s->decisions);
    free(s->candidates);
    buf_deinit(&s->key);
    arena_deinit(&s->arena);
    free(s);
}

void sched_spend_visits(struct scheduler *s)
{
    size_t cost = s->visit_count / SCHED_VISITS_PER_BUDGET;
    s->visit_count -= cost * SCHED_VISITS_PER_BUDGET;
    s->budget -= cost < s->budget ? cost : s->budget;
}

struct scheduler_decision *sched_decide(struct scheduler *s, enum scheduler_decision_kind kind, struct sched_task *task)
{
    SCHED_GROW(s->decisions, s->decision_count, s->decision_capacity);
    struct scheduler_decision *decision = &s->decisions[s->decision_count++];
    *decision = (struct scheduler_decision){.kind = kind, .task_id = task->id};
    if (kind == SCHEDULER_ASSIGN || kind == SCHEDULER_CONFIRM) {
        decision->node_id = task->node->id;
        decision->isolation = sched_verdict_isolation(sched_rules_ask(s, task->group->rules, task->node->index));
        if (task->grant) {
            decision->generics = task->grant->items;
            decision->generic_count = task->grant->count;
        }
    }
    s->budget -= s->budget > 0;
    return decision;
}

static void end_tasks(struct scheduler *s)
{
    while (s->to_end && s->budget > 0) {
        struct sched_task *task = s->to_end;
        DL_DELETE(s->to_end, task);
        task->next = task->prev = NULL;
        sched_decide(s, SCHEDULER_OVER, task);
    }
}

static void run_queue(struct scheduler *s)
{
    while (s->queue && s->budget > 0) {
        struct sched_group *group = s->queue;
        if (sched_is_held(s, group)) {
            sched_queue_hold(s, group);
            continue;
        }
        bool is_done = sched_choose(s, group);
        if (group->pending && is_done) {
            sched_queue_block(s, group);
        } else if (group->pending) { /* the others have their turn first */
            DL_DELETE2(s->queue, group, queue_prev, queue_next);
            DL_APPEND2(s->queue, group, queue_prev, queue_next);
        }
        sched_spend_visits(s);
    }
}

struct scheduler_result scheduler_run(struct scheduler *s, int64_t now_ns, size_t budget)
{
    arena_deinit(&s->arena);
    s->now_ns = now_ns;
    s->budget = budget;
    s->decision_count = 0;
    sched_failures_stamp(s);
    end_tasks(s);
    sched_queue_read_dirty(s);
    run_queue(s);
    sched_queue_tell(s);
    run_queue(s); /* what telling found to fit */
    struct scheduler_result result = {.decisions = s->decisions, .count = s->decision_count, .due_ns = sched_queue_due(s)};
    result.has_more = s->to_end || s->dirty_count > 0 || s->queue || s->tell_now || result.due_ns <= now_ns;
    return result;
}

const struct scheduler_explanation *scheduler_explain(struct scheduler *s, const char *task_id)
{
    struct sched_task *task = sched_table_find(&s->tasks, task_id);
    unsigned waits;
    bool fits = false;

    arena_deinit(&s->arena);
    if (!task)
        return NULL;
    if (task->where == SCHED_PREASSIGNED && task->node->is_known && !sched_fits(s, task->group, task->node->index))
        return sched_explain_node(s, task->group, task->node);
    if (task->where != SCHED_PENDING || task->group->blocked_place == 0)
        return NULL;
    const struct scheduler_explanation *explanation = sched_explain_group(s, task->group, &waits, &fits);
    return fits ? NULL : explanation;
}

struct scheduler_counts scheduler_count(const struct scheduler *s)
{
    return (struct scheduler_counts){.nodes = s->known_count,
                                     .ready_nodes = s->ready_count,
                                     .tasks = s->tasks.count,
                                     .pending_tasks = s->pending_count,
                                     .blocked_groups = s->blocked_count};
}
