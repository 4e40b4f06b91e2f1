/* manager/orchestrator/timers.c – a binary heap in which each timer knows its place. */
#include "manager/orchestrator/timers.h"

#include <stdlib.h>

#include "base/mem.h"

void timers_deinit(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

static void put(struct timers *timers, size_t at, struct timer *timer)
{
    timers->heap[at] = timer;
    timer->place = at + 1;
}

static void sift_up(struct timers *timers, size_t at)
{
    struct timer *timer = timers->heap[at];

    for (size_t above; at > 0 && timers->heap[above = (at - 1) / 2]->at_ns > timer->at_ns; at = above)
        put(timers, at, timers->heap[above]);
    put(timers, at, timer);
}

static void sift_down(struct timers *timers, size_t at)
{
    struct timer *timer = timers->heap[at];

    for (;;) {
        size_t below = 2 * at + 1;
        if (below >= timers->count)
            break;
        if (below + 1 < timers->count && timers->heap[below + 1]->at_ns < timers->heap[below]->at_ns)
            below++;
        if (timers->heap[below]->at_ns >= timer->at_ns)
            break;
        put(timers, at, timers->heap[below]);
        at = below;
    }
    put(timers, at, timer);
}

static void turn_off(struct timers *timers, struct timer *timer)
{
    size_t at = timer->place - 1;
    struct timer *last = timers->heap[--timers->count];

    timer->place = 0;
    if (last == timer)
        return;
    put(timers, at, last);
    sift_down(timers, at);
    sift_up(timers, last->place - 1);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t at_ns)
{
    if (timer->place)
        turn_off(timers, timer);
    if (at_ns == TIMER_NEVER)
        return;
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity ? 2 * timers->capacity : 16;
        timers->heap = mem_resize(timers->heap, timers->capacity * sizeof(struct timer *));
    }
    timer->at_ns = at_ns;
    put(timers, timers->count++, timer);
    sift_up(timers, timers->count - 1);
}

struct timer *timers_take_due(struct timers *timers, uint64_t now_ns)
{
    if (timers->count == 0 || timers->heap[0]->at_ns > now_ns)
        return NULL;
    struct timer *timer = timers->heap[0];
    turn_off(timers, timer);
    return timer;
}
