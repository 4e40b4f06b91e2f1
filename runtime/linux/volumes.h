/* runtime/linux/volumes.h – where the mounts of a document come from: bind sources checked, volumes made and filled. On a worker. */
#ifndef SKEP_RUNTIME_LINUX_VOLUMES_H
#define SKEP_RUNTIME_LINUX_VOLUMES_H

#include "runtime/linux/bundle.h"
#include "runtime/linux/linux.h"

/* Fill @out, one for each of the document's mounts; sources live in @arena. @root is mounted: a new volume gets what the image has at its
 * target. ERR_NOT_FOUND in Docker's words: "invalid bind mount source, source path not found: x". */
int volumes_prepare(const struct linux_system *system, const char *root, struct arena *arena, struct bundle_mount *out, struct error *err);

#endif
