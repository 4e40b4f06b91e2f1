/* tests/helpers/skep_join_probe.c – the node's identity alone, driven from outside: joins, or keeps a bare session so that renewals and
 * rotations have their cause. What happens is printed as JSON lines.
 *
 *     skep_join_probe --state-dir D --token T [options] join HOST:PORT…     exit code: that of the error
 *     skep_join_probe --state-dir D [options] watch                        until SIGTERM, or --for SECONDS
 *
 *     --clock-offset S      our wall clock runs S seconds ahead
 *     --availability N      0 active, 1 pause, 2 drain
 *     --die-at-phase P      be gone, as by SIGKILL, when phase P (REQUEST, …) begins
 *     --die-at-change N     the same before the Nth change of the disk
 *     --no-session          watch without a session */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/join_driver.h"
#include "agent/renewal_driver.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/grpc/grpc.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

struct probe {
    uv_loop_t loop;
    int64_t offset_ns;
    struct clock clock;
    struct random random;
    const char *state_dir, *token, *die_at_phase;
    int availability, changes_left, exit_code;
    int64_t for_s;
    bool has_session;
    uint64_t began_ns;
    struct identity *identity;
    struct join_driver *join;
    /* watch */
    struct renewal_driver *renewal;
    struct tls_credentials *credentials;
    struct grpc_channel *channel;
    struct grpc_call *session;
    char *session_id;
    bool was_promotion_refused;
    uv_timer_t retry, heartbeat, end;
    uv_signal_t stop;
};

/* Takes the members of @json, adds when, and prints. */
static void print(struct probe *probe, const char *event, cJSON *json)
{
    json_add_string(json, "event", event);
    json_add_int(json, "ms", (int64_t)((clock_monotonic_ns(&probe->clock) - probe->began_ns) / NS_PER_MS));
    cleanup_free char *text = json_print(json);
    printf("%s\n", text);
    fflush(stdout);
    cJSON_Delete(json);
}

static void print_identity(struct probe *probe, const char *event)
{
    char digest[2 * SHA256_SIZE_BYTES + 1];
    uint8_t raw[SHA256_SIZE_BYTES];
    const struct identity *identity = probe->identity;
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "node_id", identity->certificate.node_id);
    json_add_string(json, "cluster_id", identity->certificate.cluster_id);
    json_add_string(json, "role", certificate_role_text(identity->certificate.role));
    json_add_int(json, "expires", identity->certificate.not_after_wall_ns / (int64_t)NS_PER_S);
    sha256(buf_bytes(&identity->root_pem), raw);
    encode_hex(bytes_of(raw, sizeof raw), digest);
    json_add_string(json, "root", digest);
    sha256(buf_bytes(&identity->certificate.issuer_public_key_der), raw);
    encode_hex(bytes_of(raw, sizeof raw), digest);
    json_add_string(json, "issuer", digest);
    print(probe, event, json);
}

static int die_or_go_on(void *ctx, const char *change, struct error *err)
{
    struct probe *probe = ctx;
    (void)change;
    (void)err;
    if (probe->changes_left > 0 && --probe->changes_left == 0)
        _exit(9);
    return 0;
}

static void fail(struct probe *probe, const struct error *err)
{
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "code", error_name(err->code));
    json_add_string(json, "message", err->message);
    print(probe, "failed", json);
    probe->exit_code = error_exit_code(err->code);
}

/* ---- join ---- */

static void on_phase(void *ctx, enum join_phase phase, const char *shown, const char *notice)
{
    struct probe *probe = ctx;
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "phase", join_table.states[phase].name);
    json_add_string(json, "shown", shown);
    json_add_string(json, "notice", notice);
    print(probe, "phase", json);
    if (text_equal(probe->die_at_phase, join_table.states[phase].name))
        _exit(9);
}

static void on_done(void *ctx, const struct error *err)
{
    struct probe *probe = ctx;
    if (err)
        fail(probe, err);
    else
        print_identity(probe, "joined");
    join_driver_free(probe->join);
    probe->join = NULL;
}

static int join(struct probe *probe, const char *const *remotes, size_t count, struct error *err)
{
    struct join_driver_options options = {.loop = &probe->loop,
                                          .clock = probe->clock,
                                          .random = probe->random,
                                          .identity = probe->identity,
                                          .token = probe->token,
                                          .remotes = remotes,
                                          .remote_count = count,
                                          .availability = probe->availability,
                                          .on_phase = on_phase,
                                          .on_done = on_done,
                                          .ctx = probe};
    return join_driver_start(&options, &probe->join, err);
}

/* ---- watch: a session that registers and beats, and nothing else ---- */

static void open_session(struct probe *probe);

static void on_retry(uv_timer_t *timer)
{
    open_session(timer->data);
}

static void close_session(struct probe *probe)
{
    uv_timer_stop(&probe->heartbeat);
    probe->session = NULL;
    if (probe->channel)
        grpc_channel_close(probe->channel);
    probe->channel = NULL;
}

