/* Which group is tried when: the queue, the blocked ones and what may unblock them, and who is still to be told that nothing fits. */
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "manager/scheduler/inside.h"

#define EXPLAIN_NS ((int64_t)SCHEDULER_EXPLAIN_MS * 1000000)

/* The queue. */

static void enqueue(struct scheduler *s, struct sched_group *group)
{
    if (group->state == SCHED_QUEUED)
        return;
    group->state = SCHED_QUEUED;
    DL_APPEND2(s->queue, group, queue_prev, queue_next);
}

static void dequeue(struct scheduler *s, struct sched_group *group)
{
    if (group->state == SCHED_QUEUED)
        DL_DELETE2(s->queue, group, queue_prev, queue_next);
    group->state = SCHED_IDLE;
}

static void unblock(struct scheduler *s, struct sched_group *group)
{
    if (group->blocked_place == 0)
        return;
    size_t place = group->blocked_place - 1;
    s->blocked[place] = s->blocked[--s->blocked_count];
    s->blocked[place].group->blocked_place = (uint32_t)place + 1;
    group->blocked_place = 0;
}

static void tell_later(struct scheduler *s, struct sched_group *group)
{
    if (group->telling != SCHED_TELL_NOTHING)
        return;
    group->telling = SCHED_TELL_LATER;
    DL_APPEND2(s->tell_later, group, tell_prev, tell_next);
}

static void tell_nothing(struct scheduler *s, struct sched_group *group)
{
    if (group->telling == SCHED_TELL_NOW)
        DL_DELETE2(s->tell_now, group, tell_prev, tell_next);
    else if (group->telling == SCHED_TELL_LATER)
        DL_DELETE2(s->tell_later, group, tell_prev, tell_next);
    group->telling = SCHED_TELL_NOTHING;
}

static void tell_now(struct scheduler *s, struct sched_group *group)
{
    if (group->telling == SCHED_TELL_NOW)
        return;
    tell_nothing(s, group);
    group->telling = SCHED_TELL_NOW;
    DL_APPEND2(s->tell_now, group, tell_prev, tell_next);
}

void sched_queue_leave(struct scheduler *s, struct sched_group *group)
{
    assert(!group->pending);
    dequeue(s, group);
    unblock(s, group);
    tell_nothing(s, group);
    group->is_for_all = false;
    group->hint_count = 0;
    group->tell_from = NULL;
    group->told = 0;
}

void sched_queue_all(struct scheduler *s, struct sched_group *group)
{
    if (!group->pending)
        return;
    unblock(s, group);
    group->is_for_all = true;
    group->hint_count = 0;
    enqueue(s, group);
}

void sched_queue_hint(struct scheduler *s, struct sched_group *group, uint32_t node)
{
    if (group->is_for_all)
        return;
    SCHED_GROW(group->hints, group->hint_count, group->hint_capacity);
    group->hints[group->hint_count++] = node;
    enqueue(s, group);
}

void sched_queue_task(struct scheduler *s, struct sched_task *task)
{
    struct sched_group *group = task->group;
    DL_APPEND(group->pending, task);
    group->pending_count++;
    if (!group->tell_from)
        group->tell_from = task;
    if (group->blocked_place == 0)
        sched_queue_all(s, group);
    else if (group->state == SCHED_BLOCKED)
        tell_now(s, group);
}

void sched_queue_drop(struct scheduler *s, struct sched_task *task)
{
    struct sched_group *group = task->group;
    if (group->tell_from == task)
        group->tell_from = task->next;
    DL_DELETE(group->pending, task);
    group->pending_count--;
    task->next = task->prev = NULL;
    if (!group->pending)
        sched_queue_leave(s, group);
}

void sched_queue_hold(struct scheduler *s, struct sched_group *group)
{
    dequeue(s, group);
}

void sched_queue_block(struct scheduler *s, struct sched_group *group)
{
    dequeue(s, group);
    group->state = SCHED_BLOCKED;
    group->is_for_all = false;
    group->hint_count = 0;
    if (group->blocked_place == 0) {
        SCHED_GROW(s->blocked, s->blocked_count, s->blocked_capacity);
        s->blocked[s->blocked_count++] = (struct sched_blocked){group, group->cpu, group->memory, 0};
        group->blocked_place = (uint32_t)s->blocked_count;
    }
    s->blocked[group->blocked_place - 1].waits = SCHED_EVERY; /* until tell() has asked every node */
    if (group->tell_from)
        tell_now(s, group);
    else
        tell_later(s, group);
}

void sched_queue_stale(struct scheduler *s, struct sched_group *group)
{
    tell_later(s, group);
}

void sched_queue_all_stale(struct scheduler *s)
{
    for (size_t i = 0; i < s->blocked_count; i++)
        tell_later(s, s->blocked[i].group);
}

/* Those that know the reason already are passed over by their own memory. */
void sched_queue_retell(struct scheduler *s, struct sched_group *group)
{
    group->tell_from = group->pending;
    if (group->state == SCHED_BLOCKED)
        tell_now(s, group);
}

/* Nodes that may take more than before. */

