/* agent/session.h – the node's session with a manager: registers, keeps the heart beating, follows assignments and log subscriptions, and
 * starts again after every error that asks for it.
 *
 * Pure: session_step() is told what happened and what time it is, and answers with the list of things to do. It opens no socket and reads
 * no clock; agent/session_driver.c does. Everything that is started gets a tag; an event that carries another tag than the newest of its
 * kind is of an older life and is ignored. Losing the session stops nothing on the node.
 * Source: swarmkit-wire §3.1 (life), §3.3 (rate limit), §3.5 (errors), §3.6 (sequence of assignments). */
#ifndef SKEP_AGENT_SESSION_H
#define SKEP_AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/state.h"

/* RUNNING has no deadline of its own: its heartbeats have, and so has the first assignment set. STOPPED and REMOVED wait for their owner.
 */
#define SESSION_STATES(X)                                                                                                                  \
    /* state       shown to a person              allowed next                                                          deadline_ms */     \
    X(STOPPED, "not started", BIT(SESSION_CONNECTING), 0)                                                                                  \
    X(CONNECTING, "connecting to a manager", BIT(SESSION_REGISTERING) | BIT(SESSION_BACKING_OFF) | BIT(SESSION_STOPPED),                   \
      SESSION_CONNECT_MS)                                                                                                                  \
    X(REGISTERING, "registering with the manager",                                                                                         \
      BIT(SESSION_RUNNING) | BIT(SESSION_BACKING_OFF) | BIT(SESSION_REMOVED) | BIT(SESSION_STOPPED), SESSION_FIRST_MESSAGE_MS)             \
    X(RUNNING, "in session with a manager", BIT(SESSION_BACKING_OFF) | BIT(SESSION_REMOVED) | BIT(SESSION_STOPPED), 0)                     \
    X(BACKING_OFF, "waiting before the next attempt", BIT(SESSION_CONNECTING) | BIT(SESSION_STOPPED), SESSION_WAIT_MAX_MS)                 \
    X(REMOVED, "removed from the swarm", BIT(SESSION_STOPPED), 0)

enum session_state {
#define X(name, shown, next, deadline) SESSION_##name,
    SESSION_STATES(X)
#undef X
};
extern const struct state_table session_states;

enum session_event_type {
    SESSION_EV_START,
    SESSION_EV_STOP,
    SESSION_EV_TIMER,               /* the time asked for with wake_ns has come; early or superfluous ones do no harm */
    SESSION_EV_DIALED,              /* tag of DIAL: the channel is ready, TLS included */
    SESSION_EV_CHANNEL_FAILED,      /* tag of DIAL: it could not be made, or broke; error */
    SESSION_EV_MESSAGE,             /* tag of OPEN_SESSION: a SessionMessage; session_id */
    SESSION_EV_SESSION_ENDED,       /* tag of OPEN_SESSION: status */
    SESSION_EV_HEARTBEAT_REPLY,     /* tag of HEARTBEAT: period_ns */
    SESSION_EV_HEARTBEAT_FAILED,    /* tag of HEARTBEAT: status */
    SESSION_EV_ASSIGNMENTS,         /* tag of OPEN_ASSIGNMENTS: is_complete, applies_to, results_in */
    SESSION_EV_ASSIGNMENTS_REFUSED, /* tag of OPEN_ASSIGNMENTS: what was delivered is beyond a limit; error */
    SESSION_EV_ASSIGNMENTS_ENDED,   /* tag of OPEN_ASSIGNMENTS: status */
    SESSION_EV_LOGS_ENDED,          /* tag of OPEN_SUBSCRIPTIONS: status */
    SESSION_EV_REPORT_FAILED,       /* tag of OPEN_SESSION: status of an UpdateTaskStatus that the reporter calls a matter of the session */
    SESSION_EV_DESCRIPTION_CHANGED,
    SESSION_EV_CREDENTIALS_CHANGED
};

