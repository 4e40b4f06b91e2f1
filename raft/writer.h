/* raft/writer.h – the log's thread: takes what the core wants written, appends all that waits, syncs once, and answers on the loop.
 *
 * A write whose loss would break a promise (entries, term, vote, snapshot) is synced; one that only moves the commit index rides with the
 * next. What rests on writes that are all stable already is answered without the thread. Without space it asks again every
 * RAFT_NO_SPACE_RETRY_MS and acknowledges nothing meanwhile; after any other failure it acknowledges nothing any more. */
#ifndef SKEP_RAFT_WRITER_H
#define SKEP_RAFT_WRITER_H

#include <uv.h>

#include "base/metrics.h"
#include "raft/log/log.h"

struct raft_writer;

struct raft_writer_handlers {
    void (*on_written)(void *ctx, struct raft_message *message); /* of type STORAGE_APPEND, stable; may be emptied */
    void (*on_compacted)(void *ctx, uint64_t snapshot_index);    /* the snapshot's mark is stable */
    void (*on_failed)(void *ctx, const struct error *err);       /* once: for good */
    void *ctx;
};

struct raft_writer_status {
    uint64_t batches_count, jobs_count, flush_ns_last, flush_ns_most;
    size_t waiting_count;                        /* writes that are not stable yet */
    bool is_full;                                /* they wait for room on the disk */
    bool needs_old_keys;                         /* what lies in the directory needs another key than the newest, as of the last look */
    size_t looks_count;                          /* looks for that on their way */
    uint64_t log_size_bytes, log_segments_count; /* as of the last flush */
    const struct histogram *flush_times;         /* in seconds, of each flush to the disk. Borrowed from the writer */
};

/* @log is used by the thread from here on, and freed by raft_writer_close(). @hard is what it holds. */
int raft_writer_new(uv_loop_t *loop, struct raft_log *log, const struct raft_hard_state *hard, const struct raft_writer_handlers *handlers,
                    struct raft_writer **out, struct error *err);

/* @message (STORAGE_APPEND) is taken. True: nothing in it needs the disk, its responses may be given now; they stay in it. Else it is
 * written after the next raft_writer_kick(): a caller that has something to send does that first, for the way to others is longer. */
bool raft_writer_append(struct raft_writer *writer, struct raft_message *message);
void raft_writer_kick(struct raft_writer *writer);

/* The file of this snapshot is whole: mark it in the log and remove what it makes superfluous. @meta is copied. */
void raft_writer_compact(struct raft_writer *writer, const struct raft_snapshot *meta);

/* New records use this key; raft_keys_add() has taken it elsewhere already, so that only the disk can object. @bytes NULL with id 0: they
 * are not encrypted. */
void raft_writer_set_key(struct raft_writer *writer, uint32_t id, const uint8_t *bytes);
void raft_writer_forget_key(struct raft_writer *writer, uint32_t id); /* unless it is needed */
void raft_writer_look_at_keys(struct raft_writer *writer);            /* for the status: a snapshot's file was added */

void raft_writer_status(const struct raft_writer *writer, struct raft_writer_status *out);

/* What waits is written, the log closed; then @on_closed, with what went wrong or NULL. */
void raft_writer_close(struct raft_writer *writer, void (*on_closed)(void *ctx, const struct error *err), void *ctx);

#endif
