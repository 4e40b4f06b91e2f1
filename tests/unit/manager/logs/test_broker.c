/* Who reads hears what the nodes print, in its own time, and at the end what could not be had. */
#include "manager/logs/broker.h"
#include "tests/unit/manager/store/fixture.h"

#define RUNNING DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING

struct reader {
    struct log_subscription *subscription;
    struct buf text; /* of all messages, one after the other */
    bool is_full, is_over;
    struct error err;
};

struct node {
    struct log_listener *listener;
    struct log_publication *publication;
    char id[ID_SIZE_CHARS + 1]; /* of the subscription that it was last told of */
    int told, closes, resumed;
    bool is_ended;
};

struct trial {
    struct world world;
    struct part_host host;
    struct log_broker *broker;
    struct part part;
    bool is_woken;
    struct node nodes[3];
    struct reader reader;
};

static void wake(void *self)
{
    ((struct trial *)self)->is_woken = true;
}

static int deliver(void *ctx, const Docker__Swarmkit__V1__SubscribeLogsMessage *message, struct error *err)
{
    struct reader *reader = ctx;
    if (reader->is_full)
        return error_set(err, ERR_AGAIN, "full");
    for (size_t i = 0; i < message->n_messages; i++)
        buf_append(&reader->text, message->messages[i]->data.data, message->messages[i]->data.len);
    return 0;
}

static void reader_ended(void *ctx, const struct error *err)
{
    struct reader *reader = ctx;
    assert_false(reader->is_over);
    reader->is_over = true;
    reader->subscription = NULL;
    if (err)
        reader->err = *err;
}

static void hear(void *ctx, const Docker__Swarmkit__V1__SubscriptionMessage *message)
{
    struct node *node = ctx;
    snprintf(node->id, sizeof node->id, "%s", message->id);
    node->told++;
    node->closes += message->close;
}

static void ear_ended(void *ctx, const struct error *err)
{
    struct node *node = ctx;
    assert_int_equal(err->code, ERR_UNAVAILABLE);
    log_listener_close(node->listener);
    node->listener = NULL;
    node->is_ended = true;
}

static void resume(void *ctx)
{
    ((struct node *)ctx)->resumed++;
}

static void turn(struct trial *trial)
{
    world_settle(&trial->world);
    trial->is_woken = false;
    trial->part.step(trial->part.self, 0);
}

static void listen(struct trial *trial, int at)
{
    char id[] = {'n', (char)('0' + at), 0};
    trial->nodes[at].listener = log_broker_listen(trial->broker, id, &(struct log_ear){hear, ear_ended, &trial->nodes[at]});
}

static int publish(struct trial *trial, int at, const char *text, bool close, struct error *err)
{
    struct node *node = &trial->nodes[at];
    char id[] = {'n', (char)('0' + at), 0};
    Docker__Swarmkit__V1__LogContext context = DOCKER__SWARMKIT__V1__LOG_CONTEXT__INIT;
    Docker__Swarmkit__V1__LogMessage line = DOCKER__SWARMKIT__V1__LOG_MESSAGE__INIT, *lines[] = {&line};
    Docker__Swarmkit__V1__PublishLogsMessage message = DOCKER__SWARMKIT__V1__PUBLISH_LOGS_MESSAGE__INIT;
    context.node_id = id;
    line.context = &context;
    line.data = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    message.subscription_id = node->id;
    message.close = close;
    message.messages = lines;
    message.n_messages = *text ? 1 : 0;
    return log_broker_publish(trial->broker, id, &message, resume, node, &node->publication, err);
}

static void end_stream(struct trial *trial, int at)
{
    log_publication_end(trial->nodes[at].publication);
    trial->nodes[at].publication = NULL;
}

