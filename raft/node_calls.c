/* raft/node_calls.c – what an owner asks of a node: proposals, reads, changes, how it stands. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/node_inside.h"

/* --- proposals --- */

static int refuse(const struct raft_node *node, struct error *err)
{
    const struct raft_member *leader = raft_book_find(&node->book, node->leader);

    if (node_is_over(node))
        return error_set(err, ERR_PRECONDITION, "raft: this member takes no part any more");
    if (node->leader == RAFT_NOBODY)
        return error_set(err, ERR_UNAVAILABLE, "raft: no leader is known: too few members are reachable, or an election is being held");
    return error_set(err, ERR_UNAVAILABLE, "raft: this member does not lead; the leader is %" PRIx64 " at %s", node->leader,
                     leader && *leader->address ? leader->address : "an unknown address");
}

static int add(struct raft_node *node, enum raft_entry_type type, struct raft_payload *payload, raft_proposed_fn fn, void *ctx,
               struct error *err)
{
    if (node_is_over(node) || node->role != RAFT_LEADER)
        return refuse(node, err);
    if (payload && payload->size > RAFT_PROPOSAL_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "raft: a proposal of %zu bytes: more than %u", payload->size, RAFT_PROPOSAL_SIZE_BYTES);
    int failed = raft_proposals_add(&node->proposals, type, payload, fn, ctx, err);
    if (failed == 0)
        node_wake(node);
    return failed;
}

int raft_node_propose_payload(struct raft_node *node, struct raft_payload *payload, raft_proposed_fn fn, void *ctx, struct error *err)
{
    return add(node, RAFT_ENTRY_NORMAL, payload, fn, ctx, err);
}

int raft_node_propose(struct raft_node *node, struct bytes data, raft_proposed_fn fn, void *ctx, struct error *err)
{
    if (node_is_over(node) || node->role != RAFT_LEADER)
        return refuse(node, err);
    struct raft_payload *payload = raft_payload_new(data);
    int failed = add(node, RAFT_ENTRY_NORMAL, payload, fn, ctx, err);
    raft_payload_release(payload);
    return failed;
}

int raft_node_propose_conf_change(struct raft_node *node, const struct raft_conf_change *change, raft_proposed_fn fn, void *ctx,
                                  struct error *err)
{
    struct raft_entry entry;
    int failed = raft_conf_change_encode(change, &entry, err);

    if (failed < 0)
        return failed;
    failed = add(node, entry.type, entry.payload, fn, ctx, err);
    raft_payload_release(entry.payload);
    return failed;
}

static int propose_one(struct raft_node *node, enum raft_conf_change_type type, uint64_t id, struct bytes context, raft_proposed_fn fn,
                       void *ctx, struct error *err)
{
    struct raft_conf_change change = {.is_v1 = true, .context = raft_payload_new(context)};

    raft_conf_change_add(&change, type, id);
    int failed = raft_node_propose_conf_change(node, &change, fn, ctx, err);
    raft_conf_change_deinit(&change);
    return failed;
}

int raft_node_add_member(struct raft_node *node, const struct raft_member *member, bool is_learner, raft_proposed_fn fn, void *ctx,
                         struct error *err)
{
    cleanup_buf struct buf context = {0};

    if (raft_book_is_removed(&node->book, member->id))
        return error_set(err, ERR_PRECONDITION, "raft: member %" PRIx64 " was removed: it comes back only under a new id", member->id);
    raft_member_write(member, &context);
    return propose_one(node, is_learner ? RAFT_ADD_LEARNER : RAFT_ADD_VOTER, member->id, buf_bytes(&context), fn, ctx, err);
}

int raft_node_remove_member(struct raft_node *node, uint64_t id, raft_proposed_fn fn, void *ctx, struct error *err)
{
    return propose_one(node, RAFT_REMOVE_MEMBER, id, bytes_of(NULL, 0), fn, ctx, err);
}

