/* Where a message goes: first its term is weighed against ours (§3.3), then the role decides. */
#include "raft/core/internal.h"

#include <assert.h>

/* These rest on what was just written: a vote cast, entries taken. They leave once that is stable (§3.8). A refusal waits too: it is rare,
 * and may rest on something unwritten as well. The one place where durability is asked for; ready.c keeps the promise. */
static bool waits_for_disk(enum raft_message_type type)
{
    return type == RAFT_MESSAGE_APPEND_RESPONSE || type == RAFT_MESSAGE_VOTE_RESPONSE || type == RAFT_MESSAGE_PRE_VOTE_RESPONSE;
}

/* Campaigns name their term themselves. What is passed on to a leader has none: it is not bound to one. */
static bool has_own_term(enum raft_message_type type)
{
    return type == RAFT_MESSAGE_VOTE || type == RAFT_MESSAGE_VOTE_RESPONSE || type == RAFT_MESSAGE_PRE_VOTE ||
           type == RAFT_MESSAGE_PRE_VOTE_RESPONSE;
}

void raft_send(struct raft *raft, struct raft_message *message)
{
    if (message->from == RAFT_NOBODY)
        message->from = raft->config.id;
    if (message->type == RAFT_MESSAGE_PROPOSE || message->type == RAFT_MESSAGE_READ_INDEX)
        message->term = 0;
    else if (!has_own_term(message->type))
        message->term = raft->term;
    if (waits_for_disk(message->type) && !(RAFT_MUTANT(ACK_BEFORE_WRITE) && message->to != raft->config.id)) {
        raft_messages_add(&raft->after_append, message);
        return;
    }
    assert(message->to != raft->config.id);
    raft_messages_add(&raft->messages, message);
}

/* Pass a message on to the leader, as it came. */
static void forward(struct raft *raft, struct raft_message *message)
{
    message->to = raft->leader;
    raft_send(raft, message);
}

static bool is_from_leader(enum raft_message_type type)
{
    return type == RAFT_MESSAGE_APPEND || type == RAFT_MESSAGE_HEARTBEAT || type == RAFT_MESSAGE_SNAPSHOT;
}

/* Of a term that is over. */
static void handle_older_term(struct raft *raft, const struct raft_message *message)
{
    bool may_be_stuck = raft->config.check_quorum || raft->config.pre_vote;

    if (may_be_stuck && (message->type == RAFT_MESSAGE_APPEND || message->type == RAFT_MESSAGE_HEARTBEAT)) {
        /* Its sender still leads a majority that ignores our votes, while we ignore its term: our term, in an answer, ends that. */
        raft_send(raft, &(struct raft_message){.to = message->from, .type = RAFT_MESSAGE_APPEND_RESPONSE});
    } else if (message->type == RAFT_MESSAGE_PRE_VOTE) {
        /* A candidate of an older term, silent to which it would never learn ours. */
        raft_send(raft,
                  &(struct raft_message){.to = message->from, .type = RAFT_MESSAGE_PRE_VOTE_RESPONSE, .term = raft->term, .reject = true});
    } else if (message->type == RAFT_MESSAGE_STORAGE_APPEND_RESPONSE && message->snapshot) {
        /* Entries of an older term may have been overwritten since (see ready.c); a snapshot is committed state in any term. */
        raft_log_view_snapshot_stable(&raft->log, message->snapshot->index);
        raft_applied_to(raft, message->snapshot->index, 0);
    }
}

/* Of a term we did not know: usually ours from now on. False: the message is to be ignored. */
static bool enter_newer_term(struct raft *raft, const struct raft_message *message)
{
    bool is_vote = message->type == RAFT_MESSAGE_VOTE || message->type == RAFT_MESSAGE_PRE_VOTE;

    if (is_vote && raft_is_within_lease(raft, message))
        return false;
    if (message->type == RAFT_MESSAGE_PRE_VOTE || (message->type == RAFT_MESSAGE_PRE_VOTE_RESPONSE && !message->reject))
        return true; /* the term of an election that is not held yet: §9.6 */
    raft_become_follower(raft, message->term, is_from_leader(message->type) ? message->from : RAFT_NOBODY);
    return true;
}

