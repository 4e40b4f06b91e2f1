/* base/clock.c – see clock.h. */
#include "base/clock.h"

#include <stddef.h>
#include <uv.h>

static uint64_t system_monotonic(void *self)
{
    (void)self;
    return uv_hrtime();
}

static int64_t system_wall(void *self)
{
    const int64_t *offset_ns = self;
    return clock_host_wall_ns() + (offset_ns ? *offset_ns : 0);
}

struct clock clock_system(void)
{
    return (struct clock){system_monotonic, system_wall, NULL};
}

struct clock clock_system_shifted(const int64_t *offset_ns)
{
    return (struct clock){system_monotonic, system_wall, (void *)(uintptr_t)offset_ns};
}
