/* tests/sim/raft/invariants.c – what must hold for a node after each of its steps. Cheap: only what changed is looked at. §3.2 of the
 * thesis names the five properties; the others are promises of our own. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "raft/describe.h"
#include "tests/sim/raft/sim.h"

static uint64_t *grow_by_term(uint64_t *array, size_t *capacity, uint64_t term)
{
    size_t more = *capacity ? *capacity : 64;

    if (term < *capacity)
        return array;
    while (more <= term)
        more *= 2;
    array = mem_resize(array, more * sizeof *array);
    memset(array + *capacity, 0, (more - *capacity) * sizeof *array);
    *capacity = more;
    return array;
}

/* --- leaders --- */

static void check_completeness(struct sim *sim, struct sim_node *node)
{
    const struct raft_log_view *log = &node->raft->log;
    uint64_t term = node->raft->term, first = raft_log_view_first_index(log), last = raft_log_view_last_index(log);

    for (uint64_t index = first; index <= sim->committed; index++) {
        const struct sim_ledger_line *line = sim_ledger_line(sim, index);
        if (line->commit_term >= term)
            continue;
        if (index > last || raft_log_view_term_or_zero(log, index) != line->term) {
            sim_violated(sim, "leader completeness",
                         "n%u leads term %" PRIu64 " without entry %" PRIu64 " of term %" PRIu64 ", which was committed in term %" PRIu64,
                         node->id, term, index, line->term, line->commit_term);
            return;
        }
    }
}

static void check_leader(struct sim *sim, struct sim_node *node)
{
    uint64_t term = node->raft->term;

    sim->leaders = grow_by_term(sim->leaders, &sim->leaders_capacity, term);
    if (sim->leaders[term] != 0 && sim->leaders[term] != node->id)
        sim_violated(sim, "election safety", "n%u and n%" PRIu64 " lead term %" PRIu64, node->id, sim->leaders[term], term);
    if (node->seen_role == RAFT_LEADER && node->seen_term == term)
        return;
    sim_say(sim, node, "leads");
    sim->leaders[term] = node->id;
    if (node->stable_hard.term < term)
        sim_violated(sim, "who leads has its term on disk", "n%u leads term %" PRIu64 ", its disk knows %" PRIu64, node->id, term,
                     node->stable_hard.term);
    check_completeness(sim, node);
}

static bool is_majority(const struct raft_ids *ids, uint64_t bits)
{
    size_t count = 0;

    for (size_t i = 0; i < ids->count; i++)
        count += (bits >> ids->items[i] & 1) != 0;
    return ids->count == 0 || count > ids->count / 2;
}

/* §9.6: nobody raises the term who did not ask a majority first, or was told to by the leader. */
static void check_candidate(struct sim *sim, struct sim_node *node)
{
    uint64_t term = node->raft->term;
    uint64_t granted = (node->granted_term == term ? node->granted : 0) | UINT64_C(1) << node->id;
    const struct raft_conf_state *conf = &node->raft->tracker.conf;

    if (!sim->plan.pre_vote || node->told_to_take_over + 1 == term)
        return;
    if (!is_majority(&conf->voters, granted) || !is_majority(&conf->voters_outgoing, granted))
        sim_violated(sim, "no election without asking first", "n%u campaigns in term %" PRIu64 " without the pre-votes of a majority",
                     node->id, term);
}

/* --- commit and apply --- */

static void check_commit(struct sim *sim, struct sim_node *node)
{
    const struct raft_log_view *log = &node->raft->log;
    uint64_t first = raft_log_view_first_index(log), from = node->seen_commit + 1 > first ? node->seen_commit + 1 : first, term;

    if (log->committed < node->seen_commit)
        sim_violated(sim, "the commit index never goes back", "n%u: from %" PRIu64 " to %" PRIu64, node->id, node->seen_commit,
                     log->committed);
    if (log->committed >= first && raft_log_view_last_index(log) < log->committed)
        sim_violated(sim, "what is committed is in the log", "n%u: commit %" PRIu64, node->id, log->committed);
    bool is_counted = raft_is_leader(node->raft) && node->seen_role == RAFT_LEADER && node->seen_term == node->raft->term;
    if (is_counted && raft_log_view_term_or_zero(log, log->committed) != node->raft->term) /* §3.6.2 */
        sim_violated(sim, "only entries of its own term are committed by counting", "n%u leads term %" PRIu64 " and commits up to %" PRIu64,
                     node->id, node->raft->term, log->committed);
    for (uint64_t index = from; index <= log->committed && !sim->has_failed; index++)
        if (raft_log_view_term(log, index, &term) == RAFT_STORED)
            sim_ledger_commit(sim, node, index, term);
    if (log->committed > sim->committed)
        sim_violated(sim, "only a leader commits first", "n%u: commit %" PRIu64 ", the group's is %" PRIu64, node->id, log->committed,
                     sim->committed);
    node->seen_commit = log->committed;
}

