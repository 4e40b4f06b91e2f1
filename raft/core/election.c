/* Roles and how one comes to them: campaigns, votes, and the quorum that a leader needs to stay one. §3.4, §4.2.3, §6.2, §9.6. */
#include "raft/core/internal.h"

#include <assert.h>
#include <string.h>

static const struct state_info infos[] = {
#define X(name, shown, next) {#name, shown, next, 0},
    RAFT_ROLES(X)
#undef X
};
const struct state_table raft_roles = {"raft", infos, sizeof infos / sizeof infos[0]};

/* In the context of a vote request: its campaign was asked for by the leader, so no voter needs to stand by that one. raftpb's word. */
static const char campaign_transfer[] = "CampaignTransfer";

static void move(struct raft *raft, enum raft_role next)
{
    struct error err = {0};
    int result = state_move(&raft->role, next, 0, &err);
    assert(result == 0);
    (void)result;
}

static void restart_timers(struct raft *raft)
{
    raft->election_elapsed = raft->heartbeat_elapsed = 0;
    raft->election_timeout_ticks = raft->config.election_ticks + (unsigned)random_below(&raft->config.random, raft->config.election_ticks);
}

/* Nothing is known of the members but who they are. */
static void reset_progress(struct raft *raft)
{
    uint64_t last = raft_log_view_last_index(&raft->log);

    for (size_t i = 0; i < raft->tracker.count; i++) {
        struct raft_progress *progress = &raft->tracker.progress[i];
        raft_inflights_reset(&progress->window);
        *progress =
            (struct raft_progress){.id = progress->id, .next = last + 1, .is_learner = progress->is_learner, .window = progress->window};
        if (progress->id == raft->config.id)
            progress->match = last;
    }
}

/* What every change of role or term begins with. */
static void reset(struct raft *raft, uint64_t term)
{
    if (raft->term != term) {
        raft->term = term;
        raft->vote = RAFT_NOBODY;
    }
    raft->leader = RAFT_NOBODY;
    restart_timers(raft);
    raft_abort_transfer(raft);
    raft_tracker_reset_votes(&raft->tracker);
    reset_progress(raft);
    raft->pending_conf_index = 0;
    raft->uncommitted_bytes = 0;
    raft_reads_reset(raft);
}

void raft_become_follower(struct raft *raft, uint64_t term, uint64_t leader)
{
    move(raft, RAFT_FOLLOWER);
    reset(raft, term);
    raft->leader = leader;
}

static void become_candidate(struct raft *raft)
{
    move(raft, RAFT_CANDIDATE);
    reset(raft, raft->term + 1);
    raft->vote = raft->config.id;
}

/* Neither term nor vote change: asking costs nobody anything. */
static void become_pre_candidate(struct raft *raft)
{
    move(raft, RAFT_PRE_CANDIDATE);
    raft_tracker_reset_votes(&raft->tracker);
    raft->leader = RAFT_NOBODY;
}

static void become_leader(struct raft *raft)
{
    struct raft_entry empty = {0}; /* committing it commits what older terms left behind: §3.6.2, §6.4 */

    move(raft, RAFT_LEADER);
    reset(raft, raft->term);
    raft->leader = raft->config.id;
    raft_stall_reset(raft);
    struct raft_progress *own = raft_tracker_find(&raft->tracker, raft->config.id);
    if (own) {
        raft_progress_become_replicate(own);
        own->is_recently_active = true;
    }
    raft->pending_conf_index = raft_log_view_last_index(&raft->log); /* a change may be among what is not applied: cheaper than to look */
    bool is_accepted = raft_append_own(raft, &empty, 1);
    assert(is_accepted);
    (void)is_accepted;
}

bool raft_is_promotable(const struct raft *raft)
{
    const struct raft_progress *own = raft_tracker_find(&raft->tracker, raft->config.id);
    return own && !own->is_learner && !raft->log.has_snapshot;
}

enum campaign { PRE_ELECTION, ELECTION, TRANSFER };

static void ask_for_vote(struct raft *raft, uint64_t voter, enum campaign kind, uint64_t term)
{
    struct raft_entry_id last = raft_log_view_last(&raft->log);
    bool is_pre_election = kind == PRE_ELECTION;
    struct raft_message message = {.to = voter, .term = term};

    if (voter == raft->config.id) { /* our own vote counts once it is stable, as others' do */
        message.type = is_pre_election ? RAFT_MESSAGE_PRE_VOTE_RESPONSE : RAFT_MESSAGE_VOTE_RESPONSE;
    } else {
        message.type = is_pre_election ? RAFT_MESSAGE_PRE_VOTE : RAFT_MESSAGE_VOTE;
        message.index = last.index;
        message.log_term = last.term;
        if (kind == TRANSFER)
            message.context = raft_payload_new(bytes_of_string(campaign_transfer));
    }
    raft_send(raft, &message);
}

