/* proto/grpc/channel.c – a client's way to one peer: dials, shakes hands, carries calls, and tells a person what went wrong. See grpc.h. */
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/state.h"
#include "base/text.h"
#include "proto/grpc/dial.h"
#include "proto/grpc/internal.h"

/* The deadline of the first two is one for both: GRPC_CONNECT_TIMEOUT_MS from the dial to the peer's SETTINGS. */
#define CHANNEL_STATES(X)                                                                                                                  \
    X(DIALING, "connecting", BIT(CHANNEL_SHAKING) | BIT(CHANNEL_RESTING) | BIT(CHANNEL_FAILED) | BIT(CHANNEL_CLOSED),                      \
      GRPC_CONNECT_TIMEOUT_MS)                                                                                                             \
    X(SHAKING, "shaking hands", BIT(CHANNEL_READY) | BIT(CHANNEL_RESTING) | BIT(CHANNEL_FAILED) | BIT(CHANNEL_CLOSED),                     \
      GRPC_CONNECT_TIMEOUT_MS)                                                                                                             \
    X(READY, "ready", BIT(CHANNEL_DIALING) | BIT(CHANNEL_RESTING) | BIT(CHANNEL_FAILED) | BIT(CHANNEL_CLOSED), 0)                          \
    X(RESTING, "waiting to connect again", BIT(CHANNEL_DIALING) | BIT(CHANNEL_CLOSED), GRPC_BACKOFF_MAX_MS)                                \
    X(FAILED, "failed", BIT(CHANNEL_CLOSED), 0)                                                                                            \
    X(CLOSED, "closed", 0, 0)

enum channel_state {
#define X(name, shown, next, deadline_ms) CHANNEL_##name,
    CHANNEL_STATES(X)
#undef X
};

static const struct state_info channel_states[] = {
#define X(name, shown, next, deadline_ms) {#name, shown, next, deadline_ms},
    CHANNEL_STATES(X)
#undef X
};
static const struct state_table channel_table = {"channel", channel_states, sizeof channel_states / sizeof channel_states[0]};

/* One connection of a channel: the one in use, or an older one that still has calls after its peer's GOAWAY. */
struct link {
    struct link *prev, *next;
    struct grpc_channel *channel;
    struct tls_stream *tls;
    struct connection *connection; /* NULL during the handshake */
    bool is_closing;               /* what it says while its last frames leave is of no interest */
};

struct grpc_channel {
    struct schedule schedule;
    struct state_machine machine;
    uv_timer_t timer; /* the state's: its deadline, the rest's end, or the keepalive of a ready one */
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct tls_credentials *credentials;
    char *address, *authority, *server_name;
    size_t max_message_bytes;
    uint64_t keepalive_ms;
    bool is_unverified, is_anonymous, reconnects;
    void (*on_ready)(struct grpc_channel *channel, void *ctx);
    void (*on_failed)(struct grpc_channel *channel, const struct error *err, void *ctx);
    void *ctx;

    struct dial *dial;
    struct link *link, *draining;
    struct grpc_call *waiting;
    struct error err; /* of the last failure */
    unsigned failures, handles;
    bool has_heard; /* anything, since the keepalive last looked */
};

static void move(struct grpc_channel *channel, enum channel_state state)
{
    struct error err;
    int failed = state_move(&channel->machine, state, clock_monotonic_ns(&channel->clock), &err);
    assert(failed == 0);
    (void)failed;
}

static void start_dial(struct grpc_channel *channel);

/* --- a link's end --- */

static void close_link(struct link *link, bool aborts)
{
    if (aborts)
        tls_stream_abort(link->tls);
    else
        tls_stream_close(link->tls);
    connection_free(link->connection);
    free(link);
}

static void on_rested(uv_timer_t *timer)
{
    struct grpc_channel *channel = timer->data;
    move(channel, CHANNEL_DIALING);
    start_dial(channel);
}

/* Doubles from GRPC_BACKOFF_MIN_MS; the wait is between half of it and all of it. */
static uint64_t backoff_ms(struct grpc_channel *channel)
{
    unsigned doublings = channel->failures > 8 ? 8 : channel->failures;
    uint64_t most = (uint64_t)GRPC_BACKOFF_MIN_MS << doublings;
    most = most > GRPC_BACKOFF_MAX_MS ? GRPC_BACKOFF_MAX_MS : most;
    return most / 2 + random_below(&channel->random, most / 2 + 1);
}

static void fail_waiting(struct grpc_channel *channel)
{
    struct grpc_call *call, *after;
    DL_FOREACH_SAFE2(channel->waiting, call, after, link.next)
    if (!call->waits_for_ready || !channel->reconnects)
        grpc_call_end(call, 0, false, GRPC_UNAVAILABLE, channel->err.message, &channel->err);
}

