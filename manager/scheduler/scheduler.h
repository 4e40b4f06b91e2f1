/* manager/scheduler/scheduler.h – which node runs which task, and why none does.
 *
 * Pure: it is told what changed (nodes, tasks, what is known of images), and scheduler_run() answers with decisions. It reads no clock, and
 * messages are borrowed for the call only. Filters, their order, their words and the choice are SwarmKit's (swarmkit-wire §7.1); beside
 * them stands the rule for Windows builds and isolation (base/isolation.h), and every refusal says per kind of node what was wanted, what
 * was there and what would help.
 *
 *     a task it is told of …                          becomes
 *     before PENDING, after RUNNING                   nothing: it holds no resources
 *     PENDING without a node                          placed with the others of its service and spec version
 *     PENDING on a node (global, attachment)          checked on that node only
 *     PENDING, desired beyond COMPLETE                over: it never ran, and can go to SHUTDOWN at once
 *     ASSIGNED … RUNNING                              what its node has to bear
 *
 * A decision counts as true from when it is made. Its commit must check that the task is still PENDING and as it was; afterwards, whatever
 * came of it, feed the task as the store has it: scheduler_task_set() with the node confirms, without one takes the decision back, and
 * the task is placed anew. Events are fed in the order of their commits. Of one service, one spec version means one spec: it is not read
 * again for each task.
 *
 * Work is in proportion to what changed: a group of tasks that fits nowhere is looked at again only on the nodes where something happened
 * that may help it. */
#ifndef SKEP_MANAGER_SCHEDULER_H
#define SKEP_MANAGER_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/isolation.h"

struct Docker__Swarmkit__V1__Node;
struct Docker__Swarmkit__V1__Task;
struct scheduler;

/* In the order in which they are asked. The word is for data; the texts stand before and behind "1 node", "2 nodes" in SwarmKit's
 * explanation. No text behind: it names no number. */
#define SCHEDULER_FILTERS(X)                                                                                                               \
    X(READY, "ready", "", " not available for new tasks")                                                                                  \
    X(RESOURCE, "resource", "insufficient resources on ", "")                                                                              \
    X(PLUGIN, "plugin", "missing plugin on ", "")                                                                                          \
    X(CONSTRAINT, "constraint", "scheduling constraints not satisfied on ", "")                                                            \
    X(PLATFORM, "platform", "unsupported platform on ", "")                                                                                \
    X(HOST_PORT, "host_port", "host-mode port already in use on ", "")                                                                     \
    X(MAX_REPLICAS, "max_replicas", "max replicas per node limit exceed", NULL)                                                            \
    X(VOLUMES, "volumes", "cannot fulfill requested CSI volume mounts on ", "")

enum scheduler_filter {
#define X(name, word, before, behind) SCHEDULER_FILTER_##name,
    SCHEDULER_FILTERS(X)
#undef X
        SCHEDULER_FILTER_COUNT, /* also: every filter passed */
};
const char *scheduler_filter_name(enum scheduler_filter filter); /* "resource" */

/* One reason, and the nodes that share it. Texts end within SCHEDULER_REFUSAL_SIZE_BYTES. */
struct scheduler_refusal {
    enum scheduler_filter filter;
    uint32_t node_count;
    const char *nodes[SCHEDULER_REFUSAL_NODES_COUNT]; /* names (or ids) of the first of them; of RESOURCE the nearest to enough is first */
    size_t named_count;
    const char *wanted; /* "memory: 2 GiB" */
    const char *got;    /* "1.5 GiB free" */
    const char *rule;   /* PLATFORM: what the rule for builds and isolation says, with both builds; "" where it is not the rule */
    const char *help;   /* the smallest change that would do: "free 512 MiB on n1, or reserve at most 1.5 GiB"; "" where none is known */
};

struct scheduler_explanation {
    const char *text; /* SwarmKit's status.err: "no suitable node (insufficient resources on 2 nodes)"; of a preassigned task without
                         the words around the parentheses. Where the rule for builds and isolation refused, with what it says behind */
    const struct scheduler_refusal *refusals; /* most nodes first; at most SCHEDULER_REFUSALS_COUNT */
    size_t refusal_count;
    uint32_t node_count;     /* nodes that were asked */
    uint32_t left_out_count; /* of them, those whose reason found no room above */
};

