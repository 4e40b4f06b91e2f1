/* tests/unit/agent/test_log_publisher.c – subscriptions against a fake source of logs and a fake stream. */
#include "agent/log_publisher.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "proto/swarmkit/logbroker.pb-c.h"
#include "tests/unit/test.h"

#define LOGS 3

struct fake_log {
    const char *task_id, *service_id;
    char lines[64][24];
    size_t count;
    bool has_ended, cannot_open, breaks;
};

struct fake_reader {
    struct world *world;
    struct fake_log *log;
    struct log_read_options options;
    size_t next;
    void (*on_ready)(void *ctx);
    void *ctx;
};

struct fake_stream {
    bool is_open, is_finished, is_cancelled, has_close;
    size_t messages, entries, room; /* room: messages until it is full */
    struct buf text, errors;
    char subscription[32];
    struct log_read_options seen;
    char last_attr[16];
    void *publication;
};

struct world {
    struct fake_log logs[LOGS];
    struct fake_reader *readers[64];
    size_t reader_count, open_readers;
    struct fake_stream stream[4];
    size_t stream_count;
    bool pump_wanted, refuse_streams;
    struct log_publisher *p;
};

static void fake_tasks(void *self, void (*each)(void *ctx, const struct log_task *task), void *ctx)
{
    struct world *w = self;
    for (size_t i = 0; i < LOGS; i++) {
        struct log_task task = {w->logs[i].task_id, w->logs[i].service_id, "node1"};
        if (task.task_id)
            each(ctx, &task);
    }
}

static int fake_open(void *self, const char *task_id, const struct log_read_options *options, void (*on_ready)(void *ctx), void *ctx,
                     void **reader, struct error *err)
{
    struct world *w = self;
    for (size_t i = 0; i < LOGS; i++) {
        if (!w->logs[i].task_id || strcmp(w->logs[i].task_id, task_id) != 0)
            continue;
        if (w->logs[i].cannot_open)
            return error_set(err, ERR_NOT_FOUND, "no log");
        struct fake_reader *r = calloc(1, sizeof *r);
        *r = (struct fake_reader){w, &w->logs[i], *options, 0, on_ready, ctx};
        if (options->tail_lines >= 0 && (size_t)options->tail_lines < r->log->count)
            r->next = r->log->count - (size_t)options->tail_lines;
        w->readers[w->reader_count++] = r;
        w->open_readers++;
        *reader = r;
        return 0;
    }
    return error_set(err, ERR_NOT_FOUND, "no such task");
}

static int fake_read(void *self, void *reader, struct log_entry *entry, struct error *err)
{
    static const struct log_attr attr = {"colour", "blue"};
    struct fake_reader *r = reader;
    (void)self;
    if (r->next < r->log->count) {
        bool is_error = r->next % 2 == 1;
        *entry = (struct log_entry){(int64_t)r->next * 1000, is_error ? LOG_STREAM_STDERR : LOG_STREAM_STDOUT,
                                    bytes_of_string(r->log->lines[r->next]), &attr, 1};
        r->next++;
        if ((is_error && !r->options.want_stderr) || (!is_error && !r->options.want_stdout))
            return fake_read(self, reader, entry, err);
        return LOG_READ_ENTRY;
    }
    if (r->log->breaks)
        return error_set(err, ERR_CORRUPT, "the disk ate it");
    return !r->log->has_ended && r->options.follow ? LOG_READ_WAIT : LOG_READ_END;
}

static void fake_close(void *self, void *reader)
{
    struct world *w = self;
    for (size_t i = 0; i < w->reader_count; i++)
        if (w->readers[i] == reader)
            w->readers[i] = NULL;
    w->open_readers--;
    free(reader);
}

static int sink_open(void *self, void *publication, void **stream, struct error *err)
{
    struct world *w = self;
    if (w->refuse_streams)
        return error_set(err, ERR_UNAVAILABLE, "no session");
    w->stream[w->stream_count] = (struct fake_stream){.is_open = true, .room = SIZE_MAX, .publication = publication};
    *stream = &w->stream[w->stream_count++];
    return 0;
}

