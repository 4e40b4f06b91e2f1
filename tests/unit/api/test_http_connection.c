/* tests/unit/api/test_http_connection.c – HTTP/1.1 by hand: bytes in, bytes out, no socket. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "api/http_connection.h"
#include "base/mem.h"

enum { LARGEST_BODY_BYTES = 1000 };

struct fixture {
    struct http_connection *connection;
    struct buf out, streamed;
    uint64_t now_ns;
    struct clock clock;
    bool is_closed;
    unsigned requests, gone, drained;
    struct http_exchange *held;
    size_t written; /* told to the connection as sent */
    bool pause_next;
};

static uint64_t fake_monotonic(void *self)
{
    return ((struct fixture *)self)->now_ns;
}

static int64_t fake_wall(void *self)
{
    (void)self;
    return 1795471201 * (int64_t)NS_PER_S;
}

static void io_write(void *self, const struct bytes *pieces, size_t count)
{
    struct fixture *f = self;
    assert_false(f->is_closed);
    for (size_t i = 0; i < count; i++)
        buf_append(&f->out, pieces[i].data, pieces[i].size);
}

static void io_close(void *self)
{
    struct fixture *f = self;
    assert_false(f->is_closed);
    f->is_closed = true;
}

static void io_wake(void *self)
{
    (void)self;
}

static void echo(void *ctx, struct http_exchange *ex, struct bytes body)
{
    (void)ctx;
    http_answer(ex, 200, "text/plain", body);
}

static void on_gone(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    (void)ex;
    f->gone++;
}

static void on_drain(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    (void)ex;
    f->drained++;
}

static void stream_data(void *ctx, struct http_exchange *ex, struct bytes data)
{
    struct fixture *f = ctx;
    buf_append(&f->streamed, data.data, data.size);
    if (f->pause_next && !f->held) {
        http_hold(ex);
        f->held = ex;
    }
    http_body_pause(ex, f->pause_next);
}

static void stream_end(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    http_answer(ex, 200, "text/plain", buf_bytes(&f->streamed));
}

static void on_request(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    f->requests++;
    http_on_gone(ex, on_gone, f);
    http_on_drain(ex, on_drain, f);
    if (strcmp(ex->path, "/echo") == 0) {
        http_body_collect(ex, LARGEST_BODY_BYTES, echo, f);
    } else if (strcmp(ex->path, "/stream") == 0) {
        http_body_stream(ex, stream_data, stream_end, f);
    } else if (strcmp(ex->path, "/hold") == 0) {
        http_hold(ex);
        f->held = ex;
    } else if (strcmp(ex->path, "/break") == 0) {
        http_answer_begin(ex, 200, "text/plain");
        http_answer_break(ex);
    } else {
        http_answer_string(ex, 200, "text/plain", ex->path);
    }
}

