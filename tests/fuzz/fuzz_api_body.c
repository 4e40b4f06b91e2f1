/* tests/fuzz/fuzz_api_body.c – whole requests at the real routes over an emulated host: bodies, paths and headers that nobody sends.
 *
 * The first byte chooses the request that the rest is put into. The node and the store are the unit tests' own. */
#include "tests/unit/api/fixture.h"

#include "api/call.h"
#include "api/http_connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void swallow(void *self, const struct bytes *pieces, size_t count)
{
    (void)self;
    (void)pieces;
    (void)count;
}

static void nothing(void *self)
{
    (void)self;
}

static struct api_fixture fixture;

static void stop(void)
{
    fixture_stop(&fixture);
}

static void request_of(uint8_t choice, const uint8_t *data, size_t size, struct buf *out)
{
    static const char *const bodies[] = {"POST /swarm/join", "POST /swarm/join?progress=1", "POST /images/load",
                                         "POST /images/create?fromImage=x"};
    static const char *const paths[] = {"GET /containers/",      "GET /images/", "GET /events?until=1&",
                                        "GET /containers/json?", "GET /v1.",     "GET /"};
    size_t body_count = sizeof bodies / sizeof *bodies, path_count = sizeof paths / sizeof *paths;
    size_t i = choice % (body_count + path_count + 1);
    if (i < body_count) {
        buf_append_format(out, "%s HTTP/1.1\r\nHost: d\r\nContent-Length: %zu\r\n\r\n", bodies[i], size);
        buf_append(out, data, size);
    } else if (i < body_count + path_count) {
        buf_append_string(out, paths[i - body_count]);
        buf_append(out, data, size);
        buf_append_string(out, " HTTP/1.1\r\nHost: d\r\n\r\n");
    } else {
        buf_append(out, data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_started;
    if (!is_started) {
        fixture_start(&fixture);
        atexit(stop);
    }
    is_started = true;
    if (size == 0)
        return 0;
    cleanup_buf struct buf request = {0};
    const struct http_io io = {.write = swallow, .close = nothing, .wake = nothing};
    request_of(data[0], data + 1, size - 1, &request);
    struct http_connection *connection = http_connection_new(&fixture.clock, &io, api_on_request, fixture.api);
    http_connection_input(connection, buf_bytes(&request));
    for (int i = 0; i < 3; i++)
        hcs_emulated_step(fixture.hcs, clock_monotonic_ns(&fixture.clock), clock_wall_ns(&fixture.clock));
    http_connection_eof(connection);
    http_connection_free(connection);
    fixture.node.state = NODE_INACTIVE;
    api_timer_free(fixture.node.timer);
    fixture.node.timer = NULL;
    for (int i = 0; i < 2; i++) /* lets closed timers go */
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
    return 0;
}
