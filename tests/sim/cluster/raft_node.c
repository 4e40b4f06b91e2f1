/* tests/sim/cluster/raft_node.c – raft/node.h on the Raft simulator's nodes, as far as manager/replica asks for it: its proposals
 * (raft/proposals.c) and reads, and what its owner hears of roles. The core, the log and the peers are the simulator's. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/turn.h"
#include "tests/sim/cluster/cluster.h"

enum { READ_TICKS = 2 * SIM_ELECTION_TICKS };

struct read {
    uint64_t number, index; /* index 0: not confirmed */
    uint64_t until_us;
    raft_proposed_fn fn;
    void *ctx;
};

struct raft_node {
    struct cluster *cluster;
    struct manager_process *manager;
    struct sim_node *node;
    struct raft_machine machine;
    struct raft_node_events events;
    struct raft_book book;
    struct raft_proposals proposals;
    struct read *reads;
    size_t reads_count, reads_capacity;
    uint64_t reads_number;
    enum raft_role role;
    uint64_t leader, role_term;
    struct turn turn;
    bool is_over;
};

/* --- a turn --- */

static void append_proposals(struct raft_node *node)
{
    struct raft_entries batch = {0};
    struct raft_status status;
    struct error err = {0};

    while (node->proposals.count > node->proposals.appended && node->role == RAFT_LEADER) {
        raft_entries_clear(&batch);
        raft_proposals_next(&node->proposals, &batch);
        raft_status(node->node->raft, &status);
        int failed = raft_propose_entries(node->node->raft, batch.items, batch.count, &err);
        if (failed == ERR_LIMIT && node->proposals.appended > 0)
            break;
        if (failed < 0)
            raft_proposals_refused(&node->proposals, batch.count, &err);
        else
            raft_proposals_appended(&node->proposals, batch.count, status.last_index + 1, status.hard_state.term);
    }
    raft_entries_deinit(&batch);
}

static void fail_reads(struct raft_node *node, uint64_t before_us, const char *why)
{
    struct error err = {0};

    error_set(&err, ERR_UNAVAILABLE, "raft: %s: this read is not made", why);
    for (size_t i = 0; i < node->reads_count;) {
        struct read read = node->reads[i];
        if (read.until_us > before_us) {
            i++;
            continue;
        }
        node->reads[i] = node->reads[--node->reads_count];
        read.fn(read.ctx, 0, &err);
    }
}

static void on_turn(void *ctx)
{
    struct raft_node *node = ctx;

    if (node->is_over || !node->node->raft)
        return;
    append_proposals(node);
    sim_node_touched(node->cluster->sim, node->node);
}

/* --- what the simulator tells --- */

void raft_node_ready(struct raft_node *node, const struct raft_ready *ready)
{
    struct raft_status status;

    raft_status(node->node->raft, &status);
    bool was_leader = node->role == RAFT_LEADER, is_same_term = node->role_term == status.hard_state.term;
    if (node->role != status.role || node->leader != status.leader || (!is_same_term && status.role == RAFT_LEADER)) {
        node->role = status.role;
        node->leader = status.leader;
        node->role_term = status.hard_state.term;
        if (was_leader && (status.role != RAFT_LEADER || !is_same_term))
            raft_proposals_fail(&node->proposals, "this member lost the leadership");
        node->events.on_role(node->events.ctx, status.role, status.hard_state.term, status.leader);
    }
    for (size_t i = 0; i < ready->read_states_count; i++) {
        const struct raft_read_state *state = &ready->read_states[i];
        uint64_t number = 0;
        if (state->context && state->context->size == sizeof number)
            memcpy(&number, state->context->data, sizeof number);
        for (size_t k = 0; k < node->reads_count; k++)
            if (node->reads[k].number == number)
                node->reads[k].index = state->index > 0 ? state->index : 1;
    }
}

void raft_node_serve_reads(struct raft_node *node)
{
    fail_reads(node, node->cluster->sim->now_us, "no leader confirmed it in time");
    for (size_t i = 0; i < node->reads_count;) {
        struct read read = node->reads[i];
        if (read.index == 0 || read.index > node->node->machine.applied) {
            i++;
            continue;
        }
        node->reads[i] = node->reads[--node->reads_count];
        read.fn(read.ctx, read.index, NULL);
    }
}

void raft_node_apply(struct raft_node *node, const struct raft_entry *entry)
{
    if (entry->type == RAFT_ENTRY_NORMAL && entry->payload)
        node->machine.apply(node->machine.self, entry, 1);
}

