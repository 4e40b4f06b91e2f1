/* raft/log/replay.c – see replay.h. */
#include "raft/log/replay.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/log/payload.h"

static void release_entries(struct raft_log_state *state, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        raft_payload_release(state->entries[i].payload);
}

void raft_log_state_deinit(struct raft_log_state *state)
{
    release_entries(state, 0, state->entries_count);
    free(state->entries);
    raft_snapshot_deinit(&state->snapshot);
    raft_conf_state_deinit(&state->conf);
    free(state->recovery.cut_path);
    free(state->recovery.broken_snapshot);
    *state = (struct raft_log_state){0};
}

void raft_replay_begin(struct raft_log_state *state, uint64_t next_index)
{
    state->first_index = next_index;
    state->last_index = next_index - 1;
}

void raft_log_state_drop_to(struct raft_log_state *state, uint64_t index)
{
    if (index < state->first_index)
        return;
    uint64_t count = index - state->first_index + 1;
    size_t dropped = count < state->entries_count ? (size_t)count : state->entries_count;
    release_entries(state, 0, dropped);
    state->entries_count -= dropped;
    if (state->entries_count > 0)
        memmove(state->entries, state->entries + dropped, state->entries_count * sizeof *state->entries);
    state->first_index += dropped;
}

static void cut_entries_from(struct raft_log_state *state, uint64_t index)
{
    size_t kept = (size_t)(index - state->first_index);
    release_entries(state, kept, state->entries_count);
    state->entries_count = kept;
    state->last_index = index - 1;
    state->last_term = kept > 0 ? state->entries[kept - 1].term : state->snapshot.index == index - 1 ? state->snapshot.term : 0;
}

static int add_entry(struct raft_log_state *state, const struct raft_entry *entry, struct bytes data, struct error *err)
{
    if (entry->term < state->last_term)
        return error_set(err, ERR_CORRUPT, "entry %" PRIu64 " has term %" PRIu64 " behind one of term %" PRIu64, entry->index, entry->term,
                         state->last_term);
    if (data.size > RAFT_ENTRY_SIZE_BYTES)
        return error_set(err, ERR_CORRUPT, "entry %" PRIu64 " has %zu bytes", entry->index, data.size);
    if (state->entries_count == state->entries_capacity) {
        state->entries_capacity = state->entries_capacity ? 2 * state->entries_capacity : 64;
        state->entries = mem_resize(state->entries, state->entries_capacity * sizeof *state->entries);
    }
    state->entries[state->entries_count] = *entry;
    state->entries[state->entries_count++].payload = raft_payload_new(data);
    state->last_index = entry->index;
    state->last_term = entry->term;
    return 0;
}

static int replay_entries(struct raft_log_state *state, struct bytes plain, struct error *err)
{
    struct raft_entries_reader reader;
    struct raft_entry entry;
    struct bytes data;
    int failed = raft_payload_open_entries(plain, &reader, err);
    if (failed < 0)
        return failed;
    uint64_t first = reader.next_index;
    if (first > state->last_index + 1)
        return error_set(err, ERR_CORRUPT, "entry %" PRIu64 " follows entry %" PRIu64, first, state->last_index);
    if (first <= state->last_index && first <= state->hard.commit)
        return error_set(err, ERR_CORRUPT, "entry %" PRIu64 " replaces one that is committed (up to %" PRIu64 ")", first,
                         state->hard.commit);
    if (first < state->first_index) { /* replaced what was in a segment that has gone since: then the snapshot has got beyond it */
        raft_log_state_drop_to(state, state->last_index);
        state->first_index = first;
    }
    if (first <= state->last_index)
        cut_entries_from(state, first);
    for (;;) {
        int got = raft_payload_next_entry(&reader, &entry, &data, err);
        if (got <= 0)
            return got;
        failed = add_entry(state, &entry, data, err);
        if (failed < 0)
            return failed;
    }
}

int raft_rule_hard_state(const struct raft_hard_state *before, const struct raft_hard_state *after, uint64_t last_index, struct error *err)
{
    if (after->term < before->term)
        return error_set(err, ERR_INVALID, "hard state: the term goes back from %" PRIu64 " to %" PRIu64, before->term, after->term);
    if (after->commit < before->commit)
        return error_set(err, ERR_INVALID, "hard state: the commit goes back from %" PRIu64 " to %" PRIu64, before->commit, after->commit);
    if (after->term == before->term && before->vote != 0 && after->vote != before->vote)
        return error_set(err, ERR_INVALID, "hard state: the vote of term %" PRIu64 " changes from %" PRIx64 " to %" PRIx64, after->term,
                         before->vote, after->vote);
    if (after->commit > last_index)
        return error_set(err, ERR_INVALID, "hard state: the commit %" PRIu64 " is beyond the last entry, %" PRIu64, after->commit,
                         last_index);
    return 0;
}