/* All that wait, in batches. What the core has no room for waits until something is applied. */
void node_append_proposals(struct raft_node *node)
{
    struct raft_entries batch = {0};
    struct raft_status status;
    struct error err = {0};

    while (node->proposals.count > node->proposals.appended && node->role == RAFT_LEADER) {
        raft_entries_clear(&batch);
        raft_proposals_next(&node->proposals, &batch);
        raft_status(node->core, &status);
        uint64_t first = status.last_index + 1;
        int failed = raft_propose_entries(node->core, batch.items, batch.count, &err);
        if (failed == ERR_LIMIT && node->proposals.appended > 0)
            break;
        if (failed < 0)
            raft_proposals_refused(&node->proposals, batch.count, &err);
        else
            raft_proposals_appended(&node->proposals, batch.count, first, status.hard_state.term);
    }
    raft_entries_deinit(&batch);
}

/* --- reads --- */

int raft_node_read(struct raft_node *node, raft_proposed_fn fn, void *ctx, struct error *err)
{
    if (node_is_over(node) || node->leader == RAFT_NOBODY)
        return refuse(node, err);
    if (node->reads_count == RAFT_READS_COUNT)
        return error_set(err, ERR_LIMIT, "raft: %d reads wait already", RAFT_READS_COUNT);
    if (node->reads_count == node->reads_capacity) {
        node->reads_capacity = node->reads_capacity ? 2 * node->reads_capacity : 16;
        node->reads = mem_resize(node->reads, node->reads_capacity * sizeof *node->reads);
    }
    if (!node->has_new_reads)
        node->reads_number++;
    node->has_new_reads = true;
    node->reads[node->reads_count++] = (struct raft_node_read){node->reads_number, 0, 2 * node->election_ticks, fn, ctx};
    node_wake(node);
    return 0;
}

/* One question for all reads of a turn. Its context has our id too: answers go by whoever asked, through the leader. */
void node_ask_reads(struct raft_node *node)
{
    struct error err = {0};
    uint64_t context[2] = {node->self.id, node->reads_number};

    if (!node->has_new_reads)
        return;
    node->has_new_reads = false;
    if (raft_read_index(node->core, bytes_of(context, sizeof context), &err) < 0)
        node_fail_reads(node, "no leader confirms it");
}

void node_read_confirmed(struct raft_node *node, const struct raft_read_state *state)
{
    uint64_t context[2];

    if (!state->context || state->context->size != sizeof context)
        return;
    memcpy(context, state->context->data, sizeof context);
    for (size_t i = 0; i < node->reads_count; i++)
        if (node->reads[i].number == context[1] && node->reads[i].index == 0)
            node->reads[i].index = state->index > 0 ? state->index : 1;
}

/* Take those out that are @wanted, in order, and then call them: a callback may ask again. */
static void finish_reads(struct raft_node *node, bool (*wanted)(const struct raft_node *node, const struct raft_node_read *read),
                         const struct error *err)
{
    struct raft_node_read *done = NULL;
    size_t done_count = 0, kept = 0;

    for (size_t i = 0; i < node->reads_count; i++)
        done_count += wanted(node, &node->reads[i]);
    if (done_count == 0)
        return;
    done = mem_array(done_count, sizeof *done);
    done_count = 0;
    for (size_t i = 0; i < node->reads_count; i++) {
        if (wanted(node, &node->reads[i]))
            done[done_count++] = node->reads[i];
        else
            node->reads[kept++] = node->reads[i];
    }
    node->reads_count = kept;
    for (size_t i = 0; i < done_count; i++)
        done[i].fn(done[i].ctx, err ? 0 : done[i].index, err);
    free(done);
}

static bool is_readable(const struct raft_node *node, const struct raft_node_read *read)
{
    return read->index != 0 && read->index <= node->applied && !node->restore;
}

static bool is_late(const struct raft_node *node, const struct raft_node_read *read)
{
    (void)node;
    return read->ticks_left == 0;
}

static bool is_any(const struct raft_node *node, const struct raft_node_read *read)
{
    (void)node;
    (void)read;
    return true;
}

void node_serve_reads(struct raft_node *node)
{
    finish_reads(node, is_readable, NULL);
}

void node_tick_reads(struct raft_node *node)
{
    struct error err = {0};

    for (size_t i = 0; i < node->reads_count; i++)
        node->reads[i].ticks_left--;
    error_set(&err, ERR_DEADLINE, "raft: no leader confirmed this read in time: ask again");
    finish_reads(node, is_late, &err);
}

