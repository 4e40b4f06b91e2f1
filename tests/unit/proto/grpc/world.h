/* tests/unit/proto/grpc/world.h – a server and a channel to it on one loop, and what each side has seen of a call. */
#ifndef SKEP_TESTS_UNIT_PROTO_GRPC_WORLD_H
#define SKEP_TESTS_UNIT_PROTO_GRPC_WORLD_H

#include "base/mem.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "proto/grpc/grpc.h"
#include "tests/unit/proto/peer.h"

#define NOW_NS (INT64_C(1790000000) * 1000000000)
#define DAY_NS (INT64_C(86400) * 1000000000)

typedef Google__Protobuf__BytesValue Payload;

#define METHOD_OF(name, streams)                                                                                                           \
    {                                                                                                                                      \
        "/skep.test.Echo/" name, &google__protobuf__bytes_value__descriptor, &google__protobuf__bytes_value__descriptor, streams,          \
            METHOD_ANYONE                                                                                                                  \
    }
static const struct method __attribute__((unused)) unary = METHOD_OF("Unary", METHOD_UNARY), hang = METHOD_OF("Hang", METHOD_SERVER_STREAM),
                                                   down = METHOD_OF("Down", METHOD_SERVER_STREAM),
                                                   up = METHOD_OF("Up", METHOD_CLIENT_STREAM), both = METHOD_OF("Both", METHOD_BOTH_STREAM),
                                                   absent = METHOD_OF("Absent", METHOD_UNARY),
                                                   foreign = {"/skep.test.Other/Unary", &google__protobuf__bytes_value__descriptor,
                                                              &google__protobuf__bytes_value__descriptor, METHOD_UNARY, METHOD_ANYONE};

/* What one side of a call has seen. */
struct seen {
    struct grpc_call *call;
    size_t messages, bytes, left, size, refusals;
    int half_closed, done, code;
    char message[512], text[256], peer[64];
    struct error error;
    bool is_from_peer, pauses;
    struct grpc_channel *closes; /* in a callback */
};

struct world {
    uv_loop_t loop;
    int64_t wall_ns;
    struct authority authority;
    struct papers papers;
    struct tls_credentials *server_credentials, *client_credentials;
    struct grpc_server *server;
    struct grpc_channel *channel;
    char address[64];
    struct seen served; /* the last call that the server took */
    size_t served_count;
    int ready, failed, stopped;
    struct error err;
    size_t max_connections;                         /* of servers to be started; 0: the library's */
    uint64_t keepalive_ms;                          /* of channels to be dialled; 0: the library's */
    uint64_t server_keepalive_ms, server_answer_ms; /* of servers to be started */
};

static inline Payload payload(const void *data, size_t size)
{
    Payload message = GOOGLE__PROTOBUF__BYTES_VALUE__INIT;
    message.value = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
    return message;
}

static inline void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct seen *seen = ctx;
    assert_ptr_equal(call, seen->call);
    seen->call = NULL;
    seen->done++;
    seen->code = status->code;
    seen->error = status->error;
    seen->is_from_peer = status->is_from_peer;
    snprintf(seen->message, sizeof seen->message, "%s", status->message);
}

/* --- the server's side --- */

static inline void pour(struct grpc_call *call, void *ctx)
{
    struct seen *seen = ctx;
    uint8_t *block = mem_alloc(seen->size + 1);
    Payload message = payload(block, seen->size);
    while (seen->left > 0) {
        if (grpc_call_send(call, &message.base, NULL) == ERR_AGAIN) {
            seen->refusals++;
            break;
        }
        seen->left--;
    }
    free(block);
    if (seen->left == 0 && (grpc_call_method(call) == &down))
        grpc_call_finish(call, GRPC_OK, NULL);
    else if (seen->left == 0)
        grpc_call_send_end(call);
}

static inline void serve_message(struct grpc_call *call, ProtobufCMessage *base, void *ctx)
{
    struct seen *seen = ctx;
    Payload *message = (Payload *)base;
    seen->messages++;
    seen->bytes += message->value.len;
    if (grpc_call_method(call) == &unary)
        grpc_call_reply(call, base);
    else if (grpc_call_method(call) == &both)
        assert_ok(grpc_call_send(call, base, err));
    else if (grpc_call_method(call) == &down) {
        sscanf((char *)message->value.data, "%zu %zu", &seen->left, &seen->size);
        pour(call, seen);
    }
    if (seen->pauses)
        grpc_call_pause(call, true);
}

static inline void serve_half_closed(struct grpc_call *call, void *ctx)
{
    struct seen *seen = ctx;
    seen->half_closed++;
    char text[32];
    snprintf(text, sizeof text, "%zu", seen->bytes);
    Payload message = payload(text, strlen(text));
    if (grpc_call_method(call) == &up)
        grpc_call_reply(call, &message.base);
    else if (grpc_call_method(call) == &both)
        grpc_call_finish(call, 9, "enough");
}

