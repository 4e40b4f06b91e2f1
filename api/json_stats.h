/* api/json_stats.h – one answer of /containers/{id}/stats, as `docker stats` computes from it. Pure. */
#ifndef SKEP_API_JSON_STATS_H
#define SKEP_API_JSON_STATS_H

#include "base/json.h"
#include "runtime/hcs.h"

/* What one sample keeps for the next one's precpu_stats. */
struct stats_cpu {
    int64_t wall_ns; /* 0: there was none */
    uint64_t total_ns, user_ns, kernel_ns, system_ns, throttled_ns, periods, throttled_periods;
};

struct stats_view {
    const char *id, *name;
    const struct hcs_statistics *statistics; /* NULL: it does not run; the numbers are zero then */
    struct stats_cpu now, before;
    int cpu_count;
    uint64_t host_memory_bytes; /* the limit where there is none of its own */
};

struct stats_cpu stats_cpu_of(const struct hcs_statistics *statistics, int64_t wall_ns, uint64_t system_ns);
cJSON *json_stats(const struct stats_view *view);

#endif
