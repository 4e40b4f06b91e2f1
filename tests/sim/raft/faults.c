/* tests/sim/raft/faults.c – what goes wrong, drawn by weight; and the operator, who changes the membership as a careful person would. */
#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/text.h"
#include "raft/describe.h"
#include "tests/sim/raft/sim.h"

int sim_fault_hook(void *ctx, enum raft_disk_op op, const char *path, uint64_t size_bytes)
{
    struct sim_node *node = ctx;

    (void)op, (void)path, (void)size_bytes;
    if (node->fail_countdown < 0)
        return 0;
    if (node->fail_countdown == 0)
        return UV_EIO;
    node->fail_countdown--;
    return 0;
}

/* --- who --- */

static struct sim_node *any_up(struct sim *sim)
{
    unsigned up[SIM_NODES_COUNT], count = 0;

    for (unsigned id = 1; id <= sim->nodes_count; id++)
        if (sim->nodes[id].life == SIM_UP)
            up[count++] = id;
    return count > 0 ? &sim->nodes[up[sim_below(sim, count)]] : NULL;
}

static struct sim_node *leader_or_any(struct sim *sim)
{
    unsigned leader = sim_leader(sim);

    return leader != 0 && sim_chance(sim, 50) ? &sim->nodes[leader] : any_up(sim);
}

static unsigned alive_of(const struct sim *sim, const struct raft_ids *ids)
{
    unsigned alive = 0;

    for (size_t i = 0; i < ids->count; i++)
        alive += sim->nodes[ids->items[i]].life == SIM_UP;
    return alive;
}

bool sim_quorum_lives(const struct sim *sim)
{
    const struct raft_conf_state *conf = &sim->conf;

    return alive_of(sim, &conf->voters) > conf->voters.count / 2 &&
           (conf->voters_outgoing.count == 0 || alive_of(sim, &conf->voters_outgoing) > conf->voters_outgoing.count / 2);
}

/* --- the network --- */

static void cut(struct sim *sim, unsigned from, unsigned to)
{
    if (from != to)
        sim->is_cut[from][to] = true;
}

static void partition(struct sim *sim)
{
    uint64_t side = random_u64(&sim->random);

    for (unsigned from = 1; from <= SIM_NODES_COUNT; from++)
        for (unsigned to = 1; to <= SIM_NODES_COUNT; to++)
            if ((side >> from & 1) != (side >> to & 1))
                cut(sim, from, to);
}

static void isolate(struct sim *sim, unsigned id)
{
    for (unsigned other = 1; other <= SIM_NODES_COUNT; other++) {
        cut(sim, id, other);
        cut(sim, other, id);
    }
}

/* From now on nobody has a reason for another term: a leader is at work, and never is more than one member away. */
static void isolate_a_follower(struct sim *sim, const struct sim_node *node)
{
    unsigned leader = sim_leader(sim);

    if (leader == 0 || !node || node->id == leader || sim_ledger_line(sim, sim->committed)->term != sim->nodes[leader].raft->term)
        return;
    memset(sim->is_cut, 0, sizeof sim->is_cut);
    isolate(sim, node->id);
    sim->stable_term = sim->nodes[leader].raft->term;
}

/* Everyone hears two neighbours only. */
static void ring(struct sim *sim)
{
    unsigned n = sim->nodes_count;

    for (unsigned from = 1; from <= n; from++)
        for (unsigned to = 1; to <= n; to++)
            if ((from + 1) % n != to % n && (to + 1) % n != from % n)
                cut(sim, from, to);
}

/* --- disks --- */

static bool knows_members(const struct sim_node *node, const struct raft_conf_state *conf)
{
    return node->life == SIM_UP && raft_ids_equal(&node->raft->tracker.conf.voters, &conf->voters) &&
           raft_ids_equal(&node->raft->tracker.conf.voters_outgoing, &conf->voters_outgoing) &&
           raft_ids_equal(&node->raft->tracker.conf.learners, &conf->learners);
}