struct session_event {
    enum session_event_type type;
    uint32_t tag;
    int grpc_status;  /* of an end: 0 is a clean one */
    const char *text; /* gRPC message, or what failed and why; borrowed, may be NULL */
    const char *session_id, *applies_to, *results_in;
    bool is_complete;
    int64_t period_ns;
};

#define SESSION_EFFECTS(X)                                                                                                                 \
    X(DIAL)                /* choose a manager and connect, within SESSION_CONNECT_MS; no manager known is a CHANNEL_FAILED */             \
    X(OPEN_SESSION)        /* Dispatcher/Session with the newest description and `session_id` */                                           \
    X(OPEN_ASSIGNMENTS)    /* Dispatcher/Assignments with `session_id`, in place of any that is open */                                    \
    X(OPEN_SUBSCRIPTIONS)  /* LogBroker/ListenSubscriptions */                                                                             \
    X(HEARTBEAT)           /* Dispatcher/Heartbeat with `session_id`, deadline HEARTBEAT_TIMEOUT_MS */                                     \
    X(CLOSE)               /* every call and the channel; nothing of them is wanted any more */                                            \
    X(REGISTERED)          /* the session stands: report every status that is known */                                                     \
    X(DELIVER_SESSION)     /* the message of the event: node object, managers, keys, root CA */                                            \
    X(DELIVER_ASSIGNMENTS) /* the message of the event */                                                                                  \
    X(NOTE_SUCCESS)        /* of the manager last dialled, to the weights */                                                               \
    X(NOTE_FAILURE)                                                                                                                        \
    X(LOST)    /* the session ended, for the reason in `error`; tasks run on */                                                            \
    X(REMOVED) /* for good: `error` says so and what to do */

enum session_effect_type {
#define X(name) SESSION_DO_##name,
    SESSION_EFFECTS(X)
#undef X
};

struct session_effect {
    enum session_effect_type type;
    uint32_t tag;
};

#define SESSION_EFFECTS_COUNT 12 /* more than any one step can ask for */

struct session_stats {
    uint64_t dials, registrations, failures, heartbeats, assignment_gaps, stale_events;
    uint64_t heartbeat_late_last_ns, heartbeat_late_max_ns; /* how long after its time a heartbeat was sent */
};

/* One session machine. Fields are for reading; only the functions write them. */
struct session {
    struct state_machine machine;
    struct random random;
    char session_id[SESSION_ID_SIZE_CHARS + 1]; /* of the last registration; offered again at the next */
    char results_in[SESSION_ID_SIZE_CHARS + 1]; /* of the last assignment message; "" before the first */
    struct error error;                         /* why the last session or attempt ended; code 0: it has not */
    uint32_t next_tag, channel_tag, session_tag, heartbeat_tag, assignments_tag, logs_tag; /* 0: there is none */
    uint64_t backoff_ns;                                                                   /* the ceiling of the next wait */
    uint64_t retry_ns;                                                                     /* BACKING_OFF: when to dial again */
    uint64_t heartbeat_due_ns; /* when to send the next; UINT64_MAX while one is under way */
    uint64_t heartbeat_deadline_ns, assignments_deadline_ns, logs_retry_ns;
    uint64_t logs_backoff_ns;
    uint64_t registered_ns; /* when the last registration was accepted */
    unsigned burst_count;   /* registrations since the last gap of SESSION_REGISTRATIONS_GAP_MS */
    unsigned gap_count;     /* Assignments streams opened again without a message that fitted */
    struct session_stats stats;
    /* the answer of the last step */
    struct session_effect effects[SESSION_EFFECTS_COUNT];
    size_t effect_count;
};

void session_init(struct session *session, const struct random *random /* copied */, uint64_t now_ns);

/* Advance by one event; then carry out effects[0 .. effect_count), in order, and call again with SESSION_EV_TIMER at session_wake_ns().
 * It never fails: what goes wrong is in session->error and leads to another attempt, or to REMOVED. */
void session_step(struct session *session, const struct session_event *event, uint64_t now_ns);

uint64_t session_wake_ns(const struct session *session); /* UINT64_MAX: no need */

#endif