static void lose_session(struct probe *probe, const char *why)
{
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "message", why);
    print(probe, "lost", json);
    close_session(probe);
    uv_timer_start(&probe->retry, on_retry, 1000, 0);
}

static void on_beat(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    (void)ctx;
    (void)status;
    (void)reply; /* the session's own end tells what matters */
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct probe *probe = timer->data;
    Docker__Swarmkit__V1__HeartbeatRequest request = DOCKER__SWARMKIT__V1__HEARTBEAT_REQUEST__INIT;
    request.session_id = probe->session_id;
    grpc_unary(probe->channel, METHOD(Dispatcher, Heartbeat), &request.base, NULL, on_beat, NULL);
}

static void on_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct probe *probe = ctx;
    const Docker__Swarmkit__V1__SessionMessage *told = (const void *)message;
    if (call != probe->session)
        return;
    free(probe->session_id);
    probe->session_id = mem_string(told->session_id);
    const Docker__Swarmkit__V1__Node *node = told->node;
    int desired = node && node->spec ? (int)node->spec->desired_role : 0;
    int status = node && node->certificate && node->certificate->status ? (int)node->certificate->status->state : 0;
    cJSON *json = cJSON_CreateObject();
    json_add_int(json, "desired_role", desired);
    json_add_int(json, "certificate_status", status);
    print(probe, "told", json);
    if (!uv_is_active((uv_handle_t *)&probe->heartbeat))
        uv_timer_start(&probe->heartbeat, on_heartbeat, 0, 3000);
    renewal_driver_told(probe->renewal, desired, false, status, bytes_of(told->rootca.data, told->rootca.len));
    if (renewal_driver_promotion_refused(probe->renewal) != probe->was_promotion_refused) {
        probe->was_promotion_refused = !probe->was_promotion_refused;
        json = cJSON_CreateObject();
        cJSON_AddBoolToObject(json, "refused", probe->was_promotion_refused);
        print(probe, "promotion", json);
    }
}

static void on_session_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct probe *probe = ctx;
    if (call == probe->session)
        lose_session(probe, status->error.message);
}

static ProtobufCBinaryData field_of(const struct buf *buf)
{
    return (ProtobufCBinaryData){.len = buf->size, .data = buf->data};
}

static void register_node(struct probe *probe)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_message, .on_done = on_session_done};
    const struct identity *identity = probe->identity;
    Docker__Swarmkit__V1__NodeTLSInfo tls = DOCKER__SWARMKIT__V1__NODE_TLSINFO__INIT;
    tls.trust_root = field_of(&identity->root_pem);
    tls.cert_issuer_subject = field_of(&identity->certificate.issuer_subject_der);
    tls.cert_issuer_public_key = field_of(&identity->certificate.issuer_public_key_der);
    Docker__Swarmkit__V1__Platform platform = DOCKER__SWARMKIT__V1__PLATFORM__INIT;
    platform.architecture = (char[]){"x86_64"};
    platform.os = (char[]){"linux"};
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    description.hostname = (char[]){"probe"};
    description.platform = &platform;
    description.tls_info = &tls;
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    request.description = &description;
    if (probe->session_id)
        request.session_id = probe->session_id;
    struct error err = {0};
    probe->session = grpc_call_start(probe->channel, METHOD(Dispatcher, Session), NULL, &handlers, probe);
    if (grpc_call_send(probe->session, &request.base, &err) < 0)
        fail(probe, &err);
    grpc_call_send_end(probe->session);
}

static void open_session(struct probe *probe)
{
    const struct remote *remote;
    struct error err = {0};
    close_session(probe);
    struct grpc_channel_options options = {.loop = &probe->loop,
                                           .clock = probe->clock,
                                           .random = probe->random,
                                           .credentials = probe->credentials,
                                           .server_name = "swarm-manager"};
    int failed = remotes_select(&probe->identity->remotes, &probe->random, NULL, 0, &remote, &err);
    if (failed == 0) {
        options.address = remote->addr;
        failed = grpc_channel_new(&options, &probe->channel, &err);
    }
    if (failed < 0)
        lose_session(probe, err.message);
    else
        register_node(probe);
}

static struct grpc_channel *session_channel(void *ctx)
{
    struct probe *probe = ctx;
    return probe->channel && grpc_channel_is_ready(probe->channel) ? probe->channel : NULL;
}

static void on_replaced(void *ctx)
{
    struct probe *probe = ctx;
    print_identity(probe, "replaced");
    if (probe->has_session)
        uv_timer_start(&probe->retry, on_retry, 0, 0);
}

static void on_health(void *ctx, enum renewal_health health, const struct error *trouble)
{
    static const char *const names[] = {"healthy", "late", "refused"};
    struct probe *probe = ctx;
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "health", names[health]);
    json_add_string(json, "message", trouble->message);
    print(probe, "health", json);
}

