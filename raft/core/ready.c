/* What the owner is to do, and when what rests on its disk may be said.
 *
 * Messages that wait for the disk (after_append) leave behind everything that is unwritten when they are made: in asynchronous mode as
 * responses of the next STORAGE_APPEND, in synchronous mode after the writes of the next ready. To ourselves they come back the same way: a
 * leader acknowledges its own entries only then. This file is the one place where durability is awaited.
 *
 * A STORAGE_APPEND_RESPONSE names the last entry (term, index) of the whole tail and the term in which it was asked for, and is ignored
 * in a later term. (term, index) alone would not do: entries A may be replaced by B and then, by a third leader, by the same A again,
 * while the writes of A, B, A are all under way; the first A's answer would then pass for the last one's, and the tail be cut while storage
 * is about to hold B. Each such replacement comes with a new term, and each new term with a write of the hard state, whose answer
 * names the tail again: so nothing stays in the tail for good. */
#include "raft/core/internal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static bool with_unstable(const struct raft *raft)
{
    return !raft->config.async_storage_writes; /* then entries are written before those of the same ready are applied */
}

static bool soft_changed(const struct raft *raft)
{
    return raft->leader != raft->said_soft.leader || raft_role(raft) != raft->said_soft.role;
}

static bool hard_changed(const struct raft *raft)
{
    return raft->term != raft->said_hard.term || raft->vote != raft->said_hard.vote || raft->log.committed != raft->said_hard.commit;
}

bool raft_has_ready(const struct raft *raft)
{
    size_t unstable_count;

    raft_log_view_next_unstable(&raft->log, &unstable_count);
    return soft_changed(raft) || hard_changed(raft) || raft_log_view_next_snapshot(&raft->log) || raft->messages.count > 0 ||
           raft->after_append.count > 0 || unstable_count > 0 || raft_log_view_has_next_committed(&raft->log, with_unstable(raft)) ||
           raft->read_states_count > 0;
}

/* The last ready is over: what its owner did not take goes, the memory stays. */
static void clear_ready(struct raft_ready *ready)
{
    for (size_t i = 0; i < ready->read_states_count; i++)
        raft_payload_release(ready->read_states[i].context);
    free(ready->read_states);
    raft_entries_clear(&ready->entries);
    raft_entries_clear(&ready->committed);
    raft_messages_clear(&ready->messages);
    raft_snapshot_deinit(&ready->snapshot);
    *ready = (struct raft_ready){.entries = ready->entries, .committed = ready->committed, .messages = ready->messages};
}

void raft_ready_free(struct raft *raft)
{
    clear_ready(&raft->ready);
    raft_entries_deinit(&raft->ready.entries);
    raft_entries_deinit(&raft->ready.committed);
    raft_messages_deinit(&raft->ready.messages);
    raft_messages_deinit(&raft->on_advance);
    for (size_t i = 0; i < raft->read_states_count; i++)
        raft_payload_release(raft->read_states[i].context);
    free(raft->read_states);
}

static void fill_states(struct raft *raft, struct raft_ready *ready)
{
    if (soft_changed(raft)) {
        ready->has_soft_state = true;
        ready->soft_state = raft->said_soft = (struct raft_soft_state){raft->leader, raft_role(raft)};
    }
    ready->must_sync = ready->entries.count > 0 || raft->vote != raft->said_hard.vote || raft->term != raft->said_hard.term;
    if (hard_changed(raft)) {
        ready->has_hard_state = true;
        ready->hard_state = raft->said_hard = (struct raft_hard_state){raft->term, raft->vote, raft->log.committed};
    }
    ready->read_states = raft->read_states;
    ready->read_states_count = raft->read_states_count;
    raft->read_states = NULL;
    raft->read_states_count = raft->read_states_capacity = 0;
}