static int setup(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    const struct http_io io = {.self = f, .write = io_write, .close = io_close, .wake = io_wake};
    f->now_ns = NS_PER_S;
    f->clock = (struct clock){fake_monotonic, fake_wall, f};
    f->connection = http_connection_new(&f->clock, &io, on_request, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_connection_free(f->connection);
    if (f->held)
        http_release(f->held);
    buf_deinit(&f->out);
    buf_deinit(&f->streamed);
    free(f);
    return 0;
}

static void send(struct fixture *f, const char *text)
{
    http_connection_input(f->connection, bytes_of_string(text));
}

static bool answered(const struct fixture *f, const char *text)
{
    return f->out.size > 0 && strstr((const char *)f->out.data, text) != NULL;
}

static unsigned count_of(const struct fixture *f, const char *text)
{
    unsigned count = 0;
    for (const char *at = f->out.size ? (const char *)f->out.data : ""; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void answers_and_keeps_the_connection(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /one?a=b HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal((char *)f->out.data, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 23 Nov 2026 22:00:01 GMT\r\n"
                                             "Content-Length: 4\r\n\r\n/one");
    send(f, "GET /two HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(answered(f, "/two"));
    assert_false(f->is_closed);
    assert_int_equal(f->gone, 0);
}

static void request_in_single_bytes_is_the_same(void **state)
{
    struct fixture *f = *state;
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    for (size_t i = 0; i < sizeof request - 1; i++)
        http_connection_input(f->connection, bytes_of(request + i, 1));
    assert_true(answered(f, "\r\n\r\nhello"));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: "
            "x\r\n\r\n");
    assert_int_equal(f->requests, 3);
    const char *text = (const char *)f->out.data;
    assert_true(strstr(text, "/1") < strstr(text, "abc") && strstr(text, "abc") < strstr(text, "/3"));
}

static void pipelined_request_waits_for_the_answer_before_it(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(f->requests, 1);
    http_answer_string(f->held, 200, "text/plain", "now");
    assert_int_equal(f->requests, 2);
    assert_true(answered(f, "/after"));
}

static void too_much_sent_ahead_stops_reading(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    cleanup_free char *lots = mem_alloc(API_PIPELINE_BYTES);
    http_connection_input(f->connection, bytes_of(lots, API_PIPELINE_BYTES));
    assert_false(http_connection_wants_input(f->connection));
}

static void chunked_body_is_put_together(void **state)
{
    struct fixture *f = *state;
    send(f, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
    assert_true(answered(f, "\r\n\r\nabcde"));
    send(f, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(answered(f, "/next"));
}

static void body_beyond_its_limit_is_413(void **state)
{
    struct fixture *f = *state;
    send(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\nab");
    assert_true(answered(f, "HTTP/1.1 413"));
    assert_true(answered(f, "{\"message\":"));
    assert_true(answered(f, "Connection: close"));
    assert_false(f->is_closed); /* what the client still sends is read, so that it sees the answer */
    f->now_ns += (API_LINGER_TIMEOUT_MS + 1) * NS_PER_MS;
    http_connection_tick(f->connection);
    assert_true(f->is_closed);
}

/* Answered before it is there, and in the middle of it: the next request is heard. */
static void small_body_that_nobody_wants_is_skipped(void **state)
{
    struct fixture *f = *state;
    send(f,
         "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabPOST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    assert_true(answered(f, "/first"));
    assert_true(answered(f, "/second"));
    assert_false(answered(f, "Connection: close"));
    cleanup_free char *rest = mem_alloc(1001);
    http_connection_input(f->connection, bytes_of(rest, 1000));
    send(f, "xGET /third HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(answered(f, "/third"));
    assert_int_equal(f->requests, 3);
    assert_false(f->is_closed);
    send(f, "POST /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\na");
    assert_true(answered(f, "/last"));
    assert_false(f->is_closed);
    send(f, "b");
    assert_true(f->is_closed);
}

static void chunked_body_beyond_its_limit_is_413(void **state)
{
    struct fixture *f = *state;
    send(f, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 101; i++)
        send(f, "a\r\n0123456789\r\n");
    assert_true(answered(f, "HTTP/1.1 413"));
    assert_int_equal(count_of(f, "HTTP/1.1 "), 1);
}

static void expecting_client_hears_continue(void **state)
{
    struct fixture *f = *state;
    send(f, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_string_equal((char *)f->out.data, "HTTP/1.1 100 Continue\r\n\r\n");
    send(f, "ok");
    assert_true(answered(f, "\r\n\r\nok"));
}

static void refused_body_hears_no_continue(void **state)
{
    struct fixture *f = *state;
    send(f, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n");
    assert_true(answered(f, "HTTP/1.1 413"));
    assert_false(answered(f, "100 Continue"));
}

static void strange_expectation_is_417(void **state)
{
    struct fixture *f = *state;
    send(f, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n");
    assert_true(answered(f, "HTTP/1.1 417"));
}

static void paused_body_waits(void **state)
{
    struct fixture *f = *state;
    f->pause_next = true;
    send(f, "POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
    assert_int_equal(f->streamed.size, 3);
    f->now_ns += (API_BODY_IDLE_TIMEOUT_MS + 1) * NS_PER_MS;
    http_connection_tick(f->connection); /* it is we who wait, not the client */
    assert_false(f->is_closed);
    f->pause_next = false;
    http_body_pause(f->held, false);
    assert_true(answered(f, "\r\n\r\nabcdef"));
}

static void long_answer_has_back_pressure(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_answer_begin(f->held, 200, "text/plain");
    cleanup_free char *piece = mem_alloc(API_SEND_HIGH_BYTES);
    assert_true(http_answer_write(f->held, bytes_of("abc", 3)));
    assert_false(http_answer_write(f->held, bytes_of(piece, API_SEND_HIGH_BYTES)));
    http_connection_sent(f->connection, 1000);
    assert_int_equal(f->drained, 0);
    http_connection_sent(f->connection, API_SEND_HIGH_BYTES);
    assert_int_equal(f->drained, 1);
    http_answer_end(f->held);
    assert_true(answered(f, "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n40000\r\n"));
    assert_memory_equal(f->out.data + f->out.size - 7, "\r\n0\r\n\r\n", 7);
}

static void client_that_leaves_is_noticed(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_answer_begin(f->held, 200, "text/plain");
    http_connection_eof(f->connection);
    assert_int_equal(f->gone, 1);
    assert_true(http_is_gone(f->held));
    assert_true(http_answer_write(f->held, bytes_of("x", 1))); /* goes nowhere, harms nothing */
    http_answer_end(f->held);
}

static void broken_answer_closes(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /break HTTP/1.1\r\nHost: x\r\n\r\nGET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(f->is_closed);
    assert_int_equal(f->requests, 1);
    assert_false(answered(f, "0\r\n\r\n"));
}

static void old_client_gets_no_chunks(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.0\r\n\r\n");
    http_answer_begin(f->held, 200, "text/plain");
    http_answer_write(f->held, bytes_of("abc", 3));
    http_answer_end(f->held);
    assert_true(answered(f, "Connection: close\r\n\r\nabc"));
    assert_true(f->is_closed);
}

static void head_has_no_body(void **state)
{
    struct fixture *f = *state;
    send(f, "HEAD /one HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_memory_equal(f->out.data + f->out.size - 4, "\r\n\r\n", 4);
    assert_true(answered(f, "Content-Length: 4"));
}

static void what_is_no_http_is_400(void **state)
{
    static const char *const wrong[] = {
        "\x16\x03\x01\x02\x00\x01",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        void *own;
        setup(&own);
        struct fixture *f = own;
        send(f, wrong[i]);
        if (!answered(f, "HTTP/1.1 400"))
            fail_msg("%zu: %s gave %s", i, wrong[i], f->out.size ? (char *)f->out.data : "nothing");
        assert_true(answered(f, "{\"message\":"));
        teardown(&own);
    }
    (void)state;
}

static void large_head_is_431(void **state)
{
    struct fixture *f = *state;
    send(f, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 40; i++) {
        cleanup_free char *line = mem_format("X-%d: %01000d\r\n", i, 0);
        send(f, line);
    }
    assert_true(answered(f, "HTTP/1.1 431"));
}

static void many_headers_are_431(void **state)
{
    struct fixture *f = *state;
    send(f, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < API_HEADERS_COUNT; i++)
        send(f, "A: b\r\n");
    send(f, "\r\n");
    assert_true(answered(f, "HTTP/1.1 431"));
}

static void slow_head_ends_with_408(void **state)
{
    struct fixture *f = *state;
    send(f, "GET / HT");
    f->now_ns += API_HEAD_TIMEOUT_MS / 2 * NS_PER_MS;
    send(f, "TP/1.1\r\nA: ");
    f->now_ns += (API_HEAD_TIMEOUT_MS / 2 + 1) * NS_PER_MS; /* a trickle does not prolong it */
    http_connection_tick(f->connection);
    assert_true(answered(f, "HTTP/1.1 408"));
}

static void idle_connection_is_closed(void **state)
{
    struct fixture *f = *state;
    f->now_ns += (API_IDLE_TIMEOUT_MS - 1) * NS_PER_MS;
    http_connection_tick(f->connection);
    assert_false(f->is_closed);
    f->now_ns += 2 * NS_PER_MS;
    http_connection_tick(f->connection);
    assert_true(f->is_closed);
    assert_int_equal(f->out.size, 0);
}

static void client_that_does_not_read_is_cut_off(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_answer_begin(f->held, 200, "text/plain");
    f->now_ns += (API_WRITE_STALL_TIMEOUT_MS + 1) * NS_PER_MS;
    http_connection_tick(f->connection);
    assert_true(f->is_closed);
    assert_int_equal(f->gone, 1);
}

static void release_held(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    f->gone++;
    f->held = NULL;
    http_release(ex);
}

static void the_writer_who_overfills_a_connection_outlives_his_own_call(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    struct http_exchange *ex = f->held;
    http_on_gone(ex, release_held, f); /* as the handlers do that keep no other reference */
    cleanup_free char *piece = mem_alloc(MIB);
    http_answer_begin(ex, 200, "text/plain");
    for (size_t sent = 0; sent <= API_SEND_MAX_BYTES; sent += MIB)
        assert_true(http_answer_write(ex, bytes_of(piece, MIB)) == (sent + MIB <= API_SEND_HIGH_BYTES));
    assert_int_equal(f->gone, 0);
    size_t out = f->out.size;
    http_answer_write(ex, bytes_of(piece, MIB));
    assert_int_equal(f->out.size, out);
    http_connection_tick(f->connection);
    assert_int_equal(f->gone, 1);
    assert_true(f->is_closed);
}

static void an_answer_that_ends_beyond_the_bound_is_cut(void **state)
{
    struct fixture *f = *state;
    send(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    cleanup_free char *large = mem_alloc(API_SEND_MAX_BYTES);
    http_answer(f->held, 200, "text/plain", bytes_of(large, API_SEND_MAX_BYTES));
    assert_true(f->is_closed);
}

static void upgrade_is_answered_as_any_request(void **state)
{
    struct fixture *f = *state;
    send(f, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi");
    assert_true(answered(f, "\r\n\r\nhi"));
}

static void table_of_states_is_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&http_connection_states, HTTP_CONN_IDLE));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(answers_and_keeps_the_connection),
        T(request_in_single_bytes_is_the_same),
        T(pipelined_requests_are_answered_in_order),
        T(pipelined_request_waits_for_the_answer_before_it),
        T(too_much_sent_ahead_stops_reading),
        T(chunked_body_is_put_together),
        T(body_beyond_its_limit_is_413),
        T(small_body_that_nobody_wants_is_skipped),
        T(chunked_body_beyond_its_limit_is_413),
        T(expecting_client_hears_continue),
        T(refused_body_hears_no_continue),
        T(strange_expectation_is_417),
        T(paused_body_waits),
        T(long_answer_has_back_pressure),
        T(client_that_leaves_is_noticed),
        T(broken_answer_closes),
        T(old_client_gets_no_chunks),
        T(head_has_no_body),
        T(what_is_no_http_is_400),
        T(large_head_is_431),
        T(many_headers_are_431),
        T(slow_head_ends_with_408),
        T(idle_connection_is_closed),
        T(client_that_does_not_read_is_cut_off),
        T(the_writer_who_overfills_a_connection_outlives_his_own_call),
        T(an_answer_that_ends_beyond_the_bound_is_cut),
        T(upgrade_is_answered_as_any_request),
        T(table_of_states_is_sound),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
