/* tests/bench/bench_agents.c – N agents in one process, as a manager sees them: each has its own certificate, connection, session, stream
 * of assignments and heartbeats. What they are to run they report RUNNING at once, and what they are to stop SHUTDOWN.
 *
 *     bench_agents --token SWMTKN-… --agents N [--at-once 64] HOST:PORT…
 *
 * Certificates come from the managers' CA by NodeCA, over one connection for all to the first address: only the way there is shared, each
 * has a key and a node of its own. Then each agent calls one of the addresses at random, and another after its session was lost, as an
 * agent does (swarmkit-wire §3.1). --at-once bounds what is under way in the beginning; those who lost a session all call at once.
 *
 * It is driven by lines: "stats", "reset" (heartbeats so far are not told any more), "mark" (sessions from now on are counted apart),
 * "quit" and the end of its input. It answers each with one line of JSON. Written for tests/bench/bench_cluster.py. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/grpc/grpc.h"
#include "proto/identity/certificate.h"
#include "proto/swarmkit/ca.pb-c.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

#define ADDRESSES_COUNT      16
#define LINE_SIZE_CHARS      4096
#define STATUSES_COUNT       1024 /* as an agent sends them */
#define CERTIFICATE_TRIES_MS 200

typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest Report;
typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate Update;
typedef Docker__Swarmkit__V1__TaskStatus Status;
typedef Docker__Swarmkit__V1__Task Task;

/* One connection of an agent, until the last call on it has ended; the agent may have another by then. */
struct link {
    struct agent *agent;
    unsigned calls;
    bool is_closed;
};

struct agent {
    unsigned number;
    struct buf key_pem, chain_pem;
    char node_id[32], session_id[SESSION_ID_SIZE_CHARS];
    struct tls_credentials *credentials;
    struct grpc_channel *channel;
    struct link *link; /* NULL: not connected, nor about to be */
    uv_timer_t timer;  /* to the next heartbeat, or the next attempt to connect */
    uint64_t due_ns, asked_ns, backoff_ms;
    size_t address; /* of the last connection; ADDRESSES_COUNT: none yet */
    bool is_in_session, is_dialing;
    uint64_t session_begun_ns;
};

/* Microseconds. */
struct samples {
    uint32_t *values;
    size_t count, capacity;
};

static uv_loop_t *loop;
static struct clock clock_;
static struct random random_;
static const char *addresses[ADDRESSES_COUNT], *token;
static size_t address_count, agent_count, at_once = 64;
static struct agent *agents;
static struct buf root_pem;
static struct grpc_channel *ca_channel;
static struct tls_credentials *anonymous;

static size_t certified, asking, next_to_ask, next_to_dial, dialing, in_session;
static uint64_t lost, dials, task_updates, reported, heartbeats, mark_ns;
static struct samples late, replies, back;
static char last_error[256];

static void sample(struct samples *samples, uint64_t ns)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity ? samples->capacity * 2 : 4096;
        samples->values = realloc(samples->values, samples->capacity * sizeof *samples->values);
        if (samples->values == NULL)
            abort();
    }
    samples->values[samples->count++] = ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

/* For a line of JSON: without what would have to be quoted. */
static void note_error(const char *what, const char *why)
{
    snprintf(last_error, sizeof last_error, "%s: %s", what, why ? why : "");
    for (char *at = last_error; *at; at++)
        if (*at == '"' || *at == '\\' || iscntrl((unsigned char)*at))
            *at = '\'';
}

/* --- a certificate for each --- */

static void ask_more(void);

static void on_retry(uv_timer_t *timer);

