/* tests/unit/manager/dispatcher/test_service.c – the dispatcher over real TLS on loopback, with the agent's own session code at the other
 * end, and with calls that no agent of ours would make. */
#include "manager/dispatcher/service.h"

#include <stdlib.h>

#include "agent/session_driver.h"
#include "proto/grpc/grpc.h"
#include "tests/unit/manager/store/fixture.h"
#include "tests/unit/proto/peer.h"

#define NOW_NS (INT64_C(1790000000) * 1000000000)
#define DAY_NS (INT64_C(86400) * 1000000000)

typedef Docker__Swarmkit__V1__Task Task;

/* An agent: what its session tells it, and what its worker would do. */
struct host {
    struct papers papers;
    struct tls_credentials *credentials;
    struct remotes remotes;
    struct session_driver *driver;
    char node_id[32], text[64], tasks[256], manager[64], root[64];
    enum session_state state;
    int registered, assigned, failures;
    struct error err;
    bool is_obedient; /* says that its tasks run */
};

struct cluster {
    uv_loop_t loop;
    uv_prepare_t turn;
    uv_timer_t timer;
    int64_t wall_ns;
    struct world world;
    struct authority authority;
    struct papers papers;
    struct tls_credentials *credentials;
    struct grpc_server *server;
    struct dispatcher *dispatcher; /* NULL: another leads */
    struct part part;
    struct dispatcher_service *service;
    char address[64];
    bool is_woken, is_stopped;
};

/* --- the leader on the loop --- */

static void cluster_wake(void *self)
{
    ((struct cluster *)self)->is_woken = true;
}

static void arm(struct cluster *cluster);

static void run(struct cluster *cluster)
{
    while (cluster->is_woken || cluster->world.is_woken || cluster->world.fn) {
        if (cluster->is_woken && cluster->dispatcher) {
            cluster->is_woken = false;
            cluster->part.step(cluster->part.self, uv_hrtime());
        }
        cluster->is_woken = cluster->is_woken && cluster->dispatcher;
        world_settle(&cluster->world);
    }
    arm(cluster);
}

static void on_due(uv_timer_t *timer)
{
    struct cluster *cluster = timer->data;
    cluster->is_woken = true;
    run(cluster);
}

static void arm(struct cluster *cluster)
{
    uint64_t now_ns = uv_hrtime(), due_ns = cluster->dispatcher ? cluster->part.deadline_ns(cluster->part.self) : PART_NEVER;
    if (due_ns == PART_NEVER)
        uv_timer_stop(&cluster->timer);
    else
        uv_timer_start(&cluster->timer, on_due, due_ns > now_ns ? (due_ns - now_ns + 999999) / 1000000 : 0, 0);
}

static void on_turn(uv_prepare_t *turn)
{
    run(turn->data);
}

static size_t managers(void *ctx, struct dispatcher_manager *out, size_t capacity)
{
    const struct cluster *cluster = ctx;
    assert_true(capacity >= 1);
    out[0] = (struct dispatcher_manager){"leader", cluster->address};
    return 1;
}

static struct dispatcher *current(void *ctx)
{
    return ((struct cluster *)ctx)->dispatcher;
}

/* As the owner would: by the certificate; "node9" is refused. */
static bool identify(void *ctx, struct grpc_call *call, struct dispatcher_identity *out)
{
    const struct tls_identity *peer = grpc_call_peer(call);
    (void)ctx;
    if (peer == NULL || strcmp(peer->common_name, "node9") == 0) {
        grpc_call_finish(call, GRPC_PERMISSION_DENIED, "not this one");
        return false;
    }
    snprintf(out->node_id, sizeof out->node_id, "%s", peer->common_name);
    return true;
}

static void lead(struct cluster *cluster)
{
    cluster->dispatcher = dispatcher_new(
        &(struct dispatcher_options){
            .host = {cluster->world.store, peer_clock(&cluster->wall_ns), random_system(), cluster_wake, cluster},
            .node_id = "leader",
            .managers = managers,
            .ctx = cluster,
        },
        uv_hrtime());
    cluster->part = dispatcher_part(cluster->dispatcher);
    run(cluster);
}

static void lead_no_more(struct cluster *cluster)
{
    cluster->part.free(cluster->part.self);
    cluster->dispatcher = NULL;
    run(cluster);
}

