/* tests/sim/cluster/agent.c – an agent's life on its host: the real worker on runtime/emulated, the real session driver. A crash takes the
 * process; records and containers stay. */
#include <stdlib.h>

#include "agent/assignments.h"
#include "agent/description.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/emulated/hcs_emulated.h"
#include "runtime/image/image.h"
#include "tests/sim/cluster/cluster.h"

enum { AGAIN_US = 20, HOST_CPUS_COUNT = 64 };

struct pending_pull {
    uint64_t number;
    image_pulled_cb done;
    void *ctx;
    struct pending_pull *next;
};

struct agent *agent_of_loop(const uv_loop_t *uv)
{
    const struct loop *loop = (const struct loop *)(const void *)uv;
    return &loop->cluster->agents[loop->number - CLUSTER_MANAGERS_COUNT - 1];
}

static int64_t wall_now(const struct agent *agent)
{
    return clock_wall_ns(&agent->cluster->clock);
}

void agent_disturbed(struct agent *agent)
{
    agent->disturbed_us = agent->cluster->sim->now_us;
}

/* --- images: of every kind that there is, once pulled --- */

static int find_image(void *self, const char *reference, struct image *out, struct error *err)
{
    static const struct image_layer layer = {"sha256:0", "/emulated"};
    static const char *const command[] = {"emulated"};
    const struct image_kind *kind = plan_image(reference);
    uint8_t digest[SHA256_SIZE_BYTES];
    char hex[2 * SHA256_SIZE_BYTES + 1];

    (void)self;
    if (!kind)
        return error_set(err, ERR_NOT_FOUND, "No such image: %s", reference);
    sha256(bytes_of_string(reference), digest);
    encode_hex(bytes_of(digest, sizeof digest), hex);
    *out = (struct image){.os = kind->os,
                          .architecture = kind->architecture,
                          .variant = "",
                          .os_version = kind->os_version,
                          .layers = &layer,
                          .layer_count = 1};
    out->id = arena_format(&out->arena, "sha256:%s", hex);
    out->config.cmd = (struct image_strings){command, 1};
    return 0;
}

static void pulled(struct sim *sim, struct sim_event *event)
{
    struct agent *agent = &cluster_of(sim)->agents[event->a];

    for (struct pending_pull **at = &agent->pulls; *at; at = &(*at)->next) {
        struct pending_pull *pull = *at;
        struct error err = {0};
        if (pull->number != event->b)
            continue;
        *at = pull->next;
        if (!sim->is_calm && cluster_chance(agent->cluster, agent->cluster->plan.host_fault_percent / 4))
            error_set(&err, ERR_UNAVAILABLE, "the registry does not answer");
        pull->done(pull->ctx, err.code ? &err : NULL, NULL);
        free(pull);
        agent_pump(agent);
        return;
    }
}

static int pull_image(void *self, const char *reference, const char *registry_auth, image_progress_cb on_progress, image_pulled_cb on_done,
                      void *ctx, void **job, struct error *err)
{
    struct agent *agent = self;
    struct pending_pull *pull = mem_alloc(sizeof *pull);

    (void)reference, (void)registry_auth, (void)on_progress, (void)err;
    *pull = (struct pending_pull){.number = ++agent->cluster->attempts, .done = on_done, .ctx = ctx, .next = agent->pulls};
    agent->pulls = pull;
    cluster_push(agent->cluster, (struct sim_event){.fn = pulled, .a = agent->number, .b = pull->number},
                 1 + cluster_below(agent->cluster, agent->cluster->plan.pull_us));
    *job = pull;
    return 0;
}

static void cancel_pull(void *self, void *job)
{
    struct agent *agent = self;

    for (struct pending_pull **at = &agent->pulls; *at; at = &(*at)->next)
        if (*at == job) {
            *at = (*at)->next;
            free(job);
            return;
        }
}

static int pin_image(void *self, const char *id, struct error *err)
{
    (void)self, (void)id, (void)err;
    return 0;
}

static void unpin_image(void *self, const char *id)
{
    (void)self, (void)id;
}

static void hold_images(void *self, bool is_held)
{
    (void)self, (void)is_held;
}

/* --- what the worker and the session tell each other: as agent/node_parts.c has it --- */

static void on_status(void *ctx, const char *task_id, const struct Docker__Swarmkit__V1__TaskStatus *status)
{
    struct agent *agent = ctx;
    struct error err = {0};

    if (agent->driver && session_driver_report(agent->driver, task_id, status, &err) < 0)
        sim_violated(agent->cluster->sim, "a status is reported", "%s: %s", agent->hostname, err.message);
}

