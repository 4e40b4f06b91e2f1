/* raft/core/storage.h – what the core reads of the log on disk: a table of functions, so that a test, the simulator and a node each bring
 * their own.
 *
 * The core only reads. What it wants written it says in struct raft_ready or in STORAGE_APPEND messages, and the owner writes it. It reads
 * entries that it was told are stable, and no others. */
#ifndef SKEP_RAFT_CORE_STORAGE_H
#define SKEP_RAFT_CORE_STORAGE_H

#include "base/error.h"
#include "raft/types.h"

/* Two answers that are no failure, beside 0 and the negative codes of base/error.h. */
enum raft_storage_answer {
    RAFT_STORED = 0,
    RAFT_COMPACTED = 1,  /* older than the log goes back: a snapshot has it */
    RAFT_UNAVAILABLE = 2 /* not there: beyond the end, or a snapshot that is still being made */
};

/* A failure (a negative code, with @err) stops the core for good: it cannot go on without its log, and says so at every later call. */
struct raft_storage {
    /* What was saved last. Both zero for an empty store. @conf is the caller's to free. */
    int (*initial_state)(void *self, struct raft_hard_state *hard, struct raft_conf_state *conf, struct error *err);
    /* Add entries [low, high) to @out: all of them, or as many as fit in @size_bytes (by raft_entry_size_bytes), at least one. */
    int (*entries)(void *self, uint64_t low, uint64_t high, uint64_t size_bytes, struct raft_entries *out, struct error *err);
    /* The term of any entry of [first - 1, last]: that of the entry before the first is kept when it is compacted. */
    int (*term)(void *self, uint64_t index, uint64_t *term, struct error *err);
    uint64_t (*first_index)(void *self); /* last_index() + 1 when empty */
    uint64_t (*last_index)(void *self);
    /* The newest snapshot, in @out (overwritten; the caller's to free). RAFT_UNAVAILABLE: not now, ask again. It must name whom it is for:
     * nobody takes one that does not, so an owner makes a new one when a member was added behind the last. */
    int (*snapshot)(void *self, struct raft_snapshot *out, struct error *err);
    void *self;
};

#endif