/* Whether the group can do without @node for good: all are there, and agree on who they are. Else one that was demoted and knows it, with
 * the longest log, neither stands nor votes for those who do not know it yet. */
static bool may_lose(const struct sim *sim, const struct sim_node *node)
{
    unsigned leader = sim_leader(sim);
    const struct raft *raft = leader ? sim->nodes[leader].raft : NULL;

    if (!raft || raft->tracker.conf.voters.count < 3 || raft_tracker_is_joint(&raft->tracker) ||
        raft->pending_conf_index > raft->log.applied || node->life != SIM_UP)
        return false;
    for (unsigned id = 1; id <= sim->nodes_count; id++)
        if ((sim->nodes[leader].machine.members >> id & 1) != 0 && !knows_members(&sim->nodes[id], &raft->tracker.conf))
            return false;
    return true;
}

static void collect_name(void *ctx, const char *name)
{
    struct raft_names *names = ctx;

    if (!text_ends(name, ".seg") && !text_ends(name, ".snap"))
        return;
    names->items = mem_resize(names->items, (names->count + 1) * sizeof *names->items);
    names->items[names->count++] = mem_string(name);
}

/* Of a log that was closed in order, so that whatever it is must be noticed. */
static void flip(struct sim *sim, struct sim_node *node)
{
    struct raft_names names = {0};
    struct bytes content = {0};

    if (!may_lose(sim, node) || node->is_disk_full)
        return;
    if (!sim_node_stop(sim, node, 200000 + sim_below(sim, 2000000)))
        return;
    (void)node->disk_table.list(node->disk_table.self, "raft", collect_name, &names);
    if (names.count > 0) {
        const char *name = names.items[sim_below(sim, names.count)];
        cleanup_free char *path = mem_format("raft/%s", name);
        uint64_t bit = 0;
        if (raft_disk_memory_get(node->disk, path, &content) && content.size > 0) {
            uint64_t most = content.size; /* records lie in front, so most flips should be there */
            bit = sim_below(sim, 8 * (sim_chance(sim, 70) && most > 6000 ? 6000 : most));
            node->was_flipped = raft_disk_memory_flip(node->disk, path, bit);
        }
        sim_say(sim, node, "bit %" PRIu64 " of %s flips", bit, name);
    }
    raft_names_deinit(&names);
}

static void fill_disk(struct sim *sim, struct sim_node *node)
{
    if (node->is_disk_full)
        return;
    node->is_disk_full = true;
    raft_disk_memory_set_capacity(node->disk, raft_disk_memory_used(node->disk) + sim_below(sim, 20000));
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_ROOM, .node = node->id}, 500000 + sim_below(sim, 5000000));
    sim_say(sim, node, "its disk is nearly full");
}

/* --- the operator --- */

static void propose(struct sim *sim, struct sim_node *leader, struct raft_conf_change *change)
{
    cleanup_buf struct buf text = {0};
    struct error err = {0};

    int failed = raft_propose_conf_change(leader->raft, change, &err);
    if (sim_is_traced(sim)) {
        raft_describe_conf_change(change, &text);
        buf_append(&text, "", 1);
        sim_say(sim, leader, "operator: %s: %s", text.data ? (const char *)text.data : "", failed < 0 ? err.message : "proposed");
    }
    raft_conf_change_deinit(change);
    sim_node_touched(sim, leader);
}

static unsigned new_member(struct sim *sim)
{
    unsigned id = sim->nodes_count + 1;

    if (id > SIM_NODES_COUNT)
        return 0;
    sim_node_create(sim, id);
    return id;
}

static uint64_t any_of(struct sim *sim, const struct raft_ids *ids)
{
    return ids->items[sim_below(sim, ids->count)];
}

