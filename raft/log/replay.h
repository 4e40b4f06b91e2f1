/* raft/log/replay.h – what the records of a log add up to, and the rules they keep. Pure.
 *
 * Entries follow each other without a gap; those at an index that is there replace it and all behind it, but never a committed one. Terms
 * of entries, and the hard state's term and commit, never go back; a vote does not change within a term. A commit never reaches beyond the
 * last entry. A record that breaks a rule was not written by us: ERR_CORRUPT. */
#ifndef SKEP_RAFT_LOG_REPLAY_H
#define SKEP_RAFT_LOG_REPLAY_H

#include "raft/log/record.h"
#include "raft/types.h"

/* Owned. Entries are first_index to last_index; none while last_index == first_index - 1. */
struct raft_log_state {
    struct raft_hard_state hard;
    struct raft_snapshot snapshot; /* index 0: none. Without its data, which is in its file */
    struct raft_conf_state conf;   /* the newest that was written, here or in the snapshot */
    uint64_t conf_index;
    struct raft_entry *entries; /* the caller may take them: set to NULL and entries_count to 0 */
    size_t entries_count, entries_capacity;
    uint64_t first_index, last_index, last_term;

    /* What opening did; for the log and for people. */
    struct raft_log_recovery {
        bool is_new, is_torn, was_closed; /* was_closed: the last record says that the log was closed in order */
        uint64_t segments_count, records_count, cut_bytes, cut_offset;
        char *cut_path;          /* of the segment whose torn tail was cut */
        char *broken_snapshot;   /* set aside under this name; an older one is used */
        bool is_reserve_missing; /* no room for the reserve */
    } recovery;
};

void raft_log_state_deinit(struct raft_log_state *state);

void raft_replay_begin(struct raft_log_state *state, uint64_t next_index); /* @state zeroed; the first segment's next_index */
int raft_replay_record(struct raft_log_state *state, enum raft_record_type type, struct bytes plain, struct error *err);
int raft_replay_end(struct raft_log_state *state, struct error *err); /* what must hold once all is read */

/* Forget the entries up to @index, which is no reason to keep them (a tail behind a snapshot). */
void raft_log_state_drop_to(struct raft_log_state *state, uint64_t index);

/* The rules for the parts; also asked before something is written. ERR_INVALID, with the numbers. */
int raft_rule_hard_state(const struct raft_hard_state *before, const struct raft_hard_state *after, uint64_t last_index, struct error *err);

#endif