static void on_forgotten(void *ctx, const char *task_id)
{
    struct agent *agent = ctx;

    if (agent->driver)
        session_driver_forget(agent->driver, task_id);
}

static struct Docker__Swarmkit__V1__NodeDescription *describe(void *ctx, struct arena *arena)
{
    const struct agent *agent = ctx;
    const char *build = text_starts(agent->kind->os_version, "10.0.") ? agent->kind->os_version + 5 : "";
    struct host_facts facts = {.nano_cpus = HOST_CPUS_COUNT * INT64_C(1000000000), .memory_bytes = INT64_C(64) << 30};

    snprintf(facts.os, sizeof facts.os, "%s", agent->kind->os);
    snprintf(facts.architecture, sizeof facts.architecture, "%s", agent->kind->architecture);
    snprintf(facts.os_build, sizeof facts.os_build, "%s", build);
    struct hcs_host host;
    hcs_probe(agent->hcs, &host);
    return description_build(&(struct description_inputs){.host = &facts,
                                                          .hostname = agent->hostname,
                                                          .has_process = host.offers_process,
                                                          .has_hyperv = host.offers_hyperv,
                                                          .default_isolation = agent->kind->prefers_hyperv ? "hyperv" : "process"},
                             arena);
}

static void on_state(void *ctx, enum session_state state, const struct error *err)
{
    struct agent *agent = ctx;
    bool is_in_session = state == SESSION_RUNNING;

    cluster_say(agent->cluster, agent->hostname, "session: %s %s",
                state_shown(&(struct state_machine){.table = &session_states, .state = state}), err->code ? err->message : "");
    if (is_in_session != agent->is_in_session)
        agent_disturbed(agent);
    agent->is_in_session = is_in_session;
    if (agent->worker)
        worker_set_contact(agent->worker, is_in_session);
}

static void on_assigned(void *ctx, struct assignment_changes *changes)
{
    struct agent *agent = ctx;

    cluster_say(agent->cluster, agent->hostname, "%s assignments: %zu tasks, %zu removed", changes->is_complete ? "all" : "changed",
                changes->updated_count, changes->removed_count);
    worker_assign(agent->worker, changes);
}

static void on_registered(void *ctx)
{
    struct agent *agent = ctx;

    agent->sessions++;
    worker_report_all(agent->worker);
}

static void no_tasks(void *self, void (*each)(void *ctx, const struct log_task *task), void *ctx)
{
    (void)self, (void)each, (void)ctx;
}

/* --- life --- */

static void open_worker(struct agent *agent, struct random random)
{
    char dir[24];
    struct error err = {0};

    snprintf(dir, sizeof dir, "%u", agent->number); /* records.c reads it */
    const struct worker_options options = {
        .clock = agent->cluster->clock,
        .random = random,
        .state_dir = dir,
        .hcs = agent->hcs,
        .images = {find_image, pull_image, cancel_pull, pin_image, unpin_image, hold_images, agent},
        .default_isolation = agent->kind->prefers_hyperv ? ISOLATION_HYPERV : ISOLATION_PROCESS,
        .listener = {.on_status = on_status, .on_forgotten = on_forgotten, .ctx = agent},
    };
    if (worker_new(&options, &agent->worker, &err) < 0)
        sim_violated(agent->cluster->sim, "a worker starts", "%s: %s", agent->hostname, err.message);
}

static void open_session(struct agent *agent, struct random random)
{
    const struct session_driver_options options = {
        .loop = &agent->loop.uv,
        .clock = agent->cluster->clock,
        .random = random,
        .remotes = &agent->remotes,
        .node_id = agent->node_id,
        .logs = {.tasks = no_tasks, .self = agent},
        .listener = {.describe = describe, .on_state = on_state, .on_assigned = on_assigned, .on_registered = on_registered, .ctx = agent},
    };

    agent->driver = session_driver_new(&options);
    worker_set_node(agent->worker, agent->node_id, agent->hostname, agent->kind->architecture, agent->kind->os);
    worker_start(agent->worker, session_driver_assignments(agent->driver));
    session_driver_start(agent->driver);
}