static bool sink_send(void *self, void *stream, struct bytes message)
{
    struct fake_stream *s = stream;
    (void)self;
    Docker__Swarmkit__V1__PublishLogsMessage *m = docker__swarmkit__v1__publish_logs_message__unpack(NULL, message.size, message.data);
    assert_non_null(m);
    assert_false(s->is_finished);
    assert_true(m->n_messages <= LOG_BATCH_COUNT);
    (void)snprintf(s->subscription, sizeof s->subscription, "%s", m->subscription_id);
    s->has_close = s->has_close || m->close;
    for (size_t i = 0; i < m->n_messages; i++) {
        assert_string_equal(m->messages[i]->context->node_id, "node1");
        assert_true(m->messages[i]->context->task_id[0] == 't');
        assert_non_null(m->messages[i]->timestamp);
        (void)snprintf(s->last_attr, sizeof s->last_attr, "%s", m->messages[i]->attrs[0]->value);
        buf_append(m->messages[i]->stream == DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDERR ? &s->errors : &s->text,
                   m->messages[i]->data.data, m->messages[i]->data.len);
    }
    s->entries += m->n_messages;
    s->messages++;
    docker__swarmkit__v1__publish_logs_message__free_unpacked(m, NULL);
    return s->room == SIZE_MAX || --s->room > 0;
}

static void sink_finish(void *self, void *stream)
{
    (void)self;
    ((struct fake_stream *)stream)->is_finished = true;
}

static void sink_cancel(void *self, void *stream)
{
    (void)self;
    ((struct fake_stream *)stream)->is_cancelled = true;
}

static void on_want_pump(void *ctx)
{
    ((struct world *)ctx)->pump_wanted = true;
}

static void run(struct world *w)
{
    for (int i = 0; w->pump_wanted; i++) {
        w->pump_wanted = log_publisher_pump(w->p);
        assert_true(i < 1000);
    }
}

static void add_lines(struct world *w, size_t which, size_t count)
{
    struct fake_log *log = &w->logs[which];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(log->lines[log->count], sizeof log->lines[0], "%zu.%zu\n", which, log->count);
        log->count++;
    }
    for (size_t i = 0; i < w->reader_count; i++)
        if (w->readers[i] && w->readers[i]->log == log)
            w->readers[i]->on_ready(w->readers[i]->ctx);
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->logs[0] = (struct fake_log){.task_id = "t0", .service_id = "s0"};
    w->logs[1] = (struct fake_log){.task_id = "t1", .service_id = "s0"};
    struct log_publisher_options options = {.source = {fake_tasks, fake_open, fake_read, fake_close, w},
                                            .sink = {sink_open, sink_send, sink_finish, sink_cancel, w},
                                            .node_id = "node1",
                                            .want_pump = on_want_pump,
                                            .ctx = w};
    w->p = log_publisher_new(&options);
}

static void end(struct world *w)
{
    log_publisher_free(w->p);
    assert_int_equal(w->open_readers, 0);
    for (size_t i = 0; i < w->stream_count; i++) {
        buf_deinit(&w->stream[i].text);
        buf_deinit(&w->stream[i].errors);
    }
}

struct wish {
    const char *service, *task, *node;
    bool follow, close, stdout_only;
    int64_t tail;
};

static int subscribe(struct world *w, const char *id, struct wish wish, struct error *err)
{
    Docker__Swarmkit__V1__SubscriptionMessage m = DOCKER__SWARMKIT__V1__SUBSCRIPTION_MESSAGE__INIT;
    Docker__Swarmkit__V1__LogSelector selector = DOCKER__SWARMKIT__V1__LOG_SELECTOR__INIT;
    Docker__Swarmkit__V1__LogSubscriptionOptions options = DOCKER__SWARMKIT__V1__LOG_SUBSCRIPTION_OPTIONS__INIT;
    Docker__Swarmkit__V1__LogStream stream = DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDOUT;
    char *service = (char *)wish.service, *task = (char *)wish.task, *node = (char *)wish.node;
    m.id = (char *)(uintptr_t)id;
    m.selector = &selector;
    m.options = &options;
    m.close = wish.close;
    selector.n_service_ids = service != NULL;
    selector.service_ids = &service;
    selector.n_task_ids = task != NULL;
    selector.task_ids = &task;
    selector.n_node_ids = node != NULL;
    selector.node_ids = &node;
    options.follow = wish.follow;
    options.tail = wish.tail;
    options.n_streams = wish.stdout_only;
    options.streams = &stream;
    return log_publisher_subscription(w->p, &m, err);
}

static void a_read_to_the_end_closes_and_finishes(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    add_lines(&w, 0, 4);
    add_lines(&w, 1, 2);
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "s0"}, err));
    run(&w);
    assert_string_equal(w.stream[0].subscription, "sub1");
    assert_int_equal(w.stream[0].entries, 6);
    assert_string_equal((char *)w.stream[0].text.data, "0.0\n0.2\n1.0\n");
    assert_string_equal((char *)w.stream[0].errors.data, "0.1\n0.3\n1.1\n");
    assert_string_equal(w.stream[0].last_attr, "blue");
    assert_true(w.stream[0].has_close && w.stream[0].is_finished);
    assert_int_equal(log_publisher_active_count(w.p), 1); /* until the manager has answered */
    log_publisher_ended(w.p, w.stream[0].publication, 0, "");
    assert_int_equal(log_publisher_active_count(w.p), 0);
    end(&w);
}

