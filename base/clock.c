/* base/clock.c – the system's clocks, through libuv and C11. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>
#include <uv.h>

static uint64_t system_monotonic(void *self)
{
    (void)self;
    return uv_hrtime();
}

static int64_t system_wall(void *self)
{
    const int64_t *offset_ns = self;
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec + (offset_ns ? *offset_ns : 0);
}

struct clock clock_system(void)
{
    return (struct clock){system_monotonic, system_wall, NULL};
}

struct clock clock_system_shifted(const int64_t *offset_ns)
{
    return (struct clock){system_monotonic, system_wall, (void *)(uintptr_t)offset_ns};
}