static int open_host(struct agent *agent, struct error *err)
{
    const struct hcs_emulated_options options = {.random = random_from_seeded(&agent->host_seeded),
                                                 .operation_min_ns = 1000000,
                                                 .operation_max_ns = 1000000 + agent->cluster->plan.operation_us * 1000,
                                                 .os = agent->kind->os,
                                                 .architecture = agent->kind->architecture,
                                                 .os_version = agent->kind->os_version,
                                                 .offers_hyperv = agent->kind->offers_hyperv};

    random_seeded_init(&agent->host_seeded, sim_mix(agent->cluster->sim->options.seed + 9000 + agent->number));
    return hcs_emulated_new(&options, cluster_now_ns(agent->cluster), wall_now(agent), &agent->hcs, err);
}

void agent_begin(struct agent *agent)
{
    struct error err = {0};

    agent->life++;
    agent->is_up = true;
    agent->is_in_session = false;
    agent_disturbed(agent);
    cluster_say(agent->cluster, agent->hostname, "up: %s, node %s", agent->kind->name, agent->node_id);
    loop_begin(&agent->loop);
    random_seeded_init(&agent->seeded, sim_mix(agent->cluster->sim->options.seed ^ (agent->number + 100) ^ sim_mix(agent->life)));
    if (!agent->hcs && open_host(agent, &err) < 0) {
        sim_violated(agent->cluster->sim, "a host starts", "%s", err.message);
        return;
    }
    struct random random = random_from_seeded(&agent->seeded);
    open_worker(agent, random);
    open_session(agent, random);
    agent_pump(agent);
}

static void begin_again(struct sim *sim, struct sim_event *event)
{
    struct agent *agent = &cluster_of(sim)->agents[event->a];

    if (!agent->is_up && agent->life == event->b)
        agent_begin(agent);
}

static void end_process(struct agent *agent)
{
    agent->is_up = agent->is_in_session = false;
    session_driver_free(agent->driver);
    agent->driver = NULL;
    agent->hcs = hcs_emulated_restart(agent->hcs, cluster_now_ns(agent->cluster), wall_now(agent));
    worker_abandon(agent->worker);
    agent->worker = NULL;
    loop_drain(&agent->loop);
    while (agent->pulls)
        cancel_pull(agent, agent->pulls);
}

void agent_crash(struct agent *agent, uint64_t down_us)
{
    if (!agent->is_up)
        return;
    cluster_say(agent->cluster, agent->hostname, "its agent crashes; back in %" PRIu64 " ms", down_us / 1000);
    agent_disturbed(agent);
    end_process(agent);
    cluster_push(agent->cluster, (struct sim_event){.fn = begin_again, .a = agent->number, .b = agent->life}, down_us);
    agent_pump_soon(agent);
}

static void on_closed(void *ctx)
{
    (void)ctx;
}

void agent_deinit(struct agent *agent)
{
    if (agent->is_up)
        end_process(agent);
    if (agent->hcs)
        hcs_close(agent->hcs, on_closed, NULL);
    loop_deinit(&agent->loop);
    remotes_deinit(&agent->remotes);
    records_free(agent->records);
    free(agent->seen);
}

/* --- time --- */

static void pump_due(struct sim *sim, struct sim_event *event)
{
    struct agent *agent = &cluster_of(sim)->agents[event->a];

    if (agent->pump_us > sim->now_us)
        return;
    agent->pump_us = UINT64_MAX;
    agent_pump(agent);
}

static void pump_at(struct agent *agent, uint64_t at_us)
{
    if (agent->pump_us <= at_us)
        return;
    agent->pump_us = at_us;
    cluster_push(agent->cluster, (struct sim_event){.fn = pump_due, .a = agent->number}, at_us - agent->cluster->sim->now_us);
}

void agent_pump_soon(struct agent *agent)
{
    pump_at(agent, agent->cluster->sim->now_us + AGAIN_US);
}

void agent_pump(struct agent *agent)
{
    uint64_t now_ns = cluster_now_ns(agent->cluster), now_us = agent->cluster->sim->now_us;

    hcs_emulated_step(agent->hcs, now_ns, wall_now(agent));
    if (agent->worker)
        worker_tick(agent->worker);
    hosts_look(agent);
    uint64_t host_ns = hcs_emulated_next_ns(agent->hcs), wake_ns = agent->worker ? worker_wake_ns(agent->worker) : UINT64_MAX;
    uint64_t next_ns = host_ns < wake_ns ? host_ns : wake_ns;
    if (next_ns == UINT64_MAX)
        return;
    uint64_t after_us = next_ns > now_ns ? (next_ns - now_ns + 999) / 1000 : 0;
    pump_at(agent, now_us + (after_us > AGAIN_US ? after_us : AGAIN_US));
}
