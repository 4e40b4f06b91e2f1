/* manager/scheduler/inside.h – what the scheduler keeps, and what its files ask of each other.
 *
 * Tasks of one service and spec version are a group: they want the same and are placed together. What of a group's wishes depends on
 * nothing that changes while tasks come and go (constraints, platform, plugins) is its rules, shared by every group that wants the same,
 * with a byte per node for the answer. What does change is in a node's load.
 *
 *     group      IDLE      nothing pending, or it is about to be known what its image is for
 *                QUEUED    to be run: over all nodes, or, when it was blocked, over the hinted ones
 *                BLOCKED   pending tasks, and no node fits. @waits has the filters that keep it from some node; when a node changes in a
 *                          way that may pass one of them, it is asked again for this group, and becomes a hint if it fits
 *
 * So of a blocked group this holds: every node that fits is a hint, or dirty and not yet looked at; and of what any other node fails,
 * something is in @waits. */
#ifndef SKEP_MANAGER_SCHEDULER_INSIDE_H
#define SKEP_MANAGER_SCHEDULER_INSIDE_H

#include "base/arena.h"
#include "manager/scheduler/constraint.h"
#include "manager/scheduler/generics.h"
#include "manager/scheduler/order.h"
#include "manager/scheduler/ports.h"
#include "manager/scheduler/presence.h"
#include "manager/scheduler/rules.h"
#include "manager/scheduler/scheduler.h"
#include "manager/scheduler/strings.h"
#include "manager/scheduler/table.h"
#include "proto/swarmkit/objects.pb-c.h"

typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__Task Task;

#define SCHED_BIT(filter) (1u << (filter))
enum {
    SCHED_STATIC = SCHED_BIT(SCHEDULER_FILTER_PLUGIN) | SCHED_BIT(SCHEDULER_FILTER_CONSTRAINT) | SCHED_BIT(SCHEDULER_FILTER_PLATFORM),
    SCHED_NEW = SCHED_BIT(SCHEDULER_FILTER_COUNT), /* dirty: it takes tasks from now on. Every blocked group waits for such */
    SCHED_EVERY = 2 * SCHED_NEW - 1,
    SCHED_WAITING = SCHED_NEW << 1, /* dirty: a preassigned task came */
    SCHED_GONE = SCHED_NEW << 2,    /* dirty: it takes no tasks any more */
};

enum { SCHED_VISITS_PER_BUDGET = 256 };

struct sched_group;
struct sched_service;
struct sched_task;

/* What of a node changes with every task; in an array by the node's index, since every choice walks it. */
struct sched_load {
    int64_t cpu_free, memory_free; /* negative where a node was given too much */
    uint32_t active_count;         /* tasks that are to run */
    bool is_ready;
};

/* A node, or a name that tasks have and no node yet. Strings are kept. */
struct sched_node {
    const char *id;
    uint32_t index;      /* stable; given to another once nothing points here */
    uint32_t task_count; /* tasks that point here */
    bool is_known;
    int state, availability; /* as the messages number them */
    unsigned dirty;          /* filters that it may pass now and did not before, and SCHED_NEW, … */
    struct sched_facts facts;
    uint64_t facts_hash, generics_hash;
    int64_t cpu_total, memory_total;
    struct sched_generics generics;
    struct sched_ports ports;
    struct sched_task *waiting; /* preassigned here and not confirmed */
};

enum sched_where { SCHED_NOWHERE, SCHED_PENDING, SCHED_PREASSIGNED, SCHED_ON_NODE, SCHED_TO_END };

struct sched_task {
    char id[SCHEDULER_ID_SIZE_CHARS + 1];
    struct sched_group *group;
    struct sched_node *node;        /* PREASSIGNED, ON_NODE */
    struct sched_task *next, *prev; /* of the group's pending ones, the node's waiting ones, or those to end */
    struct sched_grant *grant;
    uint32_t told; /* hash of the refusal that its status has */
    uint8_t where;
    bool is_active;       /* desired COMPLETE or less */
    bool was_preassigned; /* its failures say nothing about our choice */
    bool is_decided;      /* where it is, is our decision and not yet the store's */
};

struct sched_preference {
    bool is_engine;
    const char *label; /* kept */
};

struct sched_failing {
    uint32_t node, count;
    int64_t times_ns[SCHEDULER_FAILURES_KEPT_COUNT]; /* oldest first */
};

enum sched_group_state { SCHED_IDLE, SCHED_QUEUED, SCHED_BLOCKED };
enum sched_telling { SCHED_TELL_NOTHING, SCHED_TELL_NOW, SCHED_TELL_LATER };