static void fill_log(struct raft *raft, struct raft_ready *ready)
{
    size_t count;
    const struct raft_entry *unstable = raft_log_view_next_unstable(&raft->log, &count);

    for (size_t i = 0; i < count; i++)
        raft_entries_add(&ready->entries, &unstable[i]);
    if (raft_log_view_next_snapshot(&raft->log))
        raft_snapshot_copy(&ready->snapshot, raft_log_view_next_snapshot(&raft->log));
    raft_log_view_read_committed(&raft->log, with_unstable(raft), &ready->committed);
}

static struct raft_snapshot *copy_snapshot(const struct raft_snapshot *snapshot)
{
    struct raft_snapshot *copy = mem_alloc(sizeof *copy);

    raft_snapshot_copy(copy, snapshot);
    return copy;
}

static bool needs_append_response(const struct raft *raft, const struct raft_ready *ready)
{
    return raft_log_view_has_unstable(&raft->log) || ready->snapshot.index != 0;
}

static struct raft_message append_response(const struct raft *raft, const struct raft_ready *ready)
{
    struct raft_message message = {
        .type = RAFT_MESSAGE_STORAGE_APPEND_RESPONSE, .to = raft->config.id, .from = RAFT_APPEND_THREAD, .term = raft->term};

    if (raft_log_view_has_unstable(&raft->log)) {
        struct raft_entry_id last = raft_log_view_last(&raft->log);
        message.index = last.index;
        message.log_term = last.term;
    }
    if (ready->snapshot.index != 0)
        message.snapshot = copy_snapshot(&ready->snapshot);
    return message;
}

static struct raft_message apply_response(const struct raft *raft, const struct raft_ready *ready)
{
    return (struct raft_message){.type = RAFT_MESSAGE_STORAGE_APPLY_RESPONSE,
                                 .to = raft->config.id,
                                 .from = RAFT_APPLY_THREAD,
                                 .entries = raft_entries_copy(ready->committed.items, ready->committed.count),
                                 .entries_count = ready->committed.count};
}

static void ask_append_thread(struct raft *raft, struct raft_ready *ready)
{
    struct raft_message message = {.type = RAFT_MESSAGE_STORAGE_APPEND,
                                   .to = RAFT_APPEND_THREAD,
                                   .from = raft->config.id,
                                   .term = ready->hard_state.term,
                                   .vote = ready->hard_state.vote,
                                   .commit = ready->hard_state.commit,
                                   .entries = raft_entries_copy(ready->entries.items, ready->entries.count),
                                   .entries_count = ready->entries.count};

    if (ready->snapshot.index != 0)
        message.snapshot = copy_snapshot(&ready->snapshot);
    if (needs_append_response(raft, ready)) { /* last: an acknowledgement to ourselves finds terms faster in the tail */
        struct raft_message response = append_response(raft, ready);
        raft_messages_add(&raft->after_append, &response);
    }
    message.responses = raft->after_append.items;
    message.responses_count = raft->after_append.count;
    raft->after_append = (struct raft_messages){0};
    raft_messages_add(&ready->messages, &message);
}

static void ask_apply_thread(struct raft *raft, struct raft_ready *ready)
{
    struct raft_message message = {.type = RAFT_MESSAGE_STORAGE_APPLY,
                                   .to = RAFT_APPLY_THREAD,
                                   .from = raft->config.id,
                                   .entries = raft_entries_copy(ready->committed.items, ready->committed.count),
                                   .entries_count = ready->committed.count,
                                   .responses = mem_alloc(sizeof *message.responses),
                                   .responses_count = 1};

    message.responses[0] = apply_response(raft, ready);
    raft_messages_add(&ready->messages, &message);
}

static void ask_threads(struct raft *raft, struct raft_ready *ready)
{
    if (ready->entries.count > 0 || ready->has_hard_state || ready->snapshot.index != 0 || raft->after_append.count > 0)
        ask_append_thread(raft, ready);
    if (ready->committed.count > 0)
        ask_apply_thread(raft, ready);
}

