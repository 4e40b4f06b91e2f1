/* daemon/runtime_windows.c – Windows' back end, with what the configuration and the host say. */
#include "daemon/daemon.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "runtime/windows/hcs_windows.h"
#include "runtime/windows/hypervisor.h"

enum { LEAST_BUILD = 14393 };

int daemon_open_runtime(const struct config *config, const struct clock *clock, uv_loop_t *loop, struct hcs **out, struct error *err)
{
    char build[32];

    version_read_build(build, sizeof build);
    if (atoi(build) < LEAST_BUILD)
        return error_set(err, ERR_UNSUPPORTED,
                         "skepd requires build %d or later of Windows (Server 2016, or Windows 10 1607); this is build %s", LEAST_BUILD,
                         build[0] ? build : "unknown");
    cleanup_free char *os_version = mem_format("10.0.%s", build);
    struct hcs_windows_options options = {
        .state_dir = config->state_dir,
        .os_version = os_version,
        .offers_hyperv = hypervisor_is_ours(),
        .processor_count = uv_available_parallelism(),
        .clock = *clock,
    };
    return hcs_windows_new(loop, &options, out, err);
}