static struct cluster *begin(void)
{
    struct cluster *cluster = mem_alloc(sizeof *cluster);
    cluster->wall_ns = NOW_NS;
    uv_loop_init(&cluster->loop);
    world_begin(&cluster->world);
    for (int i = 1; i <= 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "node%d", i);
        do_create(&cluster->world, node(id, id));
    }
    authority_init(&cluster->authority, NOW_NS - DAY_NS);
    cluster->papers = papers_make(&cluster->authority, &(struct papers_options){.name = "leader", .from_wall_ns = NOW_NS - DAY_NS});
    cluster->credentials = peer_credentials(&cluster->wall_ns, &cluster->papers, &cluster->authority);
    cluster->server = grpc_server_new(
        &(struct grpc_server_options){.loop = &cluster->loop, .clock = peer_clock(&cluster->wall_ns), .credentials = cluster->credentials});
    cluster->service = dispatcher_service_new(&(struct dispatcher_service_options){
        .clock = peer_clock(&cluster->wall_ns), .dispatcher = current, .identify = identify, .ctx = cluster});
    dispatcher_service_attach(cluster->service, cluster->server);
    assert_ok(grpc_server_listen(cluster->server, "127.0.0.1:0", err));
    snprintf(cluster->address, sizeof cluster->address, "127.0.0.1:%u", grpc_server_port(cluster->server));
    uv_prepare_init(&cluster->loop, &cluster->turn);
    uv_timer_init(&cluster->loop, &cluster->timer);
    cluster->turn.data = cluster->timer.data = cluster;
    uv_prepare_start(&cluster->turn, on_turn);
    uv_unref((uv_handle_t *)&cluster->turn);
    lead(cluster);
    return cluster;
}

static void on_stopped(void *ctx)
{
    ((struct cluster *)ctx)->is_stopped = true;
}

static void end(struct cluster *cluster)
{
    grpc_server_stop(cluster->server, 0, on_stopped, cluster);
    run_until(&cluster->loop, cluster->is_stopped);
    dispatcher_service_free(cluster->service);
    if (cluster->dispatcher)
        lead_no_more(cluster);
    uv_close((uv_handle_t *)&cluster->turn, NULL);
    uv_close((uv_handle_t *)&cluster->timer, NULL);
    uv_run(&cluster->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&cluster->loop), 0);
    world_end(&cluster->world);
    tls_credentials_free(cluster->credentials);
    papers_deinit(&cluster->papers);
    authority_deinit(&cluster->authority);
    free(cluster);
}

/* --- the agent --- */

static Docker__Swarmkit__V1__NodeDescription *describe(void *ctx, struct arena *arena)
{
    struct host *host = ctx;
    Docker__Swarmkit__V1__NodeDescription *description = arena_alloc(arena, sizeof *description);
    docker__swarmkit__v1__node_description__init(description);
    description->hostname = arena_string(arena, host->text);
    return description;
}

static void on_state(void *ctx, enum session_state state, const struct error *err)
{
    struct host *host = ctx;
    host->state = state;
    host->failures += state == SESSION_BACKING_OFF;
    if (err->code != 0)
        host->err = *err;
}

static void on_facts(void *ctx, const struct session_facts *facts)
{
    struct host *host = ctx;
    assert_string_equal(facts->node_id, host->node_id);
    assert_string_equal(facts->node_addr, "127.0.0.1");
    snprintf(host->manager, sizeof host->manager, "%s", facts->manager_count > 0 ? facts->managers[0].addr : "");
}

static void on_registered(void *ctx)
{
    ((struct host *)ctx)->registered++;
}

static void report(struct host *host, const char *id, int state)
{
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    assert_ok(session_driver_report(host->driver, id, &status, err));
}

static void on_assigned(void *ctx, struct assignment_changes *changes)
{
    struct host *host = ctx;
    host->assigned++;
    for (size_t i = 0; i < changes->updated_count; i++) {
        const Task *task = changes->tasks_updated[i];
        size_t used = strlen(host->tasks);
        snprintf(host->tasks + used, sizeof host->tasks - used, "%s%s ", task->id, task->desired_state >= 640 ? "!" : "");
        if (host->is_obedient)
            report(host, task->id, task->desired_state >= 640 ? 640 : 512);
    }
    for (size_t i = 0; i < changes->removed_count; i++) {
        size_t used = strlen(host->tasks);
        snprintf(host->tasks + used, sizeof host->tasks - used, "-%s ", changes->tasks_removed[i]);
        session_driver_forget(host->driver, changes->tasks_removed[i]);
    }
}

