/* raft/log/disk_memory.h – a disk in memory that keeps apart what was written and what would survive: for tests and the simulator.
 *
 * Every file has two contents: what a reader sees, and what lies on the medium. A write marks sectors of 512 bytes as dirty; a sync brings
 * the dirty ones down; a crash brings down none, all, or those that chance picks, and forgets the rest. Names are the same: made, renamed
 * and removed at once for the reader, durable with the sync of their directory; a crash keeps the first few of those that wait, as a
 * journal does. A sync that is told to fail marks its sectors clean without bringing them down, as kernels do: the next one then
 * "succeeds". Nothing here reads a clock or a random source of its own: one seed, one history. */
#ifndef SKEP_RAFT_LOG_DISK_MEMORY_H
#define SKEP_RAFT_LOG_DISK_MEMORY_H

#include "raft/log/disk.h"

struct raft_disk_memory;

struct raft_disk_memory *raft_disk_memory_new(uint64_t seed);
void raft_disk_memory_free(struct raft_disk_memory *memory);             /* NULL is fine */
struct raft_disk raft_disk_memory_disk(struct raft_disk_memory *memory); /* borrows it */

enum raft_crash {
    RAFT_CRASH_LOSES_ALL, /* that was not synced */
    RAFT_CRASH_LOSES_NONE,
    RAFT_CRASH_LOSES_SOME, /* by sector, in any order */
};
/* The power goes. Open files and locks are gone: whoever had them frees what it has (raft_log_abandon). */
void raft_disk_memory_crash(struct raft_disk_memory *memory, enum raft_crash how);

#define RAFT_DISK_OPS(X) X(OPEN) X(WRITE) X(READ) X(SYNC) X(ALLOCATE) X(TRUNCATE) X(RENAME) X(UNLINK) X(SYNC_DIR) X(LIST) X(LOCK)

enum raft_disk_op {
#define X(name) RAFT_DISK_OP_##name,
    RAFT_DISK_OPS(X)
#undef X
};

/* Asked before each operation. 0: go on; a negative UV_E… code: it fails so, without effect (SYNC: as above). A stalling disk is one
 * whose hook adds to the time it keeps: the disk itself knows no time. */
typedef int (*raft_disk_memory_fn)(void *ctx, enum raft_disk_op op, const char *path, uint64_t size_bytes);
void raft_disk_memory_hook(struct raft_disk_memory *memory, raft_disk_memory_fn fn, void *ctx);

/* Beyond it writes and reservations get UV_ENOSPC. UINT64_MAX, as in the beginning: no end. */
void raft_disk_memory_set_capacity(struct raft_disk_memory *memory, uint64_t size_bytes);
uint64_t raft_disk_memory_used(const struct raft_disk_memory *memory);

/* Bits that change by themselves, on the medium and for the reader. False: no such file, or it is shorter. */
bool raft_disk_memory_flip(struct raft_disk_memory *memory, const char *path, uint64_t bit);
/* What a reader sees; @content is copied. For corpora and tests that write what no log would. */
void raft_disk_memory_put(struct raft_disk_memory *memory, const char *path, struct bytes content);
bool raft_disk_memory_get(const struct raft_disk_memory *memory, const char *path, struct bytes *content); /* borrowed */

#endif
