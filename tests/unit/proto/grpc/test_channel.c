#include "tests/unit/proto/grpc/world.h"

/* A peer on a loop of its own, so that it can fall silent with its socket open. */
static void quiet_peer_is_pinged_and_a_silent_one_given_up(void **state)
{
    (void)state;
    struct world *peer = begin(), *world = begin();
    struct seen seen = {0}, again = {0};
    grpc_channel_close(world->channel);
    assert_ok(tls_credentials_set(world->client_credentials, buf_bytes(&peer->papers.chain_pem), buf_bytes(&peer->papers.key_pem),
                                  buf_bytes(&peer->authority.root_pem), err));
    world->keepalive_ms = 50;
    world->channel = dial(world, peer->address, "swarm-manager", false);
    ask(world, &hang, "", NULL, &seen);
    uint64_t begun_ns = uv_hrtime();
    while (uv_hrtime() - begun_ns < 1000 * NS_PER_MS) { /* twenty quiet periods: each ping is answered */
        uv_run(&peer->loop, UV_RUN_NOWAIT);
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(world->ready, 1);
    assert_int_equal(world->failed, 0);
    run_until(&world->loop, seen.done && world->failed);
    assert_int_equal(seen.code, GRPC_UNAVAILABLE);
    assert_int_equal(seen.error.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(seen.message, "no answer to a keepalive ping"));
    ask(world, &unary, "", NULL, &again);
    run_until(&world->loop, again.done);
    assert_int_equal(again.code, GRPC_UNAVAILABLE);
    end(world);
    end(peer);
}

/* GOAWAY: the call under way goes on where it is, the next one goes to whoever listens there now. */
static void drained_channel_ends_its_calls_and_connects_again(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen old = {0}, fresh = {0};
    Payload message = payload("abc", 3);
    char address[64];
    grpc_channel_close(world->channel);
    world->channel = dial(world, world->address, "swarm-manager", true);
    old.call = grpc_call_start(world->channel, &both, NULL, &handlers, &old);
    run_until(&world->loop, world->served.call);
    struct seen *served = &world->served;
    snprintf(address, sizeof address, "%s", world->address);
    grpc_server_stop(world->server, 3000, on_stopped, world);
    start_server(world, address);
    run_until(&world->loop, world->ready == 2);
    assert_ok(grpc_call_send(old.call, &message.base, err));
    grpc_call_send_end(old.call);
    run_until(&world->loop, old.done);
    assert_int_equal(old.messages, 1);
    assert_int_equal(old.code, 9);
    assert_int_equal(served->done, 1);
    ask(world, &unary, "fresh", NULL, &fresh);
    run_until(&world->loop, fresh.done && world->stopped);
    assert_string_equal(fresh.text, "fresh");
    assert_int_equal(world->failed, 0);
    end(world);
}

static void an_aborted_channel_ends_its_calls_on_both_sides(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    ask(world, &both, "abc", NULL, &seen);
    run_until(&world->loop, seen.messages == 1);
    static uint8_t block[100000];
    Payload message = payload(block, sizeof block);
    assert_ok(grpc_call_send(seen.call, &message.base, err)); /* on its way when it ends */
    grpc_channel_abort(world->channel);
    grpc_channel_close(world->channel); /* once is enough */
    world->channel = NULL;
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.code, GRPC_CANCELED);
    run_until(&world->loop, world->served.done);
    assert_int_equal(world->served.messages, 1);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_peer_is_pinged_and_a_silent_one_given_up),
        cmocka_unit_test(drained_channel_ends_its_calls_and_connects_again),
        cmocka_unit_test(an_aborted_channel_ends_its_calls_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
