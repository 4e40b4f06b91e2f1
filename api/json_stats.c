/* api/json_stats.c – see json_stats.h. */
#include "api/json_stats.h"

#include "base/mem.h"
#include "base/time.h"

struct stats_cpu stats_cpu_of(const struct hcs_statistics *s, int64_t wall_ns, uint64_t system_ns)
{
    if (s == NULL)
        return (struct stats_cpu){.wall_ns = wall_ns};
    return (struct stats_cpu){
        .wall_ns = wall_ns,
        .total_ns = s->cpu_total_ns,
        .user_ns = s->cpu_user_ns,
        .kernel_ns = s->cpu_kernel_ns,
        .system_ns = system_ns,
        .throttled_ns = s->throttled_ns,
        .periods = s->periods,
        .throttled_periods = s->throttled_periods,
    };
}

static void add_u64(cJSON *json, const char *key, uint64_t value)
{
    json_add_int(json, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void add_instant(cJSON *json, const char *key, int64_t wall_ns)
{
    char text[TIME_RFC3339_SIZE];
    time_format_rfc3339(wall_ns, text);
    json_add_string(json, key, wall_ns == 0 ? "0001-01-01T00:00:00Z" : text);
}

static void add_cpu(cJSON *json, const char *key, const struct stats_cpu *cpu, int cpu_count)
{
    cJSON *stats = cJSON_AddObjectToObject(json, key), *usage = cJSON_AddObjectToObject(stats, "cpu_usage");
    add_u64(usage, "total_usage", cpu->total_ns);
    add_u64(usage, "usage_in_kernelmode", cpu->kernel_ns);
    add_u64(usage, "usage_in_usermode", cpu->user_ns);
    if (cpu->system_ns > 0) {
        add_u64(stats, "system_cpu_usage", cpu->system_ns);
        json_add_int(stats, "online_cpus", cpu_count);
    }
    cJSON *throttling = cJSON_AddObjectToObject(stats, "throttling_data");
    add_u64(throttling, "periods", cpu->periods);
    add_u64(throttling, "throttled_periods", cpu->throttled_periods);
    add_u64(throttling, "throttled_time", cpu->throttled_ns);
}

static void add_memory(cJSON *json, const struct stats_view *view)
{
    const struct hcs_statistics *s = view->statistics;
    cJSON *memory = cJSON_AddObjectToObject(json, "memory_stats");
    if (s == NULL)
        return;
    add_u64(memory, "usage", s->memory_usage_bytes);
    add_u64(memory, "max_usage", s->memory_peak_bytes);
    cJSON *counters = cJSON_AddObjectToObject(memory, "stats");
    for (size_t i = 0; i < s->memory_count; i++)
        add_u64(counters, s->memory[i].name, s->memory[i].value);
    add_u64(memory, "limit", s->memory_limit_bytes > 0 ? s->memory_limit_bytes : view->host_memory_bytes);
}

static void add_io(cJSON *list, const char *operation, uint64_t bytes)
{
    cJSON *entry = cJSON_CreateObject();
    json_add_int(entry, "major", 0);
    json_add_int(entry, "minor", 0);
    json_add_string(entry, "op", operation);
    add_u64(entry, "value", bytes);
    cJSON_AddItemToArray(list, entry);
}

static void add_block_io(cJSON *json, const struct hcs_statistics *s)
{
    static const char *const empty[] = {"io_serviced_recursive",  "io_queue_recursive",  "io_service_time_recursive",
                                        "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive",
                                        "sectors_recursive"};
    cJSON *block = cJSON_AddObjectToObject(json, "blkio_stats"), *bytes = cJSON_AddArrayToObject(block, "io_service_bytes_recursive");
    if (s) {
        add_io(bytes, "Read", s->read_bytes);
        add_io(bytes, "Write", s->write_bytes);
    }
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        cJSON_AddNullToObject(block, empty[i]);
}

static void add_networks(cJSON *json, const struct hcs_statistics *s)
{
    if (s == NULL || s->network_count == 0)
        return;
    cJSON *networks = cJSON_AddObjectToObject(json, "networks");
    for (size_t i = 0; i < s->network_count; i++) {
        const struct hcs_network_counter *n = &s->networks[i];
        cJSON *entry = cJSON_AddObjectToObject(networks, n->name);
        add_u64(entry, "rx_bytes", n->rx_bytes);
        add_u64(entry, "rx_packets", n->rx_packets);
        add_u64(entry, "rx_errors", n->rx_errors);
        add_u64(entry, "rx_dropped", n->rx_dropped);
        add_u64(entry, "tx_bytes", n->tx_bytes);
        add_u64(entry, "tx_packets", n->tx_packets);
        add_u64(entry, "tx_errors", n->tx_errors);
        add_u64(entry, "tx_dropped", n->tx_dropped);
    }
}

cJSON *json_stats(const struct stats_view *view)
{
    const struct hcs_statistics *s = view->statistics;
    cJSON *json = cJSON_CreateObject();
    cleanup_free char *name = mem_format("/%s", view->name ? view->name : view->id);
    add_instant(json, "read", view->now.wall_ns);
    add_instant(json, "preread", view->before.wall_ns);
    cJSON *pids = cJSON_AddObjectToObject(json, "pids_stats");
    if (s) {
        add_u64(pids, "current", s->pids);
        if (s->pids_limit > 0)
            add_u64(pids, "limit", s->pids_limit);
    }
    add_block_io(json, s);
    json_add_int(json, "num_procs", 0);
    cJSON_AddObjectToObject(json, "storage_stats");
    add_cpu(json, "cpu_stats", &view->now, view->cpu_count);
    add_cpu(json, "precpu_stats", &view->before, view->cpu_count);
    add_memory(json, view);
    json_add_string(json, "name", name);
    json_add_string(json, "id", view->id);
    add_networks(json, s);
    return json;
}
