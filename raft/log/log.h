/* raft/log/log.h – the Raft log on disk: what a member has promised, in segments (segment.h) and snapshots (snapshot.h).
 *
 * Made for a thread that writes. It appends what the core hands it – many batches, if many wait – and flushes: one write, one fdatasync for
 * all of it. Only when raft_log_flush() has returned 0 may anything that rests on the appended be said to a peer.
 *
 *     raft_log_open(&options, &log, &state, err)           // what was promised before; the caller takes the entries
 *     for (;;) {
 *         raft_log_append(log, &hard, entries, n, err)     // … once per batch that is waiting
 *         raft_log_flush(log, err)                         // 0: all of it is stable, answer the core
 *         …now and then: write a snapshot file, raft_log_append_snapshot(), raft_log_flush(), raft_log_compact()
 *     }
 *     raft_log_close(log, err)
 *
 * When something goes wrong:
 *
 *   - a failed write, or any failed sync: the log has failed for good. What the kernel kept of the pages nobody knows, so a second sync
 * that says "fine" proves nothing. Every later call fails with ERR_IO and names the first failure; raft_log_close() then only frees.
 *   - no space: raft_log_flush() gives ERR_NO_SPACE, nothing that was appended is stable, all of it waits. The next raft_log_flush() tries
 *     anew, and once it returns 0 everything is as if nothing had happened. That is safe because a segment's space is reserved before its
 *     first record: room runs out where a new segment is made, in a temporary file of which nothing is left; or (on a file system that
 *     copies on write) in a write of bytes that were never synced, which is done again as a whole at the same place. A sync that fails for
 *     want of space is a failed sync. Closing gives the reserve back and writes what waits, or at least the hard state.
 *
 * One thread at a time; no function calls back. Source: Raft thesis §3.8 (what must be stable), §10.2.1 (writing in parallel). */
#ifndef SKEP_RAFT_LOG_LOG_H
#define SKEP_RAFT_LOG_LOG_H

#include "raft/log/replay.h"
#include "raft/log/snapshot.h"

struct raft_log;

/* Zero or NULL takes the default of base/limits.h. */
struct raft_log_options {
    const char *dir;              /* copied; made where missing, its parent is there */
    const struct raft_disk *disk; /* borrowed; NULL: the host's */
    const struct random *random;  /* borrowed; NULL: the system's. Salts and nonces */
    const struct raft_keys *keys; /* copied; NULL: no encryption */
    uint64_t segment_size_bytes;  /* rounded up to 4096 */
    uint64_t reserve_size_bytes;
    uint64_t tail_keep_count; /* entries kept behind a snapshot, for members that lag; UINT64_MAX: none */
    uint32_t snapshots_keep_count;
};

/* Read what is there, cut and report a torn tail, remove what was left half-made, and be ready to append. @state is the caller's, to
 * free with raft_log_state_deinit(). Its entries begin tail_keep_count before the snapshot, or where the log does.
 * ERR_AGAIN: in use. ERR_CORRUPT: damaged; names file and offset and the way out. ERR_PERMISSION: a key is missing or wrong.
 * ERR_VERSION, ERR_NO_SPACE, ERR_IO. */
int raft_log_open(const struct raft_log_options *options, struct raft_log **out, struct raft_log_state *state, struct error *err);

/* @hard may be NULL: unchanged. @entries (borrowed for the call) follow one another; the first is at most one beyond the last, and replaces
 * what is at its index and behind. ERR_INVALID for what would break a rule of replay.h: nothing is appended then. ERR_LIMIT: an entry
 * too large, or flush first. */
int raft_log_append(struct raft_log *log, const struct raft_hard_state *hard, const struct raft_entry *entries, size_t count,
                    struct error *err);

/* The members as of the committed entry @index, for a caller that wants them without replaying entries. */
int raft_log_append_members(struct raft_log *log, uint64_t index, const struct raft_conf_state *conf, struct error *err);

/* The snapshot file of (@snapshot->index, term) is complete: entries up to there may go. @is_install: it came from the leader and replaces
 * the whole log, which begins anew behind it. ERR_NOT_FOUND where there is no such file. */
int raft_log_append_snapshot(struct raft_log *log, const struct raft_snapshot *snapshot, bool is_install, struct error *err);

/* One write, one sync. 0: all that was appended is stable. Nothing appended: 0 at once. ERR_NO_SPACE, ERR_IO: above. */
int raft_log_flush(struct raft_log *log, struct error *err);

/* Remove segments that hold only entries older than the tail behind the stable snapshot, and snapshots beyond those to keep. Segments up to
 * the last that needs an old key go without regard to the tail, and old keys' snapshots once the newest is under the current one: so one
 * snapshot ends a rotation. Begins no new segment: what is in the one being written stays. ERR_IO leaves everything usable. */
int raft_log_compact(struct raft_log *log, struct error *err);

/* From the next append on records, segments and snapshots use this key (0: no encryption). Flushes first; the next flush begins a segment,
 * so that older ones can go with the next compaction behind a snapshot that has all their entries. */
int raft_log_set_key(struct raft_log *log, uint32_t id, const uint8_t bytes[RAFT_KEY_SIZE_BYTES], struct error *err);
/* Key numbers that some segment or snapshot still needs, ascending, 0 for what is not encrypted: a rotation is complete when only the new
 * one is left. */
int raft_log_keys_needed(struct raft_log *log, uint32_t ids[RAFT_KEYS_COUNT], size_t *count, struct error *err);
/* Wipe a key that is not needed any more. ERR_PRECONDITION while it is. */
int raft_log_forget_key(struct raft_log *log, uint32_t id, struct error *err);

/* For snapshot writers and readers of this log; from the thread that has the log. Borrowed. */
const struct raft_snapshot_store *raft_log_snapshots(const struct raft_log *log);

struct raft_log_status {
    bool has_failed, is_full;         /* for good; until a flush finds room */
    uint64_t first_index, last_index; /* on disk, stable */
    uint64_t appended_index;          /* with what waits for a flush */
    uint64_t queued_bytes, segments_count, segments_size_bytes;
    uint64_t flushes_count, written_bytes;
    uint32_t key_id; /* of new records */
};
void raft_log_status(const struct raft_log *log, struct raft_log_status *out);

/* Write what waits and the close record, free. After a failure, or where there is no room even in the reserve, it says so and frees. */
int raft_log_close(struct raft_log *log, struct error *err);
void raft_log_abandon(struct raft_log *log); /* frees, writes nothing: as a crash would; NULL is fine */

#endif
