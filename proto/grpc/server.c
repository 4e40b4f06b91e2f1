/* proto/grpc/server.c – listens, shakes hands, and gives each call to the handler of its method. See grpc.h. */
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/grpc/internal.h"

struct handler {
    const struct method *method;
    grpc_call_cb on_call;
    void *ctx;
};

struct listener {
    struct listener *next;
    struct grpc_server *server;
    uv_stream_t *stream; /* heap */
    uint16_t port;
};

/* One peer. */
struct guest {
    struct guest *prev, *next;
    struct grpc_server *server;
    struct tls_stream *tls;
    struct connection *connection; /* NULL during the TLS handshake */
    struct guest **list;           /* of the server's, the one it is in */
    uint64_t due_ns;               /* when its list ends its patience */
};

struct grpc_server {
    struct schedule schedule;
    uv_timer_t timer; /* the first due of all guests; then the grace of a stop */
    uv_loop_t *loop;
    struct clock clock;
    struct tls_credentials *credentials;
    size_t max_message_bytes;
    struct handler *handlers;
    size_t handler_count, guest_count, max_guests;
    uint64_t keepalive_ns, answer_ns;
    struct listener *listeners;
    /* Each list has one patience and takes guests at its end, so that its first is the first due. */
    struct guest *shaking; /* TLS, the preface and the first SETTINGS have not all come: closed when due */
    struct guest *guests;  /* pinged when due */
    struct guest *pinged;  /* closed when due; whatever it says leads back to @guests */
    unsigned handles;
    bool is_stopping, is_closed, is_full;
    void (*on_stopped)(void *ctx);
    void *ctx;
};

/* --- guests --- */

static void put_in(struct guest *guest, struct guest **list, uint64_t patience_ns)
{
    if (guest->list) {
        assert(guest->next || guest->prev == guest || guest != *guest->list); /* as utlist has it */
        DL_DELETE(*guest->list, guest);
    }
    guest->list = list;
    guest->due_ns = clock_monotonic_ns(&guest->server->clock) + patience_ns;
    DL_APPEND(*list, guest);
}

static void remove_guest(struct guest *guest)
{
    struct grpc_server *server = guest->server;
    DL_DELETE(*guest->list, guest);
    server->guest_count--;
    tls_stream_close(guest->tls);
    connection_free(guest->connection);
    free(guest);
}

static void close_server(struct grpc_server *server);

static void end_guest(struct guest *guest, const struct error *err)
{
    struct grpc_server *server = guest->server;
    if (guest->connection)
        connection_fail(guest->connection, GRPC_CANCELED, err);
    remove_guest(guest);
    if (server->is_stopping && server->guest_count == 0)
        close_server(server);
}

static void write_guest(void *ctx, struct bytes data)
{
    struct guest *guest = ctx;
    tls_stream_write(guest->tls, data);
}

static size_t queued_guest(void *ctx)
{
    struct guest *guest = ctx;
    return tls_stream_queued(guest->tls);
}

static const struct tls_identity *peer_of_guest(void *ctx)
{
    struct guest *guest = ctx;
    return tls_stream_peer(guest->tls);
}

