/* manager/tally.h – the cluster's tasks counted as a dashboard wants them: how many each service has of those it asks for, and for how long
 * tasks have been in their states.
 *
 * No index of the store knows that. So when someone asks for the first time all tasks are counted, which takes some 0.2 s for 100,000 of
 * them; from then on each commit's changes are added and taken away, at the cost of what changed. What is told is as of now. */
#ifndef SKEP_MANAGER_TALLY_H
#define SKEP_MANAGER_TALLY_H

#include "base/hash.h"
#include "base/metrics.h"
#include "manager/store/store.h"

/* X(STATE, shown): of a task, in the order of their numbers. */
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

/* A zeroed one follows nobody. */
struct tally {
    struct store *store;
    struct store_watcher *watcher;  /* NULL: nobody asked yet */
    struct tally_service *services; /* that have tasks, whether there is such a service or not */
    struct tally_moment *moments;   /* seconds in which tasks came into their states */
};

void tally_follow(struct tally *tally, struct store *store); /* from now on, where it does not yet */
void tally_end(struct tally *tally);                         /* before the store goes */

/* @wall_ns: now. Of services the first METRICS_SERVICES_COUNT one by one, and what the others have added up. */
void tally_tell(const struct tally *tally, int64_t wall_ns, struct metrics *metrics);

#endif
