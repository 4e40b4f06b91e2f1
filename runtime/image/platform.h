/* runtime/image/platform.h – which image fits which host: os, architecture, variant, Windows version. Pure, but for what this machine is.
 *
 * Fitting means: could run here in some isolation. Which isolation a Windows image gets on a Windows host is decided by the worker. */
#ifndef SKEP_RUNTIME_IMAGE_PLATFORM_H
#define SKEP_RUNTIME_IMAGE_PLATFORM_H

#include "runtime/image/image.h"

/* Docker's word for an architecture: `x86_64` is amd64, `aarch64` is arm64, `armhf` is arm; others as they are. Never NULL. */
const char *image_architecture_normal(const char *architecture);

/* What this machine is: os, architecture, and of Windows its version (static strings). In machine_<os>.c. */
struct image_platform image_platform_of_machine(void);

/* "linux/amd64", "linux/arm/v7", "windows/amd64:10.0.20348.2113". Freed by the caller. */
char *image_platform_text(const struct image_platform *platform);

/* What @have leaves open fits: an index in an archive often names no platform, and the config then has the last word. */
bool image_platform_fits(const struct image_platform *have, const struct image_platform *want);

/* The best of @count that fit @want, -1 when none does. An older variant fits a newer host (arm/v6 on v7), never the reverse. For Windows
 * with a version wanted: major and minor equal, the highest build not above it, then the highest revision. */
int image_platform_choose(const struct image_platform *have, size_t count, const struct image_platform *want);

#endif
