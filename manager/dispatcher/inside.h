/* manager/dispatcher/inside.h – the dispatcher's parts among themselves.
 *
 * A node that is of interest – in session, awaited or down – has a struct here with one timer, which means what its phase says. Streams
 * hang on it, so that a change of one object reaches those it concerns without a search. Everything that is sent is sent from the step. */
#ifndef SKEP_MANAGER_DISPATCHER_INSIDE_H
#define SKEP_MANAGER_DISPATCHER_INSIDE_H

#include "base/hash.h"
#include "base/id.h"
#include "base/state.h"
#include "manager/dispatcher/dispatcher.h"
#include "manager/dispatcher/feed.h"
#include "manager/dispatcher/timers.h"
#include "manager/dispatcher/writes.h"

/* Deadlines depend on the cluster's heartbeat period: they are the node's timer, not the table's. */
#define DISPATCHER_PHASES(X)                                                                                                               \
    /*  phase      shown to a person                            allowed next                                     deadline_ms */            \
    X(IDLE, "not in session", BIT(DISPATCHER_AWAITED) | BIT(DISPATCHER_DOWN) | BIT(DISPATCHER_LIVE), 0)                                    \
    X(AWAITED, "awaited by a new leader", BIT(DISPATCHER_LIVE) | BIT(DISPATCHER_DOWN), 0)                                                  \
    X(LIVE, "in session", BIT(DISPATCHER_LIVE) | BIT(DISPATCHER_DOWN), 0)                                                                  \
    X(DOWN, "down", BIT(DISPATCHER_LIVE) | BIT(DISPATCHER_IDLE), DISPATCHER_DOWN_MS)

enum dispatcher_phase {
#define X(name, shown, next, deadline) DISPATCHER_##name,
    DISPATCHER_PHASES(X)
#undef X
};
extern const struct state_table dispatcher_phases;

struct dispatcher_node {
    UT_hash_handle hh;
    struct dispatcher *dispatcher;
    struct state_machine machine;
    struct dispatcher_timer timer; /* AWAITED, LIVE: down then; DOWN: its tasks are orphaned then */
    char session_id[ID_SIZE_CHARS + 1];
    uint64_t heard_ns, down_ns;
    uint64_t registered_ns; /* the last registration that was accepted; 0: none */
    uint32_t attempts, late_count;
    uint32_t registering_count;             /* sessions that are not open yet */
    bool is_counted;                        /* there were registrations: attempts and registered_ns hold */
    bool is_twin;                           /* counted in stats.twins */
    struct dispatcher_session *sessions;    /* oldest first */
    struct dispatcher_assignments *streams; /* oldest first */
    uint32_t sessions_count, streams_count;
    char id[];
};

struct dispatcher_session {
    struct dispatcher_session *prev, *next;         /* of its node */
    struct dispatcher_session *due_prev, *due_next; /* with something to do in the next step */
    struct dispatcher_node *node;
    struct dispatcher_sink sink;
    enum { DISPATCHER_SESSION_WRITING, DISPATCHER_SESSION_WRITTEN, DISPATCHER_SESSION_OPEN } stage;
    uint64_t waits_for;    /* WRITING: the number of the write that has what it said */
    uint64_t sent_version; /* of the node object, in the last message */
    bool is_kept;          /* the id it came with is to stay */
    bool is_due, is_stale, is_blocked;
    bool is_missing;   /* WRITTEN: there was no such node any more */
    bool says_more;    /* a last message goes out before the end */
    struct error *end; /* why it ends; NULL: it does not */
    char id[ID_SIZE_CHARS + 1];
};

/* Changes wait in the feed: collected for a while, or while the stream is blocked. */
struct dispatcher_assignments {
    struct dispatcher_assignments *prev, *next;         /* of its node */
    struct dispatcher_assignments *due_prev, *due_next; /* with something to do in the next step */
    struct dispatcher_node *node;
    struct dispatcher_sink sink;
    struct dispatcher_feed feed;
    struct dispatcher_timer timer; /* send then; while blocked: give up then */
    uint64_t sequence;             /* of the last message; 0: none yet */
    bool is_due, is_blocked;
    struct error *end; /* why it ends; NULL: it does not */
};

struct dispatcher {
    struct part_host host;
    struct dispatcher_options options;
    char *node_id;
    struct store_watcher *watcher;
    struct store_object *cluster; /* held; NULL: there is none */
    uint64_t period_ns;           /* as configured */
    uint64_t now_ns;              /* of the last step or call */
    struct dispatcher_node *nodes;
    struct dispatcher_timers timers;
    struct dispatcher_writes node_writes, status_writes;
    struct dispatcher_session *due_sessions;
    struct dispatcher_assignments *due_streams;
    uint64_t last_number; /* of a write */
    bool is_stopped, is_woken;
    struct dispatcher_stats stats;
};

