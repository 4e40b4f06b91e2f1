/* runtime/linux/capabilities.h – which capabilities a system's processes may have: Docker's default set, with the document's changes. */
#ifndef SKEP_RUNTIME_LINUX_CAPABILITIES_H
#define SKEP_RUNTIME_LINUX_CAPABILITIES_H

#include <stdbool.h>

#include "runtime/document.h"

/* capabilities(7), by number. */
#define CAPABILITIES(X)                                                                                                                    \
    /* name        Docker gives it */                                                                                                      \
    X(CHOWN, true)                                                                                                                         \
    X(DAC_OVERRIDE, true)                                                                                                                  \
    X(DAC_READ_SEARCH, false)                                                                                                              \
    X(FOWNER, true)                                                                                                                        \
    X(FSETID, true)                                                                                                                        \
    X(KILL, true)                                                                                                                          \
    X(SETGID, true)                                                                                                                        \
    X(SETUID, true)                                                                                                                        \
    X(SETPCAP, true)                                                                                                                       \
    X(LINUX_IMMUTABLE, false)                                                                                                              \
    X(NET_BIND_SERVICE, true)                                                                                                              \
    X(NET_BROADCAST, false)                                                                                                                \
    X(NET_ADMIN, false)                                                                                                                    \
    X(NET_RAW, true)                                                                                                                       \
    X(IPC_LOCK, false)                                                                                                                     \
    X(IPC_OWNER, false)                                                                                                                    \
    X(SYS_MODULE, false)                                                                                                                   \
    X(SYS_RAWIO, false)                                                                                                                    \
    X(SYS_CHROOT, true)                                                                                                                    \
    X(SYS_PTRACE, false)                                                                                                                   \
    X(SYS_PACCT, false)                                                                                                                    \
    X(SYS_ADMIN, false)                                                                                                                    \
    X(SYS_BOOT, false)                                                                                                                     \
    X(SYS_NICE, false)                                                                                                                     \
    X(SYS_RESOURCE, false)                                                                                                                 \
    X(SYS_TIME, false)                                                                                                                     \
    X(SYS_TTY_CONFIG, false)                                                                                                               \
    X(MKNOD, true)                                                                                                                         \
    X(LEASE, false)                                                                                                                        \
    X(AUDIT_WRITE, true)                                                                                                                   \
    X(AUDIT_CONTROL, false)                                                                                                                \
    X(SETFCAP, true)                                                                                                                       \
    X(MAC_OVERRIDE, false)                                                                                                                 \
    X(MAC_ADMIN, false)                                                                                                                    \
    X(SYSLOG, false)                                                                                                                       \
    X(WAKE_ALARM, false)                                                                                                                   \
    X(BLOCK_SUSPEND, false)                                                                                                                \
    X(AUDIT_READ, false)                                                                                                                   \
    X(PERFMON, false)                                                                                                                      \
    X(BPF, false)                                                                                                                          \
    X(CHECKPOINT_RESTORE, false)

enum capability {
#define X(name, is_default) CAPABILITY_##name,
    CAPABILITIES(X)
#undef X
        CAPABILITY_COUNT
};

/* A bit for each. */
typedef uint64_t capability_set;

const char *capability_name(enum capability capability); /* "CAP_CHOWN" */

/* Names with or without CAP_, in any case; ALL. Drops come first, then adds; what is both added and dropped stays, as with Docker. The
 * result is cut to what the host's kernel has (@last: /proc/sys/kernel/cap_last_cap). ERR_INVALID naming what is none. */
int capabilities_apply(const struct document_strings *add, const struct document_strings *drop, int last, capability_set *out,
                       struct error *err);

#endif