static inline void serve(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {
        .on_message = serve_message, .on_half_closed = serve_half_closed, .on_writable = pour, .on_done = on_done};
    struct world *world = ctx;
    bool pauses = world->served.pauses;
    world->served = (struct seen){.call = call, .pauses = pauses};
    world->served_count++;
    if (grpc_call_peer(call))
        snprintf(world->served.peer, sizeof world->served.peer, "%s %s %d", grpc_call_peer(call)->common_name,
                 grpc_call_peer(call)->organization, tls_identity_has_unit(grpc_call_peer(call), "swarm-manager"));
    const char *word = grpc_call_metadata(call, "word", 1);
    snprintf(world->served.text, sizeof world->served.text, "%s", word ? word : "");
    grpc_call_accept(call, &handlers, &world->served);
}

/* For calls of which there are many at once. */
static inline void serve_idle(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers none = {0};
    struct world *world = ctx;
    world->served_count++;
    grpc_call_accept(call, &none, NULL);
}

/* --- the client's side --- */

static inline void on_message(struct grpc_call *call, ProtobufCMessage *base, void *ctx)
{
    struct seen *seen = ctx;
    Payload *message = (Payload *)base;
    seen->messages++;
    seen->bytes += message->value.len;
    snprintf(seen->text, sizeof seen->text, "%.*s", (int)message->value.len, (char *)message->value.data);
    if (seen->pauses)
        grpc_call_pause(call, true);
    else
        grpc_channel_close(seen->closes);
}

static const struct grpc_call_handlers __attribute__((unused))
handlers = {.on_message = on_message, .on_writable = pour, .on_done = on_done};

static inline void ask(struct world *world, const struct method *method, const char *text, const struct grpc_call_options *options,
                       struct seen *seen)
{
    Payload message = payload(text, strlen(text));
    seen->call = grpc_call_start(world->channel, method, options, &handlers, seen);
    assert_ok(grpc_call_send(seen->call, &message.base, err));
}

static inline void on_ready(struct grpc_channel *channel, void *ctx)
{
    struct world *world = ctx;
    assert_true(grpc_channel_is_ready(channel));
    world->ready++;
}

static inline void on_failed(struct grpc_channel *channel, const struct error *err, void *ctx)
{
    struct world *world = ctx;
    (void)channel;
    world->failed++;
    world->err = *err;
}

static inline struct grpc_channel *dial(struct world *world, const char *address, const char *role, bool reconnects)
{
    struct grpc_channel *channel = NULL;
    assert_ok(grpc_channel_new(&(struct grpc_channel_options){.loop = &world->loop,
                                                              .clock = peer_clock(&world->wall_ns),
                                                              .random = random_system(),
                                                              .address = address,
                                                              .credentials = world->client_credentials,
                                                              .server_name = role,
                                                              .keepalive_ms = world->keepalive_ms,
                                                              .reconnects = reconnects,
                                                              .on_ready = on_ready,
                                                              .on_failed = on_failed,
                                                              .ctx = world},
                               &channel, err));
    return channel;
}

static inline void start_server(struct world *world, const char *address)
{
    static const struct method *const methods[] = {&unary, &hang, &down, &up, &both};
    world->server = grpc_server_new(&(struct grpc_server_options){.loop = &world->loop,
                                                                  .clock = peer_clock(&world->wall_ns),
                                                                  .credentials = world->server_credentials,
                                                                  .max_connections = world->max_connections,
                                                                  .keepalive_ms = world->server_keepalive_ms,
                                                                  .keepalive_answer_ms = world->server_answer_ms});
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_handle(world->server, methods[i], methods[i] == &hang ? serve_idle : serve, world);
    assert_ok(grpc_server_listen(world->server, address, err));
    snprintf(world->address, sizeof world->address, "127.0.0.1:%u", grpc_server_port(world->server));
}

static inline struct world *begin(void)
{
    struct world *world = mem_alloc(sizeof *world);
    world->wall_ns = NOW_NS;
    uv_loop_init(&world->loop);
    authority_init(&world->authority, NOW_NS - DAY_NS);
    world->papers = papers_make(&world->authority, &(struct papers_options){.from_wall_ns = NOW_NS - DAY_NS});
    world->server_credentials = peer_credentials(&world->wall_ns, &world->papers, &world->authority);
    world->client_credentials = peer_credentials(&world->wall_ns, &world->papers, &world->authority);
    start_server(world, "127.0.0.1:0");
    world->channel = dial(world, world->address, "swarm-manager", false);
    return world;
}

static inline void on_stopped(void *ctx)
{
    struct world *world = ctx;
    world->stopped++;
}

static inline void end(struct world *world)
{
    grpc_channel_close(world->channel);
    if (world->server)
        grpc_server_stop(world->server, 0, on_stopped, world);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    tls_credentials_free(world->server_credentials);
    tls_credentials_free(world->client_credentials);
    papers_deinit(&world->papers);
    authority_deinit(&world->authority);
    free(world);
}

#endif