void raft_node_entry(struct raft_node *node, const struct raft_entry *entry)
{
    raft_proposals_applied(&node->proposals, entry);
    if (node->proposals.count > node->proposals.appended)
        turn_want(&node->turn);
}

void raft_node_image(struct raft_node *node, struct buf *out)
{
    void *image = NULL;
    size_t before;

    (void)node->machine.image_open(node->machine.self, &image, NULL);
    do {
        before = out->size;
        (void)node->machine.image_read(node->machine.self, image, out, NULL);
    } while (out->size > before);
    node->machine.image_close(node->machine.self, image);
}

int raft_node_restore(struct raft_node *node, struct bytes image, uint64_t index, struct error *err)
{
    node->machine.restore_begin(node->machine.self);
    int failed = node->machine.restore_add(node->machine.self, image, err);
    return failed < 0 ? failed : node->machine.restore_end(node->machine.self, index, err);
}

/* --- raft/node.h --- */

int raft_node_open(const struct raft_node_options *options, struct raft_node **out, struct error *err)
{
    struct loop *loop = (struct loop *)options->loop;
    struct raft_node *node = mem_alloc(sizeof *node);

    *node = (struct raft_node){.cluster = loop->cluster,
                               .manager = &loop->cluster->managers[loop->manager],
                               .node = &loop->cluster->sim->nodes[loop->manager],
                               .machine = options->machine,
                               .events = options->events,
                               .role = RAFT_FOLLOWER};
    turn_init(&node->turn, options->loop, on_turn, node);
    for (size_t i = 0; i < options->members_count; i++)
        (void)raft_book_put(&node->book, &options->members[i], err);
    node->manager->raft = node;
    *out = node;
    return 0;
}

static void on_turn_closed(void *ctx)
{
    free(ctx);
}

void raft_node_close(struct raft_node *node, void (*on_closed)(void *ctx, const struct error *err), void *ctx)
{
    node->is_over = true;
    node->manager->raft = NULL;
    raft_proposals_fail(&node->proposals, "this member ends");
    raft_proposals_deinit(&node->proposals);
    fail_reads(node, UINT64_MAX, "this member ends");
    free(node->reads);
    raft_book_deinit(&node->book);
    turn_close(&node->turn, on_turn_closed);
    on_closed(ctx, NULL);
}

static int refuse(struct error *err)
{
    return error_set(err, ERR_UNAVAILABLE, "raft: this member does not lead");
}

int raft_node_propose(struct raft_node *node, struct bytes data, raft_proposed_fn fn, void *ctx, struct error *err)
{
    if (node->is_over || node->role != RAFT_LEADER)
        return refuse(err);
    struct raft_payload *payload = raft_payload_new(data);
    int failed = raft_proposals_add(&node->proposals, RAFT_ENTRY_NORMAL, payload, fn, ctx, err);
    raft_payload_release(payload);
    if (failed == 0)
        turn_want(&node->turn);
    return failed;
}

int raft_node_read(struct raft_node *node, raft_proposed_fn fn, void *ctx, struct error *err)
{
    uint64_t number = ++node->reads_number;

    if (node->is_over || node->leader == RAFT_NOBODY)
        return refuse(err);
    int failed = raft_read_index(node->node->raft, bytes_of(&number, sizeof number), err);
    if (failed < 0)
        return failed;
    if (node->reads_count == node->reads_capacity) {
        node->reads_capacity = node->reads_capacity ? 2 * node->reads_capacity : 4;
        node->reads = mem_resize(node->reads, node->reads_capacity * sizeof *node->reads);
    }
    node->reads[node->reads_count++] =
        (struct read){number, 0, node->cluster->sim->now_us + READ_TICKS * node->cluster->sim->plan.tick_us, fn, ctx};
    turn_want(&node->turn);
    return 0;
}

const struct raft_book *raft_node_book(const struct raft_node *node)
{
    return &node->book;
}

int raft_node_put_member(struct raft_node *node, const struct raft_member *member, struct error *err)
{
    return raft_book_put(&node->book, member, err);
}

void raft_node_put_removed(struct raft_node *node, uint64_t id)
{
    raft_book_remove(&node->book, id);
}

void raft_node_status(struct raft_node *node, struct raft_node_status *out)
{
    const struct raft_member *leader = raft_book_find(&node->book, node->leader);

    *out = (struct raft_node_status){
        .id = node->node->id, .leader = node->leader, .leader_address = leader ? leader->address : NULL, .role = node->role};
    if (node->node->raft) {
        out->term = node->node->raft->term;
        out->commit = node->node->raft->log.committed;
        out->applied = node->node->machine.applied;
    }
}