void node_fail_reads(struct raft_node *node, const char *why)
{
    struct error err = {0};

    error_set(&err, ERR_UNAVAILABLE, "raft: %s: this read is not made", why);
    finish_reads(node, is_any, &err);
}

/* --- the rest --- */

int raft_node_transfer(struct raft_node *node, uint64_t to, struct error *err)
{
    if (node_is_over(node) || node->role != RAFT_LEADER)
        return refuse(node, err);
    if (!raft_ids_has(&node->conf.voters, to))
        return error_set(err, ERR_NOT_FOUND, "raft: %" PRIx64 " is no voter of this group", to);
    int failed = raft_transfer_leader(node->core, to, err);
    node_wake(node);
    return failed;
}

int raft_node_campaign(struct raft_node *node, struct error *err)
{
    if (node_is_over(node))
        return refuse(node, err);
    int failed = raft_campaign(node->core, err);
    node_wake(node);
    return failed;
}

int raft_node_snapshot(struct raft_node *node, struct error *err)
{
    if (node_is_over(node))
        return refuse(node, err);
    if (node->make || node->restore)
        return error_set(err, ERR_AGAIN, "raft: a snapshot is being made or restored");
    if (node->applied == 0 || (node->applied <= node->storage.snapshot.index && !node_is_rotating(node)))
        return error_set(err, ERR_PRECONDITION, "raft: the snapshot at %" PRIu64 " has everything", node->storage.snapshot.index);
    return snapshot_make_begin(node, err);
}

int raft_node_put_member(struct raft_node *node, const struct raft_member *member, struct error *err)
{
    int failed = raft_book_put(&node->book, member, err);

    if (failed == 0 && node->core)
        links_follow_book(node);
    return failed;
}

void raft_node_put_removed(struct raft_node *node, uint64_t id)
{
    raft_book_remove(&node->book, id);
    if (node->core)
        links_follow_book(node);
}

const struct raft_book *raft_node_book(const struct raft_node *node)
{
    return &node->book;
}

static size_t describe_peers(struct raft_node *node, const struct raft_status *core)
{
    size_t count = 0;

    free(node->status_peers);
    node->status_peers = mem_array(node->book.count + 1, sizeof *node->status_peers);
    for (size_t i = 0; i < node->book.count; i++) {
        const struct raft_member *member = &node->book.members[i];
        struct raft_node_peer *peer = &node->status_peers[count];
        struct raft_peer_link *link = links_find(node, member->id);
        if (member->id == node->self.id)
            continue;
        *peer = (struct raft_node_peer){
            .id = member->id, .address = member->address, .is_learner = raft_ids_has(&node->conf.learners, member->id)};
        for (size_t k = 0; k < core->progress_count; k++)
            if (core->progress[k].id == member->id) {
                peer->match = core->progress[k].match;
                peer->next = core->progress[k].next;
                peer->progress = core->progress[k].state;
            }
        if (link)
            raft_peer_status(link, &peer->link);
        count++;
    }
    return count;
}

void raft_node_status(struct raft_node *node, struct raft_node_status *out)
{
    struct raft_status core;
    const struct raft_member *leader = raft_book_find(&node->book, node->leader);

    raft_status(node->core, &core);
    *out = (struct raft_node_status){.id = node->self.id,
                                     .term = core.hard_state.term,
                                     .leader = node->leader,
                                     .leader_address = leader ? leader->address : NULL,
                                     .role = node->role,
                                     .first_index = core.first_index,
                                     .last_index = core.last_index,
                                     .commit = core.hard_state.commit,
                                     .applied = node->applied,
                                     .snapshot_index = node->storage.snapshot.index,
                                     .proposals_count = node->proposals.count,
                                     .reads_count = node->reads_count,
                                     .has_failed = node->has_failed,
                                     .is_removed = node->is_removed,
                                     .is_making_snapshot = node->make != NULL,
                                     .key_id = node->keys.current,
                                     .is_rotating = node_is_rotating(node),
                                     .conf = &node->conf};
    raft_writer_status(node->writer, &out->writer);
    out->peers_count = describe_peers(node, &core);
    out->peers = node->status_peers;
}