static uint64_t dead_of(const struct sim *sim, const struct raft_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        if (sim->nodes[ids->items[i]].life == SIM_DEAD || sim->nodes[ids->items[i]].life == SIM_GONE)
            return ids->items[i];
    return 0;
}

static bool is_flipped_among(const struct sim *sim, const struct raft_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        if (sim->nodes[ids->items[i]].was_flipped)
            return true;
    return false;
}

static void change_members(struct sim *sim)
{
    unsigned id = sim_leader(sim);
    struct sim_node *leader = &sim->nodes[id];
    struct raft_conf_change change = {0};

    if (id == 0)
        return;
    const struct raft_conf_state *conf = &leader->raft->tracker.conf;
    uint64_t dead = dead_of(sim, &conf->voters) ? dead_of(sim, &conf->voters) : dead_of(sim, &conf->learners);
    size_t members = conf->voters.count + conf->learners.count;
    bool may_shrink = conf->voters.count > 3 && !dead && !is_flipped_among(sim, &conf->voters);
    if (raft_tracker_is_joint(&leader->raft->tracker)) { /* leave it, unless the leader does */
        if (!conf->auto_leave)
            propose(sim, leader, &change);
        return;
    }
    change.is_v1 = sim_chance(sim, 50);
    uint64_t what = sim_below(sim, 10);
    if (dead) {
        raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, dead);
    } else if (conf->learners.count > 0 && what < 4) {
        uint64_t learner = any_of(sim, &conf->learners);
        if (sim->nodes[learner].life != SIM_UP || sim->nodes[learner].was_flipped)
            return;
        raft_conf_change_add(&change, RAFT_ADD_VOTER, learner);
    } else if (may_shrink && what < 6) {
        raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, any_of(sim, &conf->voters));
    } else if (may_shrink && what == 6) {
        raft_conf_change_add(&change, RAFT_ADD_LEARNER, any_of(sim, &conf->voters));
    } else if (members < 7 && what < 9) {
        uint64_t joiner = new_member(sim);
        if (joiner == 0)
            return;
        raft_conf_change_add(&change, what == 8 && conf->voters.count > 3 ? RAFT_ADD_VOTER : RAFT_ADD_LEARNER, joiner);
    } else if (conf->voters.count >= 3 && conf->learners.count > 0) { /* one for another, through a joint configuration */
        change.is_v1 = false;
        change.transition = sim_chance(sim, 50) ? RAFT_TRANSITION_IMPLICIT : RAFT_TRANSITION_EXPLICIT;
        raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, any_of(sim, &conf->voters));
        raft_conf_change_add(&change, RAFT_ADD_VOTER, any_of(sim, &conf->learners));
    }
    if (change.count > 0)
        propose(sim, leader, &change);
}

/* --- drawing --- */

static uint64_t down_time(struct sim *sim)
{
    return sim_chance(sim, 15) ? 10000000 : 50000 + sim_below(sim, 3000000);
}

static void cut_power(struct sim *sim)
{
    for (unsigned id = 1; id <= sim->nodes_count; id++)
        sim_node_crash(sim, &sim->nodes[id], (enum raft_crash)sim_below(sim, 3), 100000 + sim_below(sim, 1000000));
}

static void do_to_network(struct sim *sim, enum sim_fault fault)
{
    struct sim_node *node = leader_or_any(sim);

    if (fault == SIM_FAULT_PARTITION)
        partition(sim);
    else if (fault == SIM_FAULT_RING)
        ring(sim);
    else if (fault == SIM_FAULT_HEAL)
        memset(sim->is_cut, 0, sizeof sim->is_cut);
    else if (fault == SIM_FAULT_CUT_ONE_WAY)
        cut(sim, 1 + (unsigned)sim_below(sim, sim->nodes_count), 1 + (unsigned)sim_below(sim, sim->nodes_count));
    else if (sim->plan.has_stable_leader)
        isolate_a_follower(sim, node);
    else if (node)
        isolate(sim, node->id);
}

