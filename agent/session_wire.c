/* The calls as a list. A call that nobody wants any more is taken off it and left to end by itself: its wire pointer is then NULL. */
#include "agent/session_wire.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/limits.h"
#include "base/mem.h"
#include "proto/grpc/grpc.h"

struct wire_call_state {
    struct wire_call_state *prev, *next;
    struct session_wire *wire; /* NULL: not wanted any more */
    enum wire_call kind;
    uint32_t tag;
    struct grpc_call *call;
    void *publication;
    struct buf held; /* PUBLISH: a message that found no room */
    bool ends_after_held;
};

struct session_wire {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct tls_credentials *credentials;
    struct session_wire_listener listener;
    struct grpc_channel *channel;
    uint32_t channel_tag;
    bool is_ready;
    struct wire_call_state *calls;
};

/* A function: the addresses of method_list's entries, with the deadlines beside them. */
static const struct method *method_of(enum wire_call kind, uint64_t *deadline_ms)
{
    static const uint64_t deadlines_ms[] = {
#define X(name, service, method, deadline) deadline,
        WIRE_CALLS(X)
#undef X
    };
    static const enum method_id methods[] = {
#define X(name, service, method, deadline) METHOD_##service##_##method,
        WIRE_CALLS(X)
#undef X
    };
    *deadline_ms = deadlines_ms[kind];
    return &method_list[methods[kind]];
}

/* Calls. */

static void free_call(struct wire_call_state *call)
{
    buf_deinit(&call->held);
    free(call);
}

static void disown(struct wire_call_state *call)
{
    DL_DELETE(call->wire->calls, call);
    call->wire = NULL;
}

static void on_message(struct grpc_call *grpc, ProtobufCMessage *message, void *ctx)
{
    struct wire_call_state *call = ctx;
    (void)grpc;

    if (call->wire && call->kind != WIRE_PUBLISH)
        call->wire->listener.on_message(call->wire->listener.ctx, call->kind, call->tag, message);
}

static void on_done(struct grpc_call *grpc, const struct grpc_status *status, void *ctx)
{
    struct wire_call_state *call = ctx;
    struct session_wire *wire = call->wire;
    (void)grpc;

    if (wire) {
        disown(call);
        if (call->kind == WIRE_PUBLISH)
            wire->listener.on_publish_ended(wire->listener.ctx, call->publication, status->code, status->message);
        else
            wire->listener.on_ended(wire->listener.ctx, call->kind, call->tag, status->code, status->message);
    }
    free_call(call);
}

static void on_writable(struct grpc_call *grpc, void *ctx)
{
    struct wire_call_state *call = ctx;
    (void)grpc;

    if (!call->wire)
        return;
    if (call->held.size > 0) {
        struct error err;
        if (grpc_call_send_bytes(call->call, buf_bytes(&call->held), &err) == ERR_AGAIN)
            return;
        buf_clear(&call->held);
    }
    if (call->ends_after_held)
        grpc_call_send_end(call->call);
    else
        call->wire->listener.on_publish_writable(call->wire->listener.ctx, call->publication);
}

static struct wire_call_state *start(struct session_wire *wire, enum wire_call kind, uint32_t tag)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_message, .on_writable = on_writable, .on_done = on_done};
    struct wire_call_state *call = mem_alloc(sizeof *call);
    struct grpc_call_options options = {0};
    const struct method *method = method_of(kind, &options.deadline_ms);

    call->wire = wire;
    call->kind = kind;
    call->tag = tag;
    DL_APPEND(wire->calls, call);
    call->call = grpc_call_start(wire->channel, method, &options, &handlers, call);
    return call;
}

void session_wire_call_packed(struct session_wire *wire, enum wire_call kind, uint32_t tag, struct bytes request)
{
    struct wire_call_state *call = start(wire, kind, tag);
    struct error err;

    if (grpc_call_send_bytes(call->call, request, &err) < 0) { /* the first message of a call: only its size can be wrong */
        grpc_call_cancel(call->call);
        return;
    }
    grpc_call_send_end(call->call);
}