/* The owner writes before it sends; what the threads would answer is kept for raft_advance(). */
static void ask_owner(struct raft *raft, struct raft_ready *ready)
{
    for (size_t i = 0; i < raft->after_append.count; i++) {
        struct raft_message *message = &raft->after_append.items[i];
        raft_messages_add(message->to == raft->config.id ? &raft->on_advance : &ready->messages, message);
    }
    raft->after_append.count = 0;
    if (needs_append_response(raft, ready)) {
        struct raft_message response = append_response(raft, ready);
        raft_messages_add(&raft->on_advance, &response);
    }
    if (ready->committed.count > 0) {
        struct raft_message response = apply_response(raft, ready);
        raft_messages_add(&raft->on_advance, &response);
    }
    raft->is_advance_due = true;
}

int raft_ready(struct raft *raft, struct raft_ready **out, struct error *err)
{
    struct raft_ready *ready = &raft->ready;

    if (raft->is_advance_due)
        return error_set(err, ERR_PRECONDITION, "raft: the last ready was not advanced");
    clear_ready(ready);
    fill_log(raft, ready);
    if (raft_refused(raft, err) < 0)
        return raft->failure.code;
    fill_states(raft, ready);
    struct raft_messages sent = ready->messages;
    ready->messages = raft->messages;
    raft->messages = sent; /* empty, with the memory of the last round */
    if (raft->config.async_storage_writes)
        ask_threads(raft, ready);
    else
        ask_owner(raft, ready);
    raft_log_view_hand_out_unstable(&raft->log);
    raft_log_view_hand_out_committed(&raft->log, &ready->committed, with_unstable(raft));
    *out = ready;
    return 0;
}

int raft_advance(struct raft *raft, struct error *err)
{
    struct raft_messages due = raft->on_advance;
    int result = 0;

    if (raft->config.async_storage_writes)
        return error_set(err, ERR_PRECONDITION, "raft: storage is written asynchronously: its threads' responses are stepped instead");
    raft->on_advance = (struct raft_messages){0};
    raft->is_advance_due = false;
    for (size_t i = 0; i < due.count && result == 0; i++)
        result = raft_step_any(raft, &due.items[i], err);
    raft_messages_clear(&due);
    raft->on_advance = due;
    return raft->failure.code != 0 ? raft_refused(raft, err) : result;
}

void raft_applied_to(struct raft *raft, uint64_t index, uint64_t size_bytes)
{
    raft_log_view_applied_to(&raft->log, index > raft->log.applied ? index : raft->log.applied, size_bytes);
    raft_leave_joint_if_due(raft);
}

int raft_handle_append_stored(struct raft *raft, const struct raft_message *message)
{
    if (message->index != 0)
        raft_log_view_stable_to(&raft->log, (struct raft_entry_id){message->log_term, message->index});
    if (message->snapshot) {
        raft_log_view_snapshot_stable(&raft->log, message->snapshot->index);
        raft_applied_to(raft, message->snapshot->index, 0);
    }
    return 0;
}

int raft_handle_applied(struct raft *raft, const struct raft_message *message, struct error *err)
{
    const struct raft_entry *last = message->entries_count > 0 ? &message->entries[message->entries_count - 1] : NULL;
    uint64_t payload_bytes = 0;

    if (!last)
        return 0;
    if (last->index > raft->log.applying)
        return error_set(err, ERR_INVALID, "raft: entry %llu was reported applied, only %llu was handed out", U(last->index),
                         U(raft->log.applying));
    for (size_t i = 0; i < message->entries_count; i++)
        payload_bytes += raft_entry_bytes(&message->entries[i]).size;
    raft_applied_to(raft, last->index, raft_log_view_size_bytes(message->entries, message->entries_count));
    raft->uncommitted_bytes -= payload_bytes < raft->uncommitted_bytes ? payload_bytes : raft->uncommitted_bytes;
    return 0;
}