static int propose_as_follower(struct raft *raft, struct raft_message *message, struct error *err)
{
    if (raft->leader == RAFT_NOBODY)
        return error_set(err, ERR_UNAVAILABLE, "raft: no leader is known at term %llu: the proposal was not made", U(raft->term));
    if (raft->config.no_proposal_forwarding)
        return error_set(err, ERR_UNAVAILABLE, "raft: this member does not lead; propose to %llx", U(raft->leader));
    forward(raft, message);
    return 0;
}

static int propose_as_leader(struct raft *raft, struct raft_message *message, struct error *err)
{
    if (!raft_tracker_find(&raft->tracker, raft->config.id))
        return error_set(err, ERR_PRECONDITION, "raft: this leader is no longer a member of its group: the proposal was not made");
    if (raft->transferee != RAFT_NOBODY)
        return error_set(err, ERR_PRECONDITION, "raft: leadership is going over to %llx: the proposal was not made", U(raft->transferee));
    int result = raft_check_conf_changes(raft, message, err);
    if (result < 0)
        return result;
    if (!raft_append_own(raft, message->entries, message->entries_count))
        return error_set(err, ERR_LIMIT, "raft: %llu bytes of proposals are not committed yet, the bound is %llu: propose again later",
                         U(raft->uncommitted_bytes), U(raft->config.uncommitted_most_bytes));
    raft_broadcast_append(raft);
    return 0;
}

static int step_leader_about_member(struct raft *raft, struct raft_message *message, struct error *err)
{
    struct raft_progress *progress = raft_tracker_find(&raft->tracker, message->from);

    if (!progress)
        return 0;
    switch (message->type) {
    case RAFT_MESSAGE_APPEND_RESPONSE:
        return raft_handle_append_response(raft, progress, message, err);
    case RAFT_MESSAGE_HEARTBEAT_RESPONSE:
        raft_handle_heartbeat_response(raft, progress, message);
        return 0;
    case RAFT_MESSAGE_SNAPSHOT_STATUS:
        raft_handle_snapshot_status(raft, progress, message);
        return 0;
    case RAFT_MESSAGE_UNREACHABLE: /* what was sent without waiting is probably lost */
        if (progress->state == RAFT_PROGRESS_REPLICATE)
            raft_progress_become_probe(progress);
        return 0;
    case RAFT_MESSAGE_TRANSFER_LEADER:
        raft_handle_transfer(raft, progress);
        return 0;
    default:
        return 0;
    }
}

static int step_leader(struct raft *raft, struct raft_message *message, struct error *err)
{
    switch (message->type) {
    case RAFT_MESSAGE_PROPOSE:
        return propose_as_leader(raft, message, err);
    case RAFT_MESSAGE_READ_INDEX:
        return raft_handle_read_index(raft, message, err);
    default:
        return step_leader_about_member(raft, message, err);
    }
}

static int follow(struct raft *raft, struct raft_message *message, struct error *err)
{
    if (message->type == RAFT_MESSAGE_APPEND)
        return raft_handle_append(raft, message, err);
    if (message->type == RAFT_MESSAGE_HEARTBEAT)
        return raft_handle_heartbeat(raft, message, err);
    return raft_handle_snapshot(raft, message, err);
}

/* Of this campaign only: an answer to a pre-election may come late, and in a later pre-election its grant is of a term that we have reached
 * since (a refusal has the voter's own term). */
static bool is_answer_to_campaign(const struct raft *raft, const struct raft_message *message)
{
    if (raft_role(raft) != RAFT_PRE_CANDIDATE)
        return message->type == RAFT_MESSAGE_VOTE_RESPONSE;
    return message->type == RAFT_MESSAGE_PRE_VOTE_RESPONSE && (message->reject || message->term == raft->term + 1);
}