/* The connection failed or broke. */
static void fail(struct grpc_channel *channel, const struct error *err)
{
    struct link *link = steal(&channel->link);
    error_set(&channel->err, err->code, "%s", err->message);
    dial_cancel(steal(&channel->dial));
    move(channel, channel->reconnects ? CHANNEL_RESTING : CHANNEL_FAILED);
    if (link && link->connection)
        connection_fail(link->connection, GRPC_UNAVAILABLE, &channel->err);
    if (link)
        close_link(link, false);
    uv_timer_stop(&channel->timer);
    if (channel->reconnects)
        uv_timer_start(&channel->timer, on_rested, backoff_ms(channel), 0);
    channel->failures++;
    fail_waiting(channel);
    if (channel->on_failed)
        channel->on_failed(channel, &channel->err, channel->ctx);
}

static void end_link(struct link *link, const struct error *err)
{
    struct grpc_channel *channel = link->channel;
    struct error named = {0};
    if (link->is_closing)
        return;
    error_set(&named, err->code, "%s", err->message);
    error_wrap(&named, "%s", channel->address);
    if (link == channel->link) {
        fail(channel, &named);
        return;
    }
    DL_DELETE(channel->draining, link);
    connection_fail(link->connection, GRPC_UNAVAILABLE, &named);
    close_link(link, false);
}

/* --- what the connection says --- */

static void write_link(void *ctx, struct bytes data)
{
    struct link *link = ctx;
    tls_stream_write(link->tls, data);
}

static size_t queued_link(void *ctx)
{
    struct link *link = ctx;
    return tls_stream_queued(link->tls);
}

static const struct tls_identity *peer_of_link(void *ctx)
{
    struct link *link = ctx;
    return tls_stream_peer(link->tls);
}

static void address_of_link(void *ctx, char out[GRPC_ADDRESS_SIZE_CHARS])
{
    struct link *link = ctx;
    snprintf(out, GRPC_ADDRESS_SIZE_CHARS, "%s", link->channel->address);
}

static void watch_keepalive(struct grpc_channel *channel);

static void on_unanswered(uv_timer_t *timer)
{
    struct grpc_channel *channel = timer->data;
    if (channel->has_heard) {
        watch_keepalive(channel);
        return;
    }
    struct error err = {0};
    error_set(&err, ERR_UNAVAILABLE, "%s: no answer to a keepalive ping", channel->address);
    fail(channel, &err);
}

/* Whatever came since the last look is as good as an answer to a ping. */
static void on_keepalive(uv_timer_t *timer)
{
    struct grpc_channel *channel = timer->data;
    uint64_t answer_ms = channel->keepalive_ms < GRPC_KEEPALIVE_ANSWER_MS ? channel->keepalive_ms : GRPC_KEEPALIVE_ANSWER_MS;
    if (channel->has_heard) {
        watch_keepalive(channel);
        return;
    }
    connection_ping(channel->link->connection);
    uv_timer_start(&channel->timer, on_unanswered, answer_ms, 0);
}

static void watch_keepalive(struct grpc_channel *channel)
{
    channel->has_heard = false;
    uv_timer_start(&channel->timer, on_keepalive, channel->keepalive_ms, 0);
}

static void on_settings(void *ctx)
{
    struct link *link = ctx;
    struct grpc_channel *channel = link->channel;
    if (link != channel->link || channel->machine.state != CHANNEL_SHAKING)
        return;
    move(channel, CHANNEL_READY);
    channel->failures = 0;
    watch_keepalive(channel);
    while (channel->waiting) {
        struct grpc_call *call = channel->waiting;
        channel_forget(channel, call);
        connection_request(link->connection, call);
    }
    if (channel->on_ready)
        channel->on_ready(channel, channel->ctx);
}

/* The calls that the peer still serves go on; new ones need a new connection. */
static void on_goaway(void *ctx)
{
    struct link *link = ctx;
    struct grpc_channel *channel = link->channel;
    if (link != channel->link)
        return;
    channel->link = NULL;
    DL_APPEND(channel->draining, link);
    if (channel->machine.state == CHANNEL_READY && channel->reconnects) {
        move(channel, CHANNEL_DIALING);
        start_dial(channel);
        return;
    }
    struct error err = {0};
    error_set(&err, ERR_UNAVAILABLE, "%s: the server is shutting down", channel->address);
    fail(channel, &err);
}

static void on_idle(void *ctx)
{
    struct link *link = ctx;
    if (link->is_closing || link == link->channel->link)
        return;
    DL_DELETE(link->channel->draining, link);
    close_link(link, false);
}

static void on_over(void *ctx, const struct error *err)
{
    end_link(ctx, err);
}

static const struct connection_transport transport = {.write = write_link,
                                                      .queued = queued_link,
                                                      .peer = peer_of_link,
                                                      .address = address_of_link,
                                                      .on_settings = on_settings,
                                                      .on_goaway = on_goaway,
                                                      .on_idle = on_idle,
                                                      .on_over = on_over};

