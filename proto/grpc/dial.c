/* proto/grpc/dial.c – see dial.h. */
#include "proto/grpc/dial.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#define TCP_KEEPALIVE_S 60 /* finds a peer that went without a word */

struct dial {
    uv_loop_t *loop;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    uv_timer_t soon; /* lets nothing be called from inside dial_start */
    uv_stream_t *stream;
    struct addrinfo *found, *next;
    char *address, *host, *path; /* path: of a unix socket */
    uint16_t port;
    struct error err;
    dial_cb on_done;
    void *ctx;
    bool is_canceled, is_closing;
};

static const char *unix_path(const char *address)
{
    return text_starts(address, "unix://") ? address + strlen("unix://") : NULL;
}

int dial_check(const char *address, struct error *err)
{
    cleanup_free char *host = NULL;
    uint16_t port;
    if (unix_path(address))
        return *unix_path(address) ? 0 : error_set(err, ERR_INVALID, "not an address: %s", address);
    return text_parse_address(address, 0, &host, &port, err);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;
    uv_freeaddrinfo(dial->found);
    free(dial->address);
    free(dial->host);
    free(dial->path);
    free(dial);
}

static void on_stream_closed(uv_handle_t *handle)
{
    free(handle);
}

/* No request is under way any more. */
static void dispose(struct dial *dial)
{
    if (dial->is_closing)
        return;
    dial->is_closing = true;
    uv_close((uv_handle_t *)&dial->soon, on_timer_closed);
}

static void finish(struct dial *dial, uv_stream_t *stream)
{
    if (!dial->is_canceled)
        dial->on_done(dial->ctx, stream, stream ? NULL : &dial->err);
    dispose(dial);
}

static void connect_next(struct dial *dial);

static void on_connect(uv_connect_t *req, int status)
{
    struct dial *dial = req->data;
    uv_stream_t *stream = dial->stream;
    dial->stream = NULL;
    if (dial->is_canceled) {
        dispose(dial); /* the stream is being closed */
    } else if (status == 0) {
        finish(dial, stream);
    } else {
        uv_close((uv_handle_t *)stream, on_stream_closed);
        error_set_uv(&dial->err, status, "cannot connect to %s", dial->address);
        connect_next(dial);
    }
}

static uv_stream_t *new_tcp(struct dial *dial)
{
    uv_tcp_t *tcp = mem_alloc(sizeof *tcp);
    uv_tcp_init(dial->loop, tcp);
    uv_tcp_nodelay(tcp, 1);
    return (uv_stream_t *)tcp;
}

static void connect_next(struct dial *dial)
{
    while (dial->next) {
        const struct addrinfo *one = dial->next;
        dial->next = one->ai_next;
        dial->stream = new_tcp(dial);
        int failed = uv_tcp_connect(&dial->connect, (uv_tcp_t *)dial->stream, one->ai_addr, on_connect);
        if (failed == 0) {
            uv_tcp_keepalive((uv_tcp_t *)dial->stream, 1, TCP_KEEPALIVE_S);
            return;
        }
        error_set_uv(&dial->err, failed, "cannot connect to %s", dial->address);
        uv_close((uv_handle_t *)dial->stream, on_stream_closed);
        dial->stream = NULL;
    }
    finish(dial, NULL);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct dial *dial = req->data;
    dial->found = dial->next = found;
    if (dial->is_canceled) {
        dispose(dial);
    } else if (status < 0) {
        error_set(&dial->err, ERR_UNAVAILABLE, "cannot resolve %s: %s", dial->host, uv_strerror(status));
        finish(dial, NULL);
    } else {
        connect_next(dial);
    }
}

static void connect_unix(struct dial *dial)
{
    uv_pipe_t *pipe = mem_alloc(sizeof *pipe);
    uv_pipe_init(dial->loop, pipe, 0);
    dial->stream = (uv_stream_t *)pipe;
    uv_pipe_connect(&dial->connect, pipe, dial->path, on_connect);
}

static void on_soon(uv_timer_t *timer)
{
    struct dial *dial = timer->data;
    char port[8];
    if (dial->path) {
        connect_unix(dial);
        return;
    }
    snprintf(port, sizeof port, "%u", dial->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int failed = uv_getaddrinfo(dial->loop, &dial->resolve, on_resolved, dial->host, port, &hints);
    if (failed < 0) {
        error_set(&dial->err, ERR_UNAVAILABLE, "cannot resolve %s: %s", dial->host, uv_strerror(failed));
        finish(dial, NULL);
    }
}

struct dial *dial_start(uv_loop_t *loop, const char *address, dial_cb on_done, void *ctx)
{
    struct dial *dial = mem_alloc(sizeof *dial);
    dial->loop = loop;
    dial->address = mem_string(address);
    dial->path = mem_string(unix_path(address));
    if (dial->path == NULL)
        text_parse_address(address, 0, &dial->host, &dial->port, NULL);
    dial->on_done = on_done;
    dial->ctx = ctx;
    dial->resolve.data = dial->connect.data = dial;
    uv_timer_init(loop, &dial->soon);
    dial->soon.data = dial;
    uv_timer_start(&dial->soon, on_soon, 0, 0);
    return dial;
}

void dial_cancel(struct dial *dial)
{
    if (dial == NULL)
        return;
    dial->is_canceled = true;
    if (dial->stream)
        uv_close((uv_handle_t *)dial->stream, on_stream_closed); /* and on_connect disposes */
    else if (uv_is_active((uv_handle_t *)&dial->soon))
        dispose(dial);
    else
        uv_cancel((uv_req_t *)&dial->resolve); /* whether it can be or not, on_resolved disposes */
}