static void start_host(struct cluster *cluster, struct host *host, const char *node_id)
{
    *host = (struct host){.is_obedient = true};
    snprintf(host->node_id, sizeof host->node_id, "%s", node_id);
    snprintf(host->text, sizeof host->text, "host-of-%s", node_id);
    host->papers = papers_make(&cluster->authority,
                               &(struct papers_options){.role = "swarm-worker", .name = node_id, .from_wall_ns = NOW_NS - DAY_NS});
    host->credentials = peer_credentials(&cluster->wall_ns, &host->papers, &cluster->authority);
    assert_ok(remotes_observe(&host->remotes, "", cluster->address, REMOTE_SUCCESS, err));
    host->driver = session_driver_new(&(struct session_driver_options){.loop = &cluster->loop,
                                                                       .clock = peer_clock(&cluster->wall_ns),
                                                                       .random = random_system(),
                                                                       .credentials = host->credentials,
                                                                       .remotes = &host->remotes,
                                                                       .node_id = host->node_id,
                                                                       .listener = {.describe = describe,
                                                                                    .on_state = on_state,
                                                                                    .on_facts = on_facts,
                                                                                    .on_registered = on_registered,
                                                                                    .on_assigned = on_assigned,
                                                                                    .ctx = host}});
    session_driver_start(host->driver);
}

static void stop_host(struct host *host)
{
    session_driver_free(host->driver);
    remotes_deinit(&host->remotes);
    tls_credentials_free(host->credentials);
    papers_deinit(&host->papers);
}

static void put_task(struct cluster *cluster, const char *id, const char *node_id, int state, int desired)
{
    const Task *old = store_task(cluster->world.store, id);
    Task changed = old ? *old : *task(id, "", 0, node_id, desired);
    Docker__Swarmkit__V1__TaskStatus status = *changed.status;
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    changed.status = &status;
    changed.desired_state = (Docker__Swarmkit__V1__TaskState)desired;
    if (old)
        do_update(&cluster->world, &changed);
    else
        do_create(&cluster->world, &changed);
    run(cluster);
}

static int state_of(const struct cluster *cluster, const char *id)
{
    return (int)store_task(cluster->world.store, id)->status->state;
}

/* --- tests: the agent's session --- */

static void an_agent_registers_runs_what_it_is_told_and_reports(void **state)
{
    struct cluster *cluster = begin();
    struct host host;
    (void)state;
    put_task(cluster, "t1", "node1", 192, 512);
    start_host(cluster, &host, "node1");
    run_until(&cluster->loop, host.assigned == 1);
    assert_int_equal(host.state, SESSION_RUNNING);
    assert_int_equal(host.registered, 1);
    assert_string_equal(host.manager, cluster->address);
    assert_string_equal(host.tasks, "t1 ");
    const Docker__Swarmkit__V1__Node *message = store_node(cluster->world.store, "node1");
    assert_string_equal(message->description->hostname, "host-of-node1");
    assert_string_equal(message->status->addr, "127.0.0.1");
    run_until(&cluster->loop, state_of(cluster, "t1") == 512);
    put_task(cluster, "t1", "node1", 512, 640);
    run_until(&cluster->loop, state_of(cluster, "t1") == 640);
    do_remove(&cluster->world, STORE_TASK, "t1");
    run_until(&cluster->loop, host.assigned == 3);
    assert_string_equal(host.tasks, "t1 t1! -t1 ");
    assert_int_equal(host.failures, 0);
    stop_host(&host);
    end(cluster);
}

static void heartbeats_keep_an_agent_in_session(void **state)
{
    struct cluster *cluster = begin();
    struct dispatcher_stats stats;
    struct host host;
    (void)state;
    Docker__Swarmkit__V1__Cluster object = DOCKER__SWARMKIT__V1__CLUSTER__INIT;
    Docker__Swarmkit__V1__ClusterSpec spec = DOCKER__SWARMKIT__V1__CLUSTER_SPEC__INIT;
    Docker__Swarmkit__V1__DispatcherConfig config = DOCKER__SWARMKIT__V1__DISPATCHER_CONFIG__INIT;
    Google__Protobuf__Duration period;
    message_set_duration(&period, 200000000);
    object.id = (char *)(uintptr_t) "c1";
    object.spec = &spec;
    spec.dispatcher = &config;
    config.heartbeat_period = &period;
    do_create(&cluster->world, &object);
    start_host(cluster, &host, "node1");
    run_until(&cluster->loop, host.assigned == 1);
    run_for(&cluster->loop, 1500); /* more than twice what it may be silent */
    assert_int_equal(host.failures, 0);
    dispatcher_stats(cluster->dispatcher, &stats);
    assert_in_range(stats.heartbeats, 5, 10);
    session_driver_stop(host.driver);
    run_until(&cluster->loop, store_node(cluster->world.store, "node1")->status->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN);
    dispatcher_stats(cluster->dispatcher, &stats);
    assert_int_equal(stats.sessions + stats.assignments, 0);
    stop_host(&host);
    end(cluster);
}