static void a_node_with_nothing_to_say_still_closes(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "another"}, err));
    run(&w);
    assert_int_equal(w.stream[0].messages, 1);
    assert_true(w.stream[0].has_close && w.stream[0].is_finished);
    end(&w);
}

static void selectors_match_by_task_service_or_node(void **state)
{
    const struct {
        struct wish wish;
        size_t entries;
    } rows[] = {{{.task = "t1"}, 1},
                {{.service = "s0"}, 2},
                {{.node = "node1"}, 2},
                {{.node = "node2"}, 0},
                {{.task = "t1", .service = "s0"}, 2},
                {{0}, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        begin(&w);
        add_lines(&w, 0, 1);
        add_lines(&w, 1, 1);
        assert_ok(subscribe(&w, "sub1", rows[i].wish, err));
        run(&w);
        assert_int_equal(w.stream[0].entries, rows[i].entries);
        end(&w);
    }
}

static void tail_and_streams_reach_the_reader(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    add_lines(&w, 0, 10);
    assert_ok(subscribe(&w, "sub1", (struct wish){.task = "t0", .tail = -3}, err)); /* --tail 2 */
    assert_ok(subscribe(&w, "sub2", (struct wish){.task = "t0", .tail = -1}, err)); /* --tail 0 */
    assert_ok(subscribe(&w, "sub3", (struct wish){.task = "t0", .stdout_only = true}, err));
    run(&w);
    assert_string_equal((char *)w.stream[0].text.data, "0.8\n");
    assert_string_equal((char *)w.stream[0].errors.data, "0.9\n");
    assert_int_equal(w.stream[1].entries, 0);
    assert_int_equal(w.stream[2].entries, 5);
    assert_int_equal(w.stream[2].errors.size, 0);
    end(&w);
}

static void following_goes_on_until_the_manager_closes(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    add_lines(&w, 0, 1);
    w.logs[1].has_ended = true;
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "s0", .follow = true}, err));
    run(&w);
    assert_int_equal(w.stream[0].entries, 1);
    add_lines(&w, 0, 3);
    assert_true(w.pump_wanted);
    run(&w);
    assert_int_equal(w.stream[0].entries, 4);
    assert_false(w.stream[0].has_close);
    assert_ok(subscribe(&w, "sub1", (struct wish){.close = true}, err));
    run(&w);
    assert_true(w.stream[0].has_close && w.stream[0].is_finished);
    assert_int_equal(w.open_readers, 0);
    end(&w);
}

static void a_task_that_starts_later_is_followed_too(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "s0", .follow = true, .tail = -1}, err));
    assert_ok(subscribe(&w, "sub2", (struct wish){.service = "other", .follow = true}, err));
    run(&w);
    w.logs[2] = (struct fake_log){.task_id = "t2", .service_id = "s0"};
    add_lines(&w, 2, 2);
    struct log_task task = {"t2", "s0", "node1"};
    log_publisher_task_started(w.p, &task);
    log_publisher_task_started(w.p, &task); /* twice is once */
    run(&w);
    assert_int_equal(w.stream[0].entries, 2); /* all of it, whatever the tail */
    assert_int_equal(w.stream[1].entries, 0);
    end(&w);
}

static void a_full_stream_holds_the_reader(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    assert_ok(subscribe(&w, "sub1", (struct wish){.task = "t0", .follow = true}, err));
    run(&w);
    w.stream[0].room = 1;
    add_lines(&w, 0, 5);
    run(&w);
    assert_int_equal(w.stream[0].entries, 5);
    add_lines(&w, 0, 5);
    run(&w);
    assert_int_equal(w.stream[0].entries, 5); /* nothing read while full */
    w.stream[0].room = SIZE_MAX;
    log_publisher_writable(w.p, w.stream[0].publication);
    run(&w);
    assert_int_equal(w.stream[0].entries, 10);
    end(&w);
}

static void a_full_stream_also_delays_the_close(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    add_lines(&w, 0, 3);
    assert_ok(subscribe(&w, "sub1", (struct wish){.task = "t0"}, err));
    w.stream[0].room = 1;
    run(&w);
    assert_int_equal(w.stream[0].entries, 3);
    assert_false(w.stream[0].has_close);
    log_publisher_writable(w.p, w.stream[0].publication);
    w.stream[0].room = SIZE_MAX;
    run(&w);
    assert_true(w.stream[0].has_close);
    end(&w);
}