static void campaign(struct raft *raft, enum campaign kind)
{
    const struct raft_conf_state *conf = &raft->tracker.conf;
    uint64_t term;

    if (kind == PRE_ELECTION) {
        become_pre_candidate(raft);
        term = raft->term + 1;
    } else {
        become_candidate(raft);
        term = raft->term;
    }
    for (size_t i = 0; i < raft->tracker.count; i++)
        if (raft_ids_has(&conf->voters, raft->tracker.progress[i].id) || raft_ids_has(&conf->voters_outgoing, raft->tracker.progress[i].id))
            ask_for_vote(raft, raft->tracker.progress[i].id, kind, term);
}

/* The others may elect us before our own disk knows the term. Who led then, and crashed, could be elected in the same term once more by the
 * same votes, and would write other entries with the same terms and indexes (§3.8: a server persists its term before anything rests on it).
 * Our own vote comes back when it is stable, and asks again. So does a pre-vote, behind all that the disk has to write before. */
static bool is_own_vote_stable(const struct raft *raft)
{
    return raft_tracker_has_voted(&raft->tracker, raft->config.id);
}

static bool is_standing_unwritten(const struct raft *raft)
{
    return raft_role(raft) == RAFT_CANDIDATE && !is_own_vote_stable(raft);
}

/* An election by a membership that is no longer true must not be won: what is committed is applied first. Nor can one be won whose votes
 * our own disk does not write: each new term of such a candidate would only stop the others from electing. */
static bool may_campaign(struct raft *raft)
{
    return !raft_is_leader(raft) && raft_is_promotable(raft) && !raft_has_unapplied_conf_change(raft) && !raft->stall.is_stalled &&
           !is_standing_unwritten(raft);
}

/* The one place where it is decided whether to ask first. */
void raft_hold_election(struct raft *raft)
{
    if (may_campaign(raft))
        campaign(raft, raft->config.pre_vote && !RAFT_MUTANT(IGNORE_PRE_VOTE) ? PRE_ELECTION : ELECTION);
}

/* The leader wishes it: nobody needs to be asked first. */
void raft_take_over(struct raft *raft)
{
    if (may_campaign(raft))
        campaign(raft, TRANSFER);
}

bool raft_is_within_lease(const struct raft *raft, const struct raft_message *vote)
{
    bool is_wished_by_leader = bytes_equal(vote->context ? bytes_of(vote->context->data, vote->context->size) : bytes_of(NULL, 0),
                                           bytes_of_string(campaign_transfer));

    return !is_wished_by_leader && raft->config.check_quorum && raft->leader != RAFT_NOBODY &&
           raft->election_elapsed < raft->config.election_ticks;
}

/* Learners vote too: one that was promoted may not know it yet, and its vote may be needed before it can learn. */
void raft_handle_vote_request(struct raft *raft, const struct raft_message *message)
{
    bool is_pre_vote = message->type == RAFT_MESSAGE_PRE_VOTE;
    bool may_vote = raft->vote == message->from || (raft->vote == RAFT_NOBODY && raft->leader == RAFT_NOBODY) ||
                    (is_pre_vote && message->term > raft->term);
    bool is_granted = may_vote && (RAFT_MUTANT(VOTE_FOR_ANY_LOG) ||
                                   raft_log_view_is_up_to_date(&raft->log, (struct raft_entry_id){message->log_term, message->index}));

    /* A grant carries the term asked for: a pre-candidate would take ours for old. A refusal carries ours, for it to learn. */
    raft_send(raft, &(struct raft_message){.type = is_pre_vote ? RAFT_MESSAGE_PRE_VOTE_RESPONSE : RAFT_MESSAGE_VOTE_RESPONSE,
                                           .to = message->from,
                                           .term = is_granted ? message->term : raft->term,
                                           .reject = !is_granted});
    if (is_granted && !is_pre_vote) {
        raft->election_elapsed = 0;
        raft->vote = message->from;
    }
}

void raft_handle_vote_response(struct raft *raft, const struct raft_message *message)
{
    raft_tracker_record_vote(&raft->tracker, message->from, !message->reject);
    enum raft_vote_result result = raft_tracker_vote_result(&raft->tracker);
    if (result == RAFT_VOTE_WON && !is_own_vote_stable(raft) && !RAFT_MUTANT(LEAD_BEFORE_STABLE))
        return;
    switch (result) {
    case RAFT_VOTE_WON:
        if (raft_role(raft) == RAFT_PRE_CANDIDATE) {
            campaign(raft, ELECTION);
        } else {
            become_leader(raft);
            raft_broadcast_append(raft);
        }
        break;
    case RAFT_VOTE_LOST:
        raft_become_follower(raft, raft->term, RAFT_NOBODY);
        break;
    case RAFT_VOTE_PENDING:
        break;
    }
}

void raft_check_quorum(struct raft *raft)
{
    if (!raft_tracker_quorum_is_active(&raft->tracker))
        raft_become_follower(raft, raft->term, RAFT_NOBODY);
    for (size_t i = 0; i < raft->tracker.count; i++)
        if (raft->tracker.progress[i].id != raft->config.id)
            raft->tracker.progress[i].is_recently_active = false;
}
