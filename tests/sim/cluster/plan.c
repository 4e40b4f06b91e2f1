/* tests/sim/cluster/plan.c – what a seed decides before anything happens, and the cluster's frame: it begins and ends with its run. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "tests/sim/cluster/cluster.h"

const char *const sim_title = "simulates whole clusters with faults, and checks them";

/* Windows' rule has all its cases: builds that fit a host's, older ones, newer ones. */
static const struct host_kind hosts[] = {
    {"Linux", "linux", "x86_64", "", false, false},
    {"Linux on arm64", "linux", "aarch64", "", false, false},
    {"Windows Server 2019", "windows", "x86_64", "10.0.17763.5000", false, false},
    {"Windows Server 2022 with Hyper-V", "windows", "x86_64", "10.0.20348.2113", true, false},
    {"Windows 11 (22H2)", "windows", "x86_64", "10.0.22621.3000", true, true},
    {"Windows Server 2025", "windows", "x86_64", "10.0.26100.1742", false, false},
};
enum { HOST_KINDS_COUNT = sizeof hosts / sizeof hosts[0] };

const struct image_kind cluster_images[CLUSTER_IMAGES_COUNT] = {
    {"app:1", "linux", "amd64", "", true},
    {"app:2", "linux", "amd64", "", true},
    {"any:1", "", "", "", false},
    {"nano:ltsc2019", "windows", "amd64", "10.0.17763.4645", true},
    {"nano:ltsc2022", "windows", "amd64", "10.0.20348.2113", true},
    {"bad:1", "", "", "", false},
};

const struct image_kind *plan_image(const char *reference)
{
    for (unsigned i = 0; i < CLUSTER_IMAGES_COUNT; i++)
        if (text_equal(cluster_images[i].name, reference))
            return &cluster_images[i];
    return NULL;
}

static uint64_t pick(struct sim *sim, const uint64_t *from, size_t count)
{
    return from[sim_below(sim, count)];
}
#define PICK(sim, ...) pick(sim, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void choose_hosts(struct sim *sim, struct cluster_plan *plan)
{
    plan->uses_images = sim_chance(sim, 60);
    for (unsigned i = 0; i < plan->agents_count; i++)
        plan->hosts[i] = &hosts[plan->uses_images ? sim_below(sim, HOST_KINDS_COUNT) : 0];
}

static void choose_rates(struct sim *sim, struct cluster_plan *plan)
{
    plan->wire_delay_us = (unsigned)PICK(sim, 1000, 5000, 50000);
    plan->wire_late_percent = (unsigned)PICK(sim, 0, 0, 2, 10);
    plan->loss_percent = (unsigned)PICK(sim, 0, 0, 1, 3);
    plan->wire_break_percent = (unsigned)PICK(sim, 0, 20);
    plan->host_fault_percent = (unsigned)PICK(sim, 0, 0, 20, 40);
    plan->exit_percent = (unsigned)PICK(sim, 0, 10, 30);
    plan->agent_crash_percent = (unsigned)PICK(sim, 0, 10, 30);
    plan->cut_percent = (unsigned)PICK(sim, 0, 15, 30);
    plan->disk_percent = (unsigned)PICK(sim, 0, 0, 10);
    plan->drain_percent = (unsigned)PICK(sim, 0, 15, 30);
    plan->fault_us = PICK(sim, 1000000, 3000000, 6000000);
    plan->hurries = sim_chance(sim, 15);
    plan->has_zones = sim_chance(sim, 30);
    plan->bad_percent = (unsigned)PICK(sim, 0, 0, 20);
    plan->think_us = PICK(sim, 1000000, 3000000, 8000000);
    plan->pull_us = PICK(sim, 100000, 3000000);
    plan->operation_us = PICK(sim, 10000, 300000, 2000000);
}

static const enum sim_fault kept_faults[] = {SIM_FAULT_PARTITION, SIM_FAULT_ISOLATE,    SIM_FAULT_CUT_ONE_WAY, SIM_FAULT_STORM,
                                             SIM_FAULT_CRASH,     SIM_FAULT_STOP,       SIM_FAULT_PAUSE,       SIM_FAULT_STALL,
                                             SIM_FAULT_POWER_CUT, SIM_FAULT_DISK_ERROR, SIM_FAULT_TRANSFER,    SIM_FAULT_CAMPAIGN};

