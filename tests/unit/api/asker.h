/* tests/unit/api/asker.h – a client of the fixture's API over a real socket: one request at a time, and what came back as text. */
#ifndef SKEP_TESTS_UNIT_API_ASKER_H
#define SKEP_TESTS_UNIT_API_ASKER_H

#include "tests/unit/api/fixture.h"
#include "tests/unit/test.h"

struct asker {
    struct api_fixture fixture;
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct buf answer;
    char path[96], piece[65536];
    char *request;
    bool is_closed, is_open;
};

/* @swarm: NULL for a node that can only be a worker. */
static inline void asker_start(struct asker *a, const struct api_swarm *swarm)
{
    cleanup_free char *address = mem_format(TEST_API_PIPES "skep-test-api-%d", (int)uv_os_getpid());
    snprintf(a->path, sizeof a->path, "%s", strstr(address, "://") + 3);
    fixture_prepare(&a->fixture);
    if (swarm)
        a->fixture.swarm = *swarm;
    const struct api_images images = fixture_images(&a->fixture);
    fixture_serve(&a->fixture, &images);
    assert_ok(api_listen(a->fixture.api, address, NULL, err));
}

static inline int asker_setup(void **state)
{
    struct asker *a = mem_alloc(sizeof *a);
    asker_start(a, NULL);
    *state = a;
    return 0;
}

static inline void asker_pipe_closed(uv_handle_t *handle)
{
    ((struct asker *)handle->data)->is_open = false;
}

static inline void asker_hang_up(struct asker *a)
{
    if (a->is_open && !uv_is_closing((uv_handle_t *)&a->pipe))
        uv_close((uv_handle_t *)&a->pipe, asker_pipe_closed);
    while (a->is_open)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
}

static inline void asker_stop(struct asker *a)
{
    uv_fs_t removed;
    asker_hang_up(a);
    fixture_stop(&a->fixture);
    assert_true(uv_fs_stat(NULL, &removed, a->path, NULL) < 0); /* the socket is gone with its daemon */
    uv_fs_req_cleanup(&removed);
    buf_deinit(&a->answer);
    free(a->request);
}

static inline int asker_teardown(void **state)
{
    asker_stop(*state);
    free(*state);
    return 0;
}

static inline void asker_give(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct asker *a = handle->data;
    (void)suggested;
    *buf = uv_buf_init(a->piece, sizeof a->piece);
}

static inline void asker_on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct asker *a = stream->data;
    if (size > 0)
        buf_append(&a->answer, buf->base, (size_t)size);
    else if (size < 0)
        a->is_closed = true;
}

static inline void asker_connected(uv_connect_t *connect, int status)
{
    struct asker *a = connect->data;
    uv_buf_t piece = uv_buf_init(a->request, (unsigned)strlen(a->request));
    assert_int_equal(status, 0);
    uv_write(&a->write, (uv_stream_t *)&a->pipe, &piece, 1, NULL);
    uv_read_start((uv_stream_t *)&a->pipe, asker_give, asker_on_read);
}

/* On a connection of its own. */
static inline void asker_send(struct asker *a, const char *request)
{
    asker_hang_up(a);
    buf_clear(&a->answer);
    a->is_closed = false;
    a->is_open = true;
    uv_pipe_init(&a->fixture.loop, &a->pipe, 0);
    a->pipe.data = a->connect.data = a;
    free(a->request);
    a->request = mem_string(request);
    uv_pipe_connect(&a->connect, &a->pipe, a->path, asker_connected);
}

static inline bool asker_has(const struct asker *a, const char *text)
{
    return a->answer.size > 0 && memmem(a->answer.data, a->answer.size, text, strlen(text)) != NULL; /* frames have zero bytes */
}

/* Run until @text has come; fails after five seconds. */
static inline void asker_wait_for(struct asker *a, const char *text)
{
    uint64_t until = uv_hrtime() + 5 * NS_PER_S;
    while (!asker_has(a, text)) {
        if (uv_hrtime() > until)
            fail_msg("no %s in: %s", text, a->answer.size ? (char *)a->answer.data : "(nothing)");
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    }
}

static inline void asker_ask(struct asker *a, const char *method, const char *path, const char *body, int status, const char *text)
{
    char line[32];
    cleanup_free char *request =
        mem_format("%s %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method, path, strlen(body), body);
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    asker_send(a, request);
    uint64_t until = uv_hrtime() + 5 * NS_PER_S;
    while (!a->is_closed && uv_hrtime() < until)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    if (!asker_has(a, line) || !asker_has(a, text))
        fail_msg("%s %s: no %s%s in: %s", method, path, line, text, a->answer.size ? (char *)a->answer.data : "(nothing)");
}

static inline void asker_get(struct asker *a, const char *path, int status, const char *text)
{
    asker_ask(a, "GET", path, "", status, text);
}

#endif
