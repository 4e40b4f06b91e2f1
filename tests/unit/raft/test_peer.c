/* The way to a peer: our own stream, SwarmKit's calls where it is not known, and what a peer that says no member means. */
#include "raft/peer.h"

#include <signal.h>

#include "base/mem.h"
#include "base/state.h"
#include "raft/wire.h"
#include "tests/unit/proto/peer.h"

#define NOW_NS (INT64_C(1790000000) * 1000000000)

struct world {
    uv_loop_t loop;
    int64_t wall_ns;
    struct authority authority;
    struct papers papers;
    struct tls_credentials *credentials;
    struct grpc_server *server;
    struct raft_peer_host host;
    struct raft_peer_link *peer;
    char address[64];
    uint64_t seen[64]; /* commits of the messages that arrived */
    size_t seen_count, calls_count;
    int unreachable, removed;
    struct {
        int code; /* 0: takes all */
        const char *text;
    } refuses;
};

static void on_unreachable(void *ctx, uint64_t id)
{
    struct world *world = ctx;
    assert_true(id == 2);
    world->unreachable++;
}

static void on_removed(void *ctx, uint64_t by)
{
    struct world *world = ctx;
    assert_true(by == 2);
    world->removed++;
}

static void on_bytes(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct world *world = ctx;
    struct raft_message message;
    struct bytes one;

    while (raft_wire_unwrap(&packed, &one, NULL) == 1) {
        assert_ok(raft_wire_read(one, &message, NULL, err));
        if (world->refuses.code)
            grpc_call_finish(call, world->refuses.code, world->refuses.text);
        else if (world->seen_count < 64)
            world->seen[world->seen_count++] = message.commit;
        raft_message_deinit(&message);
    }
}

static void on_half_closed(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    grpc_call_send_bytes(call, bytes_of(NULL, 0), NULL);
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void serve(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_bytes = on_bytes, .on_half_closed = on_half_closed};
    struct world *world = ctx;

    world->calls_count++;
    grpc_call_accept(call, &handlers, world);
    if (grpc_call_method(call) == &raft_stream_method)
        grpc_call_send_bytes(call, bytes_of(NULL, 0), NULL);
}

static void start_server(struct world *world, const struct method *method)
{
    struct clock clock = peer_clock(&world->wall_ns);

    world->server = grpc_server_new(&(struct grpc_server_options){.loop = &world->loop, .clock = clock, .credentials = world->credentials});
    if (method)
        grpc_server_handle(world->server, method, serve, world);
    assert_ok(grpc_server_listen(world->server, world->address[0] ? world->address : "127.0.0.1:0", err));
    snprintf(world->address, sizeof world->address, "127.0.0.1:%u", (unsigned)grpc_server_port(world->server));
}

static void start(struct world *world, const struct method *method)
{
    start_server(world, method);
    assert_ok(raft_peer_link_new(&world->host, 2, world->address, &world->peer, err));
}

static enum raft_peer_mode mode(const struct world *world)
{
    struct raft_peer_status status;
    raft_peer_status(world->peer, &status);
    return status.mode;
}

static void say(struct world *world, enum raft_message_type type, uint64_t commit)
{
    struct raft_message message = {.type = type, .to = 2, .from = 1, .term = 3, .commit = commit};
    raft_peer_send(world->peer, &message);
}

