/* tests/unit/agent/test_log_source_hcs.c – against a back end that gives entries when the test says so. */
#include "agent/log_source_hcs.h"

#include <stdlib.h>

#include "runtime/hcs_backend.h"
#include "tests/unit/test.h"

static struct {
    struct hcs_log log;
    struct hcs_log_options options;
    struct hcs_log_sink sink;
    bool is_paused, is_open;
    int ready;
} fake;

static int fake_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                     struct hcs_log **out, struct error *err)
{
    if (strcmp(id, "c1") != 0)
        return error_set(err, ERR_NOT_FOUND, "no such system: %s", id);
    fake.log.ops = hcs->ops;
    fake.options = *options;
    fake.sink = *sink;
    fake.is_open = true;
    *out = &fake.log;
    return 0;
}

static void fake_pause(struct hcs_log *log, bool is_paused)
{
    assert_ptr_equal(log, &fake.log);
    fake.is_paused = is_paused;
}

static void fake_close(struct hcs_log *log)
{
    assert_ptr_equal(log, &fake.log);
    fake.is_open = false;
}

static const struct hcs_ops ops = {.log_open = fake_open, .log_pause = fake_pause, .log_close = fake_close};
static struct hcs hcs = {.ops = &ops};

static void each(void *self, void (*call)(void *ctx, const struct log_task *task), void *ctx)
{
    (void)self;
    call(ctx, &(struct log_task){"t1", "s1", "n1"});
}

static const char *system_id(void *self, const char *task_id)
{
    (void)self;
    return strcmp(task_id, "t1") == 0 ? "c1" : NULL;
}

static void on_ready(void *ctx)
{
    (void)ctx;
    fake.ready++;
}

static struct log_source_hcs *source;
static struct log_source table;

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    source = log_source_hcs_new(&hcs, &(struct log_source_tasks){each, system_id, NULL});
    table = log_source_hcs_table(source);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_source_hcs_free(source);
    return 0;
}

static void *open_reader(void)
{
    void *reader = NULL;
    struct log_read_options options = {true, true, true, -1, INT64_MIN};
    assert_ok(table.open(table.self, "t1", &options, on_ready, NULL, &reader, err));
    return reader;
}

static void push(enum hcs_stream stream, const char *text)
{
    fake.sink.on_entry(fake.sink.ctx, &(struct hcs_log_entry){stream, 42, bytes_of_string(text), false});
}

static void entries_come_out_in_order_and_the_reader_is_woken_once(void **state)
{
    (void)state;
    void *reader = open_reader();
    struct log_entry entry;
    struct error err = {0};
    assert_int_equal(table.read(table.self, reader, &entry, &err), LOG_READ_WAIT);
    push(HCS_STDOUT, "one\n");
    push(HCS_STDERR, "two\n");
    assert_int_equal(fake.ready, 1);
    assert_int_equal(table.read(table.self, reader, &entry, &err), LOG_READ_ENTRY);
    assert_memory_equal(entry.data.data, "one\n", entry.data.size);
    assert_int_equal(entry.stream, LOG_STREAM_STDOUT);
    assert_int_equal(entry.wall_ns, 42);
    assert_int_equal(table.read(table.self, reader, &entry, &err), LOG_READ_ENTRY);
    assert_int_equal(entry.stream, LOG_STREAM_STDERR);
    assert_int_equal(table.read(table.self, reader, &entry, &err), LOG_READ_WAIT);
    fake.sink.on_end(fake.sink.ctx, NULL);
    assert_int_equal(fake.ready, 2);
    assert_int_equal(table.read(table.self, reader, &entry, &err), LOG_READ_END);
    table.close(table.self, reader);
    assert_false(fake.is_open);
}

static void a_slow_reader_pauses_the_runtime_and_lets_it_go_on(void **state)
{
    (void)state;
    void *reader = open_reader();
    char line[1025];
    memset(line, 'x', 1024);
    line[1024] = '\0';
    unsigned pushed = 0;
    for (; !fake.is_paused; pushed++)
        push(HCS_STDOUT, line);
    assert_int_equal(pushed, LOG_SOURCE_QUEUE_BYTES / 1024 + 1);
    struct log_entry entry;
    unsigned read = 0;
    for (; fake.is_paused; read++)
        assert_int_equal(table.read(table.self, reader, &entry, NULL), LOG_READ_ENTRY);
    assert_in_range(read, pushed / 2, pushed / 2 + 2);
    table.close(table.self, reader); /* what is still queued goes with it */
}

static void an_error_comes_after_what_was_read_before_it(void **state)
{
    (void)state;
    void *reader = open_reader();
    push(HCS_STDOUT, "last words\n");
    struct error cause = {ERR_IO, "disk failed"};
    fake.sink.on_end(fake.sink.ctx, &cause);
    struct log_entry entry;
    struct error err = {0};
    assert_int_equal(table.read(table.self, reader, &entry, &err), LOG_READ_ENTRY);
    assert_int_equal(table.read(table.self, reader, &entry, &err), ERR_IO);
    assert_string_equal(err.message, "disk failed");
    table.close(table.self, reader);
}

static void options_and_tasks_are_handed_on(void **state)
{
    (void)state;
    void *reader = NULL;
    struct log_read_options options = {false, true, false, 7, 99};
    assert_ok(table.open(table.self, "t1", &options, on_ready, NULL, &reader, err));
    assert_false(fake.options.wants_stdout);
    assert_true(fake.options.wants_stderr);
    assert_int_equal(fake.options.tail, 7);
    assert_int_equal(fake.options.since_wall_ns, 99);
    table.close(table.self, reader);
    assert_fails(table.open(table.self, "t2", &options, on_ready, NULL, &reader, err), ERR_NOT_FOUND, "t2 has no container");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_come_out_in_order_and_the_reader_is_woken_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_reader_pauses_the_runtime_and_lets_it_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_comes_after_what_was_read_before_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_and_tasks_are_handed_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
