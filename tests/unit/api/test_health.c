/* tests/unit/api/test_health.c – /health and /metrics, at the API's own socket and at a TCP port of their own. */
#include "api/call.h"
#include "tests/unit/api/asker.h"
#include "tests/unit/metrics_reader.h"

static struct api_health well;

static void tell_health(void *self, struct api_health *out)
{
    (void)self;
    *out = well;
}

static void tell_metrics(void *self, struct metrics *metrics)
{
    (void)self;
    metrics_gauge(metrics, "skep_ready", "Ready?", well.is_ready);
}

static int setup(void **state)
{
    struct asker *a = mem_alloc(sizeof *a);
    asker_start(a, NULL);
    a->fixture.api->options.telemetry = (struct api_telemetry){.health = tell_health, .metrics = tell_metrics};
    well = (struct api_health){
        .state = "active", .role = "manager", .is_ready = true, .has_quorum = true, .ready_trouble = "", .quorum_trouble = ""};
    *state = a;
    return 0;
}

static void one_that_is_well_says_so(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/health", 200, "{\"live\":true,\"ready\":true,\"quorum\":true,\"state\":\"active\",\"role\":\"manager\",\"reasons\":[]}");
    asker_get(a, "/v1.41/health/live", 200, "{\"live\":true}");
    asker_get(a, "/health/ready", 200, "{\"ready\":true,\"reasons\":[]}");
    asker_get(a, "/health/quorum", 200, "{\"quorum\":true,\"reasons\":[]}");
    asker_get(a, "/health/else", 404, "page not found");
}

static void what_is_wrong_is_said_once_and_with_503(void **state)
{
    struct asker *a = *state;
    well.is_ready = false;
    well.ready_trouble = "no room";
    asker_get(a, "/health", 503, "\"ready\":false,\"quorum\":true,\"state\":\"active\",\"role\":\"manager\",\"reasons\":[\"no room\"]}");
    asker_get(a, "/health/ready", 503, "{\"ready\":false,\"reasons\":[\"no room\"]}");
    asker_get(a, "/health/quorum", 200, "\"quorum\":true");
    well.has_quorum = false;
    well.ready_trouble = well.quorum_trouble = "alone";
    asker_get(a, "/health", 503, "\"reasons\":[\"alone\"]}");
    asker_get(a, "/health/quorum", 503, "{\"quorum\":false,\"reasons\":[\"alone\"]}");
    asker_get(a, "/health/live", 200, "{\"live\":true}");
}

static void numbers_come_as_prometheus_takes_them(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/metrics", 200, "Content-Type: " METRICS_CONTENT_TYPE "\r\n");
    asker_wait_for(a, "skep_ready 1\n");
}

static void a_daemon_that_tells_nothing_has_no_such_paths(void **state)
{
    struct asker *a = *state;
    a->fixture.api->options.telemetry = (struct api_telemetry){0};
    asker_get(a, "/metrics", 404, "page not found");
    asker_get(a, "/health", 404, "page not found");
}

/* --- the port --- */

struct client {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct sockaddr_in server;
    char *request;
    struct buf *answer;
    char piece[4096];
    bool has_answer, is_closed;
};

static void on_closed(uv_handle_t *handle)
{
    ((struct client *)handle->data)->is_closed = true;
}

static void give(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    (void)suggested;
    *buf = uv_buf_init(client->piece, sizeof client->piece);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (size > 0)
        buf_append(client->answer, buf->base, (size_t)size);
    client->has_answer = size == UV_EOF;
    if (size < 0)
        uv_close((uv_handle_t *)stream, on_closed);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct client *client = connect->data;
    uv_buf_t piece = uv_buf_init(client->request, (unsigned)strlen(client->request));
    assert_int_equal(status, 0);
    assert_int_equal(uv_write(&client->write, connect->handle, &piece, 1, NULL), 0);
    assert_int_equal(uv_read_start(connect->handle, give, on_read), 0);
}

static void find_port(struct asker *a, char *out, size_t size)
{
    struct client client = {0};
    int length = sizeof client.server;
    client.tcp.data = &client;
    uv_ip4_addr("127.0.0.1", 0, &client.server);
    assert_int_equal(uv_tcp_init(&a->fixture.loop, &client.tcp), 0);
    assert_int_equal(uv_tcp_bind(&client.tcp, (struct sockaddr *)&client.server, 0), 0);
    assert_int_equal(uv_tcp_getsockname(&client.tcp, (struct sockaddr *)&client.server, &length), 0);
    uv_close((uv_handle_t *)&client.tcp, on_closed);
    while (!client.is_closed)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    snprintf(out, size, "localhost:%d", ntohs(client.server.sin_port));
}

static void ask_port(struct asker *a, const char *address, const char *path, struct buf *out)
{
    cleanup_free char *request = mem_format("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    struct client client = {.request = request, .answer = out};
    uint64_t until = uv_hrtime() + 5 * NS_PER_S;
    client.tcp.data = client.connect.data = &client;
    buf_clear(out);
    uv_ip4_addr("127.0.0.1", atoi(strchr(address, ':') + 1), &client.server);
    assert_int_equal(uv_tcp_init(&a->fixture.loop, &client.tcp), 0);
    assert_int_equal(uv_tcp_connect(&client.connect, &client.tcp, (struct sockaddr *)&client.server, on_connected), 0);
    while (!client.is_closed && uv_hrtime() < until)
        uv_run(&a->fixture.loop, UV_RUN_NOWAIT);
    assert_true(client.has_answer && client.is_closed);
}

static void the_port_tells_metrics_and_health_and_nothing_else(void **state)
{
    struct asker *a = *state;
    cleanup_buf struct buf answer = {0};
    char address[32];
    find_port(a, address, sizeof address);
    assert_ok(api_listen_metrics(a->fixture.api, address, err));
    ask_port(a, address, "/metrics", &answer);
    assert_non_null(strstr((char *)answer.data, "HTTP/1.1 200"));
    metrics_check(strstr((char *)answer.data, "\r\n\r\n") + 4);
    assert_int_equal(metrics_value_of((char *)answer.data, "skep_ready"), 1);
    well.has_quorum = false;
    well.quorum_trouble = "alone";
    ask_port(a, address, "/health", &answer);
    assert_non_null(strstr((char *)answer.data, "HTTP/1.1 503"));
    static const char *const closed[] = {"/info", "/_ping", "/v1.41/containers/json", "/nodes", "/", "/v1.41/metrics"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        ask_port(a, address, closed[i], &answer);
        assert_non_null(strstr((char *)answer.data, "HTTP/1.1 404"));
    }
}

static void a_port_that_is_taken_is_said(void **state)
{
    struct asker *a = *state;
    char address[32];
    find_port(a, address, sizeof address);
    assert_ok(api_listen_metrics(a->fixture.api, address, err));
    assert_fails(api_listen_metrics(a->fixture.api, address, err), ERR_EXISTS, address);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, asker_teardown)
    const struct CMUnitTest tests[] = {
        T(one_that_is_well_says_so),
        T(what_is_wrong_is_said_once_and_with_503),
        T(numbers_come_as_prometheus_takes_them),
        T(a_daemon_that_tells_nothing_has_no_such_paths),
        T(the_port_tells_metrics_and_health_and_nothing_else),
        T(a_port_that_is_taken_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