static void an_agent_whose_leader_goes_comes_to_the_next_and_misses_nothing(void **state)
{
    struct cluster *cluster = begin();
    struct host host;
    (void)state;
    start_host(cluster, &host, "node1");
    run_until(&cluster->loop, host.assigned == 1);
    lead_no_more(cluster);
    run_until(&cluster->loop, host.failures > 0);
    assert_non_null(strstr(host.err.message, "node must disconnect"));
    put_task(cluster, "t1", "node1", 192, 512);
    run_for(&cluster->loop, 300);
    assert_int_equal(host.registered, 1);
    lead(cluster);
    run_until(&cluster->loop, host.registered == 2 && host.assigned == 2);
    assert_string_equal(host.tasks, "t1 ");
    run_until(&cluster->loop, state_of(cluster, "t1") == 512);
    stop_host(&host);
    end(cluster);
}

static void an_agent_that_was_removed_hears_it(void **state)
{
    struct cluster *cluster = begin();
    struct host host;
    (void)state;
    start_host(cluster, &host, "node1");
    run_until(&cluster->loop, host.assigned == 1);
    do_remove(&cluster->world, STORE_NODE, "node1");
    run_until(&cluster->loop, host.state == SESSION_REMOVED);
    stop_host(&host);
    end(cluster);
}

static void two_hosts_with_one_identity_do_not_share_a_session(void **state)
{
    struct cluster *cluster = begin();
    struct host first, second;
    (void)state;
    start_host(cluster, &first, "node1");
    run_until(&cluster->loop, first.assigned == 1);
    start_host(cluster, &second, "node1"); /* a cloned machine */
    run_until(&cluster->loop, second.assigned == 1);
    run_until(&cluster->loop, first.failures > 0);
    assert_non_null(strstr(first.err.message, "session invalid"));
    session_driver_stop(first.driver);
    session_driver_stop(second.driver);
    stop_host(&first);
    stop_host(&second);
    end(cluster);
}

/* --- tests: calls by hand --- */

struct seen {
    int messages, done, code;
    size_t bytes;
    char text[256];
    bool pauses;
};

static void on_message(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct seen *seen = ctx;
    seen->messages++;
    seen->bytes += packed.size;
    if (seen->pauses)
        grpc_call_pause(call, true);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct seen *seen = ctx;
    (void)call;
    seen->done++;
    seen->code = status->code;
    snprintf(seen->text, sizeof seen->text, "%s", status->message);
}

static struct grpc_call *ask_for(struct grpc_channel *channel, const struct method *method, const ProtobufCMessage *request,
                                 struct seen *seen)
{
    static const struct grpc_call_handlers handlers = {.on_bytes = on_message, .on_done = on_done};
    struct grpc_call *call = grpc_call_start(channel, method, NULL, &handlers, seen);
    assert_ok(grpc_call_send(call, request, err));
    grpc_call_send_end(call);
    return call;
}

struct caller {
    struct papers papers;
    struct tls_credentials *credentials;
    struct grpc_channel *channel;
};

static struct caller dial(struct cluster *cluster, const char *node_id)
{
    struct caller caller = {
        .papers = papers_make(&cluster->authority,
                              &(struct papers_options){.role = "swarm-worker", .name = node_id, .from_wall_ns = NOW_NS - DAY_NS})};
    caller.credentials = peer_credentials(&cluster->wall_ns, &caller.papers, &cluster->authority);
    assert_ok(grpc_channel_new(&(struct grpc_channel_options){.loop = &cluster->loop,
                                                              .clock = peer_clock(&cluster->wall_ns),
                                                              .random = random_system(),
                                                              .address = cluster->address,
                                                              .credentials = caller.credentials,
                                                              .server_name = "swarm-manager",
                                                              .max_message_bytes = GRPC_MESSAGE_LARGE_SIZE_BYTES},
                               &caller.channel, err));
    return caller;
}

