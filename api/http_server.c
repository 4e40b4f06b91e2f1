/* api/http_server.c – see http_server.h. */
#include "api/http_server.h"

#include <stdlib.h>
#include <utlist.h>

#include "api/socket.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define ROOM "api"

enum { READ_SIZE_BYTES = 64 * KIB, TICK_MS = 1000, BACKLOG_COUNT = 128 };

/* A local socket, or one of TCP. */
union socket {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
};

/* What is written goes to @out and leaves it once per turn of the loop, so that many small pieces cost one system call. */
struct client {
    union socket socket;
    struct http_server *server;
    struct http_connection *http;
    struct buf out, in_flight;
    uv_write_t write;
    uint64_t taken_ns; /* when the client last took something, for a connection that closes once all is out */
    bool is_writing, is_reading, wants_close, is_closing, is_dirty;
    struct client *prev, *next;
};

struct listener {
    union socket socket;
    struct http_server *server;
};

struct http_server {
    uv_loop_t *loop;
    struct clock clock;
    http_exchange_cb on_request;
    void *ctx;
    struct listener listeners[API_LISTENERS_COUNT];
    size_t listener_count, client_count, handle_count;
    struct client *clients;
    uv_timer_t timer;
    uv_prepare_t flusher;
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
    char read_buf[READ_SIZE_BYTES]; /* shared: a piece is taken before the next is read */
};

static void free_when_empty(struct http_server *server)
{
    if (!server->is_closing || server->handle_count > 0)
        return;
    void (*on_closed)(void *ctx) = server->on_closed;
    void *ctx = server->on_closed_ctx;
    free(server);
    if (on_closed)
        on_closed(ctx);
}

static void handle_closed(struct http_server *server)
{
    server->handle_count--;
    free_when_empty(server);
}

/* --- one client --- */

static void client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct http_server *server = client->server;
    DL_DELETE(server->clients, client);
    server->client_count--;
    if (server->client_count == 0)
        uv_timer_stop(&server->timer);
    http_connection_free(client->http);
    buf_deinit(&client->out);
    buf_deinit(&client->in_flight);
    free(client);
    handle_closed(server);
}

static void close_client(struct client *client)
{
    if (client->is_closing)
        return;
    client->is_closing = true;
    http_connection_eof(client->http);
    uv_close(&client->socket.handle, client_closed);
}

/* What arrives may be a join token or a password: it does not stay in the buffer that all share. */
static void take_input(struct client *client, struct bytes data)
{
    char *shared = client->server->read_buf;
    http_connection_input(client->http, data);
    mem_wipe(shared, data.size);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);

static void give_read_buf(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    (void)suggested;
    *buf = uv_buf_init(client->server->read_buf, READ_SIZE_BYTES);
}

static void update_reading(struct client *client)
{
    bool wants = !client->is_closing && !client->wants_close && http_connection_wants_input(client->http);
    if (wants == client->is_reading || client->is_closing)
        return;
    client->is_reading = wants;
    if (wants)
        uv_read_start(&client->socket.stream, give_read_buf, on_read);
    else
        uv_read_stop(&client->socket.stream);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (size == 0)
        return;
    if (size > 0) {
        take_input(client, bytes_of(buf->base, (size_t)size));
        update_reading(client); /* what is not taken now waits in the socket */
    } else if (size == UV_EOF && (client->out.size > 0 || client->is_writing)) {
        http_connection_eof(client->http); /* it may still read what is on its way */
    } else {
        close_client(client);
    }
}

static void on_written(uv_write_t *write, int status);

