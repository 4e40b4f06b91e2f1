/* base/clock_posix.c – the time of day, from C11. */
#include <time.h>

#include "base/clock.h"

int64_t clock_host_wall_ns(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec;
}