static void on_certificate(void *ctx, const struct grpc_status *status, ProtobufCMessage *message)
{
    struct agent *agent = ctx;
    const Docker__Swarmkit__V1__NodeCertificateStatusResponse *reply = (const void *)message;

    if (status->code != GRPC_OK || !reply->certificate || reply->certificate->certificate.len == 0) {
        note_error("certificate", status->code != GRPC_OK ? status->message : "not issued yet");
        uv_timer_start(&agent->timer, on_retry, CERTIFICATE_TRIES_MS, 0);
        return;
    }
    buf_append(&agent->chain_pem, reply->certificate->certificate.data, reply->certificate->certificate.len);
    certified++;
    asking--;
    ask_more();
}

static void ask_for_certificate(struct agent *agent)
{
    Docker__Swarmkit__V1__NodeCertificateStatusRequest request = DOCKER__SWARMKIT__V1__NODE_CERTIFICATE_STATUS_REQUEST__INIT;

    request.node_id = agent->node_id;
    grpc_unary(ca_channel, METHOD(NodeCA, NodeCertificateStatus), &request.base, NULL, on_certificate, agent);
}

static void on_node(void *ctx, const struct grpc_status *status, ProtobufCMessage *message)
{
    struct agent *agent = ctx;
    const Docker__Swarmkit__V1__IssueNodeCertificateResponse *reply = (const void *)message;

    if (status->code != GRPC_OK) {
        note_error("join", status->message);
        uv_timer_start(&agent->timer, on_retry, CERTIFICATE_TRIES_MS, 0);
        return;
    }
    snprintf(agent->node_id, sizeof agent->node_id, "%s", reply->node_id);
    ask_for_certificate(agent);
}

static void ask_to_join(struct agent *agent)
{
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_REQUEST__INIT;
    struct buf csr = {0};
    struct error err;

    if (agent->key_pem.size == 0 && certificate_make_key(&agent->key_pem, &err) < 0)
        abort();
    if (certificate_make_request(buf_bytes(&agent->key_pem), &csr, &err) < 0)
        abort();
    request.csr = (ProtobufCBinaryData){.len = csr.size, .data = csr.data};
    request.token = (char *)(uintptr_t)token;
    grpc_unary(ca_channel, METHOD(NodeCA, IssueNodeCertificate), &request.base, NULL, on_node, agent);
    buf_deinit(&csr);
}

static void on_retry(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    if (agent->node_id[0])
        ask_for_certificate(agent);
    else
        ask_to_join(agent);
}

static void dial_more(void);

static void ask_more(void)
{
    while (asking < at_once && next_to_ask < agent_count) {
        asking++;
        ask_to_join(&agents[next_to_ask++]);
    }
    if (certified == agent_count)
        dial_more();
}

static void on_root(void *ctx, const struct grpc_status *status, ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__GetRootCACertificateResponse *reply = (const void *)message;
    (void)ctx;

    if (status->code != GRPC_OK) {
        fprintf(stderr, "bench_agents: the root certificate: %s\n", status->message);
        exit(1);
    }
    buf_append(&root_pem, reply->certificate.data, reply->certificate.len);
    ask_more();
}

/* Its own machine's managers, whose address the caller knows: nobody is verified before there is a root to do so with. */
static void begin(void)
{
    Docker__Swarmkit__V1__GetRootCACertificateRequest request = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_REQUEST__INIT;
    struct grpc_channel_options options = {.loop = loop,
                                           .clock = clock_,
                                           .random = random_,
                                           .address = addresses[0],
                                           .is_unverified = true,
                                           .is_anonymous = true,
                                           .reconnects = true};
    struct error err = {0};

    anonymous = tls_credentials_new(&clock_);
    options.credentials = anonymous;
    if (grpc_channel_new(&options, &ca_channel, &err) < 0) {
        fprintf(stderr, "bench_agents: %s\n", err.message);
        exit(1);
    }
    grpc_unary(ca_channel, METHOD(CA, GetRootCACertificate), &request.base, NULL, on_root, NULL);
}

/* --- an agent's connection --- */

static void dial(struct agent *agent);

static void link_drop(struct link *link)
{
    if (link->is_closed && link->calls == 0)
        free(link);
}

