/* api/host_facts.c – see host_facts.h: what libuv knows on every system. */
#include "api/host_facts.h"

#include <stdio.h>
#include <uv.h>

#include "base/clock.h"

static void read_processors(int *count, uint64_t *total_ms)
{
    uv_cpu_info_t *cpus;
    *count = 0;
    *total_ms = 0;
    if (uv_cpu_info(&cpus, count) < 0)
        return;
    for (int i = 0; i < *count; i++)
        *total_ms +=
            cpus[i].cpu_times.user + cpus[i].cpu_times.nice + cpus[i].cpu_times.sys + cpus[i].cpu_times.idle + cpus[i].cpu_times.irq;
    uv_free_cpu_info(cpus, *count);
}

void api_host_facts_read(struct api_host_facts *facts)
{
    uv_utsname_t names;
    size_t size = sizeof facts->hostname;
    uint64_t ignored_ms;
    *facts = (struct api_host_facts){.cgroup_version = ""};
    if (uv_os_gethostname(facts->hostname, &size) < 0)
        facts->hostname[0] = '\0';
    if (uv_os_uname(&names) == 0) {
        snprintf(facts->kernel_version, sizeof facts->kernel_version, "%s", names.release);
        snprintf(facts->machine, sizeof facts->machine, "%s", names.machine);
        snprintf(facts->operating_system, sizeof facts->operating_system, "%s", names.sysname);
        snprintf(facts->os_version, sizeof facts->os_version, "%.63s", names.version);
    }
    facts->memory_bytes = uv_get_total_memory();
    read_processors(&facts->cpu_count, &ignored_ms);
    api_host_read_os(facts);
}

uint64_t api_host_cpu_ns(void)
{
    int count;
    uint64_t total_ms;
    read_processors(&count, &total_ms);
    return total_ms * NS_PER_MS;
}