static void do_to_node(struct sim *sim, struct sim_node *node, enum sim_fault fault)
{
    unsigned leader = sim_leader(sim);

    switch (fault) {
    case SIM_FAULT_CRASH:
        sim_node_crash(sim, node, (enum raft_crash)sim_below(sim, 3), down_time(sim));
        break;
    case SIM_FAULT_STOP:
        sim_node_stop(sim, node, down_time(sim));
        break;
    case SIM_FAULT_PAUSE:
        node->paused_until = sim->now_us + 100000 + sim_below(sim, 4000000);
        break;
    case SIM_FAULT_STALL:
        node->stalled_until = sim->now_us + 100000 + sim_below(sim, 4000000);
        break;
    case SIM_FAULT_DISK_ERROR:
        node->fail_countdown = (int)sim_below(sim, 8);
        break;
    case SIM_FAULT_DISK_FULL:
        fill_disk(sim, node);
        break;
    case SIM_FAULT_FLIP:
        flip(sim, node);
        break;
    case SIM_FAULT_TRANSFER:
        if (leader != 0)
            (void)raft_transfer_leader(sim->nodes[leader].raft, node->id, NULL);
        sim_node_touched(sim, &sim->nodes[leader]);
        break;
    case SIM_FAULT_CAMPAIGN:
        (void)raft_campaign(node->raft, NULL);
        sim_node_touched(sim, node);
        break;
    case SIM_FAULT_FORGET:
        (void)raft_forget_leader(node->raft, NULL);
        sim_node_touched(sim, node);
        break;
    default:
        break;
    }
}

static void do_fault(struct sim *sim, enum sim_fault fault)
{
    struct sim_node *node = leader_or_any(sim);

    sim_say(sim, NULL, "%s%s", sim_fault_names[fault], "");
    if (fault <= SIM_FAULT_HEAL) {
        do_to_network(sim, fault);
    } else if (fault == SIM_FAULT_STORM) {
        sim->storm_percent = 20 + (unsigned)sim_below(sim, 60);
        sim->storm_until = sim->now_us + 500000 + sim_below(sim, 3000000);
    } else if (fault == SIM_FAULT_POWER_CUT) {
        cut_power(sim);
    } else if (fault == SIM_FAULT_MEMBERS) {
        change_members(sim);
    } else if (node) {
        sim_say(sim, node, "is the one");
        do_to_node(sim, node, fault);
    }
}

void sim_faults_next(struct sim *sim)
{
    uint64_t total = 0;

    if (sim->is_calm)
        return;
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_FAULT}, 1 + sim_below(sim, 2 * sim->plan.fault_us));
    for (int fault = 0; fault < SIM_FAULTS_COUNT; fault++)
        total += sim->plan.weights[fault];
    uint64_t drawn = sim_below(sim, total);
    for (unsigned fault = 0; fault < SIM_FAULTS_COUNT; fault++) {
        if (drawn < sim->plan.weights[fault]) {
            do_fault(sim, (enum sim_fault)fault);
            return;
        }
        drawn -= sim->plan.weights[fault];
    }
}

void sim_faults_end(struct sim *sim)
{
    sim->is_calm = true;
    sim_say(sim, NULL, "the faults end");
    memset(sim->is_cut, 0, sizeof sim->is_cut);
    sim->storm_until = 0;
    sim_clients_calm(sim);
    for (unsigned id = 1; id <= sim->nodes_count; id++) {
        struct sim_node *node = &sim->nodes[id];
        node->stalled_until = 0;
        node->is_disk_full = false;
        raft_disk_memory_set_capacity(node->disk, UINT64_MAX);
        if (node->life == SIM_UP)
            node->fail_countdown = -1;
        else if (node->life == SIM_DOWN)
            sim_push(sim, (struct sim_event){.kind = SIM_EVENT_START, .node = id, .incarnation = node->incarnation},
                     sim_below(sim, 1000000));
    }
}
