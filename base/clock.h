/* base/clock.h – time as something that is passed in. Pure cores get `now_ns` as an argument; only edges hold a struct clock. */
#ifndef SKEP_BASE_CLOCK_H
#define SKEP_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

struct clock {
    uint64_t (*monotonic_ns)(void *self); /* never goes back; its zero means nothing */
    int64_t (*wall_ns)(void *self);       /* since 1970-01-01 UTC; may jump */
    void *self;
};

struct clock clock_system(void);

/* The system clock whose wall time runs @offset_ns ahead: shows what happens weeks from now without waiting for it. */
struct clock clock_system_shifted(const int64_t *offset_ns); /* borrowed */

/* What clock_system()'s wall time is made of; in clock_posix.c and clock_windows.c. */
int64_t clock_host_wall_ns(void);

static inline uint64_t clock_monotonic_ns(const struct clock *clock)
{
    return clock->monotonic_ns(clock->self);
}

static inline int64_t clock_wall_ns(const struct clock *clock)
{
    return clock->wall_ns(clock->self);
}

#endif
