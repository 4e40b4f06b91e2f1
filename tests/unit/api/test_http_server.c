/* tests/unit/api/test_http_server.c – what only shows with a socket: how much of a client's bytes is taken from it. */
#include "api/http_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/unit/test.h"

enum { BODY_BYTES = 16 * MIB, TURNS = 200 };

struct fixture {
    char path[64];
    uv_loop_t loop;
    uv_pipe_t client;
    uv_connect_t connect;
    uv_write_t write;
    size_t size, sent; /* of the piece that is on its way; of all that were taken from us */
    bool is_connected;
    struct clock clock;
    struct http_server *server;
    struct http_exchange *held;
    size_t received;
    bool is_ended, is_closed;
};

static void on_data(void *ctx, struct http_exchange *ex, struct bytes data)
{
    struct fixture *f = ctx;
    f->received += data.size;
    if (f->held)
        return;
    http_hold(ex);
    f->held = ex;
    http_body_pause(ex, true);
}

static void on_end(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    f->is_ended = true;
    http_answer_string(ex, 200, "text/plain", "");
}

static void on_request(void *ctx, struct http_exchange *ex)
{
    http_body_stream(ex, on_data, on_end, ctx);
}

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    *state = f;
    snprintf(f->path, sizeof f->path, "%sskep-test-http-%d", strstr(TEST_API_PIPES, "://") + 3, (int)uv_os_getpid());
    f->clock = clock_system();
    uv_loop_init(&f->loop);
    f->server = http_server_new(&f->loop, &f->clock, on_request, f);
    assert_ok(http_server_listen(f->server, f->path, NULL, err));
    return 0;
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_server_free(f->server, on_closed, &f->is_closed);
    while (!f->is_closed)
        uv_run(&f->loop, UV_RUN_ONCE);
    if (f->held)
        http_release(f->held);
    int closed = uv_loop_close(&f->loop);
    free(f);
    return closed;
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct fixture *f = connect->data;
    assert_int_equal(status, 0);
    f->is_connected = true;
}

static void connect_to_server(struct fixture *f)
{
    f->connect.data = f->write.data = f;
    assert_int_equal(uv_pipe_init(&f->loop, &f->client, 0), 0);
    uv_pipe_connect(&f->connect, &f->client, f->path, on_connected);
    while (!f->is_connected)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void on_written(uv_write_t *write, int status)
{
    struct fixture *f = write->data;
    f->sent += status == 0 ? f->size : 0;
    f->size = 0;
}

static void send_piece(struct fixture *f, const char *data, size_t size)
{
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)data, (unsigned)size);
    f->size = size;
    assert_int_equal(uv_write(&f->write, (uv_stream_t *)&f->client, &piece, 1, on_written), 0);
}

/* As much as goes into the socket while the server has its turns, until @limit bytes were sent in all. */
static void push(struct fixture *f, size_t limit)
{
    static char piece[64 * KIB];
    for (int turn = 0; turn < TURNS && f->sent < limit; turn++) {
        size_t sent = f->sent;
        if (f->size == 0)
            send_piece(f, piece, limit - sent < sizeof piece ? limit - sent : sizeof piece);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        if (f->sent > sent)
            turn = 0;
    }
}

static void a_paused_body_waits_in_the_socket(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *head = mem_format("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", (int)BODY_BYTES);
    connect_to_server(f);
    send_piece(f, head, strlen(head));
    while (f->size > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    f->sent = 0;
    push(f, BODY_BYTES);
    assert_in_range(f->sent, 1, 2 * MIB); /* the socket's own queue, and a little of ours */
    assert_in_range(f->received, 1, 128 * KIB);
    http_body_pause(f->held, false);
    push(f, BODY_BYTES);
    assert_int_equal(f->sent, BODY_BYTES);
    for (int turn = 0; turn < TURNS && !f->is_ended; turn++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->received, BODY_BYTES);
    assert_true(f->is_ended);
    uv_close((uv_handle_t *)&f->client, NULL);
}

static void addresses_that_are_none_are_refused_by_name(void **state)
{
    struct fixture *f = *state;
    assert_fails(http_server_listen_tcp(f->server, "nowhere.example:80", err), ERR_INVALID, "nowhere.example is no IP address");
    assert_fails(http_server_listen_tcp(f->server, "127.0.0.1", err), ERR_INVALID, "the port is missing");
    assert_fails(http_server_listen_tcp(f->server, "192.0.2.1:9323", err), ERR_IO, "listen at 192.0.2.1:9323");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_paused_body_waits_in_the_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_that_are_none_are_refused_by_name, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
