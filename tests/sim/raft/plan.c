/* tests/sim/raft/plan.c – what a seed decides before anything happens. A seed has only some of the faults, and some of them often: a group
 * in which everything breaks at once gets nowhere, and finds little. */
#include <inttypes.h>

#include "base/text.h"
#include "tests/sim/raft/sim.h"

const char *const sim_fault_names[] = {
#define X(name) #name,
    SIM_FAULTS(X)
#undef X
};

static const char *const profiles[] = {"mixed", "quiet", "disruption", "lease", "members", "disks", NULL};

bool sim_plan_is_known(const char *profile)
{
    for (size_t i = 0; profiles[i]; i++)
        if (text_equal(profiles[i], profile))
            return true;
    return false;
}

const char *sim_profiles(void)
{
    return "mixed, quiet, disruption, lease, members, disks";
}

static unsigned below(struct sim *sim, unsigned bound)
{
    return (unsigned)sim_below(sim, bound);
}

static uint64_t pick(struct sim *sim, const uint64_t *from, size_t count)
{
    return from[sim_below(sim, count)];
}
#define PICK(sim, ...) pick(sim, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void choose_core(struct sim *sim, struct sim_plan *plan)
{
    plan->voters_count = (unsigned)PICK(sim, 3, 3, 3, 4, 5, 5, 7);
    plan->async = sim_chance(sim, 70);
    plan->pre_vote = sim_chance(sim, 60);
    plan->check_quorum = sim_chance(sim, 60);
    plan->no_forwarding = sim_chance(sim, 20);
    plan->step_down_on_removal = sim_chance(sim, 50);
    plan->stall_ticks = (unsigned)PICK(sim, 0, 0, 15);
    plan->message_bytes = PICK(sim, RAFT_UNLIMITED, 0, 300, 2000);
    plan->committed_bytes = PICK(sim, 0, 0, 200, 5000);
    plan->uncommitted_bytes = PICK(sim, 0, 0, 1500);
    plan->inflight_count = PICK(sim, 1, 3, 256);
}

static void choose_rates(struct sim *sim, struct sim_plan *plan)
{
    plan->tail_keep = PICK(sim, 1, 5, 30);
    plan->snapshot_every = (unsigned)PICK(sim, 8, 20, 60, 1000000);
    plan->drop_percent = (unsigned)PICK(sim, 0, 0, 1, 5, 20);
    plan->repeat_percent = (unsigned)PICK(sim, 0, 1, 5, 20);
    plan->late_percent = (unsigned)PICK(sim, 0, 0, 1, 5);
    plan->delay_us = PICK(sim, 1000, 10000, 50000, 150000);
    plan->keeps_order = sim_chance(sim, 50);
    plan->ready_us = PICK(sim, 0, 0, 5000, 30000);
    plan->flush_us = PICK(sim, 1000, 10000, 100000);
    plan->apply_us = PICK(sim, 500, 5000, 100000);
    plan->think_us = PICK(sim, 100000, 300000, 1000000);
    plan->fault_us = PICK(sim, 400000, 1000000, 2500000);
}

static void choose_faults(struct sim *sim, struct sim_plan *plan)
{
    for (int fault = 0; fault < SIM_FAULTS_COUNT; fault++)
        plan->weights[fault] = sim_chance(sim, 50) ? 1 + below(sim, 4) : 0;
    plan->weights[SIM_FAULT_HEAL] = 2 + below(sim, 4);
}

static void keep_only(struct sim_plan *plan, const enum sim_fault *kept, size_t count)
{
    for (unsigned fault = 0; fault < SIM_FAULTS_COUNT; fault++) {
        bool is_kept = false;
        for (size_t i = 0; i < count; i++)
            is_kept = is_kept || kept[i] == fault;
        plan->weights[fault] = is_kept ? 2 : 0;
    }
}
#define KEEP_ONLY(plan, ...)                                                                                                               \
    keep_only(plan, (const enum sim_fault[]){__VA_ARGS__}, sizeof((const enum sim_fault[]){__VA_ARGS__}) / sizeof(enum sim_fault))