static void flush(struct client *client)
{
    if (client->is_closing || client->is_writing)
        return;
    if (client->out.size == 0) {
        if (client->wants_close)
            close_client(client);
        return;
    }
    buf_deinit(&client->in_flight);
    client->in_flight = client->out;
    client->out = (struct buf){0};
    uv_buf_t piece = uv_buf_init((char *)client->in_flight.data, (unsigned)client->in_flight.size);
    client->is_writing = true;
    if (uv_write(&client->write, &client->socket.stream, &piece, 1, on_written) < 0) {
        client->is_writing = false;
        close_client(client);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct client *client = write->data;
    client->is_writing = false;
    client->taken_ns = clock_monotonic_ns(&client->server->clock);
    if (client->is_closing)
        return;
    if (status < 0) {
        close_client(client);
        return;
    }
    size_t size = client->in_flight.size;
    buf_deinit(&client->in_flight);
    http_connection_sent(client->http, size);
    flush(client);
    update_reading(client);
}

static void flush_dirty(uv_prepare_t *flusher)
{
    struct http_server *server = flusher->data;
    struct client *client, *next;
    uv_prepare_stop(flusher);
    DL_FOREACH_SAFE (server->clients, client, next) {
        if (!client->is_dirty)
            continue;
        client->is_dirty = false;
        http_connection_tick(client->http);
        flush(client);
        update_reading(client);
    }
}

static void io_wake(void *self)
{
    struct client *client = self;
    client->is_dirty = true;
    if (!client->server->is_closing)
        uv_prepare_start(&client->server->flusher, flush_dirty);
}

static void io_write(void *self, const struct bytes *pieces, size_t count)
{
    struct client *client = self;
    for (size_t i = 0; i < count; i++)
        buf_append(&client->out, pieces[i].data, pieces[i].size);
    io_wake(self);
}

static void io_close(void *self)
{
    struct client *client = self;
    client->wants_close = true;
    client->taken_ns = clock_monotonic_ns(&client->server->clock);
    io_wake(self);
}

/* --- the server --- */

static void tick(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    struct client *client, *next;
    uint64_t now = clock_monotonic_ns(&server->clock);
    DL_FOREACH_SAFE (server->clients, client, next) {
        if (client->wants_close && now > client->taken_ns && now - client->taken_ns > API_CLOSE_TIMEOUT_MS * NS_PER_MS)
            close_client(client);
        else
            http_connection_tick(client->http);
    }
}

static void init_socket(struct http_server *server, union socket *socket, uv_handle_type type)
{
    if (type == UV_TCP)
        uv_tcp_init(server->loop, &socket->tcp);
    else
        uv_pipe_init(server->loop, &socket->pipe, 0);
}

static void refused_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    free(handle);
    handle_closed(server);
}

/* Taken only to be closed, so that it does not wait in the backlog without an answer. */
static void refuse_client(struct http_server *server, uv_stream_t *listener)
{
    union socket *socket = mem_alloc(sizeof *socket);
    init_socket(server, socket, listener->type);
    socket->handle.data = server;
    server->handle_count++;
    uv_accept(listener, &socket->stream);
    uv_close(&socket->handle, refused_closed);
    log_warn(ROOM, "a connection was refused: %u are open", API_CONNECTIONS_COUNT);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;
    struct http_server *server = listener->server;
    if (status < 0 || server->is_closing)
        return;
    if (server->client_count >= API_CONNECTIONS_COUNT) {
        refuse_client(server, stream);
        return;
    }
    struct client *client = mem_alloc(sizeof *client);
    const struct http_io io = {.self = client, .write = io_write, .close = io_close, .wake = io_wake};
    client->server = server;
    init_socket(server, &client->socket, stream->type);
    client->socket.handle.data = client;
    client->write.data = client;
    client->http = http_connection_new(&server->clock, &io, server->on_request, server->ctx);
    server->handle_count++;
    server->client_count++;
    DL_APPEND(server->clients, client);
    if (uv_accept(stream, &client->socket.stream) < 0)
        close_client(client);
    update_reading(client);
    if (!uv_is_active((uv_handle_t *)&server->timer))
        uv_timer_start(&server->timer, tick, TICK_MS, TICK_MS);
}