void sim_check_node(struct sim *sim, struct sim_node *node)
{
    const struct raft *raft = node->raft;

    if (raft->term < node->seen_term)
        sim_violated(sim, "the term never goes back", "n%u: from %" PRIu64 " to %" PRIu64, node->id, node->seen_term, raft->term);
    if (sim->stable_term != 0 && raft->term > sim->stable_term)
        sim_violated(sim, "who comes back disturbs no leader", "n%u is at term %" PRIu64 ", a leader was at work in term %" PRIu64,
                     node->id, raft->term, sim->stable_term);
    if (raft_is_leader(raft))
        check_leader(sim, node);
    else if (raft_role(raft) == RAFT_CANDIDATE && raft->term > node->seen_term)
        check_candidate(sim, node);
    if (raft->log.committed != node->seen_commit)
        check_commit(sim, node);
    if (raft->log.applied < node->seen_applied || raft->log.applied > raft->log.committed)
        sim_violated(sim, "the applied index never goes back", "n%u: from %" PRIu64 " to %" PRIu64 ", commit %" PRIu64, node->id,
                     node->seen_applied, raft->log.applied, raft->log.committed);
    node->seen_applied = raft->log.applied;
    node->seen_term = raft->term;
    node->seen_role = raft_role(raft);
}

/* --- what a core hands out --- */

static bool is_change_between(struct sim_node *node, uint64_t low, uint64_t high)
{
    struct raft_entries found = {0};
    bool is_there = false;

    if (low < high && raft_log_view_read(&node->raft->log, low, high, RAFT_UNLIMITED, &found) == RAFT_STORED)
        for (size_t i = 0; i < found.count; i++)
            is_there = is_there || found.items[i].type != RAFT_ENTRY_NORMAL;
    raft_entries_deinit(&found);
    return is_there;
}

/* Leader append-only, and one change of the membership at a time: §4.1. */
static void check_own_entries(struct sim *sim, struct sim_node *node, const struct raft_ready *ready)
{
    const struct raft *raft = node->raft;

    if (node->led_term == raft->term && ready->entries.items[0].index != node->led_last + 1)
        sim_violated(sim, "a leader only appends", "n%u writes entry %" PRIu64 " behind %" PRIu64, node->id, ready->entries.items[0].index,
                     node->led_last);
    node->led_term = raft->term;
    node->led_last = raft_log_view_last_index(&raft->log);
    for (size_t i = 0; i < ready->entries.count; i++) {
        const struct raft_entry *entry = &ready->entries.items[i];
        if (entry->type != RAFT_ENTRY_NORMAL && entry->term == raft->term && is_change_between(node, raft->log.applied + 1, entry->index))
            sim_violated(sim, "one membership change at a time", "n%u: entry %" PRIu64 " while one before it is not applied", node->id,
                         entry->index);
    }
}

void sim_check_ready(struct sim *sim, struct sim_node *node, const struct raft_ready *ready)
{
    uint64_t previous_term = UINT64_MAX;

    if (ready->entries.count == 0)
        return;
    if (raft_log_view_term(&node->raft->log, ready->entries.items[0].index - 1, &previous_term) != RAFT_STORED)
        previous_term = UINT64_MAX;
    for (size_t i = 0; i < ready->entries.count; i++) {
        sim_ledger_note(sim, node, &ready->entries.items[i], previous_term);
        previous_term = ready->entries.items[i].term;
    }
    if (raft_is_leader(node->raft))
        check_own_entries(sim, node, ready);
}

/* --- messages --- */

static void note_vote(struct sim *sim, struct sim_node *node, uint64_t term, uint64_t candidate)
{
    node->votes = grow_by_term(node->votes, &node->votes_capacity, term);
    if (node->votes[term] != 0 && node->votes[term] != candidate)
        sim_violated(sim, "one vote in a term", "n%u votes for n%" PRIu64 " in term %" PRIu64 ", and did for n%" PRIu64, node->id,
                     candidate, term, node->votes[term]);
    node->votes[term] = candidate;
}