static void hang_up(struct cluster *cluster, struct caller *caller)
{
    grpc_channel_close(caller->channel);
    run_for(&cluster->loop, 20);
    tls_credentials_free(caller->credentials);
    papers_deinit(&caller->papers);
}

static void refusals_have_swarmkits_codes_and_words(void **state)
{
    struct cluster *cluster = begin();
    struct caller caller = dial(cluster, "node1"), stranger = dial(cluster, "node7"), refused = dial(cluster, "node9");
    Docker__Swarmkit__V1__HeartbeatRequest heartbeat = DOCKER__SWARMKIT__V1__HEARTBEAT_REQUEST__INIT;
    Docker__Swarmkit__V1__SessionRequest session = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__AssignmentsRequest assignments = DOCKER__SWARMKIT__V1__ASSIGNMENTS_REQUEST__INIT;
    Docker__Swarmkit__V1__TasksRequest tasks = DOCKER__SWARMKIT__V1__TASKS_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest update = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateVolumeStatusRequest volumes = DOCKER__SWARMKIT__V1__UPDATE_VOLUME_STATUS_REQUEST__INIT;
    const struct {
        struct caller *caller;
        const struct method *method;
        const ProtobufCMessage *request;
        int code;
        const char *text;
    } rows[] = {
        {&caller, METHOD(Dispatcher, Heartbeat), &heartbeat.base, 3, "session invalid"},
        {&stranger, METHOD(Dispatcher, Heartbeat), &heartbeat.base, 5, "node not registered"},
        {&caller, METHOD(Dispatcher, Assignments), &assignments.base, 3, "session invalid"},
        {&stranger, METHOD(Dispatcher, Session), &session.base, 2, "node not found"},
        {&caller, METHOD(Dispatcher, UpdateTaskStatus), &update.base, 3, "session invalid"},
        {&refused, METHOD(Dispatcher, Session), &session.base, 7, "not this one"},
        {&caller, METHOD(Dispatcher, Tasks), &tasks.base, 12, "unknown method Tasks for service docker.swarmkit.v1.Dispatcher"},
        {&caller, METHOD(Dispatcher, UpdateVolumeStatus), &volumes.base, 12,
         "unknown method UpdateVolumeStatus for service docker.swarmkit.v1.Dispatcher"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen seen = {0};
        ask_for(rows[i].caller->channel, rows[i].method, rows[i].request, &seen);
        run_until(&cluster->loop, seen.done == 1);
        assert_int_equal(seen.code, rows[i].code);
        assert_string_equal(seen.text, rows[i].text);
        assert_int_equal(seen.messages, 0);
    }
    lead_no_more(cluster);
    struct seen seen = {0};
    ask_for(caller.channel, METHOD(Dispatcher, Heartbeat), &heartbeat.base, &seen);
    run_until(&cluster->loop, seen.done == 1);
    assert_int_equal(seen.code, 10);
    assert_string_equal(seen.text, "dispatcher is stopped");
    hang_up(cluster, &caller);
    hang_up(cluster, &stranger);
    hang_up(cluster, &refused);
    end(cluster);
}

/* Registers on @caller; the session's id, from the dispatcher's own node. */
static void enter(struct cluster *cluster, struct caller *caller, struct seen *seen, struct grpc_call **call)
{
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    *call = ask_for(caller->channel, METHOD(Dispatcher, Session), &request.base, seen);
    run_until(&cluster->loop, seen->messages == 1);
}

static void a_call_given_up_is_forgotten(void **state)
{
    struct cluster *cluster = begin();
    struct caller caller = dial(cluster, "node1");
    struct dispatcher_stats stats;
    struct grpc_call *call;
    struct seen seen = {0};
    (void)state;
    enter(cluster, &caller, &seen, &call);
    dispatcher_stats(cluster->dispatcher, &stats);
    assert_int_equal(stats.sessions, 1);
    grpc_call_cancel(call);
    run_until(&cluster->loop, seen.done == 1);
    run_for(&cluster->loop, 50);
    dispatcher_stats(cluster->dispatcher, &stats);
    assert_int_equal(stats.sessions, 0);
    assert_int_equal(stats.nodes_in_session, 1); /* its heartbeats may come from elsewhere */
    hang_up(cluster, &caller);
    end(cluster);
}

static void the_fifth_registration_of_a_burst_is_told_when_to_come_back(void **state)
{
    struct cluster *cluster = begin();
    struct caller caller = dial(cluster, "node1");
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    struct seen seen[5] = {{0}};
    (void)state;
    for (int i = 0; i < 5; i++)
        ask_for(caller.channel, METHOD(Dispatcher, Session), &request.base, &seen[i]);
    run_until(&cluster->loop, seen[4].done == 1);
    assert_int_equal(seen[4].code, 14);
    assert_string_equal(seen[4].text, "node node1 exceeded rate limit count of registrations");
    hang_up(cluster, &caller);
    end(cluster);
}

struct heard {
    char session_id[64];
    int messages, done;
    struct grpc_call *call;
    uint64_t applied;
    size_t tasks;
    bool is_paused, has_gap;
};

static void on_heard(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct heard *heard = ctx;
    heard->messages++;
    if (message->descriptor == &docker__swarmkit__v1__session_message__descriptor) {
        snprintf(heard->session_id, sizeof heard->session_id, "%s", ((Docker__Swarmkit__V1__SessionMessage *)(void *)message)->session_id);
        return;
    }
    const Docker__Swarmkit__V1__AssignmentsMessage *assignments = (const void *)message;
    heard->has_gap |= strtoull(assignments->applies_to, NULL, 10) != heard->applied;
    heard->applied = strtoull(assignments->results_in, NULL, 10);
    for (size_t i = 0; i < assignments->n_changes; i++)
        heard->tasks += assignments->changes[i]->assignment->item_case == DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK;
    if (heard->messages == 1) {
        heard->is_paused = true;
        grpc_call_pause(call, true);
    }
}

static void on_heard_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call;
    (void)status;
    ((struct heard *)ctx)->done++;
}

