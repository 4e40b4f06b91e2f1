/* A member's life, its clock, and what its owner asks of it. */
#include "raft/core/internal.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

static int check_config(const struct raft_config *config, struct error *err)
{
    if (config->id == RAFT_NOBODY || config->id == RAFT_APPEND_THREAD || config->id == RAFT_APPLY_THREAD)
        return error_set(err, ERR_INVALID, "raft: %llu cannot be a member's id", U(config->id));
    if (config->heartbeat_ticks == 0 || config->election_ticks <= config->heartbeat_ticks)
        return error_set(err, ERR_INVALID,
                         "raft: an election's wait (%u ticks) must be longer than a heartbeat's (%u), which is at least 1",
                         config->election_ticks, config->heartbeat_ticks);
    if (config->election_ticks > RAFT_ELECTION_TICKS_COUNT)
        return error_set(err, ERR_LIMIT, "raft: an election's wait is at most %d ticks", RAFT_ELECTION_TICKS_COUNT);
    if (config->inflight_most_count == 0)
        return error_set(err, ERR_INVALID, "raft: at least one append message must be allowed on its way");
    if (config->inflight_most_bytes != 0 && config->inflight_most_bytes < config->message_most_bytes)
        return error_set(err, ERR_INVALID, "raft: %llu bytes on their way do not hold one message of %llu", U(config->inflight_most_bytes),
                         U(config->message_most_bytes));
    if (config->read_mode == RAFT_READ_LEASE && !config->check_quorum)
        return error_set(err, ERR_INVALID, "raft: reads by lease need check_quorum: without it a leader may not know that it was deposed");
    if (config->storage_stall_ticks > RAFT_STALL_TICKS_COUNT)
        return error_set(err, ERR_LIMIT, "raft: a disk may stall for at most %d ticks", RAFT_STALL_TICKS_COUNT);
    return 0;
}

static struct raft *allocate(const struct raft_config *config)
{
    struct raft *raft = mem_alloc(sizeof *raft);

    raft->config = *config;
    if (raft->config.committed_most_bytes == 0)
        raft->config.committed_most_bytes = config->message_most_bytes > 0 ? config->message_most_bytes : 1;
    if (raft->config.uncommitted_most_bytes == 0)
        raft->config.uncommitted_most_bytes = RAFT_UNLIMITED;
    raft_log_view_init(&raft->log, &config->storage, raft->config.committed_most_bytes, &raft->failure);
    raft_tracker_init(&raft->tracker, config->inflight_most_count, config->inflight_most_bytes);
    state_init(&raft->role, &raft_roles, RAFT_FOLLOWER, 0);
    if (config->storage_stall_ticks > 0)
        raft->stall.last_index_at = mem_array(config->storage_stall_ticks, sizeof *raft->stall.last_index_at);
    return raft;
}

static int load(struct raft *raft, const struct raft_hard_state *hard, const struct raft_conf_state *conf, struct error *err)
{
    uint64_t last = raft_log_view_last_index(&raft->log);

    if (raft_tracker_restore(&raft->tracker, conf, last, err) < 0)
        return error_wrap(err, "raft: restore the membership");
    if (hard->term != 0 || hard->vote != 0 || hard->commit != 0) {
        if (hard->commit < raft->log.committed || hard->commit > last)
            return error_set(
                err, ERR_CORRUPT,
                "raft: the stored commit index %llu is not within the log, %llu to %llu: the log lost entries, restore it from "
                "its peers",
                U(hard->commit), U(raft->log.committed), U(last));
        raft->log.committed = hard->commit;
        raft->term = hard->term;
        raft->vote = RAFT_MUTANT(FORGET_VOTE) ? RAFT_NOBODY : hard->vote;
    }
    if (raft->config.applied > raft->log.committed)
        return error_set(err, ERR_CORRUPT, "raft: the state machine is at %llu, but only %llu is committed", U(raft->config.applied),
                         U(raft->log.committed));
    if (raft->config.applied > raft->log.applied)
        raft_log_view_applied_to(&raft->log, raft->config.applied, 0);
    raft_become_follower(raft, raft->term, RAFT_NOBODY);
    raft->said_soft = (struct raft_soft_state){raft->leader, raft_role(raft)};
    raft->said_hard = (struct raft_hard_state){raft->term, raft->vote, raft->log.committed};
    return 0;
}