void dispatcher_wake(struct dispatcher *dispatcher); /* a step soon */
int dispatcher_check_running(const struct dispatcher *dispatcher, struct error *err);

/* --- nodes.c: phases, sessions' ids, times --- */

struct dispatcher_node *dispatcher_node_find(const struct dispatcher *dispatcher, const char *id); /* NULL: none */
struct dispatcher_node *dispatcher_node_obtain(struct dispatcher *dispatcher, const char *id);
void dispatcher_node_forget_if_idle(struct dispatcher_node *node);
int dispatcher_node_check_session(const struct dispatcher *dispatcher, const char *node_id, const char *session_id,
                                  struct dispatcher_node **out, struct error *err);
int dispatcher_node_check_rate(struct dispatcher_node *node, uint64_t now_ns, struct error *err);
void dispatcher_node_registered(struct dispatcher_node *node, struct dispatcher_session *session, uint64_t now_ns);
void dispatcher_node_heard(struct dispatcher_node *node, uint64_t now_ns);
void dispatcher_nodes_begin(struct dispatcher *dispatcher, uint64_t now_ns); /* a new leader's */
void dispatcher_node_changed(struct dispatcher *dispatcher, const struct store_change *change);
void dispatcher_node_written_down(struct dispatcher_node *node);
void dispatcher_nodes_stop(struct dispatcher *dispatcher, uint64_t now_ns);
void dispatcher_nodes_check(struct dispatcher *dispatcher); /* which are still there? */
void dispatcher_node_set_twin(struct dispatcher_node *node, bool is_twin);
void dispatcher_node_free(struct dispatcher_node *node); /* its streams are gone */
uint64_t dispatcher_period_ns(const struct dispatcher *dispatcher);
uint64_t dispatcher_choose_period_ns(const struct dispatcher *dispatcher); /* jittered */

/* --- node_writes.c: state, address and description of nodes on their way into the store --- */

extern const struct dispatcher_writes_kind dispatcher_node_writes;

/* What is to be said of a node. */
struct dispatcher_node_news {
    int state;
    const char *message;                                      /* a constant */
    const char *address;                                      /* copied; NULL: as it is */
    const Docker__Swarmkit__V1__NodeDescription *description; /* copied; NULL: as it is */
    bool is_registration;                                     /* sessions wait for it: they hear when it fails, and nobody tries again */
};

/* The write's number: when it is settled, so are all lower ones of that node. */
uint64_t dispatcher_write_node(struct dispatcher *dispatcher, const char *id, const struct dispatcher_node_news *news, uint64_t now_ns);

/* --- twins.c --- */

#define DISPATCHER_TWIN_MESSAGE_BYTES 512

/* Node entries of the same host as @node: for each that is DOWN and older, its message is made to say who took over; where @node itself
 * goes DOWN, and a newer one is there, @message becomes that of it. Told to @fn; called in a writer. */
typedef void dispatcher_twin_fn(void *ctx, const struct dispatcher_twin *twin);
int dispatcher_twins_write(struct store_tx *tx, const Docker__Swarmkit__V1__Node *node, char message[DISPATCHER_TWIN_MESSAGE_BYTES],
                           dispatcher_twin_fn *fn, void *ctx, struct error *err);

/* --- sessions.c --- */

/* The write @number of @node is settled: NULL for @err: it is in the store, or, @is_missing, there is no such node. */
void dispatcher_sessions_written(struct dispatcher_node *node, uint64_t number, bool is_missing, const struct error *err);
void dispatcher_sessions_stale(struct dispatcher_node *node); /* there is something new to say */
void dispatcher_sessions_all_stale(struct dispatcher *dispatcher);
void dispatcher_session_end(struct dispatcher_session *session, int code, const char *text, bool says_more); /* in the step's flush */
void dispatcher_sessions_flush(struct dispatcher *dispatcher, size_t most, uint64_t now_ns);                 /* of those that are due */

/* --- assignments.c --- */

void dispatcher_assignments_task(struct dispatcher *dispatcher, const struct store_change *change);
void dispatcher_assignments_end(struct dispatcher_assignments *stream, int code, const char *text);
void dispatcher_assignments_flush(struct dispatcher *dispatcher, size_t most, uint64_t now_ns);
void dispatcher_assignments_all_anew(struct dispatcher *dispatcher); /* what changed is not known: look at everything */

/* --- statuses.c --- */

extern const struct dispatcher_writes_kind dispatcher_status_writes;
void dispatcher_orphan_tasks(struct dispatcher *dispatcher, const char *node_id, uint64_t now_ns);
void dispatcher_refuse_task(struct dispatcher *dispatcher, const char *task_id, const char *why, uint64_t now_ns);

#endif
