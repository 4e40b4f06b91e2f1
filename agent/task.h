/* agent/task.h – the life of one task on the node: from assigned to its end.
 *
 * Pure: a task is told what was observed (its container, its image, its health, what came of what it asked for) and what is desired, and
 * task_next() answers with the next thing to do. It calls nothing; agent/worker.c carries the effects out. It works from what is true, not
 * from what was asked: after every failure it first looks again (TASK_DO_QUERY), so that a spurious error, a late exit or a restart in the
 * middle leads to the same place as the straight way.
 *
 * Rules: a task never moves backwards; desired is never lowered; an error before STARTING is REJECTED, later FAILED; passing errors are
 * tried again. One operation is under way at a time. Source: swarmkit-wire §4.1, §4.2, §8.7. */
#ifndef SKEP_AGENT_TASK_H
#define SKEP_AGENT_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/state.h"

/* Our dense states with SwarmKit's number. Every state that is not final either has a deadline or says here why it needs none. */
#define TASK_STATES(X)                                                                                                                     \
    /* state number shown, allowed next, deadline_ms, why there is none */                                                                 \
    X(ASSIGNED, 192, "assigned", BIT(TASK_ACCEPTED) | BIT(TASK_SHUTDOWN) | BIT(TASK_REJECTED), TASK_PERSIST_MS, NULL)                      \
    X(ACCEPTED, 256, "accepted", BIT(TASK_PREPARING) | BIT(TASK_SHUTDOWN) | BIT(TASK_REJECTED), 0, "left at once")                         \
    X(PREPARING, 320, "preparing", BIT(TASK_READY) | BIT(TASK_SHUTDOWN) | BIT(TASK_REJECTED), TASK_PREPARE_STALL_MS, NULL)                 \
    X(READY, 384, "ready", BIT(TASK_STARTING) | BIT(TASK_SHUTDOWN) | BIT(TASK_REJECTED), 0, "waits for the manager's word")                \
    X(STARTING, 448, "starting", BIT(TASK_RUNNING) | BIT(TASK_SHUTDOWN) | BIT(TASK_FAILED), 0,                                             \
      "the start has the runtime's deadline, health checks count to their retries")                                                        \
    X(RUNNING, 512, "running", BIT(TASK_COMPLETE) | BIT(TASK_SHUTDOWN) | BIT(TASK_FAILED), 0, "runs as long as its container")             \
    X(COMPLETE, 576, "complete", 0, 0, "final")                                                                                            \
    X(SHUTDOWN, 640, "shutdown", 0, 0, "final")                                                                                            \
    X(FAILED, 704, "failed", 0, 0, "final")                                                                                                \
    X(REJECTED, 768, "rejected", 0, 0, "final")

enum task_state {
#define X(name, number, shown, next, deadline, reason) TASK_##name,
    TASK_STATES(X)
#undef X
};
extern const struct state_table task_states;

#define TASK_NUMBER_READY    384
#define TASK_NUMBER_RUNNING  512
#define TASK_NUMBER_SHUTDOWN 640
#define TASK_NUMBER_REMOVE   800

int task_state_number(enum task_state state);
const char *task_state_reason(enum task_state state); /* why it has no deadline; NULL where it has one */

/* The state of a number that came over the wire or from disk. Below ASSIGNED is ASSIGNED; ORPHANED, which only a manager says, is FAILED.
 */
enum task_state task_state_of_number(int number);

enum task_container {
    TASK_CONTAINER_UNKNOWN, /* look first */
    TASK_CONTAINER_NONE,
    TASK_CONTAINER_CREATED,
    TASK_CONTAINER_RUNNING, /* or paused */
    TASK_CONTAINER_STOPPED
};

/* What the runtime says of a task's container. */
struct task_observation {
    enum task_container container;
    bool was_started; /* of a stopped one: it ran before it ended */
    int exit_code;
    bool is_oom_killed;
    const char *error; /* borrowed; NULL: nothing went wrong */
};

enum task_health {
    TASK_HEALTH_UNKNOWN, /* nobody watches yet */
    TASK_HEALTH_NONE,    /* it has no health check */
    TASK_HEALTH_STARTING,
    TASK_HEALTH_HEALTHY,
    TASK_HEALTH_UNHEALTHY
};

