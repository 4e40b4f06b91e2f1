/* manager/dispatcher/timers.c – see timers.h. A binary heap of pointers; each timer knows its place. */
#include "manager/dispatcher/timers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static void put(struct dispatcher_timers *timers, size_t place, struct dispatcher_timer *timer)
{
    timers->items[place - 1] = timer;
    timer->place = place;
}

static void rise(struct dispatcher_timers *timers, struct dispatcher_timer *timer)
{
    size_t place = timer->place;

    for (; place > 1 && timers->items[place / 2 - 1]->placed_ns > timer->placed_ns; place /= 2)
        put(timers, place, timers->items[place / 2 - 1]);
    put(timers, place, timer);
}

static void sink(struct dispatcher_timers *timers, struct dispatcher_timer *timer)
{
    size_t place = timer->place;

    for (;;) {
        size_t child = 2 * place;
        if (child > timers->count)
            break;
        if (child < timers->count && timers->items[child]->placed_ns < timers->items[child - 1]->placed_ns)
            child++;
        if (timers->items[child - 1]->placed_ns >= timer->placed_ns)
            break;
        put(timers, place, timers->items[child - 1]);
        place = child;
    }
    put(timers, place, timer);
}

static void insert(struct dispatcher_timers *timers, struct dispatcher_timer *timer)
{
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity ? 2 * timers->capacity : 64;
        timers->items = mem_resize(timers->items, timers->capacity * sizeof(struct dispatcher_timer *));
    }
    timer->placed_ns = timer->deadline_ns;
    timers->count++;
    put(timers, timers->count, timer);
    rise(timers, timer);
}

void dispatcher_timer_set(struct dispatcher_timers *timers, struct dispatcher_timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
    if (timer->place == 0) {
        insert(timers, timer);
    } else if (deadline_ns < timer->placed_ns) {
        timer->placed_ns = deadline_ns;
        rise(timers, timer);
    }
}

void dispatcher_timer_stop(struct dispatcher_timers *timers, struct dispatcher_timer *timer)
{
    size_t place = timer->place;

    if (place == 0)
        return;
    struct dispatcher_timer *last = timers->items[--timers->count];
    timer->place = 0;
    if (last == timer)
        return;
    put(timers, place, last);
    rise(timers, last);
    sink(timers, last);
}

uint64_t dispatcher_timers_next_ns(const struct dispatcher_timers *timers)
{
    return timers->count > 0 ? timers->items[0]->placed_ns : UINT64_MAX;
}

void dispatcher_timers_run(struct dispatcher_timers *timers, uint64_t now_ns)
{
    while (timers->count > 0 && timers->items[0]->placed_ns <= now_ns) {
        struct dispatcher_timer *timer = timers->items[0];
        if (timer->deadline_ns > now_ns) {
            timer->placed_ns = timer->deadline_ns;
            sink(timers, timer);
            continue;
        }
        dispatcher_timer_stop(timers, timer);
        timer->fire(timer->ctx, now_ns);
    }
}

void dispatcher_timers_deinit(struct dispatcher_timers *timers)
{
    free(timers->items);
    *timers = (struct dispatcher_timers){0};
}