static bool has_room(const struct sched_blocked *blocked, const struct sched_load *load)
{
    return (blocked->cpu == 0 || blocked->cpu <= load->cpu_free) && (blocked->memory == 0 || blocked->memory <= load->memory_free);
}

static void ask_for_blocked(struct scheduler *s, uint32_t node, unsigned bits)
{
    const struct sched_load *load = &s->loads[node];
    for (size_t i = 0; i < s->blocked_count; i++) {
        struct sched_blocked *blocked = &s->blocked[i];
        if (bits & SCHED_GONE)
            sched_queue_stale(s, blocked->group);
        if (!load->is_ready || (blocked->waits & bits) == 0)
            continue;
        enum scheduler_filter filter = has_room(blocked, load) ? sched_check(s, blocked->group, node) : SCHEDULER_FILTER_RESOURCE;
        if (filter == SCHEDULER_FILTER_COUNT) {
            sched_queue_hint(s, blocked->group, node);
            continue;
        }
        blocked->waits |= SCHED_BIT(filter);
        if (filter != SCHEDULER_FILTER_RESOURCE || (bits & SCHED_NEW)) /* else it failed that before, too */
            sched_queue_stale(s, blocked->group);
    }
    s->visit_count += s->blocked_count / 16;
}

static void refuse(struct scheduler *s, struct sched_task *task, const struct scheduler_explanation *explanation)
{
    uint32_t hash = sched_text_hash(explanation->text);
    if (task->told == hash)
        return;
    task->told = hash;
    sched_decide(s, SCHEDULER_REFUSE, task)->explanation = explanation;
}

static void confirm(struct scheduler *s, struct sched_task *task)
{
    struct sched_node *node = task->node;
    s->pending_count--;
    DL_DELETE(node->waiting, task);
    task->next = task->prev = NULL;
    task->where = SCHED_ON_NODE;
    task->is_decided = true;
    task->grant = sched_generics_claim(&node->generics, task->group->generics, task->group->generic_count);
    sched_node_bear(s, task);
    sched_node_activate(s, task);
    sched_decide(s, SCHEDULER_CONFIRM, task);
}

static void ask_for_waiting(struct scheduler *s, struct sched_node *node)
{
    struct sched_task *task, *next;
    DL_FOREACH_SAFE (node->waiting, task, next) {
        if (sched_is_held(s, task->group))
            continue;
        enum scheduler_filter filter = sched_check(s, task->group, node->index);
        if (filter == SCHEDULER_FILTER_COUNT)
            confirm(s, task);
        else if (task->told != sched_refusal_hash(filter)) /* the details are worth their price only where they are told */
            refuse(s, task, sched_explain_node(s, task->group, node));
    }
}

void sched_queue_read_dirty(struct scheduler *s)
{
    while (s->dirty_count > 0 && s->budget > 0) {
        struct sched_node *node = s->nodes[s->dirty[--s->dirty_count]];
        if (!node || node->dirty == 0)
            continue;
        unsigned bits = node->dirty;
        node->dirty = 0;
        if (bits & ~(unsigned)SCHED_WAITING)
            ask_for_blocked(s, node->index, bits);
        if (node->is_known)
            ask_for_waiting(s, node);
        sched_spend_visits(s);
    }
}

/* Telling. */

/* False: a node fits after all. */
static bool tell(struct scheduler *s, struct sched_group *group)
{
    unsigned waits = 0;
    bool fits = false;
    const struct scheduler_explanation *explanation = sched_explain_group(s, group, &waits, &fits);
    if (fits)
        return false;
    s->blocked[group->blocked_place - 1].waits = waits | SCHED_NEW;
    uint32_t hash = sched_text_hash(explanation->text);
    if (!group->tell_from && group->told != hash)
        group->tell_from = group->pending;
    bool is_whole = !group->tell_from || group->tell_from == group->pending;
    while (group->tell_from && s->budget > 0) {
        refuse(s, group->tell_from, explanation);
        group->tell_from = group->tell_from->next;
    }
    if (group->tell_from)
        return true;
    tell_nothing(s, group);
    group->told_ns = s->now_ns;
    if (is_whole) {
        group->told = hash;
    } else if (group->told != hash) { /* those in front know an older reason: not all know the same */
        group->told = 0;
        tell_later(s, group);
    }
    return true;
}

/* A node that fits and was not asked: it is dirty, and its turn has not come. */
static void tell_or_queue(struct scheduler *s, struct sched_group *group)
{
    if (group->state != SCHED_BLOCKED) {
        tell_nothing(s, group); /* it is tried again first, and told then */
        return;
    }
    if (!tell(s, group))
        sched_queue_all(s, group);
    s->visit_count += SCHED_VISITS_PER_BUDGET; /* making the texts; few nodes are asked in a small swarm */
    sched_spend_visits(s);
}

void sched_queue_tell(struct scheduler *s)
{
    while (s->tell_now && s->budget > 0)
        tell_or_queue(s, s->tell_now);
    while (s->tell_later && s->budget > 0 && s->tell_later->told_ns + EXPLAIN_NS <= s->now_ns)
        tell_or_queue(s, s->tell_later);
}

int64_t sched_queue_due(const struct scheduler *s)
{
    return s->tell_later ? s->tell_later->told_ns + EXPLAIN_NS : INT64_MAX;
}