#define TASK_EFFECTS(X)                                                                                                                    \
    X(NOTHING, "nothing")                                                                                                                  \
    X(REPORT, "report")           /* the status changed: keep it and tell the manager. Not answered */                                     \
    X(PERSIST, "persist")         /* put the record on disk */                                                                             \
    X(PULL, "pull")               /* make sure of the image */                                                                             \
    X(CANCEL_PULL, "cancel pull") /* the pull that is under way; task_done(PULL) is not called for it any more. Not answered */            \
    X(CREATE, "create")                                                                                                                    \
    X(START, "start")                                                                                                                      \
    X(WATCH_HEALTH, "watch health") /* answered with task_set_health() now and at every change */                                          \
    X(STOP, "stop")                 /* with its grace period */                                                                            \
    X(TERMINATE, "terminate")                                                                                                              \
    X(QUERY, "query")   /* answered with task_observe() and task_done() */                                                                 \
    X(REMOVE, "remove") /* the container and all that belongs to it */                                                                     \
    X(FORGET, "forget") /* the record; the machine's last effect */

enum task_effect {
#define X(name, shown) TASK_DO_##name,
    TASK_EFFECTS(X)
#undef X
};
const char *task_effect_name(enum task_effect effect);

/* One task machine. Fields are for reading; only the functions write them. */
struct task {
    struct state_machine machine;
    int desired;         /* SwarmKit's number */
    const char *message; /* the step it is in, SwarmKit's words; constant or owned by @message_owned */
    char *message_owned; /* one that came from disk */
    char *err;           /* why it ended badly; NULL: it did not */
    bool is_leaving;     /* it left the assignment set: take everything away, report nothing */
    bool is_held;        /* resumed: what preparing needs has not come yet */
    bool is_persisted;   /* its record is on disk */
    bool has_image;
    enum task_container container;
    bool was_started, is_oom_killed;
    int exit_code;
    enum task_health health;
    enum task_effect doing; /* the operation under way; TASK_DO_NOTHING: none */
    bool wants_report, is_watched, is_stop_answered;
    char *container_error; /* from the runtime */
    char *failure;         /* what the last operation failed with; NULL: it did not */
    int failure_code;
    enum task_effect failed;  /* which it was */
    unsigned retries;         /* of the operation that is tried again */
    unsigned stops;           /* how often it was asked to stop */
    uint64_t retry_ns;        /* nothing is begun before */
    uint64_t exists_since_ns; /* since when a create finds its id taken; 0: it does not */
    uint64_t progress_ns;     /* when preparing last got on */
};

/* Begin, or go on, at @state_number with what was last said about it. A task that is not new (it has a record) looks at its container
 * first; without one it begins neither pull nor create before task_release(), however long that takes. */
void task_begin(struct task *task, int state_number, int desired_number, const char *message, const char *err, bool is_new,
                uint64_t now_ns);
void task_end(struct task *task);

/* The manager was heard in this run: credentials and secrets, which no record has, are here. */
void task_release(struct task *task, uint64_t now_ns);

enum task_state task_state(const struct task *task);
bool task_is_final(const struct task *task);

/* What is desired; a lower one than before is ignored. */
void task_desire(struct task *task, int desired_number);
void task_leave(struct task *task);

/* No container can be made of it: to its end at once, with the step's @message (a constant) and @err. */
void task_refuse(struct task *task, const char *message, const char *err, uint64_t now_ns);

/* The next thing to do, to be carried out before asking again; TASK_DO_NOTHING when there is nothing until something is told or
 * task_wake_ns() comes. An effect that is answered counts as under way until task_done(). */
enum task_effect task_next(struct task *task, uint64_t now_ns);
uint64_t task_wake_ns(const struct task *task); /* UINT64_MAX: not by itself */

/* @effect, which was under way, ended; @err NULL: well. An answer to something else than what is under way is ignored. */
void task_done(struct task *task, enum task_effect effect, const struct error *err, uint64_t now_ns);

/* The container, as seen in answer to a query, in an event or in passing. One that has stopped does not run again. */
void task_observe(struct task *task, const struct task_observation *seen, uint64_t now_ns);
void task_suspect(struct task *task);                   /* it may be gone or changed: look */
void task_progress(struct task *task, uint64_t now_ns); /* preparing gets on */
void task_set_health(struct task *task, enum task_health health);

/* True for errors that pass by themselves: the peer is busy or away. */
bool task_error_is_passing(int code);

#endif