void session_wire_call(struct session_wire *wire, enum wire_call kind, uint32_t tag, const ProtobufCMessage *request)
{
    size_t size = protobuf_c_message_get_packed_size(request);
    uint8_t *packed = mem_alloc(size + 1);

    protobuf_c_message_pack(request, packed);
    session_wire_call_packed(wire, kind, tag, bytes_of(packed, size));
    free(packed);
}

void session_wire_cancel(struct session_wire *wire, enum wire_call kind)
{
    struct wire_call_state *call, *next;

    DL_FOREACH_SAFE (wire->calls, call, next)
        if (call->kind == kind) {
            disown(call);
            grpc_call_cancel(call->call);
        }
}

/* The connection. */

static void on_ready(struct grpc_channel *channel, void *ctx)
{
    struct session_wire *wire = ctx;

    if (channel != wire->channel)
        return;
    wire->is_ready = true;
    wire->listener.on_ready(wire->listener.ctx, wire->channel_tag);
}

static void on_failed(struct grpc_channel *channel, const struct error *err, void *ctx)
{
    struct session_wire *wire = ctx;

    if (channel != wire->channel)
        return;
    wire->is_ready = false;
    wire->listener.on_failed(wire->listener.ctx, wire->channel_tag, err->message);
}

int session_wire_dial(struct session_wire *wire, const char *addr, uint32_t tag, struct error *err)
{
    struct grpc_channel_options options = {.loop = wire->loop,
                                           .clock = wire->clock,
                                           .random = wire->random,
                                           .address = addr,
                                           .credentials = wire->credentials,
                                           .server_name = "swarm-manager",
                                           .max_message_bytes = GRPC_MESSAGE_LARGE_SIZE_BYTES,
                                           .on_ready = on_ready,
                                           .on_failed = on_failed,
                                           .ctx = wire};
    session_wire_close(wire);
    wire->channel_tag = tag;
    return grpc_channel_new(&options, &wire->channel, err);
}

void session_wire_close(struct session_wire *wire)
{
    struct wire_call_state *call, *next;
    struct grpc_channel *channel = wire->channel;

    DL_FOREACH_SAFE (wire->calls, call, next)
        disown(call);
    wire->channel = NULL;
    wire->is_ready = false;
    if (channel)
        grpc_channel_close(channel);
}

struct grpc_channel *session_wire_channel(const struct session_wire *wire)
{
    return wire->is_ready ? wire->channel : NULL;
}

/* What the log publisher writes to. */

static int sink_open(void *self, void *publication, void **stream, struct error *err)
{
    struct session_wire *wire = self;

    if (!wire->is_ready)
        return error_set(err, ERR_UNAVAILABLE, "there is no session");
    struct wire_call_state *call = start(wire, WIRE_PUBLISH, 0);
    call->publication = publication;
    *stream = call;
    return 0;
}

static bool sink_send(void *self, void *stream, struct bytes message)
{
    struct wire_call_state *call = stream;
    struct error err;
    (void)self;

    if (grpc_call_send_bytes(call->call, message, &err) != ERR_AGAIN)
        return true; /* sent, or the call has failed and on_done is on the way */
    buf_clear(&call->held);
    buf_append(&call->held, message.data, message.size);
    return false;
}

static void sink_finish(void *self, void *stream)
{
    struct wire_call_state *call = stream;
    (void)self;

    if (call->held.size > 0)
        call->ends_after_held = true;
    else
        grpc_call_send_end(call->call);
}

static void sink_cancel(void *self, void *stream)
{
    struct wire_call_state *call = stream;
    (void)self;

    if (!call->wire)
        return;
    disown(call);
    grpc_call_cancel(call->call);
}

struct log_sink session_wire_log_sink(struct session_wire *wire)
{
    return (struct log_sink){sink_open, sink_send, sink_finish, sink_cancel, wire};
}

struct session_wire *session_wire_new(const struct session_wire_options *options)
{
    struct session_wire *wire = mem_alloc(sizeof *wire);

    wire->loop = options->loop;
    wire->clock = options->clock;
    wire->random = options->random;
    wire->credentials = options->credentials;
    wire->listener = options->listener;
    return wire;
}

void session_wire_free(struct session_wire *wire)
{
    if (!wire)
        return;
    session_wire_close(wire);
    free(wire);
}
