/* A follower between a client and the leader: every shape of call comes through, with its end, its pace and who called. */
#include "manager/access/forward.h"

#include "tests/unit/proto/grpc/world.h"

struct middle {
    struct world *world; /* whose server is the leader */
    struct grpc_server *server;
    struct grpc_channel *leader;
    struct grpc_channel *channel; /* the client's, to the follower */
    struct grpc_channel *direct;
    int stopped;
    bool waits;
};

static void forward(struct grpc_call *call, void *ctx)
{
    struct middle *middle = ctx;
    static const struct grpc_metadatum metadata[] = {{"word", "first"}, {"word", "second"}};
    forward_call(call, middle->leader, metadata, 2, middle->waits);
}

static void begin_middle(struct middle *middle)
{
    static const struct method *const methods[] = {&unary, &hang, &down, &up, &both, &absent};
    char address[64];
    *middle = (struct middle){.world = begin()};
    struct world *world = middle->world;
    middle->server = grpc_server_new(&(struct grpc_server_options){
        .loop = &world->loop, .clock = peer_clock(&world->wall_ns), .credentials = world->server_credentials});
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_handle(middle->server, methods[i], forward, middle);
    assert_ok(grpc_server_listen(middle->server, "127.0.0.1:0", err));
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)grpc_server_port(middle->server));
    middle->leader = world->channel; /* the world's own goes to the leader */
    middle->channel = world->channel = dial(world, address, "swarm-manager", false);
}

static void middle_stopped(void *ctx)
{
    struct middle *middle = ctx;
    middle->stopped++;
}

static void end_middle(struct middle *middle)
{
    struct world *world = middle->world;
    grpc_server_stop(middle->server, 0, middle_stopped, middle);
    if (middle->leader)
        grpc_channel_close(middle->leader);
    end(world);
    assert_int_equal(middle->stopped, 1);
}

static void a_unary_call_comes_back_and_says_who_it_was_for(void **state)
{
    struct middle middle;
    struct seen seen = {0};
    (void)state;
    begin_middle(&middle);
    ask(middle.world, &unary, "hello", NULL, &seen);
    run_until(&middle.world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_OK);
    assert_string_equal(seen.text, "hello");
    assert_string_equal(middle.world->served.text, "second"); /* metadata, repeated names included */
    end_middle(&middle);
}

static void the_leaders_refusal_is_the_callers(void **state)
{
    struct middle middle;
    struct seen seen = {0}, streamed = {0};
    (void)state;
    begin_middle(&middle);
    ask(middle.world, &absent, "x", NULL, &seen);
    run_until(&middle.world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_UNIMPLEMENTED);
    assert_non_null(strstr(seen.message, "skep.test.Echo"));
    ask(middle.world, &both, "abc", NULL, &streamed);
    run_until(&middle.world->loop, streamed.messages == 1);
    grpc_call_send_end(streamed.call);
    run_until(&middle.world->loop, streamed.done);
    assert_int_equal(streamed.code, 9);
    assert_string_equal(streamed.message, "enough");
    end_middle(&middle);
}

static void streams_pass_in_both_directions(void **state)
{
    struct middle middle;
    struct seen sent = {.left = 200, .size = 20000}, received = {0};
    (void)state;
    begin_middle(&middle);
    sent.call = grpc_call_start(middle.channel, &up, NULL, &handlers, &sent);
    pour(sent.call, &sent);
    run_until(&middle.world->loop, sent.done);
    assert_int_equal(sent.code, GRPC_OK);
    assert_string_equal(sent.text, "4000000");
    ask(middle.world, &down, "300 20000", NULL, &received);
    run_until(&middle.world->loop, received.done);
    assert_int_equal(received.code, GRPC_OK);
    assert_int_equal(received.messages, 300);
    assert_int_equal(received.bytes, 6000000);
    end_middle(&middle);
}

/* A reader that does not read holds up the writer behind the follower, not the follower's memory. */
static void a_slow_reader_holds_up_the_writer(void **state)
{
    struct middle middle;
    struct seen slow = {.pauses = true};
    (void)state;
    begin_middle(&middle);
    ask(middle.world, &down, "1000 20000", NULL, &slow);
    run_until(&middle.world->loop, slow.messages == 1);
    run_for(&middle.world->loop, 300);
    assert_in_range(middle.world->served.left, 100, 1000); /* of 20 MB what windows and queues hold has left the leader */
    slow.pauses = false;
    grpc_call_pause(slow.call, false);
    run_until(&middle.world->loop, slow.done);
    assert_int_equal(slow.messages, 1000);
    assert_int_equal(slow.code, GRPC_OK);
    end_middle(&middle);
}

static void a_caller_that_gives_up_ends_the_call_at_the_leader(void **state)
{
    struct middle middle;
    struct seen seen = {0};
    (void)state;
    begin_middle(&middle);
    ask(middle.world, &both, "abc", NULL, &seen);
    run_until(&middle.world->loop, seen.messages == 1);
    grpc_call_cancel(seen.call);
    run_until(&middle.world->loop, seen.done && middle.world->served.done);
    assert_int_equal(middle.world->served.code, GRPC_CANCELED);
    end_middle(&middle);
}

static void a_lost_leader_ends_the_call_at_the_caller(void **state)
{
    struct middle middle;
    struct seen seen = {0};
    (void)state;
    begin_middle(&middle);
    ask(middle.world, &both, "abc", NULL, &seen);
    run_until(&middle.world->loop, seen.messages == 1);
    grpc_server_stop(middle.world->server, 0, on_stopped, middle.world);
    middle.world->server = NULL;
    run_until(&middle.world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_UNAVAILABLE);
    end_middle(&middle);
}

/* The leader is dead, and it is not known yet who leads now: who may wait does, until the channel to it is closed; others hear at once. */
static void who_waits_hears_when_the_channel_closes(void **state)
{
    struct middle middle;
    struct seen impatient = {0}, patient = {0};
    (void)state;
    begin_middle(&middle);
    struct world *world = middle.world;
    grpc_channel_close(middle.leader);
    assert_ok(grpc_channel_new(&(struct grpc_channel_options){.loop = &world->loop,
                                                              .clock = peer_clock(&world->wall_ns),
                                                              .random = random_system(),
                                                              .address = "127.0.0.1:1",
                                                              .credentials = world->client_credentials,
                                                              .server_name = "swarm-manager",
                                                              .reconnects = true},
                               &middle.leader, err));
    ask(world, &both, "abc", NULL, &impatient);
    run_until(&world->loop, impatient.done);
    assert_int_equal(impatient.code, GRPC_UNAVAILABLE);
    middle.waits = true;
    ask(world, &both, "abc", NULL, &patient);
    run_for(&world->loop, 300);
    assert_int_equal(patient.done, 0);
    grpc_channel_close(middle.leader);
    middle.leader = NULL;
    run_until(&world->loop, patient.done);
    assert_int_equal(patient.code, GRPC_CANCELED);
    end_middle(&middle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_comes_back_and_says_who_it_was_for),
        cmocka_unit_test(the_leaders_refusal_is_the_callers),
        cmocka_unit_test(streams_pass_in_both_directions),
        cmocka_unit_test(a_slow_reader_holds_up_the_writer),
        cmocka_unit_test(a_caller_that_gives_up_ends_the_call_at_the_leader),
        cmocka_unit_test(who_waits_hears_when_the_channel_closes),
        cmocka_unit_test(a_lost_leader_ends_the_call_at_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
