/* raft/log/disk.h – what the log asks of a disk, as a table of functions: the real one, one in memory that can fail, or a recorder.
 *
 * The table answers as libuv does: 0 or a count, or a negative UV_E… code. The functions below it turn that into the tree's errors and do
 * the loops. Files are small integers. All of it is synchronous and for one thread at a time. */
#ifndef SKEP_RAFT_LOG_DISK_H
#define SKEP_RAFT_LOG_DISK_H

#include <stdbool.h>

#include "base/buf.h"

enum raft_disk_open {
    RAFT_DISK_READ,
    RAFT_DISK_WRITE,  /* and read; the file is there */
    RAFT_DISK_CREATE, /* and read; made with mode 0600, or emptied */
};

typedef void (*raft_disk_list_fn)(void *ctx, const char *name);

struct raft_disk {
    int (*make_dir)(void *self, const char *path); /* one level, mode 0700; UV_EEXIST */
    int (*open)(void *self, const char *path, enum raft_disk_open how, int *file);
    void (*close)(void *self, int file);
    int (*size)(void *self, int file, uint64_t *size);
    /* How many bytes, less than asked for where the disk is full or the file ends. Written ones may be lost until sync. */
    int64_t (*pwritev)(void *self, int file, const struct bytes *parts, size_t count, uint64_t offset);
    int64_t (*pread)(void *self, int file, void *data, size_t size, uint64_t offset);
    int (*sync)(void *self, int file);                    /* fdatasync: content and size. After a failure nothing is known of either */
    int (*allocate)(void *self, int file, uint64_t size); /* at least so large, zeros, and writing there finds its room */
    int (*truncate)(void *self, int file, uint64_t size); /* smaller */
    int (*rename)(void *self, const char *from, const char *to);
    int (*unlink)(void *self, const char *path);
    int (*sync_dir)(void *self, const char *path); /* names made, changed or removed in it */
    int (*list)(void *self, const char *path, raft_disk_list_fn fn, void *ctx);
    int (*lock)(void *self, const char *path, int *file); /* made where missing; UV_EBUSY while another holds it; closing gives it back */
    void *self;
};

/* The host's; disk_posix.c. Nothing to free. */
struct raft_disk raft_disk_host(void);

/* Each names what was tried and the path: "write <path> at <offset>: no space left on device". */
int raft_disk_open(const struct raft_disk *disk, const char *path, enum raft_disk_open how, int *file, struct error *err);
void raft_disk_close(const struct raft_disk *disk, int *file); /* -1 is fine, and what is left */
int raft_disk_size(const struct raft_disk *disk, int file, const char *path, uint64_t *size, struct error *err);
int raft_disk_write(const struct raft_disk *disk, int file, const char *path, struct bytes content, uint64_t offset, struct error *err);
/* @got is less than @size only at the end of the file. */
int raft_disk_read(const struct raft_disk *disk, int file, const char *path, void *data, size_t size, uint64_t offset, size_t *got,
                   struct error *err);
int raft_disk_sync(const struct raft_disk *disk, int file, const char *path, struct error *err);
int raft_disk_allocate(const struct raft_disk *disk, int file, const char *path, uint64_t size, struct error *err);
int raft_disk_rename(const struct raft_disk *disk, const char *dir, const char *from, const char *to,
                     struct error *err);                                                                  /* and sync @dir */
int raft_disk_remove(const struct raft_disk *disk, const char *dir, const char *path, struct error *err); /* and sync @dir; missing: fine */
int raft_disk_sync_dir(const struct raft_disk *disk, const char *dir, struct error *err);
int raft_disk_make_dir(const struct raft_disk *disk, const char *path, struct error *err); /* there already: fine */

/* The names in a directory, sorted by bytes. ERR_LIMIT beyond RAFT_SEGMENTS_COUNT. */
struct raft_names {
    char **items;
    size_t count;
};
int raft_disk_list(const struct raft_disk *disk, const char *dir, struct raft_names *names, struct error *err);
void raft_names_deinit(struct raft_names *names);

/* Zeros over [from, to) where they are not there already, then sync. */
int raft_disk_zero(const struct raft_disk *disk, int file, const char *path, uint64_t from, uint64_t to, struct error *err);

#endif
