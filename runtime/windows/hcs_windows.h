/* runtime/windows/hcs_windows.h – compute systems on Windows: the Host Compute Service, asked through computecore.dll or vmcompute.dll.
 *
 * Containers are not children of this process, and their output goes through a small program of its own (skep-log.exe, one per container):
 * skepd may be killed and started again at any moment, and hcs_windows_new finds every system with all that happened meanwhile. */
#ifndef SKEP_RUNTIME_WINDOWS_HCS_WINDOWS_H
#define SKEP_RUNTIME_WINDOWS_HCS_WINDOWS_H

#include <uv.h>

#include "base/clock.h"
#include "runtime/hcs.h"

struct hcs_windows_options {
    const char *state_dir;   /* "C:\ProgramData\skep": containers\<id>\ and volumes\<name>\ are made below it */
    const char *owner;       /* NULL: "skep"; what HCS calls the owner of our systems: others' are never touched */
    const char *os_version;  /* "10.0.20348.2113"; its build chooses schema and DLL */
    const char *keeper_path; /* skep-log.exe; NULL: beside this program */
    const char *network;     /* the NAT network for containers; NULL: "nat", made where it is missing */
    bool offers_hyperv;      /* a hypervisor runs */
    uint32_t processor_count;
    uint32_t poll_ms;    /* how often systems are asked whether they still run, as events get lost; 0: 10 s */
    uint32_t call_ms;    /* the longest for any call to HCS, for tests; 0: the operation's own deadline */
    bool prefers_legacy; /* vmcompute.dll for everything, also where computecore.dll is there: for tests */
    struct clock clock;
};

/* Strings copied. Systems that ran are adopted before it returns; half-made ones are removed. A host without HCS is no error here:
 * hcs_probe and a create say what is missing. ERR_UNSUPPORTED below build 14393, ERR_PERMISSION, ERR_IO. */
int hcs_windows_new(uv_loop_t *loop, const struct hcs_windows_options *options, struct hcs **out, struct error *err);

#endif