static void end(struct probe *probe)
{
    close_session(probe);
    renewal_driver_free(probe->renewal);
    probe->renewal = NULL;
    uv_close((uv_handle_t *)&probe->retry, NULL);
    uv_close((uv_handle_t *)&probe->heartbeat, NULL);
    uv_close((uv_handle_t *)&probe->end, NULL);
    uv_close((uv_handle_t *)&probe->stop, NULL);
}

static void on_end(uv_timer_t *timer)
{
    end(timer->data);
}

static void on_stop(uv_signal_t *handle, int number)
{
    (void)number;
    end(handle->data);
}

static int watch(struct probe *probe, struct error *err)
{
    const struct identity *identity = probe->identity;
    if (!identity->has_certificate)
        return error_set(err, ERR_PRECONDITION, "not in a swarm");
    probe->credentials = tls_credentials_new(&probe->clock);
    int failed = tls_credentials_set(probe->credentials, buf_bytes(&identity->chain_pem), buf_bytes(&identity->key.body_pem),
                                     buf_bytes(&identity->root_pem), err);
    if (failed < 0)
        return failed;
    struct renewal_driver_options options = {.loop = &probe->loop,
                                             .clock = probe->clock,
                                             .random = probe->random,
                                             .identity = probe->identity,
                                             .credentials = probe->credentials,
                                             .channel = session_channel,
                                             .on_replaced = on_replaced,
                                             .on_health = on_health,
                                             .ctx = probe};
    failed = renewal_driver_start(&options, &probe->renewal, err);
    if (failed < 0)
        return failed;
    uv_timer_init(&probe->loop, &probe->retry);
    uv_timer_init(&probe->loop, &probe->heartbeat);
    uv_timer_init(&probe->loop, &probe->end);
    uv_signal_init(&probe->loop, &probe->stop);
    probe->retry.data = probe->heartbeat.data = probe->end.data = probe->stop.data = probe;
    uv_signal_start_oneshot(&probe->stop, on_stop, SIGTERM);
    uv_timer_start(&probe->end, on_end, (uint64_t)probe->for_s * 1000, 0);
    print_identity(probe, "watching");
    if (probe->has_session)
        open_session(probe);
    return 0;
}

/* ---- the command line ---- */

static int64_t number(const char *text)
{
    int64_t value = 0;
    struct error err = {0};
    if (text_parse_i64(text, INT64_MIN / 2, INT64_MAX / 2, &value, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        exit(64);
    }
    return value;
}

/* Returns the index of the first argument that is no option. */
static int parse(struct probe *probe, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && text_starts(argv[i], "--"); i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (text_equal(argv[i], "--no-session")) {
            probe->has_session = false;
            continue;
        }
        if (text_equal(argv[i], "--state-dir"))
            probe->state_dir = value;
        else if (text_equal(argv[i], "--token"))
            probe->token = value;
        else if (text_equal(argv[i], "--die-at-phase"))
            probe->die_at_phase = value;
        else if (text_equal(argv[i], "--die-at-change"))
            probe->changes_left = (int)number(value);
        else if (text_equal(argv[i], "--availability"))
            probe->availability = (int)number(value);
        else if (text_equal(argv[i], "--clock-offset"))
            probe->offset_ns = number(value) * (int64_t)NS_PER_S;
        else if (text_equal(argv[i], "--for"))
            probe->for_s = number(value);
        else
            return argc;
        i++;
    }
    return i;
}

static int run(struct probe *probe, int argc, char **argv, int first, struct error *err)
{
    int failed = identity_open_with(probe->state_dir, die_or_go_on, probe, &probe->identity, err);
    if (failed < 0)
        return failed;
    return text_equal(argv[first], "join") ? join(probe, (const char *const *)(argv + first + 1), (size_t)(argc - first - 1), err)
                                           : watch(probe, err);
}

int main(int argc, char **argv)
{
    struct probe probe = {.random = random_system(), .state_dir = ".", .has_session = true, .for_s = 600};
    struct error err = {0};
    int first = parse(&probe, argc, argv);
    if (first >= argc || (!text_equal(argv[first], "join") && !text_equal(argv[first], "watch"))) {
        fprintf(stderr, "usage: %s --state-dir D [--token T] [options] join HOST:PORT… | watch\n", argv[0]);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    log_init(LOG_TEXT, LOG_INFO, stderr);
    uv_loop_init(&probe.loop);
    probe.clock = clock_system_shifted(&probe.offset_ns);
    probe.began_ns = clock_monotonic_ns(&probe.clock);
    if (run(&probe, argc, argv, first, &err) < 0)
        fail(&probe, &err);
    uv_run(&probe.loop, UV_RUN_DEFAULT);
    tls_credentials_free(probe.credentials);
    identity_free(probe.identity);
    free(probe.session_id);
    uv_loop_close(&probe.loop);
    return probe.exit_code;
}
