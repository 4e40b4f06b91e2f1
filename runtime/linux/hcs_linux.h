/* runtime/linux/hcs_linux.h – compute systems on Linux: an overlayfs root, an OCI bundle run by crun, watched over by conmon.
 *
 * Nothing is a child of this process: it may be killed and started again at any moment, and hcs_linux_new finds every system with all that
 * happened meanwhile. Nothing is global: several daemons run on one machine when their options differ. */
#ifndef SKEP_RUNTIME_LINUX_HCS_LINUX_H
#define SKEP_RUNTIME_LINUX_HCS_LINUX_H

#include <uv.h>

#include "base/clock.h"
#include "runtime/hcs.h"

struct hcs_linux_options {
    const char *state_dir;     /* "/var/lib/skep": containers/<id>/ and volumes/<name>/ are made below it */
    const char *run_dir;       /* "/run/skep", a tmpfs: what a reboot may lose */
    const char *bridge;        /* "skep0": made when missing, by the first system that is attached to it */
    const char *bridge_subnet; /* "10.213.0.0/16": the first address is the bridge's own */
    const char *cgroup_parent; /* "/skep" */
    const char *crun_path, *conmon_path, *nft_path, *init_path; /* NULL: looked for in PATH ("crun", "conmon", "nft", "tini-static") */
    struct clock clock;
};

/* Sizes as wished, strings copied. Systems that ran are adopted before it returns; half-made ones are removed. Missing programs are no
 * error here: hcs_probe and a start name them. ERR_INVALID for a bad option, ERR_PERMISSION, ERR_IO. */
int hcs_linux_new(uv_loop_t *loop, const struct hcs_linux_options *options, struct hcs **out, struct error *err);

#endif
