/* raft/alone.c – see alone.h. */
#include "raft/alone.h"

#include <inttypes.h>

#include "raft/conf_change.h"

static void take_change(struct raft_conf_state *conf, const struct raft_conf_change *change)
{
    for (size_t i = 0; i < change->count; i++) {
        const struct raft_conf_change_single *one = &change->changes[i];
        if (one->id == RAFT_NOBODY || one->type == RAFT_UPDATE_MEMBER)
            continue;
        raft_ids_remove(&conf->voters, one->id);
        raft_ids_remove(&conf->learners, one->id);
        if (one->type == RAFT_ADD_VOTER)
            raft_ids_add(&conf->voters, one->id);
        else if (one->type == RAFT_ADD_LEARNER)
            raft_ids_add(&conf->learners, one->id);
    }
}

/* Who is in the group once all of the log is in force. An entry that is none of ours changes nothing, as when it is applied. */
static int read_members(const struct raft_log_state *state, struct raft_conf_state *out, struct error *err)
{
    bool is_joint = state->snapshot.conf.voters_outgoing.count > 0, auto_leave;

    raft_conf_state_copy(out, &state->snapshot.conf);
    for (size_t i = 0; i < state->entries_count; i++) {
        const struct raft_entry *entry = &state->entries[i];
        struct raft_conf_change change;
        bool is_change = entry->type == RAFT_ENTRY_CONF_CHANGE || entry->type == RAFT_ENTRY_CONF_CHANGE_V2;
        if (!is_change || entry->index <= state->snapshot.index || raft_conf_change_decode(entry, &change, NULL) < 0)
            continue;
        is_joint = raft_conf_change_enters_joint(&change, &auto_leave) || (is_joint && !raft_conf_change_leaves_joint(&change));
        take_change(out, &change);
        raft_conf_change_deinit(&change);
    }
    if (is_joint)
        return error_set(err, ERR_PRECONDITION, "raft log: a change of several members is half done");
    return 0;
}

static int make_removal(uint64_t id, uint64_t term, uint64_t index, struct raft_entry *out, struct error *err)
{
    struct raft_conf_change change = {.is_v1 = true};

    raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, id);
    int failed = raft_conf_change_encode(&change, out, err);
    raft_conf_change_deinit(&change);
    out->term = term;
    out->index = index;
    return failed;
}

static int append_removals(struct raft_log *log, const struct raft_log_state *state, const struct raft_ids *ids, uint64_t self,
                           uint64_t *index, struct error *err)
{
    for (size_t i = 0; i < ids->count; i++) {
        struct raft_entry entry;
        if (ids->items[i] == self)
            continue;
        int failed = make_removal(ids->items[i], state->hard.term, *index + 1, &entry, err);
        if (failed == 0)
            failed = raft_log_append(log, NULL, &entry, 1, err);
        raft_payload_release(entry.payload);
        if (failed < 0)
            return failed;
        (*index)++;
    }
    return 0;
}

static int change(struct raft_log *log, const struct raft_log_state *state, uint64_t self, size_t *removed, struct error *err)
{
    struct raft_hard_state hard = state->hard;
    struct raft_conf_state conf;
    uint64_t index = state->last_index;
    int failed = read_members(state, &conf, err);

    if (failed == 0 && !raft_ids_has(&conf.voters, self))
        failed = error_set(err, ERR_PRECONDITION, "raft log: member %" PRIx64 " is no voter of the group that this log is of", self);
    if (failed == 0)
        failed = append_removals(log, state, &conf.voters, self, &index, err);
    if (failed == 0)
        failed = append_removals(log, state, &conf.learners, self, &index, err);
    raft_conf_state_deinit(&conf);
    *removed = (size_t)(index - state->last_index);
    hard.commit = index;
    if (failed == 0 && hard.commit != state->hard.commit)
        failed = raft_log_append(log, &hard, NULL, 0, err);
    return failed < 0 ? failed : raft_log_flush(log, err);
}

int raft_log_make_alone(const struct raft_log_options *options, uint64_t self, size_t *removed, struct error *err)
{
    struct raft_log_state state = {0};
    struct raft_log *log;
    int failed = raft_log_open(options, &log, &state, err);

    *removed = 0;
    if (failed < 0)
        return failed;
    failed = change(log, &state, self, removed, err);
    raft_log_state_deinit(&state);
    if (failed < 0) {
        raft_log_abandon(log);
        return failed;
    }
    return raft_log_close(log, err);
}