static void a_log_that_breaks_or_is_missing_does_not_hide_the_others(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    w.logs[0].breaks = true;
    add_lines(&w, 0, 2);
    add_lines(&w, 1, 2);
    w.logs[2] = (struct fake_log){.task_id = "t2", .service_id = "s0", .cannot_open = true};
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "s0"}, err));
    run(&w);
    assert_int_equal(w.stream[0].entries, 4);
    assert_true(w.stream[0].has_close);
    assert_int_equal(log_publisher_stats(w.p)->failures, 1);
    end(&w);
}

/* Ids are not used again; that a task can be taken up anew shows that nothing of it is left. */
static void a_forgotten_task_leaves_nothing_behind(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    add_lines(&w, 0, 1);
    w.logs[0].has_ended = true;
    add_lines(&w, 1, 1);
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "s0", .follow = true}, err));
    run(&w);
    assert_int_equal(w.stream[0].entries, 2);
    struct log_task ended = {"t0", "s0", "node1"}, running = {"t1", "s0", "node1"};
    log_publisher_task_started(w.p, &ended);
    run(&w);
    assert_int_equal(w.stream[0].entries, 2);
    log_publisher_task_forgotten(w.p, "t0");
    log_publisher_task_forgotten(w.p, "t1"); /* what it still has to say comes first */
    add_lines(&w, 1, 2);
    w.logs[1].has_ended = true;
    run(&w);
    assert_int_equal(w.stream[0].entries, 4);
    assert_int_equal(w.open_readers, 0);
    log_publisher_task_started(w.p, &ended);
    log_publisher_task_started(w.p, &running);
    run(&w);
    assert_int_equal(w.stream[0].entries, 8);
    end(&w);
}

static void losing_the_session_cancels_everything(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "s0", .follow = true}, err));
    run(&w);
    log_publisher_session_down(w.p);
    assert_true(w.stream[0].is_cancelled);
    assert_int_equal(log_publisher_active_count(w.p), 0);
    assert_int_equal(w.open_readers, 0);
    end(&w);
}

static void the_managers_refusal_ends_one_subscription(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    assert_ok(subscribe(&w, "sub1", (struct wish){.service = "s0", .follow = true}, err));
    assert_ok(subscribe(&w, "sub2", (struct wish){.service = "s0", .follow = true}, err));
    run(&w);
    log_publisher_ended(w.p, w.stream[0].publication, 5, "unknown subscription ID");
    assert_int_equal(log_publisher_active_count(w.p), 1);
    add_lines(&w, 0, 1);
    run(&w);
    assert_int_equal(w.stream[1].entries, 1);
    end(&w);
}

static void what_is_beyond_bounds_is_refused(void **state)
{
    struct world w;
    static char *ids[LOG_SELECTOR_COUNT + 1];
    Docker__Swarmkit__V1__SubscriptionMessage m = DOCKER__SWARMKIT__V1__SUBSCRIPTION_MESSAGE__INIT;
    Docker__Swarmkit__V1__LogSelector selector = DOCKER__SWARMKIT__V1__LOG_SELECTOR__INIT;
    (void)state;
    begin(&w);
    assert_fails(subscribe(&w, "", (struct wish){0}, err), ERR_INVALID, "without an id");
    w.refuse_streams = true;
    assert_fails(subscribe(&w, "sub1", (struct wish){0}, err), ERR_UNAVAILABLE, "log subscription sub1");
    for (size_t i = 0; i <= LOG_SELECTOR_COUNT; i++)
        ids[i] = (char *)"x";
    m.id = (char *)"sub1";
    m.selector = &selector;
    selector.task_ids = ids;
    selector.n_task_ids = LOG_SELECTOR_COUNT + 1;
    assert_fails(log_publisher_subscription(w.p, &m, err), ERR_LIMIT, "selects by more");
    assert_ok(subscribe(&w, "never seen", (struct wish){.close = true}, err));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_to_the_end_closes_and_finishes),
        cmocka_unit_test(a_node_with_nothing_to_say_still_closes),
        cmocka_unit_test(selectors_match_by_task_service_or_node),
        cmocka_unit_test(tail_and_streams_reach_the_reader),
        cmocka_unit_test(following_goes_on_until_the_manager_closes),
        cmocka_unit_test(a_task_that_starts_later_is_followed_too),
        cmocka_unit_test(a_full_stream_holds_the_reader),
        cmocka_unit_test(a_full_stream_also_delays_the_close),
        cmocka_unit_test(a_log_that_breaks_or_is_missing_does_not_hide_the_others),
        cmocka_unit_test(a_forgotten_task_leaves_nothing_behind),
        cmocka_unit_test(losing_the_session_cancels_everything),
        cmocka_unit_test(the_managers_refusal_ends_one_subscription),
        cmocka_unit_test(what_is_beyond_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