struct sched_group {
    struct sched_service *service;
    uint64_t version, fingerprint; /* the fingerprint: of what tasks bring along beside their spec */
    bool has_version;
    uint32_t use_count; /* tasks, and failures that are remembered */

    int64_t cpu, memory; /* reserved */
    uint64_t max_replicas;
    bool wants_cluster_volume;
    struct sched_generic_need *generics;
    size_t generic_count;
    uint32_t *ports; /* sched_port_key() */
    size_t port_count;
    struct sched_preference *preferences;
    size_t preference_count;
    struct sched_rules *rules;
    struct sched_image *image; /* NULL where the task is no container */

    enum sched_group_state state;
    struct sched_task *pending;
    uint32_t pending_count;
    bool is_for_all; /* QUEUED: over all nodes */
    uint32_t *hints;
    size_t hint_count, hint_capacity;
    uint32_t blocked_place; /* in the list of blocked ones, plus one; 0: not there */
    struct sched_group *queue_next, *queue_prev;

    enum sched_telling telling;
    struct sched_task *tell_from; /* it and those behind it have not been told */
    uint32_t told;                /* hash of what all the others were told last; 0: not all the same */
    int64_t told_ns;
    struct sched_group *tell_next, *tell_prev;

    struct sched_failing *failing;
    size_t failing_count;
    struct sched_group *failing_next, *failing_prev;

    struct sched_group *service_next, *service_prev, *image_next, *image_prev;
};

struct sched_service {
    struct sched_presence presence;
    struct sched_group *groups;
    char id[];
};

/* A blocked group, with what rules out most nodes at a glance. */
struct sched_blocked {
    struct sched_group *group;
    int64_t cpu, memory;
    unsigned waits;
};

struct sched_failure {
    struct sched_group *group;
    uint32_t node;
};

/* A node that may take a task; the least key is the best. */
struct sched_candidate {
    uint64_t key;
    uint32_t node;
};

struct sched_pool {
    struct sched_candidate *items; /* a binary heap */
    size_t count;
};

struct sched_task_block;

struct scheduler {
    struct sched_strings strings;
    struct sched_table nodes_by_id, tasks, services, images, rules;

    struct sched_node **nodes; /* by index; NULL where free */
    struct sched_load *loads;
    uint32_t node_limit, node_capacity; /* indexes in use are below the limit */
    uint32_t *free_indexes;
    size_t free_index_count, free_index_capacity;
    struct sched_order order;
    size_t known_count, ready_count, pending_count;
    size_t windows_count; /* nodes that tell a Windows build */

    struct sched_task_block *task_blocks;
    struct sched_task *free_tasks;
    struct sched_group *last_group; /* the next task is often of the same */

    struct sched_group *queue;
    struct sched_blocked *blocked;
    size_t blocked_count, blocked_capacity;
    uint32_t *dirty;
    size_t dirty_count, dirty_capacity;
    struct sched_group *tell_now, *tell_later;
    struct sched_task *to_end;

    struct sched_failure *failures; /* since the last run: they have no time yet */
    size_t failure_count, failure_capacity;
    struct sched_group *failing_groups;
    uint8_t *failing_by_node; /* of the group that is being placed, where they are many; else all 0 */
    size_t failing_capacity;
    int64_t swept_ns, now_ns;

    size_t known_image_count;
    size_t verdict_bytes;

    size_t budget, visit_count; /* of this run: what is left, and nodes looked at since */
    struct scheduler_decision *decisions;
    size_t decision_count, decision_capacity;
    struct buf key;                     /* of rules that are looked for */
    struct arena arena;                 /* explanations */
    struct sched_candidate *candidates; /* room for a choice */
    size_t candidate_capacity;
};

/* table.c's habits for arrays. */
#define SCHED_GROW(array, count, capacity)                                                                                                 \
    do {                                                                                                                                   \
        if ((count) == (capacity)) {                                                                                                       \
            (capacity) = (capacity) ? 2 * (capacity) : 16;                                                                                 \
            (array) = mem_resize((array), (capacity) * sizeof *(array));                                                                   \
        }                                                                                                                                  \
    } while (0)

/* node.c */
struct sched_node *sched_node_need(struct scheduler *s, const char *id);            /* known or not */
void sched_node_let_go(struct scheduler *s, struct sched_node *node);               /* freed if it is not known and nothing points at it */
void sched_node_touch(struct scheduler *s, struct sched_node *node, unsigned bits); /* it may pass more than before: @bits */
void sched_node_bear(struct scheduler *s, struct sched_task *task); /* the task's node has it from now on; its grant is set */
void sched_node_unbear(struct scheduler *s, struct sched_task *task);
void sched_node_activate(struct scheduler *s, struct sched_task *task); /* it counts as one that is to run */
void sched_node_deactivate(struct scheduler *s, struct sched_task *task);
void sched_node_free(struct scheduler *s, struct sched_node *node);

