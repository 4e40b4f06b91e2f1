/* manager/orchestrator/timers.h – who is due when: a heap of timers that live inside of what waits. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_TIMERS_H
#define SKEP_MANAGER_ORCHESTRATOR_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

/* A zeroed one is off. */
struct timer {
    uint64_t at_ns;
    size_t place; /* in the heap, from 1; 0: off */
    void (*fire)(void *ctx, void *owner);
    void *owner;
};

struct timers {
    struct timer **heap;
    size_t count, capacity;
};

void timers_deinit(struct timers *timers);

/* To be due at @at_ns, whatever it was set to before; TIMER_NEVER turns it off. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t at_ns);

/* Turned off and returned, the earliest first; NULL: none is due. */
struct timer *timers_take_due(struct timers *timers, uint64_t now_ns);

static inline uint64_t timers_next_ns(const struct timers *timers)
{
    return timers->count ? timers->heap[0]->at_ns : TIMER_NEVER;
}

#endif
