/* base/file.h – files that must survive: read within a bound, written so that a crash leaves the old content or the new, never half.
 *
 * Synchronous, on every platform through libuv. For small files of state; large streams have their own ways. Messages name the path. */
#ifndef SKEP_BASE_FILE_H
#define SKEP_BASE_FILE_H

#include <stdbool.h>

#include "base/buf.h"

/* Append the file's content to @out. ERR_NOT_FOUND, ERR_PERMISSION, ERR_LIMIT when larger than @max_bytes, ERR_IO. */
int file_read(const char *path, size_t max_bytes, struct buf *out, struct error *err);

/* Write to a temporary file beside @path with @mode, sync it, rename it over @path, sync the directory. ERR_NO_SPACE, ERR_PERMISSION,
 * ERR_IO. */
int file_write(const char *path, struct bytes content, int mode, struct error *err);

/* The same without the two syncs: for what is made anew after a reboot. */
int file_write_volatile(const char *path, struct bytes content, int mode, struct error *err);

int file_rename(const char *from, const char *to, struct error *err); /* and sync the directory of @to */
int file_remove(const char *path, struct error *err);                 /* a file; one that is not there is no error */
int file_make_dirs(const char *path, int mode, struct error *err);    /* as mkdir -p; @mode for those that are made */
int file_sync_dir(const char *path, struct error *err);
bool file_exists(const char *path);

/* @name in the directory of our own executable, in the build directory as after installation; just @name where that is not known. Owned by
 * the caller. */
char *file_beside_program(const char *name);

/* Rename over what may be there, at once and for good as far as the system has it so; nothing is synced. 0 or a UV_E… code. In
 * file_replace_posix.c and its peer. */
int file_replace(const char *from, const char *to);

/* A file, or a directory with all below it, however deep that is: what a container made may be deeper than any path is long. Never follows
 * a link; ERR_PRECONDITION where another file system is mounted. Nothing there is no error. In file_tree_posix.c and its peers. */
int file_remove_tree(const char *path, struct error *err);

#endif
