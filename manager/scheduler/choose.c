/* The choice: tasks of a group go, one after the other, to the node that has fewest of the service, and of those to the one that has fewest
 * at all; nodes on which the service keeps failing come last.
 *
 * That order is not made for every choice. First come the nodes without a task of the service, and order.h has them sorted already: the
 * walk ends as soon as the tasks do. What is left then, the nodes that have some, is a heap. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/scheduler/inside.h"

/* A key: failures where they count, tasks of the service, all tasks. SCHEDULER_TASKS_COUNT is below 2^28. */
enum { COUNT_BITS = 28 };

uint64_t sched_candidate_key(const struct scheduler *s, const struct sched_group *group, uint32_t node)
{
    uint64_t failures = sched_failures_many(s, node), tasks = sched_presence_count(&group->service->presence, node);
    return failures << (2 * COUNT_BITS) | tasks << COUNT_BITS | s->loads[node].active_count;
}

struct sched_candidate *sched_candidates(struct scheduler *s, size_t count)
{
    if (count > s->candidate_capacity) {
        s->candidate_capacity = 2 * count;
        s->candidates = mem_resize(s->candidates, s->candidate_capacity * sizeof *s->candidates);
    }
    return s->candidates;
}

static void sift_down(struct sched_pool *pool, size_t i)
{
    struct sched_candidate moved = pool->items[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= pool->count)
            break;
        if (child + 1 < pool->count && pool->items[child + 1].key < pool->items[child].key)
            child++;
        if (moved.key <= pool->items[child].key)
            break;
        pool->items[i] = pool->items[child];
        i = child;
    }
    pool->items[i] = moved;
}

void sched_pool_build(struct sched_pool *pool)
{
    for (size_t i = pool->count / 2; i-- > 0;)
        sift_down(pool, i);
}

void sched_place(struct scheduler *s, struct sched_group *group, uint32_t index)
{
    struct sched_task *task = group->pending;
    struct sched_node *node = s->nodes[index];

    sched_queue_drop(s, task);
    s->pending_count--;
    task->where = SCHED_ON_NODE;
    task->is_decided = true;
    task->node = node;
    node->task_count++;
    task->grant = sched_generics_claim(&node->generics, group->generics, group->generic_count);
    sched_node_bear(s, task);
    sched_node_activate(s, task);
    sched_decide(s, SCHEDULER_ASSIGN, task);
}

bool sched_pool_place(struct scheduler *s, struct sched_group *group, struct sched_pool *pool)
{
    while (pool->count > 0) {
        struct sched_candidate *best = &pool->items[0];
        bool fits = sched_fits(s, group, best->node);
        if (fits) {
            sched_place(s, group, best->node);
            best->key += ((uint64_t)1 << COUNT_BITS) + 1;
        } else {
            *best = pool->items[--pool->count];
        }
        if (pool->count > 0)
            sift_down(pool, 0);
        if (fits)
            return true;
    }
    return false;
}

static bool place_all(struct scheduler *s, struct sched_group *group, struct sched_pool *pool)
{
    while (group->pending && s->budget > 0)
        if (!sched_pool_place(s, group, pool))
            return true;
    return !group->pending;
}

/* The nodes that have no task of the service yet. False: the budget ended it. */
static bool place_on_new(struct scheduler *s, struct sched_group *group)
{
    const struct sched_order *order = &s->order;
    const struct sched_presence *presence = &group->service->presence;
    uint32_t place = 0;
    while (group->pending && place < order->count) {
        uint32_t node = order->nodes[place];
        if (s->budget == 0)
            return false;
        if (sched_presence_count(presence, node) == 0 && sched_failures_many(s, node) == 0 && sched_fits(s, group, node))
            sched_place(s, group, node); /* another node of its level takes its place in the order; or it stays, and is passed over next */
        else
            place++;
    }
    return true;
}

/* The nodes that have some, and those on which it keeps failing. */
static bool place_on_used(struct scheduler *s, struct sched_group *group)
{
    const struct sched_presence *presence = &group->service->presence;
    struct sched_pool pool = {sched_candidates(s, (size_t)presence->used_count + group->failing_count), 0};
    for (uint32_t i = 0; i < presence->capacity; i++) {
        uint32_t node = presence->slots[i].node_plus_one - 1;
        if (presence->slots[i].node_plus_one != 0 && presence->slots[i].count > 0 && s->loads[node].is_ready)
            pool.items[pool.count++] = (struct sched_candidate){sched_candidate_key(s, group, node), node};
    }
    for (size_t i = 0; i < group->failing_count; i++) {
        uint32_t node = group->failing[i].node;
        if (s->loads[node].is_ready && sched_failures_many(s, node) > 0 && sched_presence_count(presence, node) == 0)
            pool.items[pool.count++] = (struct sched_candidate){sched_candidate_key(s, group, node), node};
    }
    sched_pool_build(&pool);
    return place_all(s, group, &pool);
}

static int compare_nodes(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The nodes where something happened since it was blocked: no other fits. */
static bool place_on_hinted(struct scheduler *s, struct sched_group *group)
{
    struct sched_pool pool = {sched_candidates(s, group->hint_count), 0};
    qsort(group->hints, group->hint_count, sizeof *group->hints, compare_nodes);
    for (size_t i = 0; i < group->hint_count; i++)
        if (i == 0 || group->hints[i] != group->hints[i - 1])
            pool.items[pool.count++] = (struct sched_candidate){sched_candidate_key(s, group, group->hints[i]), group->hints[i]};
    sched_pool_build(&pool);
    return place_all(s, group, &pool);
}

static bool choose(struct scheduler *s, struct sched_group *group)
{
    if (group->preference_count > 0)
        return sched_spread(s, group);
    if (!group->is_for_all)
        return place_on_hinted(s, group);
    return place_on_new(s, group) && (!group->pending || place_on_used(s, group));
}

bool sched_choose(struct scheduler *s, struct sched_group *group)
{
    sched_failures_lay_out(s, group);
    bool is_done = choose(s, group);
    sched_failures_clear(s, group);
    return is_done;
}
