/* runtime/image/tool/confine.h – the tool gives up what it does not need before it reads the first hostile byte. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_CONFINE_H
#define SKEP_RUNTIME_IMAGE_TOOL_CONFINE_H

#include <stdbool.h>

#include "base/error.h"

/* From here on, as far as the kernel can: no new privileges; no core dump and no debugger (credentials are in memory); of root's
 * capabilities only those that layers need (owners, modes, nodes, file capabilities, and SYS_ADMIN for overlayfs' trusted.* attributes);
 * nothing outside @store_dir can be written (Landlock); no programs are started, nothing is mounted, no module is loaded (seccomp).
 * @dies_with_parent: end when the process that started us does. What an older kernel cannot do is left out; ERR_INTERNAL when it fails
 * though it should work. */
int confine(const char *store_dir, bool dies_with_parent, struct error *err);

#endif
