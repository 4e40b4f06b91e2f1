/* tests/unit/api/test_http_server.c – what only shows with a socket: how much of a client's bytes is taken from it. */
#include "api/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

enum { BODY_BYTES = 16 * MIB, TURNS = 200 };

struct fixture {
    char dir[32], path[64];
    uv_loop_t loop;
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
    snprintf(f->dir, sizeof f->dir, "/tmp/skep-http-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/sock", f->dir);
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
    file_remove_tree(f->dir, NULL);
    free(f);
    return closed;
}

static int connect_to(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

/* As much as goes into the socket while the server has its turns. */
static size_t push(struct fixture *f, int client, size_t limit)
{
    static char piece[64 * KIB];
    size_t sent = 0;
    for (int turn = 0; turn < TURNS && sent < limit; turn++) {
        size_t size = limit - sent < sizeof piece ? limit - sent : sizeof piece;
        ssize_t n = send(client, piece, size, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        if (n > 0)
            turn = 0;
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    return sent;
}

static void a_paused_body_waits_in_the_socket(void **state)
{
    struct fixture *f = *state;
    int client = connect_to(f);
    cleanup_free char *head = mem_format("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", (int)BODY_BYTES);
    assert_int_equal(send(client, head, strlen(head), 0), (ssize_t)strlen(head));
    size_t sent = push(f, client, BODY_BYTES);
    assert_in_range(sent, 1, 2 * MIB); /* the socket's own queue, and a little of ours */
    assert_in_range(f->received, 1, 128 * KIB);
    http_body_pause(f->held, false);
    sent += push(f, client, BODY_BYTES - sent);
    assert_int_equal(sent, BODY_BYTES);
    for (int turn = 0; turn < TURNS && !f->is_ended; turn++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->received, BODY_BYTES);
    assert_true(f->is_ended);
    close(client);
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