static void address_of_guest(void *ctx, char out[GRPC_ADDRESS_SIZE_CHARS])
{
    struct guest *guest = ctx;
    struct sockaddr_storage name;
    int size = sizeof name;
    char host[INET6_ADDRSTRLEN];
    uv_stream_t *stream = tls_stream_transport(guest->tls);
    snprintf(out, GRPC_ADDRESS_SIZE_CHARS, "@"); /* as Go names a peer on a unix socket */
    if (stream->type != UV_TCP || uv_tcp_getpeername((uv_tcp_t *)stream, (struct sockaddr *)&name, &size) < 0)
        return;
    uv_ip_name((struct sockaddr *)&name, host, sizeof host);
    bool is_v6 = name.ss_family == AF_INET6;
    unsigned port = ntohs(is_v6 ? ((struct sockaddr_in6 *)&name)->sin6_port : ((struct sockaddr_in *)&name)->sin_port);
    snprintf(out, GRPC_ADDRESS_SIZE_CHARS, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
}

static void watch(struct grpc_server *server);

/* It speaks HTTP/2: from here on it may be quiet for long. */
static void on_settings(void *ctx)
{
    struct guest *guest = ctx;
    put_in(guest, &guest->server->guests, guest->server->keepalive_ns);
    watch(guest->server);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

/* A stranger is told what is missing, in grpc-go's words: other programs look for them. */
static void refuse_unknown(const struct grpc_server *server, struct grpc_call *call)
{
    cleanup_free char *text = NULL;
    const char *method = call->path[0] == '/' ? strrchr(call->path, '/') : NULL;
    if (method == NULL || method == call->path) {
        text = mem_format("malformed method name: \"%s\"", call->path);
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, text);
        return;
    }
    int service_size = (int)(method - call->path - 1);
    for (size_t i = 0; i < server->handler_count && text == NULL; i++)
        if (strncmp(server->handlers[i].method->path, call->path, (size_t)service_size + 2) == 0)
            text = mem_format("unknown method %s for service %.*s", method + 1, service_size, call->path + 1);
    if (text == NULL)
        text = mem_format("unknown service %.*s", service_size, call->path + 1);
    grpc_call_finish(call, GRPC_UNIMPLEMENTED, text);
}

static const struct handler *find_handler(const struct grpc_server *server, const char *path)
{
    for (size_t i = 0; i < server->handler_count; i++)
        if (strcmp(server->handlers[i].method->path, path) == 0)
            return &server->handlers[i];
    return NULL;
}

static void on_call(void *ctx, struct grpc_call *call)
{
    struct guest *guest = ctx;
    const struct handler *handler = find_handler(guest->server, call->path);
    if (handler == NULL) {
        refuse_unknown(guest->server, call);
        return;
    }
    call->method = handler->method;
    handler->on_call(call, handler->ctx);
    if (!call->is_accepted && !call->is_finished)
        grpc_call_finish(call, GRPC_INTERNAL, "nobody took the call");
}

static void on_idle(void *ctx)
{
    static const struct error none = {0};
    end_guest(ctx, &none);
}

static void on_over(void *ctx, const struct error *err)
{
    end_guest(ctx, err);
}

static const struct connection_transport transport = {.write = write_guest,
                                                      .queued = queued_guest,
                                                      .peer = peer_of_guest,
                                                      .address = address_of_guest,
                                                      .on_settings = on_settings,
                                                      .on_goaway = ignore,
                                                      .on_call = on_call,
                                                      .on_idle = on_idle,
                                                      .on_over = on_over};

/* --- sockets --- */

static void end_overdue(struct guest **list, uint64_t now_ns, const char *why)
{
    struct error err = {0};
    error_set(&err, ERR_DEADLINE, "%s", why);
    struct guest *guest, *after;
    DL_FOREACH_SAFE (*list, guest, after) {
        if (guest->due_ns > now_ns)
            break;
        end_guest(guest, &err);
    }
}

static void on_due(uv_timer_t *timer)
{
    struct grpc_server *server = timer->data;
    uint64_t now_ns = clock_monotonic_ns(&server->clock);
    end_overdue(&server->shaking, now_ns, "no TLS handshake and HTTP/2 settings in time");
    end_overdue(&server->pinged, now_ns, "no answer to a ping in time");
    while (server->guests && server->guests->due_ns <= now_ns) {
        struct guest *guest = server->guests;
        connection_ping(guest->connection);
        put_in(guest, &server->pinged, server->answer_ns);
    }
    watch(server);
}

static void watch(struct grpc_server *server)
{
    const struct guest *const firsts[] = {server->shaking, server->guests, server->pinged};
    uint64_t due_ns = UINT64_MAX, now_ns = clock_monotonic_ns(&server->clock);
    if (server->is_stopping)
        return;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
        if (firsts[i] && firsts[i]->due_ns < due_ns)
            due_ns = firsts[i]->due_ns;
    uv_timer_stop(&server->timer);
    if (due_ns != UINT64_MAX)
        uv_timer_start(&server->timer, on_due, due_ns > now_ns ? (due_ns - now_ns) / NS_PER_MS + 1 : 0, 0);
}

static void on_tls_ready(void *ctx)
{
    struct guest *guest = ctx;
    struct grpc_server *server = guest->server;
    guest->connection = connection_new(true, &server->schedule, &transport, guest, server->max_message_bytes, NULL);
    if (server->is_stopping)
        connection_drain(guest->connection);
}

/* The timer may then come too early, and is set anew. */
static void heard(struct guest *guest)
{
    if (guest->list != &guest->server->shaking)
        put_in(guest, &guest->server->guests, guest->server->keepalive_ns);
}

static void on_tls_data(void *ctx, struct bytes data)
{
    struct guest *guest = ctx;
    heard(guest);
    connection_receive(guest->connection, data);
}

static void on_tls_drained(void *ctx)
{
    struct guest *guest = ctx;
    if (guest->connection)
        connection_flush(guest->connection);
}

static void on_tls_end(void *ctx, const struct error *err)
{
    struct error closed = {0};
    error_set(&closed, ERR_UNAVAILABLE, "the client closed the connection");
    end_guest(ctx, err ? err : &closed);
}

static void on_stream_closed(uv_handle_t *handle)
{
    free(handle);
}

static uv_stream_t *new_stream(uv_loop_t *loop, bool is_unix)
{
    if (is_unix) {
        uv_pipe_t *pipe = mem_alloc(sizeof *pipe);
        uv_pipe_init(loop, pipe, 0);
        return (uv_stream_t *)pipe;
    }
    uv_tcp_t *tcp = mem_alloc(sizeof *tcp);
    uv_tcp_init(loop, tcp);
    return (uv_stream_t *)tcp;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;
    struct grpc_server *server = listener->server;
    if (status < 0)
        return;
    uv_stream_t *accepted = new_stream(server->loop, stream->type != UV_TCP);
    bool is_full = server->guest_count >= server->max_guests;
    if (is_full && !server->is_full)
        log_warn("grpc", "%zu connections are open, the most that are taken here: new ones are closed until some of them end",
                 server->guest_count);
    server->is_full = is_full;
    if (uv_accept(stream, accepted) < 0 || is_full) {
        uv_close((uv_handle_t *)accepted, on_stream_closed);
        return;
    }
    if (accepted->type == UV_TCP) {
        uv_tcp_nodelay((uv_tcp_t *)accepted, 1);
        uv_tcp_keepalive((uv_tcp_t *)accepted, 1, 60);
    }
    struct guest *guest = mem_alloc(sizeof *guest);
    guest->server = server;
    put_in(guest, &server->shaking, GRPC_HANDSHAKE_TIMEOUT_MS * NS_PER_MS);
    server->guest_count++;
    struct tls_options options = {.credentials = server->credentials, .is_server = true};
    struct tls_handlers handlers = {
        .on_ready = on_tls_ready, .on_data = on_tls_data, .on_drained = on_tls_drained, .on_end = on_tls_end, .ctx = guest};
    guest->tls = tls_stream_new(accepted, &options, &handlers);
    if (server->shaking == guest)
        watch(server);
}

/* --- life --- */

struct grpc_server *grpc_server_new(const struct grpc_server_options *options)
{
    struct grpc_server *server = mem_alloc(sizeof *server);
    schedule_init(&server->schedule, options->loop, &options->clock);
    server->loop = options->loop;
    server->clock = options->clock;
    server->credentials = options->credentials;
    server->max_message_bytes = options->max_message_bytes;
    server->keepalive_ns = (options->keepalive_ms ? options->keepalive_ms : GRPC_SERVER_KEEPALIVE_MS) * NS_PER_MS;
    server->answer_ns = (options->keepalive_answer_ms ? options->keepalive_answer_ms : GRPC_KEEPALIVE_ANSWER_MS) * NS_PER_MS;
    server->max_guests = options->max_connections ? options->max_connections : GRPC_SERVER_CONNECTIONS_COUNT;
    uv_timer_init(server->loop, &server->timer);
    server->timer.data = server;
    server->handles = 2;
    return server;
}

void grpc_server_handle(struct grpc_server *server, const struct method *method, grpc_call_cb on_new_call, void *ctx)
{
    for (size_t i = 0; i < server->handler_count; i++)
        if (server->handlers[i].method == method) {
            server->handlers[i] = (struct handler){method, on_new_call, ctx};
            return;
        }
    server->handlers = mem_resize(server->handlers, (server->handler_count + 1) * sizeof *server->handlers);
    server->handlers[server->handler_count++] = (struct handler){method, on_new_call, ctx};
}

static int bind_tcp(uv_tcp_t *tcp, const char *address, uint16_t *bound, struct error *err)
{
    cleanup_free char *host = NULL;
    uint16_t port = 0;
    struct sockaddr_storage name;
    int size = sizeof name;
    bool is_any = text_ends(address, ":0"); /* which text_parse_address takes for no port */
    cleanup_free char *named = is_any ? mem_string_n(address, strlen(address) - 2) : mem_string(address);
    if (text_parse_address(named, is_any ? 1 : 0, &host, &port, err) < 0)
        return err->code;
    if (is_any)
        port = 0;
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)&name) < 0 && uv_ip6_addr(host, port, (struct sockaddr_in6 *)&name) < 0)
        return error_set(err, ERR_INVALID, "cannot listen at %s: it is not an IP address with a port", address);
    int failed = uv_tcp_bind(tcp, (struct sockaddr *)&name, 0);
    if (failed < 0)
        return error_set_uv(err, failed, "cannot listen at %s", address);
    uv_tcp_getsockname(tcp, (struct sockaddr *)&name, &size);
    *bound = ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port : ((struct sockaddr_in *)&name)->sin_port);
    return 0;
}

