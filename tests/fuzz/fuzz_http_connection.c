/* tests/fuzz/fuzz_http_connection.c – hostile bytes at the API's door, in pieces, with a handler that does what real ones do. */
#include <stdlib.h>

#include "api/http_connection.h"
#include "api/http_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_closed;
static uint64_t now_ns;

static uint64_t monotonic(void *self)
{
    (void)self;
    return now_ns;
}

static int64_t wall(void *self)
{
    (void)self;
    return 0;
}

static void io_write(void *self, const struct bytes *pieces, size_t count)
{
    (void)self;
    (void)pieces;
    (void)count;
    if (is_closed)
        abort();
}

static void io_close(void *self)
{
    (void)self;
    if (is_closed)
        abort();
    is_closed = true;
}

static void io_wake(void *self)
{
    (void)self;
}

static void on_body(void *ctx, struct http_exchange *ex, struct bytes body)
{
    (void)ctx;
    http_answer(ex, 200, "text/plain", body);
}

static void on_piece(void *ctx, struct http_exchange *ex, struct bytes piece)
{
    (void)ctx;
    if (piece.data[0] == 'p')
        http_body_pause(ex, true);
    if (piece.data[0] == 'e')
        http_answer_error(ex, 500, "no");
    if (piece.data[0] == 'b')
        http_answer_break(ex);
    if (piece.data[0] == 'p')
        http_body_pause(ex, false);
}

static void on_end(void *ctx, struct http_exchange *ex)
{
    (void)ctx;
    http_answer_begin(ex, 200, "text/plain");
    http_answer_write(ex, bytes_of("x", 1));
    http_answer_end(ex);
}

static void on_request(void *ctx, struct http_exchange *ex)
{
    struct http_query query;
    struct error err;
    (void)ctx;
    if (http_query_parse(&ex->arena, ex->query, &query, &err) < 0)
        http_answer_error(ex, 400, "%s", err.message);
    else if (ex->path[1] == 's')
        http_body_stream(ex, on_piece, on_end, NULL);
    else if (ex->path[1] == 'n')
        http_answer_string(ex, 204, NULL, "");
    else
        http_body_collect(ex, 64, on_body, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct http_io io = {.write = io_write, .close = io_close, .wake = io_wake};
    const struct clock clock = {monotonic, wall, NULL};
    is_closed = false;
    now_ns = 1;
    struct http_connection *connection = http_connection_new(&clock, &io, on_request, NULL);
    size_t piece = size > 0 ? (size_t)(data[0] % 64) + 1 : 1;
    for (size_t at = 0; at < size; at += piece) {
        http_connection_input(connection, bytes_of(data + at, size - at < piece ? size - at : piece));
        now_ns += NS_PER_MS;
        http_connection_tick(connection);
        http_connection_sent(connection, 100);
    }
    http_connection_eof(connection);
    http_connection_free(connection);
    return 0;
}