/* The Raft groups of managers: options as raft/node.c has them; nobody joins or leaves, and no disk is lost. */
static void choose_group(struct sim *sim)
{
    struct sim_plan *plan = &sim->plan;

    plan->voters_count = (unsigned)PICK(sim, 1, 3, 3, 3, 5);
    plan->async = plan->pre_vote = plan->check_quorum = plan->no_forwarding = plan->step_down_on_removal = true;
    plan->lease = plan->has_stable_leader = false;
    plan->stall_ticks = 2 * SIM_ELECTION_TICKS;
    plan->message_bytes = RAFT_MESSAGE_ENTRIES_BYTES;
    plan->committed_bytes = RAFT_MESSAGE_ENTRIES_BYTES;
    plan->uncommitted_bytes = 0;
    plan->inflight_count = RAFT_INFLIGHT_COUNT;
    plan->tick_us = PICK(sim, 100000, 200000, 500000);
    plan->steps = (unsigned)(PICK(sim, 40000000, 60000000, 60000000, 120000000) / plan->tick_us);
    if (sim->options.steps != 0)
        plan->steps = sim->options.steps;
    plan->snapshot_every = (unsigned)PICK(sim, 50, 200, 1000000);
    plan->tail_keep = PICK(sim, 1, 30);
    plan->chunk_size = 8192;
    plan->fault_us = PICK(sim, 3000000, 8000000, 20000000);
    plan->drop_percent = (unsigned)PICK(sim, 0, 0, 1, 5);
    plan->delay_us = PICK(sim, 1000, 10000);
    plan->ready_us = 0;
    plan->flush_us = PICK(sim, 1000, 10000);
    plan->apply_us = PICK(sim, 500, 5000);
    memset(plan->weights, 0, sizeof plan->weights);
    for (size_t i = 0; i < sizeof kept_faults / sizeof kept_faults[0]; i++)
        plan->weights[kept_faults[i]] = sim_chance(sim, 50) ? 1 + (unsigned)sim_below(sim, 4) : 0;
    plan->weights[SIM_FAULT_HEAL] = 3 + (unsigned)sim_below(sim, 4);
}

static void make_quiet(struct sim *sim, struct cluster_plan *plan)
{
    memset(sim->plan.weights, 0, sizeof sim->plan.weights);
    sim->plan.weights[SIM_FAULT_HEAL] = 1;
    sim->plan.drop_percent = sim->plan.repeat_percent = sim->plan.late_percent = 0;
    plan->wire_late_percent = plan->loss_percent = plan->wire_break_percent = plan->host_fault_percent = plan->exit_percent = 0;
    plan->agent_crash_percent = plan->cut_percent = plan->disk_percent = 0;
}

void sim_clients_plan(struct sim *sim)
{
    struct cluster *cluster = mem_alloc(sizeof *cluster);
    struct cluster_plan *plan = &cluster->plan;

    *cluster = (struct cluster){.sim = sim, .quiet_us = UINT64_MAX};
    sim->user = cluster;
    cluster_now = cluster;
    choose_group(sim);
    plan->managers_count = sim->plan.voters_count;
    plan->agents_count = 2 + (unsigned)sim_below(sim, CLUSTER_AGENTS_COUNT - 1);
    plan->clients_count = 1 + (unsigned)sim_below(sim, CLUSTER_CLIENTS_COUNT);
    choose_hosts(sim, plan);
    choose_rates(sim, plan);
    if (text_equal(sim->options.profile, "quiet"))
        make_quiet(sim, plan);
}

/* --- the frame --- */

struct cluster *cluster_now;

struct cluster *cluster_of(struct sim *sim)
{
    return sim->user;
}

uint64_t cluster_now_ns(const struct cluster *cluster)
{
    return CLUSTER_BEGAN_NS + cluster->sim->now_us * NS_PER_US;
}

static uint64_t monotonic(void *self)
{
    return cluster_now_ns(self);
}

static int64_t wall(void *self)
{
    return CLUSTER_WALL_NS + (int64_t)(((const struct cluster *)self)->sim->now_us * NS_PER_US);
}

uint64_t cluster_below(struct cluster *cluster, uint64_t bound)
{
    return sim_below(cluster->sim, bound);
}

bool cluster_chance(struct cluster *cluster, unsigned percent)
{
    return sim_chance(cluster->sim, percent);
}

void cluster_push(struct cluster *cluster, struct sim_event event, uint64_t after_us)
{
    event.kind = SIM_EVENT_CALL;
    sim_push(cluster->sim, event, after_us);
}

