/* raft/core/log_view.h – the log as the core sees it: what storage holds, and behind it the tail that is not known to be stable yet.
 *
 *      storage                      tail (entries, or a snapshot that replaces everything)
 *     [first ............ offset-1][offset ... in_progress-1][in_progress ... last]
 *                                   handed out to be written   not handed out yet
 *
 *     applied <= applying <= committed <= last
 *
 * The tail may begin before storage's end: what is there is then about to be overwritten, and is not read. The tail shrinks only when the
 * owner reports its last (term, index) as stable and nothing in between has replaced it; see ready.c for why the term matters.
 *
 * A failing storage stops the core for good: the cause is kept in *failure, which every public call looks at. */
#ifndef SKEP_RAFT_CORE_LOG_VIEW_H
#define SKEP_RAFT_CORE_LOG_VIEW_H

#include "raft/core/storage.h"

struct raft_log_view {
    struct raft_storage storage;
    struct error *failure;   /* borrowed */
    struct raft_entry *tail; /* of @tail_capacity; entries tail_head .. tail_head + tail_count - 1 */
    size_t tail_head, tail_count, tail_capacity;
    uint64_t offset;      /* index of the tail's first entry, or of the one that comes */
    uint64_t in_progress; /* index of the first entry that was not handed out */
    struct raft_snapshot snapshot;
    bool has_snapshot, is_snapshot_in_progress;
    uint64_t committed, applying, applied;
    uint64_t applying_bytes, applying_most_bytes; /* handed out to be applied and not reported back */
    bool is_applying_paused;
};

struct raft_entry_id {
    uint64_t term, index;
};

void raft_log_view_init(struct raft_log_view *log, const struct raft_storage *storage, uint64_t applying_most_bytes, struct error *failure);
void raft_log_view_deinit(struct raft_log_view *log);

uint64_t raft_log_view_first_index(const struct raft_log_view *log);
uint64_t raft_log_view_last_index(const struct raft_log_view *log);
enum raft_storage_answer raft_log_view_term(const struct raft_log_view *log, uint64_t index, uint64_t *term);
uint64_t raft_log_view_term_or_zero(const struct raft_log_view *log, uint64_t index);
struct raft_entry_id raft_log_view_last(const struct raft_log_view *log);
bool raft_log_view_matches(const struct raft_log_view *log, struct raft_entry_id id);

/* Whether a log that ends with @theirs has all that ours may have committed: Raft thesis §3.6.1. */
bool raft_log_view_is_up_to_date(const struct raft_log_view *log, struct raft_entry_id theirs);

/* The best guess where this log and another may agree, of which only one entry is known, with @term at @index: the highest index up to
 * @index whose term is not above @term, or is not known. */
struct raft_entry_id raft_log_view_find_agreement(const struct raft_log_view *log, uint64_t index, uint64_t term);

/* Add [low, high) to @out, as many as fit in @size_bytes and at least one. */
enum raft_storage_answer raft_log_view_read(const struct raft_log_view *log, uint64_t low, uint64_t high, uint64_t size_bytes,
                                            struct raft_entries *out);

/* Add our own entries behind the last; payloads are held. */
void raft_log_view_append(struct raft_log_view *log, const struct raft_entry *entries, size_t count);

/* Take what a leader sent behind @previous. 0 and @last_new; RAFT_UNAVAILABLE: our log does not match at @previous; ERR_CORRUPT: it would
 * replace what is committed, nothing was taken. */
int raft_log_view_accept(struct raft_log_view *log, struct raft_entry_id previous, const struct raft_entry *entries, size_t count,
                         uint64_t *last_new, struct error *err);

void raft_log_view_commit_to(struct raft_log_view *log, uint64_t index); /* never back; @index is in the log */
void raft_log_view_restore(struct raft_log_view *log, const struct raft_snapshot *snapshot);

/* The tail on its way to the disk. */
const struct raft_entry *raft_log_view_next_unstable(const struct raft_log_view *log, size_t *count);
bool raft_log_view_has_unstable(const struct raft_log_view *log); /* handed out or not */
const struct raft_snapshot *raft_log_view_next_snapshot(const struct raft_log_view *log);
void raft_log_view_hand_out_unstable(struct raft_log_view *log);
void raft_log_view_stable_to(struct raft_log_view *log, struct raft_entry_id id);
void raft_log_view_snapshot_stable(struct raft_log_view *log, uint64_t index);

/* Committed entries on their way to the state machine; those of the tail only if @with_unstable. */
bool raft_log_view_has_next_committed(const struct raft_log_view *log, bool with_unstable);
void raft_log_view_read_committed(const struct raft_log_view *log, bool with_unstable, struct raft_entries *out);
void raft_log_view_hand_out_committed(struct raft_log_view *log, const struct raft_entries *entries, bool with_unstable);
void raft_log_view_applied_to(struct raft_log_view *log, uint64_t index, uint64_t size_bytes);
uint64_t raft_log_view_size_bytes(const struct raft_entry *entries, size_t count);

#endif