static void on_dial_again(uv_timer_t *timer)
{
    dial(timer->data);
}

static void settled(struct agent *agent)
{
    if (!agent->is_dialing)
        return;
    agent->is_dialing = false;
    dialing--;
    dial_more();
}

/* swarmkit-wire §3.1: a wait of up to the backoff, which grows. */
static void lose(struct agent *agent, const char *what, const char *why)
{
    struct link *link = agent->link;

    if (link == NULL)
        return;
    note_error(what, why);
    agent->link = NULL;
    link->is_closed = true;
    link->calls++; /* its calls may end while the channel closes */
    grpc_channel_close(agent->channel);
    agent->channel = NULL;
    link->calls--;
    link_drop(link);
    tls_credentials_free(agent->credentials);
    agent->credentials = NULL;
    lost += agent->is_in_session;
    in_session -= agent->is_in_session;
    agent->is_in_session = false;
    agent->backoff_ms = SESSION_BACKOFF_MIN_MS + 2 * agent->backoff_ms;
    if (agent->backoff_ms > SESSION_BACKOFF_MAX_MS)
        agent->backoff_ms = SESSION_BACKOFF_MAX_MS;
    uv_timer_start(&agent->timer, on_dial_again, random_below(&random_, agent->backoff_ms) + 1, 0);
    settled(agent);
}

static struct agent *agent_of(struct link *link)
{
    return link->is_closed ? NULL : link->agent;
}

static void call_over(struct link *link, const struct grpc_status *status, const char *what)
{
    struct agent *agent = agent_of(link);

    link->calls--;
    if (agent)
        lose(agent, what, status->message);
    else
        link_drop(link);
}

/* --- statuses --- */

static void on_reported(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    struct link *link = ctx;
    (void)reply;

    if (status->code != GRPC_OK) {
        call_over(link, status, "statuses");
        return;
    }
    link->calls--;
    link_drop(link);
}

struct batch {
    size_t count;
    Update updates[STATUSES_COUNT], *list[STATUSES_COUNT];
    Status statuses[STATUSES_COUNT];
    Docker__Swarmkit__V1__ContainerStatus containers[STATUSES_COUNT];
    char container_ids[STATUSES_COUNT][65];
};

static void send_batch(struct agent *agent, struct batch *batch)
{
    Report request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;

    if (batch->count == 0)
        return;
    request.session_id = agent->session_id;
    request.updates = batch->list;
    request.n_updates = batch->count;
    agent->link->calls++;
    reported += batch->count;
    grpc_unary(agent->channel, METHOD(Dispatcher, UpdateTaskStatus), &request.base, NULL, on_reported, agent->link);
    batch->count = 0;
}

static void report(struct agent *agent, struct batch *batch, const Task *task, Google__Protobuf__Timestamp *now)
{
    Update *update = &batch->updates[batch->count];
    Status *status = &batch->statuses[batch->count];
    Docker__Swarmkit__V1__ContainerStatus *container = &batch->containers[batch->count];
    char *container_id = batch->container_ids[batch->count];

    docker__swarmkit__v1__update_task_status_request__task_status_update__init(update);
    docker__swarmkit__v1__task_status__init(status);
    docker__swarmkit__v1__container_status__init(container);
    snprintf(container_id, sizeof batch->container_ids[0], "%-25.25s%039u", task->id, agent->number);
    container->container_id = container_id;
    container->pid = 4242;
    update->task_id = task->id;
    update->status = status;
    status->timestamp = now;
    status->container = container;
    status->runtime_status_case = DOCKER__SWARMKIT__V1__TASK_STATUS__RUNTIME_STATUS_CONTAINER;
    status->state =
        task->desired_state < DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING ? task->desired_state : DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
    status->message = (char *)(uintptr_t) "started";
    if (task->desired_state > DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING) {
        status->state = DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN;
        status->message = (char *)(uintptr_t) "shutdown";
    }
    batch->list[batch->count++] = update;
    if (batch->count == STATUSES_COUNT)
        send_batch(agent, batch);
}

