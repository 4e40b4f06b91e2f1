/* manager/scheduler/explain.h – between gathering why nodes refuse a group (explain.c) and putting it into words (explain_text.c). */
#ifndef SKEP_MANAGER_SCHEDULER_EXPLAIN_H
#define SKEP_MANAGER_SCHEDULER_EXPLAIN_H

#include "manager/scheduler/inside.h"

enum sched_unready { SCHED_PAUSED, SCHED_DRAINED, SCHED_DOWN, SCHED_DISCONNECTED, SCHED_UNHEARD };
enum { SCHED_LACKS_CPU, SCHED_LACKS_MEMORY, SCHED_LACKS_GENERIC /* plus its index */ };

/* The first thing that one node misses. Strings are kept or static, so that equal pointers are equal texts. */
struct sched_miss {
    enum scheduler_filter filter;
    uint32_t which; /* READY: enum sched_unready; RESOURCE: SCHED_LACKS_…; CONSTRAINT: its index, UINT32_MAX: malformed; PLATFORM: what
                       the node offers; HOST_PORT: the port's key */
    const char *a, *b, *c; /* PLUGIN: type, name; CONSTRAINT: the node's value; PLATFORM: os, architecture, version */
    int64_t got;           /* RESOURCE: what is free; not compared */
};

struct sched_reason {
    struct sched_miss miss;
    uint32_t node_count;
    const struct sched_node *named[SCHEDULER_REFUSAL_NODES_COUNT];
    size_t named_count;
};

struct sched_reasons {
    uint32_t counts[SCHEDULER_FILTER_COUNT + 1]; /* nodes, by the first filter they fail; the last passed all */
    struct sched_reason items[SCHEDULER_REFUSALS_COUNT];
    size_t count;
    uint32_t node_count, left_out_count;
};

/* In words, in the scheduler's arena. @is_group: with SwarmKit's words for a task that may go to any node. */
struct scheduler_explanation *sched_explanation_of(struct scheduler *s, const struct sched_group *group,
                                                   const struct sched_reasons *reasons, bool is_group);

#endif
