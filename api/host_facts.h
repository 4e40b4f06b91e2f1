/* api/host_facts.h – what `docker info` says of the host it asks. */
#ifndef SKEP_API_HOST_FACTS_H
#define SKEP_API_HOST_FACTS_H

#include <stdint.h>

struct api_host_facts {
    char hostname[256], kernel_version[256], machine[256]; /* "6.1.0-13-amd64", "x86_64" */
    char operating_system[256], os_version[64];            /* "Debian GNU/Linux 12 (bookworm)", "12" */
    const char *cgroup_version;                            /* "1", "2"; "" where there are none */
    int cpu_count;
    uint64_t memory_bytes;
};

void api_host_facts_read(struct api_host_facts *facts);

/* Processor time of all processors together since boot, idle time too: what `docker stats` divides by. */
uint64_t api_host_cpu_ns(void);

/* host_facts_<os>.c: the name and version of the system, and its cgroups. */
void api_host_read_os(struct api_host_facts *facts);

#endif
