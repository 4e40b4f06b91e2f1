/* base/clock_windows.c – the time of day in its finest grain: 100 ns, counted from 1601. */
#include <windows.h>

#include "base/clock.h"

enum { NS_PER_TICK = 100 };
static const int64_t unix_epoch_ticks = 116444736000000000; /* 1970-01-01 */

int64_t clock_host_wall_ns(void)
{
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    int64_t ticks = (int64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
    return (ticks - unix_epoch_ticks) * NS_PER_TICK;
}