static void make_quiet(struct sim_plan *plan)
{
    plan->drop_percent = plan->repeat_percent = plan->late_percent = 0;
    plan->delay_us = 5000;
    plan->flush_us = 5000;
    plan->apply_us = 5000;
}

/* With PreVote and CheckQuorum whoever was away for a while comes back without moving anybody's term: §9.6. */
static void make_disruption(struct sim *sim, struct sim_plan *plan)
{
    make_quiet(plan);
    KEEP_ONLY(plan, SIM_FAULT_ISOLATE, SIM_FAULT_HEAL);
    plan->voters_count = 3 + 2 * below(sim, 2);
    plan->pre_vote = plan->check_quorum = plan->has_stable_leader = true;
    plan->stall_ticks = 0;
}

/* The clocks keep time, and nobody hands over: what a lease rests on. */
static void make_lease(struct sim_plan *plan)
{
    make_quiet(plan);
    KEEP_ONLY(plan, SIM_FAULT_PARTITION, SIM_FAULT_ISOLATE, SIM_FAULT_CUT_ONE_WAY, SIM_FAULT_RING, SIM_FAULT_HEAL, SIM_FAULT_CRASH,
              SIM_FAULT_STOP);
    plan->lease = plan->check_quorum = true;
    plan->ready_us = 0;
}

void sim_plan_make(struct sim *sim)
{
    struct sim_plan *plan = &sim->plan;
    const char *profile = sim->options.profile;

    choose_core(sim, plan);
    choose_rates(sim, plan);
    choose_faults(sim, plan);
    plan->steps = 300;
    plan->tick_us = SIM_TICK_US;
    plan->chunk_size = 300;
    if (text_equal(profile, "quiet")) {
        make_quiet(plan);
        KEEP_ONLY(plan, SIM_FAULT_HEAL);
    } else if (text_equal(profile, "disruption") || (text_equal(profile, "mixed") && sim_chance(sim, 5))) {
        make_disruption(sim, plan);
    } else if (text_equal(profile, "lease")) {
        make_lease(plan);
    } else if (text_equal(profile, "members")) {
        plan->weights[SIM_FAULT_MEMBERS] = 20;
    } else if (text_equal(profile, "disks")) {
        KEEP_ONLY(plan, SIM_FAULT_HEAL, SIM_FAULT_CRASH, SIM_FAULT_STOP, SIM_FAULT_STALL, SIM_FAULT_DISK_ERROR, SIM_FAULT_DISK_FULL,
                  SIM_FAULT_FLIP, SIM_FAULT_POWER_CUT, SIM_FAULT_MEMBERS);
    }
    if (sim->options.steps != 0)
        plan->steps = sim->options.steps;
    sim_clients_plan(sim);
}

void sim_plan_describe(const struct sim_plan *plan, struct buf *out)
{
    buf_append_format(
        out,
        "%u voters, %s writes%s%s%s%s%s, stall %u ticks, %u ticks of faults, drop %u%%, repeat %u%%, late %u%%, delay %" PRIu64
        " us, flush %" PRIu64 " us, a snapshot every %u entries; faults:",
        plan->voters_count, plan->async ? "asynchronous" : "synchronous", plan->pre_vote ? ", PreVote" : "",
        plan->check_quorum ? ", CheckQuorum" : "", plan->lease ? ", lease reads" : "", plan->no_forwarding ? ", no forwarding" : "",
        plan->step_down_on_removal ? ", step down on removal" : "", plan->stall_ticks, plan->steps, plan->drop_percent,
        plan->repeat_percent, plan->late_percent, plan->delay_us, plan->flush_us, plan->snapshot_every);
    for (int fault = 0; fault < SIM_FAULTS_COUNT; fault++)
        if (plan->weights[fault] > 0)
            buf_append_format(out, " %s*%u", sim_fault_names[fault], plan->weights[fault]);
}
