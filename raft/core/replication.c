/* The log on its way to the followers and their answers on the way back: §3.5, §3.6, with probing and pipelining as in §10.2.1. */
#include "raft/core/internal.h"

#include "base/mem.h"

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t payload_bytes(const struct raft_entry *entries, size_t count)
{
    uint64_t size_bytes = 0;

    for (size_t i = 0; i < count; i++)
        size_bytes += raft_entry_bytes(&entries[i]).size;
    return size_bytes;
}

/* One proposal of any size is taken while nothing else waits. Empty entries always are: a new leader's first, and leaving a joint
 * configuration. */
static bool reserve_uncommitted(struct raft *raft, uint64_t size_bytes)
{
    if (raft->uncommitted_bytes > 0 && size_bytes > 0 &&
        (size_bytes > raft->config.uncommitted_most_bytes || raft->uncommitted_bytes > raft->config.uncommitted_most_bytes - size_bytes))
        return false;
    raft->uncommitted_bytes += size_bytes;
    return true;
}

bool raft_append_own(struct raft *raft, struct raft_entry *entries, size_t count)
{
    uint64_t last = raft_log_view_last_index(&raft->log);

    if (!reserve_uncommitted(raft, payload_bytes(entries, count)))
        return false;
    for (size_t i = 0; i < count; i++) {
        entries[i].term = raft->term;
        entries[i].index = last + 1 + i;
    }
    raft_log_view_append(&raft->log, entries, count);
    /* We acknowledge to ourselves, as any follower does, once it is stable. */
    raft_send(raft, &(struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE, .to = raft->config.id, .index = last + count});
    return true;
}

bool raft_send_append_if(struct raft *raft, struct raft_progress *progress, bool even_if_empty)
{
    struct raft_entries entries = {0};
    uint64_t previous = progress->next - 1, previous_term;

    if (raft_progress_is_throttled(progress))
        return false;
    if (raft_log_view_term(&raft->log, previous, &previous_term) != RAFT_STORED)
        return raft_send_snapshot(raft, progress);
    /* With a full window an empty append still goes out now and then: if everything on its way was lost, its refusal starts us again. */
    bool may_carry = progress->state != RAFT_PROGRESS_REPLICATE || !raft_inflights_is_full(&progress->window);
    uint64_t last = raft_log_view_last_index(&raft->log);
    if (may_carry && progress->next <= last) {
        if (raft_log_view_read(&raft->log, progress->next, last + 1, raft->config.message_most_bytes, &entries) != RAFT_STORED) {
            raft_entries_deinit(&entries);
            return even_if_empty && raft_send_snapshot(raft, progress);
        }
    }
    if (entries.count == 0 && !even_if_empty)
        return false;

    struct raft_message message = {.type = RAFT_MESSAGE_APPEND,
                                   .to = progress->id,
                                   .index = previous,
                                   .log_term = previous_term,
                                   .entries = entries.items, /* taken */
                                   .entries_count = entries.count,
                                   .commit = raft->log.committed};
    raft_progress_sent(progress, entries.count, payload_bytes(entries.items, entries.count));
    progress->sent_commit = raft->log.committed;
    raft_send(raft, &message);
    return true;
}

void raft_send_append(struct raft *raft, struct raft_progress *progress)
{
    raft_send_append_if(raft, progress, true);
}

void raft_broadcast_append(struct raft *raft)
{
    for (size_t i = 0; i < raft->tracker.count; i++)
        if (raft->tracker.progress[i].id != raft->config.id)
            raft_send_append(raft, &raft->tracker.progress[i]);
}

/* The commit index goes no further than what is known to match: the follower may have other entries beyond. */
void raft_broadcast_heartbeat(struct raft *raft)
{
    struct raft_payload *context = raft_reads_context(raft);

    for (size_t i = 0; i < raft->tracker.count; i++) {
        struct raft_progress *progress = &raft->tracker.progress[i];
        if (progress->id == raft->config.id)
            continue;
        progress->sent_commit = lower(progress->match, raft->log.committed);
        raft_send(raft, &(struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT,
                                               .to = progress->id,
                                               .commit = progress->sent_commit,
                                               .context = raft_payload_hold(context)});
    }
    raft_payload_release(context);
}

/* Only an entry of our own term is committed by counting; older ones follow with it: §3.6.2. The one place where that is decided. */
bool raft_try_commit(struct raft *raft)
{
    uint64_t index = raft_tracker_commit_index(&raft->tracker);

    if (index <= raft->log.committed)
        return false;
    if (!raft_log_view_matches(&raft->log, (struct raft_entry_id){raft->term, index}) && !RAFT_MUTANT(COMMIT_OLD_TERM))
        return false;
    raft_log_view_commit_to(&raft->log, index);
    return true;
}

static void refuse_append(struct raft *raft, const struct raft_message *message)
{
    /* Where our log may agree with theirs: they have nothing above log_term before index, so what we have above it is not theirs. */
    struct raft_entry_id hint =
        raft_log_view_find_agreement(&raft->log, lower(message->index, raft_log_view_last_index(&raft->log)), message->log_term);

    raft_send(raft, &(struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE,
                                           .to = message->from,
                                           .index = message->index,
                                           .reject = true,
                                           .reject_hint = hint.index,
                                           .log_term = hint.term});
}