int raft_new(struct raft **out, const struct raft_config *config, struct error *err)
{
    struct raft_hard_state hard = {0};
    struct raft_conf_state conf = {0};
    int result = check_config(config, err);

    if (result < 0)
        return result;
    if (config->storage.initial_state(config->storage.self, &hard, &conf, err) < 0)
        return error_wrap(err, "raft: read the initial state");
    struct raft *raft = allocate(config);
    result = load(raft, &hard, &conf, err);
    raft_conf_state_deinit(&conf);
    if (result < 0)
        raft_free(raft);
    else
        *out = raft;
    return result;
}

void raft_free(struct raft *raft)
{
    if (!raft)
        return;
    raft_ready_free(raft);
    raft_reads_free(raft);
    raft_messages_deinit(&raft->messages);
    raft_messages_deinit(&raft->after_append);
    raft_tracker_deinit(&raft->tracker);
    raft_log_view_deinit(&raft->log);
    free(raft->stall.last_index_at);
    free(raft);
}

/* A core that could not read its log answers nothing but that. */
int raft_refused(const struct raft *raft, struct error *err)
{
    if (raft->failure.code == 0)
        return 0;
    if (err)
        *err = raft->failure;
    return raft->failure.code;
}

/* Run a step and tell of a failure that it met. */
static int finish(const struct raft *raft, int result, struct error *err)
{
    return raft->failure.code != 0 ? raft_refused(raft, err) : result;
}

static int append_peer(struct raft *raft, const struct raft_peer *peer, uint64_t index, struct error *err)
{
    struct raft_conf_change change = {.is_v1 = true};
    struct raft_entry entry = {0};

    raft_conf_change_add(&change, RAFT_ADD_VOTER, peer->id);
    change.context = raft_payload_new(peer->context);
    int result = raft_conf_change_encode(&change, &entry, err);
    if (result == 0) {
        entry.term = 1;
        entry.index = index;
        raft_log_view_append(&raft->log, &entry, 1);
        raft_payload_release(entry.payload);
    }
    raft_conf_change_deinit(&change);
    return result;
}

/* The entries are committed by agreement, not by majority; the owner sees them among the committed ones, and applies them once more. */
int raft_bootstrap(struct raft *raft, const struct raft_peer *peers, size_t count, struct error *err)
{
    int result = 0;

    if (count == 0 || count > RAFT_MEMBERS_COUNT)
        return error_set(err, ERR_INVALID, "raft: a group begins with 1 to %d members", RAFT_MEMBERS_COUNT);
    if (raft_log_view_last_index(&raft->log) != 0)
        return error_set(err, ERR_PRECONDITION, "raft: a group begins with an empty log, this one has %llu entries",
                         U(raft_log_view_last_index(&raft->log)));
    raft->said_hard = (struct raft_hard_state){0};
    raft_become_follower(raft, 1, RAFT_NOBODY);
    for (size_t i = 0; i < count && result == 0; i++)
        result = append_peer(raft, &peers[i], i + 1, err);
    if (result == 0)
        raft_log_view_commit_to(&raft->log, count);
    for (size_t i = 0; i < count && result == 0; i++) {
        struct raft_conf_change_single add = {RAFT_ADD_VOTER, peers[i].id};
        result = raft_tracker_change(&raft->tracker, RAFT_CHANGE_SIMPLE, false, &add, 1, count, err);
    }
    return result < 0 ? error_wrap(err, "raft: bootstrap") : 0;
}

static void tick_leader(struct raft *raft)
{
    raft->heartbeat_elapsed++;
    if (raft->election_elapsed >= raft->config.election_ticks) {
        raft->election_elapsed = 0;
        if (raft->config.check_quorum)
            raft_check_quorum(raft);
        raft_abort_transfer(raft); /* one election timeout is what it had */
    }
    if (raft_is_leader(raft) && raft->heartbeat_elapsed >= raft->config.heartbeat_ticks) {
        raft->heartbeat_elapsed = 0;
        raft_broadcast_heartbeat(raft);
    }
}