/* A candidate's own vote: in asynchronous mode its answer to itself, in synchronous mode stable before it asks the others. */
void sim_check_sent(struct sim *sim, struct sim_node *node, const struct raft_message *message)
{
    if (message->type == RAFT_MESSAGE_VOTE_RESPONSE && !message->reject)
        note_vote(sim, node, message->term, message->to);
    if (message->type == RAFT_MESSAGE_VOTE && !sim->plan.async)
        note_vote(sim, node, message->term, node->id);
}

void sim_check_received(struct sim *sim, struct sim_node *node, const struct raft_message *message)
{
    (void)sim;
    if (message->type == RAFT_MESSAGE_TIMEOUT_NOW)
        node->told_to_take_over = message->term;
    if (message->type != RAFT_MESSAGE_PRE_VOTE_RESPONSE || message->reject || message->from > SIM_NODES_COUNT)
        return;
    if (message->term < node->granted_term)
        return; /* late */
    if (message->term > node->granted_term)
        node->granted = 0;
    node->granted_term = message->term;
    node->granted |= UINT64_C(1) << message->from;
}

/* --- after a start --- */

static void check_hard_state(struct sim *sim, struct sim_node *node, const struct raft_hard_state *found)
{
    const struct raft_hard_state *promised = &node->stable_hard;
    bool is_other_vote = found->term == promised->term && promised->vote != 0 && found->vote != promised->vote;

    if (found->term < promised->term || is_other_vote || found->commit < promised->commit)
        sim_violated(sim, "the hard state outlives a crash",
                     "n%u had term %" PRIu64 " vote %" PRIu64 " commit %" PRIu64 " stable, and found %" PRIu64 " %" PRIu64 " %" PRIu64,
                     node->id, promised->term, promised->vote, promised->commit, found->term, found->vote, found->commit);
}

/* What was known to be stable is there, entry for entry, but for what was about to be replaced. */
void sim_check_recovered(struct sim *sim, struct sim_node *node, const struct raft_log_state *state)
{
    const struct raft_memory_storage *storage = &node->storage;
    uint64_t last = storage->compacted_index + storage->entries.count - storage->start;

    check_hard_state(sim, node, &state->hard);
    if (node->unsure_from <= last)
        last = node->unsure_from == 0 ? 0 : node->unsure_from - 1;
    if (state->last_index < last)
        sim_violated(sim, "what was stable outlives a crash", "n%u had entries up to %" PRIu64 " stable, and found them up to %" PRIu64,
                     node->id, last, state->last_index);
    for (uint64_t index = storage->compacted_index + 1; index <= last && !sim->has_failed; index++) {
        const struct raft_entry *kept = &storage->entries.items[storage->start + (size_t)(index - storage->compacted_index - 1)];
        if (index < state->first_index)
            continue;
        const struct raft_entry *found = &state->entries[index - state->first_index];
        if (found->term != kept->term || !bytes_equal(raft_entry_bytes(found), raft_entry_bytes(kept)))
            sim_violated(sim, "what was stable outlives a crash", "n%u: entry %" PRIu64 " had term %" PRIu64 ", found with term %" PRIu64,
                         node->id, index, kept->term, found->term);
    }
}

/* --- after the faults --- */

static void describe_group(const struct sim *sim, struct buf *out)
{
    for (unsigned id = 1; id <= sim->nodes_count; id++) {
        const struct sim_node *node = &sim->nodes[id];
        if (!node->raft)
            continue;
        buf_append_format(out, " n%u(%s term %" PRIu64 " commit %" PRIu64 " applied %" PRIu64 " last %" PRIu64 ")", id,
                          state_shown(&node->raft->role), node->raft->term, node->raft->log.committed, node->machine.applied,
                          raft_log_view_last_index(&node->raft->log));
    }
    buf_append(out, "", 1);
}

void sim_check_settled(struct sim *sim)
{
    cleanup_buf struct buf group = {0}, members = {0};
    cleanup_buf struct buf waiting = {0};

    sim_clients_describe(sim, &waiting);
    buf_append(&waiting, "", 1);
    raft_describe_members(&sim->conf, &members);
    buf_append(&members, "", 1);
    describe_group(sim, &group);
    sim_violated(sim, "liveness", "%d s after the last fault %s, %s; %s;%s", (int)(SIM_SETTLE_US / 1000000),
                 sim_leader(sim) ? "there is a leader" : "nobody leads", (const char *)waiting.data, (const char *)members.data,
                 (const char *)group.data);
}
