/* manager/tally.h – the cluster's tasks counted as a dashboard wants them: how many each service has of those it asks for, and for how long
 * tasks have been in their states.
 *
 * No index of the store knows that, so all tasks are looked through: some 0.3 µs each. That is done when someone asks, and not again for
 * METRICS_TALLY_MS: what is told is up to so old. */
#ifndef SKEP_MANAGER_TALLY_H
#define SKEP_MANAGER_TALLY_H

#include "base/hash.h"
#include "base/metrics.h"
#include "manager/store/store.h"

/* X(STATE): of a task, in the order of their numbers. */
#define TALLY_TASK_STATES(X)                                                                                                               \
    X(NEW, "new")                                                                                                                          \
    X(PENDING, "pending")                                                                                                                  \
    X(ASSIGNED, "assigned")                                                                                                                \
    X(ACCEPTED, "accepted")                                                                                                                \
    X(PREPARING, "preparing")                                                                                                              \
    X(READY, "ready")                                                                                                                      \
    X(STARTING, "starting")                                                                                                                \
    X(RUNNING, "running")                                                                                                                  \
    X(COMPLETE, "complete")                                                                                                                \
    X(SHUTDOWN, "shutdown")                                                                                                                \
    X(FAILED, "failed")                                                                                                                    \
    X(REJECTED, "rejected")                                                                                                                \
    X(REMOVE, "remove")                                                                                                                    \
    X(ORPHANED, "orphaned")

enum tally_state {
#define X(name, text) TALLY_##name,
    TALLY_TASK_STATES(X)
#undef X
        TALLY_STATES_COUNT
};

/* Ages that are told of: tasks that have been in their state for longer than this. */
#define TALLY_AGES(X) X(10) X(60) X(300) X(3600) X(86400)
enum { TALLY_AGES_COUNT = 5 };

struct tally_service {
    UT_hash_handle hh;
    char *name;
    const char *mode; /* "replicated", "global", "replicated-job", "global-job" */
    bool is_job, is_told;
    uint64_t iteration; /* of a job */
    uint64_t desired, running;
    char id[];
};

struct tally {
    struct tally_service *services; /* in the order of their creation; NULL before the first look */
    uint64_t older[TALLY_STATES_COUNT][TALLY_AGES_COUNT];
    double oldest_s[TALLY_STATES_COUNT];             /* 0: none is in this state */
    uint64_t others, others_desired, others_running; /* services beyond METRICS_SERVICES_COUNT */
    uint64_t taken_ns, took_ns;
    bool is_taken;
};

/* A zeroed one is empty. Looks where the last look is too old. @wall_ns: now, as tasks' statuses have it. */
void tally_take(struct tally *tally, const struct store *store, const struct clock *clock);
void tally_deinit(struct tally *tally);

void tally_tell(const struct tally *tally, struct metrics *metrics);

#endif