int raft_handle_append(struct raft *raft, const struct raft_message *message, struct error *err)
{
    struct raft_entry_id previous = {message->log_term, message->index};
    uint64_t last_new = raft->log.committed;

    if (previous.index >= raft->log.committed) { /* else old news: what is committed matches */
        int result = raft_log_view_accept(&raft->log, previous, message->entries, message->entries_count, &last_new, err);
        if (result < 0)
            return result;
        if (result == RAFT_UNAVAILABLE) {
            refuse_append(raft, message);
            return 0;
        }
        raft_log_view_commit_to(&raft->log, RAFT_MUTANT(COMMIT_UNCOMMITTED) ? last_new : lower(message->commit, last_new));
    }
    raft_send(raft, &(struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE, .to = message->from, .index = last_new});
    return 0;
}

int raft_handle_heartbeat(struct raft *raft, struct raft_message *message, struct error *err)
{
    uint64_t last = raft_log_view_last_index(&raft->log);

    if (message->commit > last)
        return error_set(
            err, ERR_CORRUPT,
            "raft: leader %llx knows that we hold entry %llu, but our log ends at %llu: it lost what it had acknowledged; remove "
            "this member and join it again",
            U(message->from), U(message->commit), U(last));
    raft_log_view_commit_to(&raft->log, message->commit);
    struct raft_message answer = {.type = RAFT_MESSAGE_HEARTBEAT_RESPONSE, .to = message->from, .context = message->context};
    message->context = NULL;
    raft_send(raft, &answer);
    return 0;
}

static void handle_refusal(struct raft *raft, struct raft_progress *progress, const struct raft_message *message)
{
    uint64_t hint = message->reject_hint;

    /* Their entry at the hint has log_term, and terms only rise along a log: where ours are above it they cannot agree. One probe per term
     * of ours at most, rather than one per entry. */
    if (message->log_term > 0)
        hint = raft_log_view_find_agreement(&raft->log, hint, message->log_term).index;
    if (!raft_progress_rejected(progress, message->index, hint))
        return;
    if (progress->state == RAFT_PROGRESS_REPLICATE)
        raft_progress_become_probe(progress);
    raft_send_append(raft, progress);
}

static void advance_state(struct raft *raft, struct raft_progress *progress, uint64_t index)
{
    if (progress->state == RAFT_PROGRESS_PROBE) {
        raft_progress_become_replicate(progress);
    } else if (progress->state == RAFT_PROGRESS_SNAPSHOT && progress->match + 1 >= raft_log_view_first_index(&raft->log)) {
        /* Whatever snapshot it took, and from whom: the log can carry it on from here. */
        raft_progress_become_probe(progress);
        raft_progress_become_replicate(progress);
    } else if (progress->state == RAFT_PROGRESS_REPLICATE) {
        raft_inflights_free_to(&progress->window, index);
    }
}

static void handle_ack(struct raft *raft, struct raft_progress *progress, uint64_t index)
{
    bool is_other = progress->id != raft->config.id;

    if (!raft_progress_acked(progress, index) && !(progress->match == index && progress->state == RAFT_PROGRESS_PROBE))
        return;
    advance_state(raft, progress, index);
    if (raft_try_commit(raft)) {
        raft_reads_release_early(raft);
        raft_broadcast_append(raft);
    } else if (is_other && raft_progress_can_bump_commit(progress, raft->log.committed)) {
        raft_send_append(raft, progress); /* sooner than the next heartbeat */
    }
    if (!is_other)
        return;
    while (raft_send_append_if(raft, progress, false)) /* as much as the window has room for again */
        ;
    raft_transfer_if_caught_up(raft, progress);
}

int raft_handle_append_response(struct raft *raft, struct raft_progress *progress, const struct raft_message *message, struct error *err)
{
    uint64_t last = raft_log_view_last_index(&raft->log);

    progress->is_recently_active = true;
    if (message->reject) {
        handle_refusal(raft, progress, message);
        return 0;
    }
    if (message->index > last)
        return error_set(err, ERR_CORRUPT, "raft: %llx acknowledges entry %llu of term %llu, our log ends at %llu", U(message->from),
                         U(message->index), U(raft->term), U(last));
    handle_ack(raft, progress, message->index);
    return 0;
}

void raft_handle_heartbeat_response(struct raft *raft, struct raft_progress *progress, const struct raft_message *message)
{
    progress->is_recently_active = true;
    progress->is_paused = false;
    /* A full window still gets its empty append, and a caught up follower in PROBE a chance to leave it. */
    if (progress->match < raft_log_view_last_index(&raft->log) || progress->state == RAFT_PROGRESS_PROBE)
        raft_send_append(raft, progress);
    if (message->context)
        raft_reads_acked(raft, message->from, bytes_of(message->context->data, message->context->size));
}