static int step_candidate(struct raft *raft, struct raft_message *message, struct error *err)
{
    if (message->type == RAFT_MESSAGE_PROPOSE)
        return error_set(err, ERR_UNAVAILABLE, "raft: an election is being held at term %llu: the proposal was not made", U(raft->term));
    if (message->type == RAFT_MESSAGE_READ_INDEX && message->from == RAFT_NOBODY)
        return error_set(err, ERR_UNAVAILABLE, "raft: an election is being held at term %llu: no read can be confirmed", U(raft->term));
    if (is_from_leader(message->type)) {
        raft_become_follower(raft, message->term, message->from);
        return follow(raft, message, err);
    }
    if (is_answer_to_campaign(raft, message))
        raft_handle_vote_response(raft, message);
    return 0;
}

static void forget_leader(struct raft *raft)
{
    if (raft->config.read_mode != RAFT_READ_LEASE) /* whose lease rests on our standing by it */
        raft->leader = RAFT_NOBODY;
}

static int step_follower(struct raft *raft, struct raft_message *message, struct error *err)
{
    if (is_from_leader(message->type)) {
        raft->election_elapsed = 0;
        raft->leader = message->from;
        return follow(raft, message, err);
    }
    switch (message->type) {
    case RAFT_MESSAGE_PROPOSE:
        return propose_as_follower(raft, message, err);
    case RAFT_MESSAGE_READ_INDEX:
        if (raft->leader == RAFT_NOBODY)
            return message->from == RAFT_NOBODY
                       ? error_set(err, ERR_UNAVAILABLE, "raft: no leader is known at term %llu: no read can be confirmed", U(raft->term))
                       : 0;
        forward(raft, message);
        return 0;
    case RAFT_MESSAGE_TRANSFER_LEADER:
        if (raft->leader != RAFT_NOBODY)
            forward(raft, message);
        return 0;
    case RAFT_MESSAGE_FORGET_LEADER:
        forget_leader(raft);
        return 0;
    case RAFT_MESSAGE_TIMEOUT_NOW: /* the leader asks: no need for a pre-election */
        raft_take_over(raft);
        return 0;
    case RAFT_MESSAGE_READ_INDEX_RESPONSE:
        return raft_handle_read_index_response(raft, message, err);
    default:
        return 0;
    }
}

static int step_role(struct raft *raft, struct raft_message *message, struct error *err)
{
    switch (raft_role(raft)) {
    case RAFT_LEADER:
        return step_leader(raft, message, err);
    case RAFT_FOLLOWER:
        return step_follower(raft, message, err);
    default:
        return step_candidate(raft, message, err);
    }
}

int raft_step_any(struct raft *raft, struct raft_message *message, struct error *err)
{
    if (message->type == RAFT_MESSAGE_PROPOSE && message->entries_count == 0)
        return error_set(err, ERR_INVALID, "raft: a proposal without entries");
    if (message->term != 0 && message->term < raft->term) {
        handle_older_term(raft, message);
        return 0;
    }
    if (message->term > raft->term && !enter_newer_term(raft, message))
        return 0;
    switch (message->type) {
    case RAFT_MESSAGE_HUP:
        raft_hold_election(raft);
        return 0;
    case RAFT_MESSAGE_STORAGE_APPEND_RESPONSE:
        return raft_handle_append_stored(raft, message);
    case RAFT_MESSAGE_STORAGE_APPLY_RESPONSE:
        return raft_handle_applied(raft, message, err);
    case RAFT_MESSAGE_VOTE:
    case RAFT_MESSAGE_PRE_VOTE:
        raft_handle_vote_request(raft, message);
        return 0;
    default:
        return step_role(raft, message, err);
    }
}