/* --- streams --- */

static void on_assignments(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    static struct batch batch;
    struct agent *agent = agent_of(ctx);
    const Docker__Swarmkit__V1__AssignmentsMessage *assignments = (const void *)message;
    int64_t wall_ns = clock_wall_ns(&clock_);
    Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    (void)call;

    if (agent == NULL)
        return;
    now.seconds = wall_ns / 1000000000;
    now.nanos = (int32_t)(wall_ns % 1000000000);
    for (size_t i = 0; i < assignments->n_changes; i++) {
        const Docker__Swarmkit__V1__AssignmentChange *change = assignments->changes[i];
        if (change->action != DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__UPDATE || !change->assignment ||
            change->assignment->item_case != DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK)
            continue;
        task_updates++;
        report(agent, &batch, change->assignment->task, &now);
    }
    send_batch(agent, &batch);
}

static void on_assignments_over(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call;
    call_over(ctx, status, "assignments");
}

static void on_heartbeat_due(uv_timer_t *timer);

static void on_heartbeat(void *ctx, const struct grpc_status *status, ProtobufCMessage *message)
{
    struct link *link = ctx;
    struct agent *agent = agent_of(link);
    const Docker__Swarmkit__V1__HeartbeatResponse *reply = (const void *)message;
    uint64_t now_ns = clock_monotonic_ns(&clock_);

    if (agent == NULL || status->code != GRPC_OK) {
        call_over(link, status, "heartbeat");
        return;
    }
    link->calls--;
    heartbeats++;
    sample(&replies, now_ns - agent->asked_ns);
    uint64_t period_ns = reply->period ? (uint64_t)(reply->period->seconds * 1000000000 + reply->period->nanos) : 0;
    if (period_ns < HEARTBEAT_PERIOD_MIN_MS * (uint64_t)NS_PER_MS)
        period_ns = HEARTBEAT_PERIOD_DEFAULT_MS * (uint64_t)NS_PER_MS;
    agent->due_ns = now_ns + period_ns;
    uv_timer_start(&agent->timer, on_heartbeat_due, period_ns / NS_PER_MS, 0);
}

static void on_heartbeat_due(uv_timer_t *timer)
{
    static const struct grpc_call_options options = {.deadline_ms = HEARTBEAT_TIMEOUT_MS};
    Docker__Swarmkit__V1__HeartbeatRequest request = DOCKER__SWARMKIT__V1__HEARTBEAT_REQUEST__INIT;
    struct agent *agent = timer->data;

    agent->asked_ns = clock_monotonic_ns(&clock_);
    sample(&late, agent->asked_ns > agent->due_ns ? agent->asked_ns - agent->due_ns : 0);
    request.session_id = agent->session_id;
    agent->link->calls++;
    grpc_unary(agent->channel, METHOD(Dispatcher, Heartbeat), &request.base, &options, on_heartbeat, agent->link);
}

static void start_stream(struct agent *agent, const struct method *method, const ProtobufCMessage *request,
                         const struct grpc_call_handlers *handlers)
{
    struct grpc_call *call = grpc_call_start(agent->channel, method, NULL, handlers, agent->link);

    agent->link->calls++;
    if (grpc_call_send(call, request, NULL) < 0)
        abort(); /* one small message */
    grpc_call_send_end(call);
}