/* The whole for a person, a line a reason; at most SCHEDULER_EXPLANATION_BYTES are appended. */
void scheduler_explanation_print(const struct scheduler_explanation *explanation, struct buf *out);

struct scheduler_generic {
    const char *kind;
    const char *value; /* a named one; NULL: so many of them */
    int64_t amount;    /* 1 for a named one */
};

enum scheduler_decision_kind {
    SCHEDULER_ASSIGN,  /* to @node: ASSIGNED, "scheduler assigned task to node" */
    SCHEDULER_CONFIRM, /* a preassigned one may run: ASSIGNED, "scheduler confirmed task can run on preassigned node" */
    SCHEDULER_REFUSE,  /* stays PENDING, with status.err = explanation->text; told again only when the text is another */
    SCHEDULER_OVER,    /* SHUTDOWN: it was stopped before it was placed */
};

/* Strings and lists are borrowed until the next call of any function here that takes the scheduler without const. */
struct scheduler_decision {
    enum scheduler_decision_kind kind;
    const char *task_id;
    const char *node_id;      /* ASSIGN, CONFIRM */
    enum isolation isolation; /* ASSIGN, CONFIRM: what the node will choose; ISOLATION_DEFAULT of a node that reports none */
    const struct scheduler_generic *generics; /* ASSIGN, CONFIRM: for assigned_generic_resources */
    size_t generic_count;
    const struct scheduler_explanation *explanation; /* REFUSE */
};

struct scheduler_result {
    const struct scheduler_decision *decisions;
    size_t count;
    bool has_more;  /* the budget ended it: run again */
    int64_t due_ns; /* run again then even if nothing changes; INT64_MAX: no need */
};

/* An image is for each of these; "" is not known and fits all. */
struct scheduler_platform {
    const char *os, *architecture, *os_version; /* "windows", "amd64", "10.0.20348.2113" */
};

struct scheduler *scheduler_new(void);
void scheduler_free(struct scheduler *scheduler); /* NULL is fine */

/* A node as the store has it, new or changed. ERR_INVALID without an id, ERR_LIMIT beyond SCHEDULER_NODES_COUNT. */
int scheduler_node_set(struct scheduler *scheduler, const struct Docker__Swarmkit__V1__Node *node, struct error *err);
void scheduler_node_remove(struct scheduler *scheduler, const char *id); /* its tasks stay known until they are removed */

/* A task as the store has it, new or changed. ERR_INVALID for an id that is none, ERR_LIMIT beyond SCHEDULER_TASKS_COUNT. */
int scheduler_task_set(struct scheduler *scheduler, const struct Docker__Swarmkit__V1__Task *task, struct error *err);
void scheduler_task_remove(struct scheduler *scheduler, const char *id);

/* What an image (as ContainerSpec.image names it) is for, by its index; @count 0: not known, it goes by placement.platforms alone. Entries
 * for "unknown" (attestations) are passed over. ERR_LIMIT beyond SCHEDULER_IMAGES_COUNT images or IMAGE_INDEX_ENTRIES_COUNT entries. */
int scheduler_image_set(struct scheduler *scheduler, const char *reference, const struct scheduler_platform *platforms, size_t count,
                        struct error *err);

/* What this image is for is about to be known: until false, its tasks wait, where there are nodes with a Windows build and nothing is known
 * of it yet. */
void scheduler_image_await(struct scheduler *scheduler, const char *reference, bool is_awaited);

/* Decide. @now_ns is any clock that does not run back, the same in every call. @budget bounds the work: a decision counts one, and so
 * do 256 nodes that were looked at, and putting a refusal into words. The decisions so far are returned when it is spent. */
struct scheduler_result scheduler_run(struct scheduler *scheduler, int64_t now_ns, size_t budget);

/* Why a PENDING task has no node, as of now; NULL for one that is not waiting, or has not been tried yet. Borrowed as decisions are. */
const struct scheduler_explanation *scheduler_explain(struct scheduler *scheduler, const char *task_id);

struct scheduler_counts {
    size_t nodes, ready_nodes, tasks; /* known */
    size_t pending_tasks;             /* not placed yet, preassigned ones with them */
    size_t blocked_groups;            /* of a service and spec version, that fit nowhere at present */
};
struct scheduler_counts scheduler_count(const struct scheduler *scheduler);

#endif
