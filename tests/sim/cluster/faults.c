/* tests/sim/cluster/faults.c – what goes wrong beside Raft's own faults: agents crash while their containers run on, hosts hang, fail and
 * lose exits, containers end, links between agents and managers are cut, disks of agents take nothing. */
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/emulated/emulated.h"
#include "tests/sim/cluster/cluster.h"

static void heal(struct sim *sim, struct sim_event *event)
{
    struct cluster *cluster = cluster_of(sim);

    (void)event;
    memset(cluster->is_cut, 0, sizeof cluster->is_cut);
    cluster_say(cluster, "network", "agents reach the managers again");
}

static void cut(struct cluster *cluster, struct agent *agent)
{
    bool is_whole = cluster_chance(cluster, 60);

    for (unsigned id = 1; id <= cluster->plan.managers_count; id++)
        if (is_whole || cluster_chance(cluster, 50))
            cluster->is_cut[agent->number][id] = true;
    cluster_say(cluster, agent->hostname, "is cut off from %s managers", is_whole ? "all" : "some");
    cluster_push(cluster, (struct sim_event){.fn = heal}, 1000000 + cluster_below(cluster, 60000000));
}

/* Operations that hang have long deadlines: what waits for them is not held against the agent. */
static void hurt_host(struct cluster *cluster, struct agent *agent)
{
    static const struct {
        enum hcs_operation operation;
        enum hcs_emulated_fault fault;
    } rules[] = {
        {HCS_OP_START, HCS_EMULATED_HANG},          {HCS_OP_START, HCS_EMULATED_SLOW},           {HCS_OP_START, HCS_EMULATED_FAIL},
        {HCS_OP_START, HCS_EMULATED_FAIL_BUT_DONE}, {HCS_OP_START, HCS_EMULATED_EXIT_FIRST},     {HCS_OP_START, HCS_EMULATED_LOSE_EXIT},
        {HCS_OP_CREATE, HCS_EMULATED_FAIL},         {HCS_OP_CREATE, HCS_EMULATED_FAIL_BUT_DONE}, {HCS_OP_CREATE, HCS_EMULATED_SLOW},
        {HCS_OP_SHUTDOWN, HCS_EMULATED_SLOW},       {HCS_OP_SHUTDOWN, HCS_EMULATED_FAIL},        {HCS_OP_TERMINATE, HCS_EMULATED_LATE_EXIT},
        {HCS_OP_TERMINATE, HCS_EMULATED_FAIL},      {HCS_OP_REMOVE, HCS_EMULATED_FAIL},          {HCS_OP_SHUTDOWN, HCS_EMULATED_HANG},
        {HCS_OP_PROPERTIES, HCS_EMULATED_FAIL},     {HCS_OP_ENUMERATE, HCS_EMULATED_FAIL}};
    unsigned which = (unsigned)cluster_below(cluster, sizeof rules / sizeof rules[0]);
    const struct hcs_emulated_rule rule = {.operation = rules[which].operation,
                                           .fault = rules[which].fault,
                                           .count = 1 + (unsigned)cluster_below(cluster, 3),
                                           .delay_ns = cluster_below(cluster, 20) * NS_PER_S,
                                           .code = cluster_chance(cluster, 50) ? ERR_UNAVAILABLE : ERR_IO,
                                           .exit_code = 1,
                                           .message = "the host is not well"};

    if (!agent->hcs)
        return;
    hcs_emulated_add_rule(agent->hcs, &rule);
    agent->broken_us = cluster->sim->now_us;
    agent_disturbed(agent);
    cluster_say(cluster, agent->hostname, "the next %u of %s will suffer from fault %d", rule.count, hcs_operation_shown(rule.operation),
                (int)rule.fault);
}

static void end_container(struct cluster *cluster, struct agent *agent)
{
    if (agent->seen_count == 0)
        return;
    const struct seen_container *seen = &agent->seen[cluster_below(cluster, agent->seen_count)];
    cluster_say(cluster, agent->hostname, "the container of task %s ends", seen->task_id);
    (void)hcs_emulated_exit(agent->hcs, seen->id, cluster_chance(cluster, 50) ? 0 : 1, cluster_chance(cluster, 10), NULL);
    agent_pump_soon(agent);
}

static void disk_is_well(struct sim *sim, struct sim_event *event)
{
    struct agent *agent = &cluster_of(sim)->agents[event->a];

    records_refuse(agent->records, false);
    cluster_say(cluster_of(sim), agent->hostname, "its disk takes records again");
}

static void refuse_disk(struct cluster *cluster, struct agent *agent)
{
    records_refuse(agent->records, true);
    agent->broken_us = cluster->sim->now_us;
    agent_disturbed(agent);
    cluster_say(cluster, agent->hostname, "its disk takes no records");
    cluster_push(cluster, (struct sim_event){.fn = disk_is_well, .a = agent->number}, 1000000 + cluster_below(cluster, 20000000));
}

static void strike(struct sim *sim, struct sim_event *event)
{
    struct cluster *cluster = cluster_of(sim);
    const struct cluster_plan *plan = &cluster->plan;
    struct agent *agent = &cluster->agents[cluster_below(cluster, plan->agents_count)];

    (void)event;
    if (sim->is_calm)
        return;
    cluster_push(cluster, (struct sim_event){.fn = strike}, 1 + cluster_below(cluster, 2 * plan->fault_us));
    if (cluster_chance(cluster, plan->agent_crash_percent)) {
        agent->broken_us = sim->now_us;
        agent_crash(agent, 200000 + cluster_below(cluster, cluster_chance(cluster, 30) ? 60000000 : 5000000));
    }
    if (cluster_chance(cluster, plan->cut_percent))
        cut(cluster, agent);
    if (cluster_chance(cluster, plan->host_fault_percent))
        hurt_host(cluster, agent);
    if (cluster_chance(cluster, plan->exit_percent))
        end_container(cluster, agent);
    if (cluster_chance(cluster, plan->disk_percent))
        refuse_disk(cluster, agent);
}

void cluster_faults_begin(struct cluster *cluster)
{
    cluster_push(cluster, (struct sim_event){.fn = strike}, 10000000 + cluster_below(cluster, cluster->plan.fault_us));
}

void cluster_faults_end(struct cluster *cluster)
{
    memset(cluster->is_cut, 0, sizeof cluster->is_cut);
    for (unsigned i = 0; i < cluster->plan.agents_count; i++) {
        struct agent *agent = &cluster->agents[i];
        records_refuse(agent->records, false);
        if (agent->hcs)
            hcs_emulated_clear_rules(agent->hcs);
    }
}