/* --- what the socket says --- */

static void on_tls_ready(void *ctx)
{
    struct link *link = ctx;
    struct grpc_channel *channel = link->channel;
    link->connection = connection_new(false, &channel->schedule, &transport, link, channel->max_message_bytes, channel->authority);
}

static void on_tls_data(void *ctx, struct bytes data)
{
    struct link *link = ctx;
    link->channel->has_heard = true;
    connection_receive(link->connection, data);
}

static void on_tls_drained(void *ctx)
{
    struct link *link = ctx;
    if (link->connection)
        connection_flush(link->connection);
}

static void on_tls_end(void *ctx, const struct error *err)
{
    struct link *link = ctx;
    struct error closed = {0};
    if (err == NULL)
        error_set(&closed, ERR_UNAVAILABLE, "%s",
                  link->channel->machine.state == CHANNEL_SHAKING ? "the peer closed the connection before it spoke gRPC"
                                                                  : "the peer closed the connection");
    end_link(link, err ? err : &closed);
}

static void on_dialed(void *ctx, uv_stream_t *stream, const struct error *err)
{
    struct grpc_channel *channel = ctx;
    channel->dial = NULL;
    if (err) {
        fail(channel, err);
        return;
    }
    move(channel, CHANNEL_SHAKING);
    struct link *link = mem_alloc(sizeof *link);
    link->channel = channel;
    channel->link = link;
    struct tls_options options = {.credentials = channel->credentials,
                                  .server_name = channel->server_name,
                                  .is_unverified = channel->is_unverified,
                                  .is_anonymous = channel->is_anonymous};
    struct tls_handlers handlers = {
        .on_ready = on_tls_ready, .on_data = on_tls_data, .on_drained = on_tls_drained, .on_end = on_tls_end, .ctx = link};
    link->tls = tls_stream_new(stream, &options, &handlers);
}

static void on_overdue(uv_timer_t *timer)
{
    struct grpc_channel *channel = timer->data;
    struct error err = {0};
    const char *missing = channel->dial                                ? "no connection"
                          : channel->link && channel->link->connection ? "no gRPC answer"
                                                                       : "no TLS handshake";
    error_set(&err, ERR_DEADLINE, "%s: %s within %d s", channel->address, missing, GRPC_CONNECT_TIMEOUT_MS / 1000);
    fail(channel, &err);
}

static void start_dial(struct grpc_channel *channel)
{
    channel->dial = dial_start(channel->loop, channel->address, on_dialed, channel);
    uv_timer_start(&channel->timer, on_overdue, GRPC_CONNECT_TIMEOUT_MS, 0);
}

/* --- life --- */

int grpc_channel_new(const struct grpc_channel_options *options, struct grpc_channel **out, struct error *err)
{
    int failed = dial_check(options->address, err);
    if (failed < 0)
        return failed;
    struct grpc_channel *channel = mem_alloc(sizeof *channel);
    schedule_init(&channel->schedule, options->loop, &options->clock);
    channel->loop = options->loop;
    channel->clock = options->clock;
    channel->random = options->random;
    channel->credentials = options->credentials;
    channel->address = mem_string(options->address);
    const char *own_name = text_starts(options->address, "unix://") ? "localhost" : options->address; /* a path is no authority */
    channel->authority = mem_string(options->authority ? options->authority : own_name);
    channel->server_name = mem_string(options->server_name);
    channel->max_message_bytes = options->max_message_bytes;
    channel->keepalive_ms = options->keepalive_ms ? options->keepalive_ms : GRPC_KEEPALIVE_MIN_MS + GRPC_KEEPALIVE_MARGIN_MS;
    channel->is_unverified = options->is_unverified;
    channel->is_anonymous = options->is_anonymous;
    channel->reconnects = options->reconnects;
    channel->on_ready = options->on_ready;
    channel->on_failed = options->on_failed;
    channel->ctx = options->ctx;
    uv_timer_init(channel->loop, &channel->timer);
    channel->timer.data = channel;
    channel->handles = 2;
    state_init(&channel->machine, &channel_table, CHANNEL_DIALING, clock_monotonic_ns(&channel->clock));
    start_dial(channel);
    *out = channel;
    return 0;
}

static void free_channel(struct grpc_channel *channel)
{
    if (--channel->handles > 0)
        return;
    free(channel->address);
    free(channel->authority);
    free(channel->server_name);
    free(channel);
}

