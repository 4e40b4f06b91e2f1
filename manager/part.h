/* manager/part.h – what the parts of a leader's work have in common: they live while this manager leads, look at the store, and change it.
 *
 * A part is made when this manager may write and freed when it no longer may: what it knows it learns from the store, so that the next
 * leader goes on where the last one was. It calls no clock, socket or loop of its own; its owner steps it when the store has changed, when
 * its time has come, and when it asked for it. That makes the whole of a cluster run in virtual time (tests/sim/cluster).
 *
 * A writer's function decides by what its transaction sees, not by what was true when it was queued. */
#ifndef SKEP_MANAGER_PART_H
#define SKEP_MANAGER_PART_H

#include "base/clock.h"
#include "base/random.h"
#include "manager/store/store.h"

#define PART_NEVER UINT64_MAX

/* What a part is given. Borrowed; outlives it. */
struct part_host {
    struct store *store;
    struct clock clock; /* for wall times in messages; `now` is passed in */
    struct random random;
    void (*wake)(void *self); /* step me soon: from a writer's done function, say */
    void *self;
};

/* What a part gives its owner. */
struct part {
    const char *name;                          /* for logs and metrics */
    void (*step)(void *self, uint64_t now_ns); /* look at what is new, do what is due; monotonic time */
    uint64_t (*deadline_ns)(const void *self); /* when to step it if nothing else happens; PART_NEVER */
    void (*free)(void *self);                  /* its writers have been told by then (store_fail()) */
    void *self;
};

static inline void part_wake(const struct part_host *host)
{
    host->wake(host->self);
}

#endif