struct http_server *http_server_new(uv_loop_t *loop, const struct clock *clock, http_exchange_cb on_request, void *ctx)
{
    struct http_server *server = mem_alloc(sizeof *server);
    server->loop = loop;
    server->clock = *clock;
    server->on_request = on_request;
    server->ctx = ctx;
    uv_timer_init(loop, &server->timer);
    uv_prepare_init(loop, &server->flusher);
    server->timer.data = server;
    server->flusher.data = server;
    server->handle_count = 2;
    return server;
}

static void listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    handle_closed(listener->server);
}

static int bind_listener(struct listener *listener, const char *path, const char *group, struct error *err)
{
    int code = uv_pipe_bind(&listener->socket.pipe, path);
    if (code < 0)
        return error_set_uv(err, code, "listen at %s", path);
    if (socket_protect(&listener->socket.pipe, path, group, err) < 0)
        return err->code;
    code = uv_listen(&listener->socket.stream, BACKLOG_COUNT, on_connection);
    return code < 0 ? error_set_uv(err, code, "listen at %s", path) : 0;
}

/* One that fails keeps its place until the end. */
static struct listener *add_listener(struct http_server *server, uv_handle_type type)
{
    struct listener *listener = &server->listeners[server->listener_count++];
    listener->server = server;
    init_socket(server, &listener->socket, type);
    listener->socket.handle.data = listener;
    server->handle_count++;
    return listener;
}

static int check_count(const struct http_server *server, const char *address, struct error *err)
{
    if (server->listener_count == API_LISTENERS_COUNT)
        return error_set(err, ERR_LIMIT, "%s: at most %d addresses to listen at", address, API_LISTENERS_COUNT);
    return 0;
}

int http_server_listen(struct http_server *server, const char *path, const char *group, struct error *err)
{
    if (check_count(server, path, err) < 0 || socket_claim(path, err) < 0)
        return err->code;
    return bind_listener(add_listener(server, UV_NAMED_PIPE), path, group, err);
}

/* Addresses, and the one name that needs nobody to look it up. */
static int parse_tcp(const char *text, struct sockaddr_storage *out, struct error *err)
{
    cleanup_free char *host = NULL;
    uint16_t port;
    if (text_parse_address(text, 0, &host, &port, err) < 0)
        return err->code;
    const char *ip = text_equal(host, "localhost") ? "127.0.0.1" : host;
    if (uv_ip4_addr(ip, port, (struct sockaddr_in *)out) == 0 || uv_ip6_addr(ip, port, (struct sockaddr_in6 *)out) == 0)
        return 0;
    return error_set(err, ERR_INVALID, "%s: %s is no IP address", text, host);
}

int http_server_listen_tcp(struct http_server *server, const char *address, struct error *err)
{
    struct sockaddr_storage name = {0};
    if (parse_tcp(address, &name, err) < 0 || check_count(server, address, err) < 0)
        return err->code;
    struct listener *listener = add_listener(server, UV_TCP);
    int code = uv_tcp_bind(&listener->socket.tcp, (const struct sockaddr *)&name, 0);
    if (code == 0)
        code = uv_listen(&listener->socket.stream, BACKLOG_COUNT, on_connection);
    if (code == UV_EADDRINUSE)
        return error_set(err, ERR_EXISTS, "listen at %s: another process does", address);
    return code < 0 ? error_set_uv(err, code, "listen at %s", address) : 0;
}

static void own_handle_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void http_server_free(struct http_server *server, void (*on_closed)(void *ctx), void *ctx)
{
    struct client *client, *next;
    server->is_closing = true;
    server->on_closed = on_closed;
    server->on_closed_ctx = ctx;
    for (size_t i = 0; i < server->listener_count; i++)
        uv_close(&server->listeners[i].socket.handle, listener_closed);
    DL_FOREACH_SAFE (server->clients, client, next)
        close_client(client);
    uv_close((uv_handle_t *)&server->timer, own_handle_closed);
    uv_close((uv_handle_t *)&server->flusher, own_handle_closed);
}
