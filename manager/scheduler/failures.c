/* Where a service version failed lately: a node with many of its failures is chosen last. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "manager/scheduler/inside.h"

#define WINDOW_NS ((int64_t)SCHEDULER_FAILURES_WINDOW_MS * 1000000)

void sched_failures_note(struct scheduler *s, struct sched_group *group, uint32_t node)
{
    SCHED_GROW(s->failures, s->failure_count, s->failure_capacity);
    s->failures[s->failure_count++] = (struct sched_failure){group, node};
    group->use_count++;
}

static struct sched_failing *find(const struct sched_group *group, uint32_t node)
{
    for (size_t i = 0; i < group->failing_count; i++)
        if (group->failing[i].node == node)
            return &group->failing[i];
    return NULL;
}

static void add(struct scheduler *s, struct sched_group *group, uint32_t node)
{
    struct sched_failing *failing = find(group, node);
    if (!failing) {
        if (group->failing_count == 0) { /* remembered beyond its last task */
            group->use_count++;
            DL_APPEND2(s->failing_groups, group, failing_prev, failing_next);
        }
        group->failing = mem_resize(group->failing, (group->failing_count + 1) * sizeof *group->failing);
        failing = &group->failing[group->failing_count++];
        *failing = (struct sched_failing){.node = node};
    }
    if (failing->count == SCHEDULER_FAILURES_KEPT_COUNT)
        memmove(failing->times_ns, failing->times_ns + 1, --failing->count * sizeof failing->times_ns[0]);
    failing->times_ns[failing->count++] = s->now_ns;
}

/* Drop what is older than the window; false when nothing is left of it. */
static bool drop_old(struct sched_failing *failing, int64_t now_ns)
{
    uint32_t old = 0;
    while (old < failing->count && now_ns - failing->times_ns[old] >= WINDOW_NS)
        old++;
    failing->count -= old;
    memmove(failing->times_ns, failing->times_ns + old, failing->count * sizeof failing->times_ns[0]);
    return failing->count > 0;
}

static void drop_at(struct scheduler *s, struct sched_group *group, size_t i)
{
    group->failing[i] = group->failing[--group->failing_count];
    if (group->failing_count > 0)
        return;
    DL_DELETE2(s->failing_groups, group, failing_prev, failing_next);
    sched_group_let_go(s, group);
}

static void sweep(struct scheduler *s)
{
    struct sched_group *group, *next;
    s->swept_ns = s->now_ns;
    for (group = s->failing_groups; group; group = next) {
        next = group->failing_next; /* dropping the last one may free the group */
        for (size_t i = group->failing_count; i-- > 0;)
            if (!drop_old(&group->failing[i], s->now_ns))
                drop_at(s, group, i);
    }
}

void sched_failures_stamp(struct scheduler *s)
{
    for (size_t i = 0; i < s->failure_count; i++) {
        struct sched_failure failure = s->failures[i];
        if (s->nodes[failure.node] && s->nodes[failure.node]->is_known)
            add(s, failure.group, failure.node);
        sched_group_let_go(s, failure.group);
    }
    s->failure_count = 0;
    if (s->failing_groups && s->now_ns - s->swept_ns >= WINDOW_NS)
        sweep(s);
}

void sched_failures_forget_node(struct scheduler *s, uint32_t node)
{
    struct sched_group *group, *next;
    for (size_t i = s->failure_count; i-- > 0;) {
        if (s->failures[i].node != node)
            continue;
        group = s->failures[i].group;
        s->failures[i] = s->failures[--s->failure_count];
        sched_group_let_go(s, group);
    }
    for (group = s->failing_groups; group; group = next) {
        next = group->failing_next;
        struct sched_failing *failing = find(group, node);
        if (failing)
            drop_at(s, group, (size_t)(failing - group->failing));
    }
}

void sched_failures_lay_out(struct scheduler *s, const struct sched_group *group)
{
    if (s->failing_capacity < s->node_capacity) {
        free(s->failing_by_node);
        s->failing_capacity = s->node_capacity;
        s->failing_by_node = mem_alloc(s->failing_capacity);
    }
    for (size_t i = 0; i < group->failing_count; i++) {
        const struct sched_failing *failing = &group->failing[i];
        uint8_t count = 0;
        for (uint32_t k = 0; k < failing->count; k++)
            count = (uint8_t)(count + (s->now_ns - failing->times_ns[k] < WINDOW_NS));
        s->failing_by_node[failing->node] = count >= SCHEDULER_FAILURES_MANY_COUNT ? count : 0;
    }
}

void sched_failures_clear(struct scheduler *s, const struct sched_group *group)
{
    for (size_t i = 0; i < group->failing_count; i++)
        s->failing_by_node[group->failing[i].node] = 0;
}