static int listen_failed(int uv_code, const char *address, struct error *err)
{
    if (uv_code == UV_EADDRINUSE)
        return error_set(err, ERR_EXISTS, "cannot listen at %s: the address is taken", address);
    return error_set_uv(err, uv_code, "cannot listen at %s", address);
}

int grpc_server_listen(struct grpc_server *server, const char *address, struct error *err)
{
    struct error cause = {0};
    bool is_unix = text_starts(address, "unix://");
    struct listener *listener = mem_alloc(sizeof *listener);
    listener->server = server;
    listener->stream = new_stream(server->loop, is_unix);
    listener->stream->data = listener;
    int failed = is_unix ? uv_pipe_bind((uv_pipe_t *)listener->stream, address + strlen("unix://")) : 0;
    if (failed < 0)
        failed = listen_failed(failed, address, &cause);
    else if (!is_unix)
        failed = bind_tcp((uv_tcp_t *)listener->stream, address, &listener->port, &cause);
    int listening = failed == 0 ? uv_listen(listener->stream, GRPC_SERVER_BACKLOG_COUNT, on_connection) : 0;
    if (listening < 0)
        failed = listen_failed(listening, address, &cause);
    if (failed < 0) {
        uv_close((uv_handle_t *)listener->stream, on_stream_closed);
        free(listener);
        return error_set(err, cause.code, "%s", cause.message);
    }
    LL_APPEND(server->listeners, listener);
    return 0;
}