static int subscribe(struct trial *trial, const char *service, bool follows, struct error *err)
{
    char *ids[] = {(char *)(uintptr_t)service};
    Docker__Swarmkit__V1__LogSelector selector = DOCKER__SWARMKIT__V1__LOG_SELECTOR__INIT;
    Docker__Swarmkit__V1__LogSubscriptionOptions options = DOCKER__SWARMKIT__V1__LOG_SUBSCRIPTION_OPTIONS__INIT;
    Docker__Swarmkit__V1__SubscribeLogsRequest request = DOCKER__SWARMKIT__V1__SUBSCRIBE_LOGS_REQUEST__INIT;
    selector.service_ids = ids;
    selector.n_service_ids = service ? 1 : 0;
    options.follow = follows;
    request.selector = &selector;
    request.options = &options;
    return log_broker_subscribe(trial->broker, &request, &(struct log_reader){deliver, reader_ended, &trial->reader},
                                &trial->reader.subscription, err);
}

static const char *text(struct trial *trial)
{
    buf_append(&trial->reader.text, "", 1);
    trial->reader.text.size--;
    return (const char *)trial->reader.text.data;
}

static int setup(void **state)
{
    struct trial *trial = mem_alloc(sizeof *trial);
    world_begin(&trial->world);
    trial->host =
        (struct part_host){.store = trial->world.store, .random = random_from_seeded(&trial->world.seed), .wake = wake, .self = trial};
    do_create(&trial->world, task("t0", "web", 1, "n0", RUNNING));
    do_create(&trial->world, task("t1", "web", 1, "n1", RUNNING));
    do_create(&trial->world, task("t9", "other", 1, "n2", RUNNING));
    trial->broker = log_broker_new(&trial->host);
    trial->part = log_broker_part(trial->broker);
    for (int i = 0; i < 3; i++)
        listen(trial, i);
    *state = trial;
    return 0;
}

static int teardown(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < 3; i++)
        if (trial->nodes[i].publication)
            end_stream(trial, i);
    trial->part.free(trial->part.self);
    for (int i = 0; i < 3; i++)
        assert_null(trial->nodes[i].listener);
    world_end(&trial->world);
    buf_deinit(&trial->reader.text);
    free(trial);
    return 0;
}

static void all_nodes_of_a_service_are_read_to_their_end(void **state)
{
    struct trial *trial = *state;
    assert_ok(subscribe(trial, "web", false, err));
    assert_int_equal(trial->nodes[0].told, 1);
    assert_int_equal(trial->nodes[1].told, 1);
    assert_int_equal(trial->nodes[2].told, 0);
    assert_ok(publish(trial, 0, "a", false, err));
    assert_ok(publish(trial, 1, "b", false, err));
    assert_ok(publish(trial, 0, "", true, err));
    end_stream(trial, 0);
    turn(trial);
    assert_false(trial->reader.is_over);
    assert_ok(publish(trial, 1, "c", true, err));
    assert_false(trial->reader.is_over); /* not inside a call */
    assert_true(trial->is_woken);
    turn(trial);
    assert_true(trial->reader.is_over);
    assert_int_equal(trial->reader.err.code, 0);
    assert_string_equal(text(trial), "abc");
    assert_int_equal(trial->nodes[0].closes + trial->nodes[1].closes, 0);
}

static void what_is_missing_is_named(void **state)
{
    struct trial *trial = *state;
    log_listener_close(trial->nodes[0].listener);
    do_create(&trial->world, task("t2", "web", 1, "", RUNNING));
    assert_ok(subscribe(trial, "web", false, err));
    assert_ok(publish(trial, 1, "b", false, err));
    end_stream(trial, 1); /* without its last word */
    turn(trial);
    assert_true(trial->reader.is_over);
    assert_int_equal(trial->reader.err.code, ERR_PEER);
    assert_non_null(strstr(trial->reader.err.message, "warning: incomplete log stream. some logs could not be retrieved for the following "
                                                      "reasons: "));
    assert_non_null(strstr(trial->reader.err.message, "node n0 is not available"));
    assert_non_null(strstr(trial->reader.err.message, "node n1 disconnected unexpectedly"));
    assert_non_null(strstr(trial->reader.err.message, "task t2 has not been scheduled"));
    listen(trial, 0);
}