/* group.c */
struct sched_group *sched_group_of(struct scheduler *s, const Task *task); /* found or new; not counted */
void sched_group_let_go(struct scheduler *s, struct sched_group *group);   /* one use less */
void sched_group_free(struct scheduler *s, struct sched_group *group);

/* task.c */
void sched_task_free_all(struct scheduler *s);

/* queue.c */
void sched_queue_task(struct scheduler *s, struct sched_task *task);  /* it is pending now */
void sched_queue_drop(struct scheduler *s, struct sched_task *task);  /* it is not any more */
void sched_queue_all(struct scheduler *s, struct sched_group *group); /* its wishes changed: try it on every node */
void sched_queue_hint(struct scheduler *s, struct sched_group *group, uint32_t node);
void sched_queue_leave(struct scheduler *s, struct sched_group *group);  /* it has no pending tasks any more */
void sched_queue_hold(struct scheduler *s, struct sched_group *group);   /* it is tried again when sched_queue_all() says so */
void sched_queue_block(struct scheduler *s, struct sched_group *group);  /* nothing fits */
void sched_queue_stale(struct scheduler *s, struct sched_group *group);  /* what it was told may no longer be so */
void sched_queue_all_stale(struct scheduler *s);                         /* the same of every blocked group */
void sched_queue_retell(struct scheduler *s, struct sched_group *group); /* one of its tasks was told a reason that it does not have */
void sched_queue_read_dirty(struct scheduler *s);
void sched_queue_tell(struct scheduler *s);
int64_t sched_queue_due(const struct scheduler *s);

/* filter.c */
bool sched_fits(struct scheduler *s, struct sched_group *group, uint32_t node);
enum scheduler_filter sched_check(struct scheduler *s, struct sched_group *group, uint32_t node); /* the first it fails, or …_COUNT */
bool sched_has_resources(const struct scheduler *s, const struct sched_group *group, uint32_t node);

/* choose.c */
bool sched_choose(struct scheduler *s, struct sched_group *group);               /* places what it can; false: the budget ended it */
void sched_place(struct scheduler *s, struct sched_group *group, uint32_t node); /* the group's first pending task */
uint64_t sched_candidate_key(const struct scheduler *s, const struct sched_group *group, uint32_t node);
struct sched_candidate *sched_candidates(struct scheduler *s, size_t count); /* room for so many */
void sched_pool_build(struct sched_pool *pool);
bool sched_pool_place(struct scheduler *s, struct sched_group *group, struct sched_pool *pool); /* one task; false: none fits any more */

/* spread.c */
bool sched_spread(struct scheduler *s, struct sched_group *group); /* as sched_choose(), by the group's preferences */

/* failures.c */
void sched_failures_note(struct scheduler *s, struct sched_group *group, uint32_t node);
void sched_failures_stamp(struct scheduler *s);
void sched_failures_forget_node(struct scheduler *s, uint32_t node);

/* Around a choice: the group's failures by node, for sched_failures_many(). */
void sched_failures_lay_out(struct scheduler *s, const struct sched_group *group);
void sched_failures_clear(struct scheduler *s, const struct sched_group *group);

/* 0 below the number that counts. */
static inline uint32_t sched_failures_many(const struct scheduler *s, uint32_t node)
{
    return s->failing_by_node[node];
}

/* image.c */
struct sched_image *sched_image_need(struct scheduler *s, const char *reference);
void sched_image_let_go(struct scheduler *s, struct sched_image *image); /* freed if it is not known and no group has it */
void sched_image_free(struct scheduler *s, struct sched_image *image);

/* Its tasks wait until it is known what their image is for. */
static inline bool sched_is_held(const struct scheduler *s, const struct sched_group *group)
{
    return group->image && group->image->is_awaited && group->image->platform_count == 0 && s->windows_count > 0;
}

/* explain.c; into the scheduler's arena */
struct scheduler_explanation *sched_explain_group(struct scheduler *s, struct sched_group *group, unsigned *waits, bool *fits);
struct scheduler_explanation *sched_explain_node(struct scheduler *s, struct sched_group *group, struct sched_node *node);
uint32_t sched_text_hash(const char *text);                /* of a refusal, as a task remembers it */
uint32_t sched_refusal_hash(enum scheduler_filter filter); /* of what sched_explain_node() would say */

/* scheduler.c */
void sched_spend_visits(struct scheduler *s); /* nodes that were looked at come off the budget */
struct scheduler_decision *sched_decide(struct scheduler *s, enum scheduler_decision_kind kind, struct sched_task *task);

#endif