static void on_session(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_assignments, .on_done = on_assignments_over};
    Docker__Swarmkit__V1__AssignmentsRequest request = DOCKER__SWARMKIT__V1__ASSIGNMENTS_REQUEST__INIT;
    struct agent *agent = agent_of(ctx);
    const Docker__Swarmkit__V1__SessionMessage *session = (const void *)message;
    (void)call;

    if (agent == NULL || agent->is_in_session)
        return;
    snprintf(agent->session_id, sizeof agent->session_id, "%s", session->session_id);
    agent->is_in_session = true;
    agent->backoff_ms = 0;
    agent->session_begun_ns = agent->due_ns = clock_monotonic_ns(&clock_);
    in_session++;
    if (mark_ns)
        sample(&back, agent->session_begun_ns - mark_ns);
    request.session_id = agent->session_id;
    start_stream(agent, METHOD(Dispatcher, Assignments), &request.base, &handlers);
    on_heartbeat_due(&agent->timer); /* the first at once */
    settled(agent);
}

static void on_session_over(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call;
    call_over(ctx, status, "session");
}

static void on_ready(struct grpc_channel *channel, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_session, .on_done = on_session_over};
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    Docker__Swarmkit__V1__Platform platform = DOCKER__SWARMKIT__V1__PLATFORM__INIT;
    Docker__Swarmkit__V1__Resources resources = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    Docker__Swarmkit__V1__EngineDescription engine = DOCKER__SWARMKIT__V1__ENGINE_DESCRIPTION__INIT;
    struct link *link = ctx;
    struct agent *agent = agent_of(link);
    char hostname[32];

    if (agent == NULL || agent->channel != channel)
        return;
    snprintf(hostname, sizeof hostname, "agent-%u", agent->number);
    request.description = &description;
    description.hostname = hostname;
    description.platform = &platform;
    description.resources = &resources;
    description.engine = &engine;
    platform.os = (char *)(uintptr_t) "linux";
    platform.architecture = (char *)(uintptr_t) "x86_64";
    resources.nano_cpus = 32000000000;
    resources.memory_bytes = INT64_C(256) << 30;
    engine.engine_version = (char *)(uintptr_t) "20.10.24";
    start_stream(agent, METHOD(Dispatcher, Session), &request.base, &handlers);
}

static void on_failed(struct grpc_channel *channel, const struct error *err, void *ctx)
{
    struct agent *agent = agent_of(ctx);

    if (agent && agent->channel == channel)
        lose(agent, "connection", err->message);
}

/* Any but the one that was lost, as an agent's weights have it. */
static size_t pick_address(const struct agent *agent)
{
    if (agent->address == ADDRESSES_COUNT || address_count == 1)
        return (size_t)random_below(&random_, address_count);
    size_t other = (size_t)random_below(&random_, address_count - 1);
    return other < agent->address ? other : other + 1;
}

static void dial(struct agent *agent)
{
    agent->address = pick_address(agent);
    struct grpc_channel_options options = {.loop = loop,
                                           .clock = clock_,
                                           .random = random_,
                                           .address = addresses[agent->address],
                                           .server_name = "swarm-manager",
                                           .max_message_bytes = GRPC_MESSAGE_LARGE_SIZE_BYTES,
                                           .on_ready = on_ready,
                                           .on_failed = on_failed};
    struct error err = {0};

    dials++;
    agent->credentials = tls_credentials_new(&clock_);
    agent->link = mem_alloc(sizeof *agent->link);
    *agent->link = (struct link){.agent = agent};
    options.credentials = agent->credentials;
    options.ctx = agent->link;
    if (tls_credentials_set(agent->credentials, buf_bytes(&agent->chain_pem), buf_bytes(&agent->key_pem), buf_bytes(&root_pem), &err) < 0 ||
        grpc_channel_new(&options, &agent->channel, &err) < 0) {
        fprintf(stderr, "bench_agents: %s\n", err.message);
        exit(1);
    }
}

static void dial_more(void)
{
    if (ca_channel) {
        grpc_channel_close(ca_channel);
        ca_channel = NULL;
    }
    while (dialing < at_once && next_to_dial < agent_count) {
        struct agent *agent = &agents[next_to_dial++];
        agent->is_dialing = true;
        dialing++;
        dial(agent);
    }
}