int raft_tick(struct raft *raft, struct error *err)
{
    int result = raft_refused(raft, err);

    if (result < 0)
        return result;
    raft->election_elapsed++;
    raft_stall_tick(raft);
    if (raft_is_leader(raft)) {
        tick_leader(raft);
    } else if (raft_is_promotable(raft) && raft->election_elapsed >= raft->election_timeout_ticks) {
        raft->election_elapsed = 0;
        raft_hold_election(raft);
    }
    return finish(raft, 0, err);
}

static bool is_of_threads(enum raft_message_type type)
{
    return type >= RAFT_MESSAGE_STORAGE_APPEND && type <= RAFT_MESSAGE_STORAGE_APPLY_RESPONSE;
}

static bool is_told_to_self(enum raft_message_type type)
{
    return type == RAFT_MESSAGE_HUP || type == RAFT_MESSAGE_BEAT || type == RAFT_MESSAGE_UNREACHABLE ||
           type == RAFT_MESSAGE_SNAPSHOT_STATUS || type == RAFT_MESSAGE_CHECK_QUORUM || is_of_threads(type);
}

static bool is_response(enum raft_message_type type)
{
    return type == RAFT_MESSAGE_APPEND_RESPONSE || type == RAFT_MESSAGE_VOTE_RESPONSE || type == RAFT_MESSAGE_HEARTBEAT_RESPONSE ||
           type == RAFT_MESSAGE_READ_INDEX_RESPONSE || type == RAFT_MESSAGE_PRE_VOTE_RESPONSE;
}

static bool needs_term(enum raft_message_type type)
{
    return type != RAFT_MESSAGE_PROPOSE && type != RAFT_MESSAGE_READ_INDEX && type != RAFT_MESSAGE_TRANSFER_LEADER &&
           type != RAFT_MESSAGE_FORGET_LEADER;
}

/* What comes back to whom it came from: an answer to oneself, or what another passed on. */
static bool may_come_from_self(enum raft_message_type type)
{
    return type == RAFT_MESSAGE_APPEND_RESPONSE || type == RAFT_MESSAGE_VOTE_RESPONSE || type == RAFT_MESSAGE_PRE_VOTE_RESPONSE ||
           !needs_term(type);
}

/* Entries of an append follow each other, and their terms never fall: so was the log they come from. */
static bool are_consecutive(const struct raft_message *message)
{
    uint64_t term = message->log_term;

    for (size_t i = 0; i < message->entries_count; i++) {
        const struct raft_entry *entry = &message->entries[i];
        if (entry->index != message->index + 1 + i || entry->term < term || entry->term > message->term)
            return false;
        term = entry->term;
    }
    return true;
}

/* What cannot be is kept out here, so that the rest need not expect it. */
static int check_message(const struct raft *raft, const struct raft_message *message, struct error *err)
{
    bool is_from_thread = message->from == RAFT_APPEND_THREAD || message->from == RAFT_APPLY_THREAD;
    const char *name = raft_message_type_name((int)message->type);

    if (is_from_thread)
        return is_of_threads(message->type) ? 0 : error_set(err, ERR_INVALID, "raft: %s does not come from a thread", name);
    if (message->type > RAFT_MESSAGE_FORGET_LEADER || is_told_to_self(message->type))
        return error_set(err, ERR_INVALID, "raft: %s does not come from a peer", name);
    if (message->from == RAFT_NOBODY || (message->from == raft->config.id && !may_come_from_self(message->type)))
        return error_set(err, ERR_INVALID, "raft: %s from %llx cannot be", name, U(message->from));
    if (is_response(message->type) && !raft_tracker_find(&raft->tracker, message->from))
        return error_set(err, ERR_NOT_FOUND, "raft: %s from %llx, which is no member of this group", name, U(message->from));
    if (needs_term(message->type) && message->term == 0)
        return error_set(err, ERR_INVALID, "raft: %s from %llx without a term", name, U(message->from));
    if (message->type == RAFT_MESSAGE_APPEND && !are_consecutive(message))
        return error_set(err, ERR_CORRUPT, "raft: %s from %llx: its entries behind %llu do not follow each other", name, U(message->from),
                         U(message->index));
    if (message->type == RAFT_MESSAGE_READ_INDEX && message->entries_count != 1)
        return error_set(err, ERR_INVALID, "raft: %s from %llx has %zu contexts, not one", name, U(message->from), message->entries_count);
    return 0;
}