/* Larger than every window and queue between: the dispatcher is told to wait, and goes on when the agent reads. */
static void a_slow_reader_holds_the_stream_up_and_misses_nothing(void **state)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_heard, .on_done = on_heard_done};
    struct cluster *cluster = begin();
    struct caller caller = dial(cluster, "node1");
    Docker__Swarmkit__V1__SessionRequest session = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__AssignmentsRequest request = DOCKER__SWARMKIT__V1__ASSIGNMENTS_REQUEST__INIT;
    struct heard registered = {0}, heard = {0};
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    char *image = mem_alloc(100001), id[16];
    (void)state;
    memset(image, 'x', 100000);
    registered.call = grpc_call_start(caller.channel, METHOD(Dispatcher, Session), NULL, &handlers, &registered);
    assert_ok(grpc_call_send(registered.call, &session.base, err));
    run_until(&cluster->loop, registered.session_id[0]);
    request.session_id = registered.session_id;
    heard.call = grpc_call_start(caller.channel, METHOD(Dispatcher, Assignments), NULL, &handlers, &heard);
    assert_ok(grpc_call_send(heard.call, &request.base, err));
    run_until(&cluster->loop, heard.messages == 1 && heard.is_paused);
    for (int i = 0; i < 120; i++) { /* 12 MB, in messages of four */
        snprintf(id, sizeof id, "t%d", i);
        Task *message = task(id, "", 0, "node1", 512);
        message->status->state = 192;
        message->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
        message->spec->container = &container;
        container.image = image;
        do_create(&cluster->world, message);
        run(cluster);
    }
    run_for(&cluster->loop, 400);
    assert_int_equal(heard.messages, 1);
    grpc_call_pause(heard.call, false);
    run_until(&cluster->loop, heard.tasks == 120);
    assert_false(heard.has_gap);
    assert_int_equal(heard.done, 0);
    free(image);
    hang_up(cluster, &caller);
    end(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_registers_runs_what_it_is_told_and_reports),
        cmocka_unit_test(heartbeats_keep_an_agent_in_session),
        cmocka_unit_test(an_agent_whose_leader_goes_comes_to_the_next_and_misses_nothing),
        cmocka_unit_test(an_agent_that_was_removed_hears_it),
        cmocka_unit_test(two_hosts_with_one_identity_do_not_share_a_session),
        cmocka_unit_test(refusals_have_swarmkits_codes_and_words),
        cmocka_unit_test(a_call_given_up_is_forgotten),
        cmocka_unit_test(the_fifth_registration_of_a_burst_is_told_when_to_come_back),
        cmocka_unit_test(a_slow_reader_holds_the_stream_up_and_misses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