/* --- who drives it --- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print_samples(const char *name, struct samples *samples)
{
    if (samples->count == 0)
        return;
    qsort(samples->values, samples->count, sizeof *samples->values, compare);
    printf(",\"%s_ms\":[%.3f,%.3f,%.3f]", name, samples->values[samples->count / 2] / 1e3, samples->values[samples->count * 99 / 100] / 1e3,
           samples->values[samples->count - 1] / 1e3);
}

static void print_stats(void)
{
    struct rusage usage;
    size_t since_mark = 0;

    for (size_t i = 0; i < agent_count && mark_ns; i++)
        since_mark += agents[i].is_in_session && agents[i].session_begun_ns >= mark_ns;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"certificates\":%zu,\"sessions\":%zu,\"since_mark\":%zu,\"lost\":%" PRIu64 ",\"dials\":%" PRIu64 ",\"task_updates\":%" PRIu64
           ",\"reported\":%" PRIu64 ",\"heartbeats\":%" PRIu64 ",\"cpu_s\":%.3f",
           certified, in_session, since_mark, lost, dials, task_updates, reported, heartbeats,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    print_samples("late", &late);
    print_samples("reply", &replies);
    print_samples("back", &back);
    printf(",\"last_error\":\"%s\"}\n", last_error);
    (void)fflush(stdout);
}

static void obey(const char *line)
{
    if (strcmp(line, "quit") == 0)
        exit(0);
    if (strcmp(line, "reset") == 0)
        late.count = replies.count = heartbeats = 0;
    if (strcmp(line, "mark") == 0) {
        mark_ns = clock_monotonic_ns(&clock_);
        back.count = 0;
    }
    print_stats();
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    static char memory[LINE_SIZE_CHARS];
    (void)handle, (void)size;
    *out = uv_buf_init(memory, sizeof memory);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    static char line[LINE_SIZE_CHARS];
    static size_t length;
    (void)stream;

    if (size < 0)
        exit(0);
    for (ssize_t i = 0; i < size; i++) {
        if (data->base[i] != '\n' && length < sizeof line - 1) {
            line[length++] = data->base[i];
            continue;
        }
        line[length] = '\0';
        length = 0;
        obey(line);
    }
}

static int usage(FILE *to, int code)
{
    fprintf(to,
            "usage: bench_agents --token SWMTKN-... --agents N [--at-once 64] HOST:PORT...\n"
            "N agents in session with managers, each with a certificate and a connection of its own. Reads stats, reset, mark, quit.\n");
    return code;
}

static int read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout, 0);
            exit(0);
        }
        if (strcmp(argv[i], "--token") == 0 && value) {
            token = argv[++i];
        } else if (strcmp(argv[i], "--agents") == 0 && value) {
            agent_count = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--at-once") == 0 && value) {
            at_once = strtoul(argv[++i], NULL, 10);
        } else if (argv[i][0] != '-' && address_count < ADDRESSES_COUNT) {
            addresses[address_count++] = argv[i];
        } else {
            return -1;
        }
    }
    return token && agent_count > 0 && at_once > 0 && address_count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    uv_pipe_t input;

    if (read_options(argc, argv) < 0)
        return usage(stderr, 64);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    loop = uv_default_loop();
    clock_ = clock_system();
    random_ = random_system();
    agents = mem_array(agent_count, sizeof *agents);
    for (unsigned i = 0; i < agent_count; i++) {
        agents[i] = (struct agent){.number = i, .address = ADDRESSES_COUNT};
        uv_timer_init(loop, &agents[i].timer);
        agents[i].timer.data = &agents[i];
    }
    uv_pipe_init(loop, &input, 0);
    if (uv_pipe_open(&input, 0) < 0 || uv_read_start((uv_stream_t *)&input, on_alloc, on_read) < 0)
        return 1;
    begin();
    uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}