static void on_schedule_closed(void *ctx)
{
    free_channel(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_channel(handle->data);
}

static void cancel_all(struct grpc_call **calls)
{
    while (*calls)
        grpc_call_end_now(*calls, GRPC_CANCELED, "the channel was closed");
}

static void end_channel(struct grpc_channel *channel, bool aborts)
{
    if (channel == NULL || channel->machine.state == CHANNEL_CLOSED)
        return;
    move(channel, CHANNEL_CLOSED);
    dial_cancel(steal(&channel->dial));
    cancel_all(&channel->waiting);
    if (channel->link)
        DL_APPEND(channel->draining, channel->link);
    channel->link = NULL;
    while (channel->draining) {
        struct link *link = channel->draining;
        DL_DELETE(channel->draining, link);
        link->is_closing = true;
        if (link->connection) {
            cancel_all(&link->connection->calls);
            if (!aborts)
                connection_flush(link->connection);
        }
        close_link(link, aborts);
    }
    cancel_all(&channel->schedule.parked);
    while (channel->schedule.news) /* those that are over already and wait to be told */
        grpc_call_end_now(channel->schedule.news, GRPC_CANCELED, "the channel was closed");
    schedule_close(&channel->schedule, on_schedule_closed, channel);
    uv_close((uv_handle_t *)&channel->timer, on_timer_closed);
}

void grpc_channel_close(struct grpc_channel *channel)
{
    end_channel(channel, false);
}

void grpc_channel_abort(struct grpc_channel *channel)
{
    end_channel(channel, true);
}

bool grpc_channel_is_ready(const struct grpc_channel *channel)
{
    return channel->machine.state == CHANNEL_READY;
}

void grpc_channel_local_address(const struct grpc_channel *channel, char out[GRPC_ADDRESS_SIZE_CHARS])
{
    struct sockaddr_storage name;
    int size = sizeof name;
    char host[GRPC_ADDRESS_SIZE_CHARS / 2 + 16];
    out[0] = 0;
    uv_stream_t *stream = channel->link ? tls_stream_transport(channel->link->tls) : NULL;
    if (stream == NULL || stream->type != UV_TCP || uv_tcp_getsockname((uv_tcp_t *)stream, (struct sockaddr *)&name, &size) < 0)
        return;
    uv_ip_name((struct sockaddr *)&name, host, sizeof host);
    bool is_v6 = name.ss_family == AF_INET6;
    unsigned port = ntohs(is_v6 ? ((struct sockaddr_in6 *)&name)->sin6_port : ((struct sockaddr_in *)&name)->sin_port);
    snprintf(out, GRPC_ADDRESS_SIZE_CHARS, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
}

const struct tls_identity *grpc_channel_peer(const struct grpc_channel *channel)
{
    return channel->link ? tls_stream_peer(channel->link->tls) : NULL;
}

/* --- calls --- */

void channel_forget(struct grpc_channel *channel, struct grpc_call *call)
{
    DL_DELETE2(channel->waiting, call, link.prev, link.next);
    call->is_waiting = false;
}

static void set_options(struct grpc_call *call, const struct grpc_call_options *options)
{
    if (options->deadline_ms != 0)
        call->deadline_ns = clock_monotonic_ns(&call->schedule->clock) + options->deadline_ms * NS_PER_MS;
    call->waits_for_ready = options->waits_for_ready;
    for (size_t i = 0; i < options->metadata_count; i++)
        grpc_call_add_metadata(call, bytes_of_string(options->metadata[i].name), bytes_of_string(options->metadata[i].value));
}

struct grpc_call *grpc_call_start(struct grpc_channel *channel, const struct method *method, const struct grpc_call_options *options,
                                  const struct grpc_call_handlers *handlers, void *ctx)
{
    struct grpc_call *call = grpc_call_new(&channel->schedule, method);
    call->channel = channel;
    call->handlers = *handlers;
    call->ctx = ctx;
    if (options)
        set_options(call, options);
    schedule_deadline(&channel->schedule, call);
    unsigned state = channel->machine.state;
    if (state == CHANNEL_READY) {
        connection_request(channel->link->connection, call);
        return call;
    }
    DL_APPEND2(channel->waiting, call, link.prev, link.next);
    call->is_waiting = true;
    if (state == CHANNEL_FAILED || (state == CHANNEL_RESTING && !call->waits_for_ready))
        grpc_call_end(call, 0, false, GRPC_UNAVAILABLE, channel->err.message, &channel->err);
    return call;
}

struct grpc_call *grpc_unary(struct grpc_channel *channel, const struct method *method, const ProtobufCMessage *request,
                             const struct grpc_call_options *options, grpc_reply_cb on_reply, void *ctx)
{
    static const struct grpc_call_handlers none = {0};
    struct error err = {0};
    struct grpc_call *call = grpc_call_start(channel, method, options, &none, ctx);
    call->on_reply = on_reply;
    if (grpc_call_send(call, request, &err) < 0)
        grpc_call_end(call, NGHTTP2_CANCEL, false, error_grpc_status(err.code), err.message, &err);
    return call;
}