static int replay_hard_state(struct raft_log_state *state, struct bytes plain, struct error *err)
{
    struct raft_hard_state hard;
    int failed = raft_payload_read_hard_state(plain, &hard, err);
    if (failed < 0)
        return failed;
    if (raft_rule_hard_state(&state->hard, &hard, state->last_index, err) < 0) {
        if (err)
            err->code = ERR_CORRUPT;
        return ERR_CORRUPT;
    }
    state->hard = hard;
    return 0;
}

static void take_conf(struct raft_log_state *state, uint64_t index, const struct raft_conf_state *conf)
{
    raft_conf_state_deinit(&state->conf);
    raft_conf_state_copy(&state->conf, conf);
    state->conf_index = index;
}

static int replay_members(struct raft_log_state *state, struct bytes plain, struct error *err)
{
    struct raft_conf_state conf;
    uint64_t index;
    int failed = raft_payload_read_members(plain, &index, &conf, err);
    if (failed < 0)
        return failed;
    if (index < state->conf_index || index > state->hard.commit)
        failed = error_set(err, ERR_CORRUPT, "members of entry %" PRIu64 " after those of %" PRIu64 ", commit %" PRIu64, index,
                           state->conf_index, state->hard.commit);
    else
        take_conf(state, index, &conf);
    raft_conf_state_deinit(&conf);
    return failed;
}

/* Everything is dropped: the log begins anew behind the snapshot. */
static void restart_behind(struct raft_log_state *state, const struct raft_snapshot *snapshot)
{
    release_entries(state, 0, state->entries_count);
    state->entries_count = 0;
    state->first_index = snapshot->index + 1;
    state->last_index = snapshot->index;
    state->last_term = snapshot->term;
}

static int check_snapshot(const struct raft_log_state *state, const struct raft_snapshot *snapshot, bool is_install, struct error *err)
{
    if (is_install && snapshot->index < state->hard.commit)
        return error_set(err, ERR_CORRUPT, "snapshot %" PRIu64 " replaces entries that are committed up to %" PRIu64, snapshot->index,
                         state->hard.commit);
    if (is_install)
        return 0;
    /* An older one than before is fine: the file of the newer was broken, and the log went on from the one before it. */
    if (snapshot->index > state->last_index)
        return error_set(err, ERR_CORRUPT, "snapshot %" PRIu64 " beyond the last entry, %" PRIu64, snapshot->index, state->last_index);
    if (snapshot->index >= state->first_index && state->entries[snapshot->index - state->first_index].term != snapshot->term)
        return error_set(err, ERR_CORRUPT, "snapshot %" PRIu64 " has term %" PRIu64 ", its entry has another", snapshot->index,
                         snapshot->term);
    return 0;
}

static int replay_snapshot(struct raft_log_state *state, struct bytes plain, struct error *err)
{
    struct raft_snapshot snapshot;
    bool is_install;
    int failed = raft_payload_read_snapshot(plain, &snapshot, &is_install, err);
    if (failed < 0)
        return failed;
    failed = check_snapshot(state, &snapshot, is_install, err);
    if (failed < 0) {
        raft_snapshot_deinit(&snapshot);
        return failed;
    }
    if (is_install)
        restart_behind(state, &snapshot);
    if (snapshot.index >= state->conf_index)
        take_conf(state, snapshot.index, &snapshot.conf);
    if (state->hard.commit < snapshot.index)
        state->hard.commit = snapshot.index; /* what a snapshot holds was committed */
    if (state->last_index == snapshot.index)
        state->last_term = snapshot.term;
    raft_snapshot_deinit(&state->snapshot);
    state->snapshot = snapshot;
    return 0;
}

int raft_replay_record(struct raft_log_state *state, enum raft_record_type type, struct bytes plain, struct error *err)
{
    uint64_t last_index;

    state->recovery.records_count++;
    state->recovery.was_closed = type == RAFT_RECORD_CLOSE;
    switch (type) {
    case RAFT_RECORD_ENTRIES:
        return replay_entries(state, plain, err);
    case RAFT_RECORD_HARD_STATE:
        return replay_hard_state(state, plain, err);
    case RAFT_RECORD_MEMBERS:
        return replay_members(state, plain, err);
    case RAFT_RECORD_SNAPSHOT:
        return replay_snapshot(state, plain, err);
    case RAFT_RECORD_CLOSE:
        if (raft_payload_read_close(plain, &last_index, err) < 0)
            return ERR_CORRUPT;
        return last_index == state->last_index
                   ? 0
                   : error_set(err, ERR_CORRUPT, "closed at entry %" PRIu64 ", but read to %" PRIu64, last_index, state->last_index);
    }
    return error_set(err, ERR_VERSION, "a record of type %d: a later Skep wrote it", (int)type);
}

int raft_replay_end(struct raft_log_state *state, struct error *err)
{
    if (state->first_index > state->snapshot.index + 1)
        return error_set(err, ERR_CORRUPT, "the log begins at entry %" PRIu64 ", but its snapshot ends at %" PRIu64, state->first_index,
                         state->snapshot.index);
    return 0;
}