static int setup(void **state)
{
    struct world *world = mem_alloc(sizeof *world);

    signal(SIGPIPE, SIG_IGN);
    world->wall_ns = NOW_NS;
    uv_loop_init(&world->loop);
    authority_init(&world->authority, NOW_NS - INT64_C(86400000000000));
    world->papers = papers_make(&world->authority, &(struct papers_options){.from_wall_ns = NOW_NS - INT64_C(3600000000000)});
    world->credentials = peer_credentials(&world->wall_ns, &world->papers, &world->authority);
    world->host = (struct raft_peer_host){.loop = &world->loop,
                                          .clock = peer_clock(&world->wall_ns),
                                          .random = random_system(),
                                          .credentials = world->credentials,
                                          .silence_ns = 200 * NS_PER_MS,
                                          .on_unreachable = on_unreachable,
                                          .on_removed = on_removed,
                                          .ctx = world};
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    raft_peer_link_free(world->peer);
    if (world->server)
        grpc_server_stop(world->server, 0, NULL, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    tls_credentials_free(world->credentials);
    papers_deinit(&world->papers);
    authority_deinit(&world->authority);
    free(world);
    return 0;
}

static void a_skep_peer_gets_all_messages_over_one_stream(void **state)
{
    struct world *world = *state;

    start(world, &raft_stream_method);
    run_until(&world->loop, mode(world) == RAFT_PEER_STREAM);
    for (uint64_t i = 1; i <= 10; i++)
        say(world, RAFT_MESSAGE_APPEND_RESPONSE, i);
    raft_peer_flush(world->peer);
    run_until(&world->loop, world->seen_count == 10);
    for (uint64_t i = 0; i < 10; i++)
        assert_true(world->seen[i] == i + 1);
    assert_int_equal(world->calls_count, 1);
}

static void a_docker_peer_gets_a_stream_for_each_in_order(void **state)
{
    struct world *world = *state;

    start(world, METHOD(Raft, StreamRaftMessage));
    run_until(&world->loop, mode(world) == RAFT_PEER_CALLS);
    for (uint64_t i = 1; i <= 5; i++)
        say(world, RAFT_MESSAGE_APPEND_RESPONSE, i);
    raft_peer_flush(world->peer);
    run_until(&world->loop, world->seen_count == 5);
    for (uint64_t i = 0; i < 5; i++)
        assert_true(world->seen[i] == i + 1);
    assert_int_equal(world->calls_count, 5);
}

static void an_old_docker_peer_gets_calls(void **state)
{
    struct world *world = *state;

    start(world, METHOD(Raft, ProcessRaftMessage));
    run_until(&world->loop, mode(world) == RAFT_PEER_CALLS);
    say(world, RAFT_MESSAGE_APPEND_RESPONSE, 1); /* finds out, and is lost */
    say(world, RAFT_MESSAGE_APPEND_RESPONSE, 2);
    raft_peer_flush(world->peer);
    run_until(&world->loop, world->seen_count == 1);
    assert_true(world->seen[0] == 2 && mode(world) == RAFT_PEER_UNARY);
}

static void removal_is_told_by_code_and_text(void **state)
{
    struct world *world = *state;
    const struct {
        int code;
        const char *text;
        int removed;
    } answers[] = {
        {GRPC_NOT_FOUND, RAFT_REMOVED_TEXT, 1},
        {GRPC_UNKNOWN, RAFT_REMOVED_TEXT, 0},
        {GRPC_NOT_FOUND, "raft: another text", 0},
        {GRPC_PERMISSION_DENIED,
         "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = Permission denied: node n1 was removed from "
         "swarm",
         1},
        {GRPC_PERMISSION_DENIED, "Permission denied: another text", 0},
    };

    start(world, METHOD(Raft, StreamRaftMessage));
    run_until(&world->loop, mode(world) == RAFT_PEER_CALLS);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        world->refuses.code = answers[i].code;
        world->refuses.text = answers[i].text;
        world->removed = world->unreachable = 0;
        say(world, RAFT_MESSAGE_APPEND, 1);
        raft_peer_flush(world->peer);
        run_until(&world->loop, world->unreachable == 1);
        assert_int_equal(world->removed, answers[i].removed);
    }
}

static void a_peer_that_says_nothing_is_dialled_anew(void **state)
{
    struct world *world = *state;

    start(world, &raft_stream_method);
    run_until(&world->loop, mode(world) == RAFT_PEER_STREAM);
    say(world, RAFT_MESSAGE_HEARTBEAT, 1);
    raft_peer_flush(world->peer);
    run_for(&world->loop, 250);
    assert_int_equal(world->unreachable, 0);
    raft_peer_tick(world->peer);
    assert_true(world->unreachable == 1 && mode(world) == RAFT_PEER_RESTING);
    raft_peer_heard(world->peer, RAFT_MESSAGE_APPEND_RESPONSE); /* it is there after all */
    assert_int_equal(mode(world), RAFT_PEER_DIALING);
    run_until(&world->loop, mode(world) == RAFT_PEER_STREAM);
}

static void a_round_trip_is_measured(void **state)
{
    struct world *world = *state;
    struct raft_peer_status status;

    start(world, &raft_stream_method);
    run_until(&world->loop, mode(world) == RAFT_PEER_STREAM);
    say(world, RAFT_MESSAGE_HEARTBEAT, 1);
    raft_peer_flush(world->peer);
    run_for(&world->loop, 20);
    raft_peer_heard(world->peer, RAFT_MESSAGE_HEARTBEAT_RESPONSE);
    raft_peer_status(world->peer, &status);
    assert_in_range(status.round_trip_ns, 15 * NS_PER_MS, 200 * NS_PER_MS);
    assert_true(status.active_since_ns != 0 && status.sent_count == 1);
}

static void modes_are_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&raft_peer_modes, RAFT_PEER_RESTING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_skep_peer_gets_all_messages_over_one_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(a_docker_peer_gets_a_stream_for_each_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_docker_peer_gets_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(removal_is_told_by_code_and_text, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_says_nothing_is_dialled_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_round_trip_is_measured, setup, teardown),
        cmocka_unit_test(modes_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