uint16_t grpc_server_port(const struct grpc_server *server)
{
    for (const struct listener *one = server->listeners; one; one = one->next)
        if (one->port != 0)
            return one->port;
    return 0;
}

static void free_server(struct grpc_server *server)
{
    if (--server->handles > 0)
        return;
    if (server->on_stopped)
        server->on_stopped(server->ctx);
    free(server->handlers);
    free(server);
}

static void on_schedule_closed(void *ctx)
{
    free_server(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_server(handle->data);
}

static void close_server(struct grpc_server *server)
{
    if (server->is_closed)
        return;
    server->is_closed = true;
    while (server->schedule.parked)
        grpc_call_end_now(server->schedule.parked, GRPC_CANCELED, "the server was stopped");
    while (server->schedule.news)
        grpc_call_end_now(server->schedule.news, GRPC_CANCELED, "the server was stopped");
    schedule_close(&server->schedule, on_schedule_closed, server);
    uv_close((uv_handle_t *)&server->timer, on_timer_closed);
}

static void on_grace_over(uv_timer_t *timer)
{
    struct grpc_server *server = timer->data;
    struct guest **const lists[] = {&server->shaking, &server->guests, &server->pinged};
    struct guest *guest, *after;
    struct error err = {0};
    error_set(&err, ERR_UNAVAILABLE, "the server was stopped");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        DL_FOREACH_SAFE (*lists[i], guest, after)
            if (guest->connection)
                connection_flush(guest->connection); /* its GOAWAY; one without calls may go by that */
        DL_FOREACH_SAFE (*lists[i], guest, after)
            end_guest(guest, &err);
    }
    close_server(server);
}

void grpc_server_stop(struct grpc_server *server, uint64_t grace_ms, void (*on_stopped)(void *ctx), void *ctx)
{
    if (server->is_stopping)
        return;
    server->is_stopping = true;
    server->on_stopped = on_stopped;
    server->ctx = ctx;
    while (server->listeners) {
        struct listener *listener = server->listeners;
        LL_DELETE(server->listeners, listener);
        uv_close((uv_handle_t *)listener->stream, on_stream_closed);
        free(listener);
    }
    struct guest *const firsts[] = {server->shaking, server->guests, server->pinged};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
        for (struct guest *guest = firsts[i]; guest; guest = guest->next)
            if (guest->connection)
                connection_drain(guest->connection);
    uv_timer_start(&server->timer, on_grace_over, server->guest_count > 0 ? grace_ms : 0, 0);
}
