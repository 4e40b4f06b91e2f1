/* manager/dispatcher/timers.h – deadlines of many things, in one heap: what is not due costs nothing.
 *
 * Most are put off long before they come, heartbeats above all: putting off is one store into the timer, which is moved in the heap only
 * when its old time has come. */
#ifndef SKEP_MANAGER_DISPATCHER_TIMERS_H
#define SKEP_MANAGER_DISPATCHER_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lies in what it is for. @fire and @ctx are set once; the rest is zero to begin with. */
struct dispatcher_timer {
    void (*fire)(void *ctx, uint64_t now_ns);
    void *ctx;
    uint64_t deadline_ns; /* when it is wanted */
    uint64_t placed_ns;   /* where it is in the heap: never later than that */
    size_t place;         /* in the heap, from 1; 0: not set */
};

struct dispatcher_timers {
    struct dispatcher_timer **items;
    size_t count, capacity;
};

void dispatcher_timer_set(struct dispatcher_timers *timers, struct dispatcher_timer *timer, uint64_t deadline_ns); /* also anew */
void dispatcher_timer_stop(struct dispatcher_timers *timers, struct dispatcher_timer *timer); /* one that is not set is fine */

static inline bool dispatcher_timer_is_set(const struct dispatcher_timer *timer)
{
    return timer->place != 0;
}

uint64_t dispatcher_timers_next_ns(const struct dispatcher_timers *timers);    /* look then, or earlier; UINT64_MAX: there are none */
void dispatcher_timers_run(struct dispatcher_timers *timers, uint64_t now_ns); /* @fire may stop any and set any, to later than now */
void dispatcher_timers_deinit(struct dispatcher_timers *timers);               /* none is set any more, or none will be touched again */

#endif
