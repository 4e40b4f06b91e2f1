/* daemon/host.h – what a daemon asks of the system it runs on, beyond libuv: being the only one on its directories, and what it takes of
 * the system. */
#ifndef SKEP_DAEMON_HOST_H
#define SKEP_DAEMON_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Make @dir (mode 0700, its parents 0755) and hold it for this process until it ends, however it ends. ERR_EXISTS naming the directory and
 * the process that holds it; ERR_PERMISSION, ERR_NO_SPACE when nothing can be written there. */
int host_claim_directory(const char *dir, struct error *err);

/* What tasks are given that ask for nothing: "hyperv" on a Windows of people, "process" elsewhere. */
const char *host_default_isolation(void);

bool host_has_group(const char *name);

/* Before anything is opened: no signal for a broken pipe, new files for nobody else, as many open files as the system allows (1,000
 * containers take some thousand descriptors), as many workers as containers start at once, few heaps. Before the loop's first use. */
void host_prepare_process(void);

/* Give memory back that the process holds and does not use now: freed pieces of the heap, and the pages of programs and libraries that only
 * its start has touched (they come back from the system's cache when they are wanted). Some hundred microseconds. */
void host_trim_memory(void);

/* What this process takes of the system. What cannot be had is 0. */
struct host_usage {
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_handles_count, open_handles_most_count;
    double cpu_s;
    double started_wall_s; /* since 1970 */
};
void host_usage(struct host_usage *out);

#endif
