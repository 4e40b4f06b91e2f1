/* runtime/linux/seccomp.h – the default filter of system calls: what Docker's default profile lets through, kept as data of our own.
 *
 * Everything that is not listed fails with EPERM. Some calls come with a capability only, some with certain arguments only. Pure. */
#ifndef SKEP_RUNTIME_LINUX_SECCOMP_H
#define SKEP_RUNTIME_LINUX_SECCOMP_H

#include <cjson/cJSON.h>

#include "runtime/linux/capabilities.h"

/* An OCI linux.seccomp object for a system with these capabilities; freed by the caller. */
cJSON *seccomp_profile(capability_set capabilities);

#endif