int raft_step(struct raft *raft, struct raft_message *message, struct error *err)
{
    struct raft_message taken = *message;
    int result = raft_refused(raft, err);

    *message = (struct raft_message){0};
    if (result == 0)
        result = check_message(raft, &taken, err);
    if (result == 0)
        result = finish(raft, raft_step_any(raft, &taken, err), err);
    raft_message_deinit(&taken);
    return result;
}

/* A message that its owner gives it. */
static int step_own(struct raft *raft, struct raft_message message, struct error *err)
{
    int result = raft_refused(raft, err);

    if (result == 0)
        result = finish(raft, raft_step_any(raft, &message, err), err);
    raft_message_deinit(&message);
    return result;
}

int raft_campaign(struct raft *raft, struct error *err)
{
    return step_own(raft, (struct raft_message){.type = RAFT_MESSAGE_HUP}, err);
}

int raft_propose_entries(struct raft *raft, const struct raft_entry *entries, size_t count, struct error *err)
{
    return step_own(
        raft,
        (struct raft_message){
            .type = RAFT_MESSAGE_PROPOSE, .from = raft->config.id, .entries = raft_entries_copy(entries, count), .entries_count = count},
        err);
}

int raft_propose(struct raft *raft, struct bytes data, struct error *err)
{
    struct raft_entry entry = {.payload = raft_payload_new(data)};
    int result = raft_propose_entries(raft, &entry, 1, err);

    raft_payload_release(entry.payload);
    return result;
}

int raft_propose_conf_change(struct raft *raft, const struct raft_conf_change *change, struct error *err)
{
    struct raft_entry entry;
    int result = raft_conf_change_encode(change, &entry, err);

    if (result < 0)
        return result;
    result = raft_propose_entries(raft, &entry, 1, err);
    raft_payload_release(entry.payload);
    return result;
}

int raft_read_index(struct raft *raft, struct bytes context, struct error *err)
{
    struct raft_entry entry = {.payload = raft_payload_new(context)};
    int result = step_own(
        raft, (struct raft_message){.type = RAFT_MESSAGE_READ_INDEX, .entries = raft_entries_copy(&entry, 1), .entries_count = 1}, err);

    raft_payload_release(entry.payload);
    return result;
}

int raft_transfer_leader(struct raft *raft, uint64_t to, struct error *err)
{
    return step_own(raft, (struct raft_message){.type = RAFT_MESSAGE_TRANSFER_LEADER, .from = to}, err);
}

int raft_forget_leader(struct raft *raft, struct error *err)
{
    return step_own(raft, (struct raft_message){.type = RAFT_MESSAGE_FORGET_LEADER}, err);
}

int raft_report_unreachable(struct raft *raft, uint64_t id, struct error *err)
{
    return step_own(raft, (struct raft_message){.type = RAFT_MESSAGE_UNREACHABLE, .from = id}, err);
}

int raft_report_snapshot(struct raft *raft, uint64_t id, bool is_success, struct error *err)
{
    return step_own(raft, (struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT_STATUS, .from = id, .reject = !is_success}, err);
}

void raft_status(const struct raft *raft, struct raft_status *out)
{
    *out = (struct raft_status){
        .id = raft->config.id,
        .leader = raft->leader,
        .transferee = raft->transferee,
        .role = raft_role(raft),
        .hard_state = {raft->term, raft->vote, raft->log.committed},
        .first_index = raft_log_view_first_index(&raft->log),
        .last_index = raft_log_view_last_index(&raft->log),
        .applied = raft->log.applied,
        .conf = &raft->tracker.conf,
        .progress = raft_is_leader(raft) ? raft->tracker.progress : NULL,
        .progress_count = raft_is_leader(raft) ? raft->tracker.count : 0,
    };
}
