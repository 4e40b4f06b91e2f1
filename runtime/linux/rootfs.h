/* runtime/linux/rootfs.h – a system's root: layers and a writable directory under one overlay, and files in it without being led out of it.
 *
 * An image is hostile: any component of any path may be a link to anywhere. Everything here resolves paths inside the root (openat2 with
 * RESOLVE_IN_ROOT). Called from worker threads. */
#ifndef SKEP_RUNTIME_LINUX_ROOTFS_H
#define SKEP_RUNTIME_LINUX_ROOTFS_H

#include "base/buf.h"
#include "runtime/document.h"

/* Mount over @target; @upper and @work are made. ERR_NOT_FOUND naming a layer that is not there. */
int rootfs_mount(const struct document_strings *layers, const char *upper, const char *work, const char *target, struct error *err);

/* Unmount what is at @target, if anything is; @target stays. */
void rootfs_unmount(const char *target);

/* A descriptor of @path inside @root, or a negative errno. */
int rootfs_open(const char *root, const char *path, int flags);

/* A regular file's content; one that is missing or something else is empty. ERR_LIMIT beyond @max_bytes. */
int rootfs_read(const char *root, const char *path, size_t max_bytes, struct buf *out, struct error *err);

/* As mkdir -p inside @root, for this owner. */
int rootfs_make_dirs(const char *root, const char *path, uint32_t uid, uint32_t gid, struct error *err);

#endif
