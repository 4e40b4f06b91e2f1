/* raft/log/payload.h – what is inside each type of record, once decrypted. Pure. Integers are little-endian.
 *
 *     entries     first index 8, count 4, zero 4; then per entry: term 8, size 4, type 1, zero 3, its bytes
 *     hard state  term 8, vote 8, commit 8
 *     members     index 8 of the entry that made them, then the members
 *     snapshot    index 8, term 8, is_install 4 (1: the log begins anew behind it), zero 4, then the members
 *     close       last index 8: a clean end
 *
 *     the members: counts of voters, learners, outgoing voters, next learners 4 each, auto_leave 4, zero 4, then the ids 8 each */
#ifndef SKEP_RAFT_LOG_PAYLOAD_H
#define SKEP_RAFT_LOG_PAYLOAD_H

#include "raft/types.h"

enum { RAFT_ENTRIES_HEADER_SIZE_BYTES = 16, RAFT_ENTRY_HEADER_SIZE_BYTES = 16 };

void raft_payload_add_entries(struct buf *out, const struct raft_entry *entries, size_t count);
void raft_payload_add_hard_state(struct buf *out, const struct raft_hard_state *hard);
void raft_payload_add_members(struct buf *out, uint64_t index, const struct raft_conf_state *conf);
void raft_payload_add_snapshot(struct buf *out, const struct raft_snapshot *snapshot, bool is_install); /* without its data */
void raft_payload_add_close(struct buf *out, uint64_t last_index);
void raft_payload_add_conf(struct buf *out, const struct raft_conf_state *conf); /* the members alone: snapshot files have them too */

/* ERR_CORRUPT for what the functions above do not write. Owned results are set only on success. */

struct raft_entries_reader {
    struct bytes rest;
    uint64_t next_index;
    uint32_t left;
};
int raft_payload_open_entries(struct bytes payload, struct raft_entries_reader *out, struct error *err);
/* 1 and an entry (@data borrowed from the payload, @entry->payload NULL), 0 at the end. */
int raft_payload_next_entry(struct raft_entries_reader *reader, struct raft_entry *entry, struct bytes *data, struct error *err);

int raft_payload_read_hard_state(struct bytes payload, struct raft_hard_state *out, struct error *err);
int raft_payload_read_members(struct bytes payload, uint64_t *index, struct raft_conf_state *out, struct error *err);
int raft_payload_read_snapshot(struct bytes payload, struct raft_snapshot *out, bool *is_install, struct error *err);
int raft_payload_read_close(struct bytes payload, uint64_t *last_index, struct error *err);
int raft_payload_read_conf(struct bytes *payload, struct raft_conf_state *out, struct error *err); /* takes it off the front */

#endif
