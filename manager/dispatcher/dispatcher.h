/* manager/dispatcher/dispatcher.h – what a leader does for the agents of its cluster: registers them, hears that they live, tells them what
 * they are to run, and writes down what they say of it.
 *
 * Pure: a part of the leader's work (manager/part.h). It has no socket, clock or loop; manager/dispatcher/service.h brings it onto gRPC.
 * Who calls was found out by others, as was that this manager leads: here a caller is a node id and an address.
 *
 * Errors map to gRPC's codes by their own code (base/error.h), and have SwarmKit's words: agents act on both (swarmkit-wire §3.5).
 *
 * Node states in the store: READY with a session, DOWN when heartbeats stay away for DISPATCHER_MISSED_COUNT periods, UNKNOWN after a
 * change of leader until a node registers or is DOWN after DISPATCHER_UNKNOWN_COUNT periods, DISCONNECTED when this leader stops. Tasks of
 * a node that is DOWN for DISPATCHER_DOWN_MS become ORPHANED; whether they are replaced before is the orchestrator's business. Source:
 * swarmkit-wire §3.3–3.7. */
#ifndef SKEP_MANAGER_DISPATCHER_DISPATCHER_H
#define SKEP_MANAGER_DISPATCHER_DISPATCHER_H

#include "manager/part.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

struct dispatcher;
struct dispatcher_session;
struct dispatcher_assignments;

/* One of the managers that can be reached, this one included. Borrowed until the loop goes on. */
struct dispatcher_manager {
    const char *node_id, *addr;
};

/* A host that joined again under another node id: the entry of its older life is DOWN, of the same hostname and address. It is told of in
 * that entry's status message; to remove it is for a person to do. Borrowed. */
struct dispatcher_twin {
    const char *stale_id, *node_id, *hostname, *addr;
};

struct dispatcher_options {
    struct part_host host;
    const char *node_id; /* this manager's, copied: statuses are applied by it */
    size_t (*managers)(void *ctx, struct dispatcher_manager *out, size_t capacity);
    void (*on_twin)(void *ctx, const struct dispatcher_twin *twin); /* each time one is seen; may be NULL */
    void *ctx;
    uint32_t heartbeats_per_s; /* of all nodes together; 0: DISPATCHER_HEARTBEATS_PER_S_COUNT */
};

/* Begins to lead: every node that is not DOWN is UNKNOWN until it registers. */
struct dispatcher *dispatcher_new(const struct dispatcher_options *options, uint64_t now_ns);

/* Its free() ends every stream with "node must disconnect". */
struct part dispatcher_part(struct dispatcher *dispatcher);

/* A leader that goes while it can still write: nodes become DISCONNECTED, streams end as with free(), calls are refused with ERR_ABORTED
 * "dispatcher is stopped". Let the store run before free(). */
void dispatcher_stop(struct dispatcher *dispatcher, uint64_t now_ns);

void dispatcher_managers_changed(struct dispatcher *dispatcher); /* what options.managers tells is different: every session hears of it */

/* --- streams --- */

/* How a stream reaches its agent. Both are called from the part's step, its free() and dispatcher_stop() only. */
struct dispatcher_sink {
    /* ERR_AGAIN: no room, nothing is taken; tell …_writable() when there is. Any other failure ends the stream with it. */
    int (*send)(void *ctx, const ProtobufCMessage *message, struct error *err);
    void (*end)(void *ctx, const struct error *err); /* the last word; the stream is gone when it returns */
    void *ctx;
};

/* Borrowed. @address: without a port, as this manager sees it. */
struct dispatcher_caller {
    const char *node_id, *address;
};

/* Session: the node registers, and hears from then on of itself, the managers, the networks' keys and the root CA, all of it each time.
 * ERR_ABORTED "dispatcher is stopped"; ERR_PEER (gRPC's 2) "node not found"; ERR_UNAVAILABLE "… exceeded rate limit count of
 * registrations"; ERR_INVALID for a description beyond limits. Otherwise @out, until sink.end() or dispatcher_session_close(): the first
 * message comes when description and state are in the store. */
int dispatcher_register(struct dispatcher *dispatcher, const struct dispatcher_caller *caller,
                        const Docker__Swarmkit__V1__SessionRequest *request, const struct dispatcher_sink *sink, uint64_t now_ns,
                        struct dispatcher_session **out, struct error *err);
void dispatcher_session_close(struct dispatcher_session *session); /* the agent went; its node is not down for that */
void dispatcher_session_writable(struct dispatcher_session *session);

/* Assignments: everything first, then what changes, collected for DISPATCHER_CHANGES_MS. Errors as dispatcher_heartbeat(). */
int dispatcher_assignments_open(struct dispatcher *dispatcher, const char *node_id, const char *session_id,
                                const struct dispatcher_sink *sink, uint64_t now_ns, struct dispatcher_assignments **out,
                                struct error *err);
void dispatcher_assignments_close(struct dispatcher_assignments *stream);
void dispatcher_assignments_writable(struct dispatcher_assignments *stream);

/* --- calls --- */

/* @period_ns: send the next one then. ERR_ABORTED "dispatcher is stopped", ERR_NOT_FOUND "node not registered", ERR_INVALID "session
 * invalid". */
int dispatcher_heartbeat(struct dispatcher *dispatcher, const char *node_id, const char *session_id, uint64_t now_ns, int64_t *period_ns,
                         struct error *err);

/* Taken; it is in the store soon, or reported again with the next session. Statuses of tasks that are gone, older than what is known, or of
 * states that are not a node's to set are passed over. Errors as above; ERR_PERMISSION "cannot update a task not assigned this node", and
 * then none is taken; ERR_LIMIT beyond DISPATCHER_UPDATES_COUNT; ERR_INVALID for a status beyond DISPATCHER_STATUS_SIZE_BYTES. */
int dispatcher_update_status(struct dispatcher *dispatcher, const char *node_id,
                             const Docker__Swarmkit__V1__UpdateTaskStatusRequest *request, uint64_t now_ns, struct error *err);

/* --- looking in --- */

/* When a node was last heard of by this leader: for those who wait for it, and for metrics. */
struct dispatcher_contact {
    bool has_session;
    uint64_t heard_ns; /* its last heartbeat or registration; 0: never by this leader */
    uint64_t down_ns;  /* since when it is taken to be down; 0: it is not */
};
bool dispatcher_contact(const struct dispatcher *dispatcher, const char *node_id, struct dispatcher_contact *out); /* false: unknown */

struct dispatcher_stats {
    size_t nodes_in_session, nodes_awaited, nodes_down, sessions, assignments;
    size_t twins;                                                                /* entries of hosts that joined again under another id */
    uint64_t period_ns;                                                          /* of heartbeats, before jitter */
    uint64_t registrations, registrations_refused, heartbeats, nodes_lost, late; /* late: nodes heard out because this leader slept */
    uint64_t statuses, statuses_passed_over, batches, session_messages, assignment_messages, assignment_changes, stalled, orphaned;
};
void dispatcher_stats(const struct dispatcher *dispatcher, struct dispatcher_stats *out);

#endif
