/* daemon/runtime_linux.c – Linux's back end, with the places and names that the configuration gives it. */
#include "daemon/daemon.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/linux/hcs_linux.h"

int daemon_open_runtime(const struct config *config, const struct clock *clock, uv_loop_t *loop, struct hcs **out, struct error *err)
{
    const char *parent = config->cgroup_parent;
    cleanup_free char *cgroup_parent = mem_format("%s%s", parent[0] == '/' ? "" : "/", parent); /* as dockerd, both forms are taken */
    struct hcs_linux_options options = {
        .state_dir = config->state_dir,
        .run_dir = config->run_dir,
        .bridge = config->bridge,
        .bridge_subnet = config->bridge_subnet,
        .cgroup_parent = cgroup_parent,
        .clock = *clock,
    };
    return hcs_linux_new(loop, &options, out, err);
}