void cluster_say(const struct cluster *cluster, const char *who, const char *format, ...)
{
    char text[600];
    va_list args;

    if (!sim_is_traced(cluster->sim))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sim_say(cluster->sim, NULL, "%s: %s", who, text);
}

static void place_loop(struct cluster *cluster, struct loop *loop, unsigned number, unsigned manager)
{
    loop->cluster = cluster;
    loop->number = number;
    loop->manager = manager;
    cluster->loops[number] = loop;
}

static void make_agent(struct cluster *cluster, unsigned number)
{
    struct agent *agent = &cluster->agents[number];
    struct error err = {0};

    agent->cluster = cluster;
    agent->number = number;
    agent->kind = cluster->plan.hosts[number];
    agent->records = records_new();
    agent->pump_us = UINT64_MAX;
    snprintf(agent->node_id, sizeof agent->node_id, "node%021u", number + 1);
    snprintf(agent->hostname, sizeof agent->hostname, "host%u", number + 1);
    place_loop(cluster, &agent->loop, CLUSTER_MANAGERS_COUNT + 1 + number, 0);
    for (unsigned i = 1; i <= cluster->plan.managers_count; i++) {
        char node_id[24], address[24];
        snprintf(node_id, sizeof node_id, "manager%u", i);
        snprintf(address, sizeof address, "m%u:2377", i);
        (void)remotes_observe(&agent->remotes, node_id, address, REMOTE_SUCCESS, &err);
    }
}

static void start_agent(struct sim *sim, struct sim_event *event)
{
    agent_begin(&cluster_of(sim)->agents[event->a]);
}

static void look(struct sim *sim, struct sim_event *event)
{
    struct cluster *cluster = cluster_of(sim);

    (void)event;
    hosts_check(cluster);
    if (!settle_is_done(cluster, cluster->unsettled, sizeof cluster->unsettled))
        cluster->quiet_us = UINT64_MAX;
    else if (cluster->quiet_us == UINT64_MAX)
        cluster->quiet_us = sim->now_us;
    cluster_push(cluster, (struct sim_event){.fn = look}, 500000);
}

void sim_clients_begin(struct sim *sim)
{
    struct cluster *cluster = cluster_of(sim);

    cluster->clock = (struct clock){monotonic, wall, cluster};
    log_init(LOG_TEXT, (enum log_level)(sim_is_traced(sim) ? (int)LOG_INFO : (int)LOG_ERROR + 1),
             sim_is_traced(sim) ? sim->options.trace : stderr);
    witness_begin(cluster);
    for (unsigned id = 1; id <= cluster->plan.managers_count; id++) {
        cluster->managers[id].cluster = cluster;
        cluster->managers[id].id = id;
        place_loop(cluster, &cluster->managers[id].loop, id, id);
    }
    for (unsigned i = 0; i < cluster->plan.agents_count; i++) {
        make_agent(cluster, i);
        cluster_push(cluster, (struct sim_event){.fn = start_agent, .a = i}, sim_below(sim, 3000000));
    }
    clients_start(cluster);
    cluster_faults_begin(cluster);
    cluster_push(cluster, (struct sim_event){.fn = look}, 500000);
}

void sim_clients_end(struct sim *sim)
{
    struct cluster *cluster = cluster_of(sim);

    for (unsigned id = 1; id <= cluster->plan.managers_count; id++)
        manager_end(&cluster->managers[id]);
    for (unsigned i = 0; i < cluster->plan.agents_count; i++)
        agent_deinit(&cluster->agents[i]);
    for (unsigned id = 1; id <= cluster->plan.managers_count; id++)
        loop_deinit(&cluster->managers[id].loop);
    serve_free(cluster);
    witness_end(cluster);
    free(cluster);
    sim->user = NULL;
}

void sim_clients_calm(struct sim *sim)
{
    cluster_faults_end(cluster_of(sim));
}

bool sim_clients_are_settled(const struct sim *sim, unsigned leader)
{
    const struct cluster *cluster = sim->user;

    (void)leader;
    return cluster->quiet_us != UINT64_MAX && sim->now_us >= cluster->quiet_us + 15000000;
}

void sim_clients_describe(const struct sim *sim, struct buf *out)
{
    const struct cluster *cluster = sim->user;
    buf_append_format(out, "%s", cluster->unsettled);
}