static void followers_hear_of_new_tasks_and_of_nodes_that_return(void **state)
{
    struct trial *trial = *state;
    assert_ok(subscribe(trial, "web", true, err));
    do_create(&trial->world, task("t2", "web", 1, "n2", RUNNING));
    assert_int_equal(trial->nodes[2].told, 0);
    turn(trial);
    assert_int_equal(trial->nodes[2].told, 1);
    assert_ok(publish(trial, 2, "x", false, err));
    end_stream(trial, 2);
    log_listener_close(trial->nodes[2].listener);
    turn(trial);
    assert_false(trial->reader.is_over);
    listen(trial, 2);
    assert_int_equal(trial->nodes[2].told, 2);
    log_subscription_close(trial->reader.subscription);
    for (int i = 0; i < 3; i++)
        assert_int_equal(trial->nodes[i].closes, 1);
    assert_false(trial->reader.is_over); /* who went is told nothing */
    assert_fails(publish(trial, 2, "y", false, err), ERR_NOT_FOUND, "");
    assert_string_equal(text(trial), "x");
}

static void a_slow_reader_holds_the_nodes_back_and_loses_nothing(void **state)
{
    struct trial *trial = *state;
    assert_ok(subscribe(trial, "web", false, err));
    assert_ok(publish(trial, 0, "a", false, err));
    trial->reader.is_full = true;
    assert_fails(publish(trial, 0, "b", false, err), ERR_AGAIN, "");
    assert_fails(publish(trial, 1, "c", true, err), ERR_AGAIN, "");
    end_stream(trial, 1); /* what waits does not go with it */
    turn(trial);
    assert_string_equal(text(trial), "a");
    trial->reader.is_full = false;
    log_subscription_writable(trial->reader.subscription);
    assert_string_equal(text(trial), "abc");
    assert_int_equal(trial->nodes[0].resumed, 1);
    assert_int_equal(trial->nodes[1].resumed, 0);
    assert_ok(publish(trial, 0, "", true, err));
    turn(trial);
    assert_true(trial->reader.is_over);
    assert_int_equal(trial->reader.err.code, 0);
}

static void a_reader_that_goes_while_something_waits(void **state)
{
    struct trial *trial = *state;
    assert_ok(subscribe(trial, "web", false, err));
    trial->reader.is_full = true;
    assert_fails(publish(trial, 0, "a", false, err), ERR_AGAIN, "");
    assert_fails(publish(trial, 1, "b", false, err), ERR_AGAIN, "");
    end_stream(trial, 1);
    log_subscription_close(trial->reader.subscription);
    assert_int_equal(trial->nodes[0].resumed, 1);
    assert_fails(publish(trial, 0, "c", false, err), ERR_NOT_FOUND, "");
}

static void liars_are_refused(void **state)
{
    struct trial *trial = *state;
    assert_fails(subscribe(trial, NULL, false, err), ERR_INVALID, "");
    assert_ok(subscribe(trial, "web", false, err));
    assert_fails(publish(trial, 2, "x", false, err), ERR_INVALID, ""); /* it was told of none */
    memcpy(trial->nodes[2].id, trial->nodes[0].id, sizeof trial->nodes[2].id);
    assert_fails(publish(trial, 2, "x", false, err), ERR_NOT_FOUND, ""); /* none of its business */
    assert_ok(publish(trial, 0, "a", false, err));
    char kept = trial->nodes[0].id[0];
    trial->nodes[0].id[0] = '!';
    assert_fails(publish(trial, 0, "b", false, err), ERR_INVALID, "");
    trial->nodes[0].id[0] = kept;
    assert_string_equal(text(trial), "a");
}

static void the_end_of_leading_ends_all(void **state)
{
    struct trial *trial = *state;
    assert_ok(subscribe(trial, "web", true, err));
    trial->part.free(trial->part.self);
    assert_true(trial->reader.is_over);
    assert_int_equal(trial->reader.err.code, ERR_UNAVAILABLE);
    for (int i = 0; i < 3; i++)
        assert_true(trial->nodes[i].is_ended);
    trial->broker = log_broker_new(&trial->host);
    trial->part = log_broker_part(trial->broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_nodes_of_a_service_are_read_to_their_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(followers_hear_of_new_tasks_and_of_nodes_that_return, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_holds_the_nodes_back_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_goes_while_something_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(liars_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_leading_ends_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
