/* What tasks print, from the managers to docker: in frames, with what it asks for in front of each line, as fast as it reads. */
#include "tests/unit/api/swarm_fixture.h"

#define STDOUT DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDOUT
#define STDERR DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDERR

static void add(struct swarm *s)
{
    do_create(&s->asked.world, service("s1", "web"));
    do_create(&s->asked.world, task("t1", "s1", 1, "m1", DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING));
}

static int print(struct swarm *s, Docker__Swarmkit__V1__LogStream stream, const char *text, size_t size, struct error *err)
{
    Docker__Swarmkit__V1__LogContext context = DOCKER__SWARMKIT__V1__LOG_CONTEXT__INIT;
    Docker__Swarmkit__V1__LogAttr attr = DOCKER__SWARMKIT__V1__LOG_ATTR__INIT, *attrs[] = {&attr};
    Google__Protobuf__Timestamp when;
    Docker__Swarmkit__V1__LogMessage line = DOCKER__SWARMKIT__V1__LOG_MESSAGE__INIT, *lines[] = {&line};
    Docker__Swarmkit__V1__SubscribeLogsMessage message = DOCKER__SWARMKIT__V1__SUBSCRIBE_LOGS_MESSAGE__INIT;
    context.node_id = CONSTANT("m1");
    context.service_id = CONSTANT("s1");
    context.task_id = CONSTANT("t1");
    attr.key = CONSTANT("a=b");
    attr.value = CONSTANT("c d,e");
    message_set_timestamp(&when, INT64_C(1790000000123456789));
    line.context = &context;
    line.stream = stream;
    line.timestamp = &when;
    line.attrs = attrs;
    line.n_attrs = 1;
    line.data = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)text};
    message.messages = lines;
    message.n_messages = 1;
    return s->reader.deliver(s->reader.ctx, &message, err);
}

static void open_logs(struct swarm *s, const char *path)
{
    cleanup_free char *request = mem_format("GET %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", path);
    asker_send(&s->asker, request);
    asker_wait_for(&s->asker, "200 OK");
}

static void say_the_end(struct swarm *s, const struct error *err)
{
    s->is_read = false;
    s->reader.end(s->reader.ctx, err);
    while (!s->asker.is_closed)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
}

static bool has_frame(const struct swarm *s, int stream, const char *text)
{
    cleanup_buf struct buf frame = {0};
    const uint8_t header[] = {(uint8_t)stream, 0, 0, 0, 0, 0, 0, (uint8_t)strlen(text)};
    buf_append(&frame, header, sizeof header);
    buf_append_string(&frame, text);
    return memmem(s->asker.answer.data, s->asker.answer.size, frame.data, frame.size) != NULL;
}

static void both_streams_come_in_frames(void **state)
{
    struct swarm *s = *state;
    add(s);
    open_logs(s, "/services/web/logs?stdout=1&stderr=1&follow=1&tail=5&since=12.5");
    assert_string_equal(s->logs_request->selector->service_ids[0], "s1");
    assert_int_equal(s->logs_request->selector->n_task_ids, 0);
    assert_true(s->logs_request->options->follow);
    assert_int_equal(s->logs_request->options->tail, -6);
    assert_int_equal(s->logs_request->options->since->seconds, 12);
    assert_int_equal(s->logs_request->options->since->nanos, 500000000);
    assert_ok(print(s, STDOUT, "hello\n", 6, err));
    assert_ok(print(s, STDERR, "oh\n", 3, err));
    say_the_end(s, NULL);
    assert_true(has_frame(s, 1, "hello\n"));
    assert_true(has_frame(s, 2, "oh\n"));
}

static void one_stream_alone_with_time_and_details(void **state)
{
    struct swarm *s = *state;
    add(s);
    open_logs(s, "/tasks/t1/logs?stderr=1&timestamps=1&details=1");
    assert_string_equal(s->logs_request->selector->task_ids[0], "t1");
    assert_false(s->logs_request->options->follow);
    assert_int_equal(s->logs_request->options->tail, 0);
    assert_ok(print(s, STDOUT, "hello\n", 6, err));
    assert_ok(print(s, STDERR, "oh\n", 3, err));
    say_the_end(s, NULL);
    assert_false(swarm_has(s, "hello"));
    assert_true(has_frame(s, 2,
                          "2026-09-21T14:13:20.123456789Z a%3Db=c+d%2Ce,com.docker.swarm.node.id=m1,com.docker.swarm.service.id=s1,"
                          "com.docker.swarm.task.id=t1 oh\n"));
}

static void what_went_wrong_comes_last(void **state)
{
    struct swarm *s = *state;
    const struct error why = {.code = ERR_PEER, .message = "warning: incomplete log stream"};
    add(s);
    open_logs(s, "/services/web/logs?stdout=1");
    assert_ok(print(s, STDOUT, "hello\n", 6, err));
    say_the_end(s, &why);
    assert_true(has_frame(s, 3, "Error grabbing logs: warning: incomplete log stream\n"));
}

static void a_client_that_does_not_read_holds_the_tasks_back(void **state)
{
    struct swarm *s = *state;
    static char much[256 * 1024];
    int refused = 0;
    add(s);
    memset(much, 'x', sizeof much);
    open_logs(s, "/services/web/logs?stdout=1&follow=1");
    for (int i = 0; i < 64 && refused == 0; i++) {
        struct error err = {0};
        refused = print(s, STDOUT, much, sizeof much, &err);
    }
    assert_int_equal(refused, ERR_AGAIN);
    assert_int_equal(s->logs_writable, 0);
    for (int i = 0; i < 10000 && s->logs_writable == 0; i++)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
    assert_int_equal(s->logs_writable, 1);
    assert_ok(print(s, STDOUT, "on\n", 3, err));
    asker_hang_up(&s->asker);
    for (int i = 0; i < 1000 && s->logs_closed == 0; i++)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
    assert_int_equal(s->logs_closed, 1);
}

static void what_cannot_be_is_refused(void **state)
{
    struct swarm *s = *state;
    add(s);
    swarm_get(s, "/services/web/logs", 400, "you must choose at least one stream");
    swarm_get(s, "/services/none/logs?stdout=1", 404, "service none not found");
    swarm_get(s, "/services/web/logs?stdout=1&since=yesterday", 400, "since");
    s->is_worker = true;
    swarm_get(s, "/services/web/logs?stdout=1", 503, "not a swarm manager");
    assert_null(s->logs_request);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, swarm_setup, swarm_teardown)
    const struct CMUnitTest tests[] = {
        T(both_streams_come_in_frames), T(one_stream_alone_with_time_and_details),
        T(what_went_wrong_comes_last),  T(a_client_that_does_not_read_holds_the_tasks_back),
        T(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
