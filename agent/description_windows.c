/* agent/description_windows.c – what a Windows host says of itself. The build is read from the registry: GetVersionEx tells programs
 * without a manifest what they like to hear, and has no revision. */
#include <stdio.h>
#include <windows.h>

#include "agent/description.h"
#include "base/clock.h"
#include "base/system_windows.h"

/* "20348.2322" */
static int read_build(char *out, size_t size, struct error *err)
{
    version_read_build(out, size);
    if (out[0] == '\0')
        return error_set(err, ERR_INTERNAL, "describe the host: the registry does not say which build of Windows this is");
    return 0;
}

static const char *architecture_of(const SYSTEM_INFO *system)
{
    switch (system->wProcessorArchitecture) {
    case PROCESSOR_ARCHITECTURE_AMD64:
        return "x86_64";
    case PROCESSOR_ARCHITECTURE_ARM64:
        return "aarch64";
    default:
        return "unknown";
    }
}

int host_facts_read(struct host_facts *facts, struct error *err)
{
    SYSTEM_INFO system;
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};

    *facts = (struct host_facts){.os = "windows"};
    if (!GlobalMemoryStatusEx(&memory))
        return error_set_windows(err, GetLastError(), "describe the host: its memory");
    if (read_build(facts->os_build, sizeof facts->os_build, err) < 0)
        return err->code;
    GetNativeSystemInfo(&system);
    snprintf(facts->architecture, sizeof facts->architecture, "%s", architecture_of(&system));
    facts->nano_cpus = (int64_t)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) * (int64_t)NS_PER_S;
    facts->memory_bytes = (int64_t)memory.ullTotalPhys;
    return 0;
}
