#include "tests/unit/proto/grpc/world.h"

/* The certificate and the roots of a server that listens are replaced, as when a cluster's root CA is rotated: what is open lives on, new
 * connections see and are judged by the new ones. */
static void listening_server_takes_a_new_certificate_and_new_roots(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen open = {0}, fresh = {0}, stale = {0};
    Payload message = payload("abc", 3);
    open.call = grpc_call_start(world->channel, &both, NULL, &handlers, &open);
    assert_ok(grpc_call_send(open.call, &message.base, err));
    run_until(&world->loop, open.messages == 1);
    struct grpc_channel *first = world->channel;

    struct authority rotated;
    authority_init(&rotated, NOW_NS - DAY_NS);
    struct papers papers = papers_make(&rotated, &(struct papers_options){.name = "node9", .from_wall_ns = NOW_NS - DAY_NS});
    assert_ok(tls_credentials_set(world->server_credentials, buf_bytes(&papers.chain_pem), buf_bytes(&papers.key_pem),
                                  buf_bytes(&rotated.root_pem), err));

    world->channel = dial(world, world->address, "swarm-manager", false); /* with the old roots: it does not know the new certificate */
    ask(world, &unary, "", NULL, &stale);
    run_until(&world->loop, stale.done && world->failed);
    assert_int_equal(stale.error.code, ERR_TRUST);
    grpc_channel_close(world->channel);

    assert_ok(tls_credentials_set(world->client_credentials, buf_bytes(&papers.chain_pem), buf_bytes(&papers.key_pem),
                                  buf_bytes(&rotated.root_pem), err));
    world->channel = dial(world, world->address, "swarm-manager", false);
    ask(world, &hang, "", NULL, &fresh);
    run_until(&world->loop, grpc_channel_is_ready(world->channel));
    assert_string_equal(grpc_channel_peer(world->channel)->common_name, "node9");
    assert_string_equal(grpc_channel_peer(first)->common_name, "node1");
    assert_ok(grpc_call_send(open.call, &message.base, err));
    run_until(&world->loop, open.messages == 2);
    assert_int_equal(open.done, 0);

    grpc_channel_close(first);
    papers_deinit(&papers);
    authority_deinit(&rotated);
    end(world);
}

/* A client whose certificate the new roots do not vouch for is refused. */
static void client_of_the_old_root_is_refused_by_new_roots(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    struct authority rotated;
    authority_init(&rotated, NOW_NS - DAY_NS);
    grpc_channel_close(world->channel);
    assert_ok(tls_credentials_set(world->server_credentials, buf_bytes(&world->papers.chain_pem), buf_bytes(&world->papers.key_pem),
                                  buf_bytes(&rotated.root_pem), err));
    world->channel = dial(world, world->address, "swarm-manager", false);
    ask(world, &unary, "", NULL, &seen);
    run_until(&world->loop, seen.done && world->failed);
    assert_int_equal(seen.error.code, ERR_TRUST);
    authority_deinit(&rotated);
    end(world);
}

static void connections_beyond_the_limit_are_closed(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen first = {0}, second = {0}, third = {0};
    grpc_channel_close(world->channel);
    grpc_server_stop(world->server, 0, on_stopped, world);
    run_until(&world->loop, world->stopped);
    world->max_connections = 1;
    start_server(world, "127.0.0.1:0");
    struct grpc_channel *holder = world->channel = dial(world, world->address, "swarm-manager", false);
    ask(world, &unary, "in", NULL, &first);
    run_until(&world->loop, first.done);
    assert_int_equal(first.code, GRPC_OK);
    world->channel = dial(world, world->address, "swarm-manager", false);
    ask(world, &unary, "", NULL, &second);
    run_until(&world->loop, second.done && world->failed);
    assert_int_equal(second.code, GRPC_UNAVAILABLE);
    grpc_channel_close(world->channel);
    grpc_channel_close(holder);
    run_for(&world->loop, 50);
    world->channel = dial(world, world->address, "swarm-manager", false); /* there is room again */
    ask(world, &unary, "in", NULL, &third);
    run_until(&world->loop, third.done);
    assert_int_equal(third.code, GRPC_OK);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening_server_takes_a_new_certificate_and_new_roots),
        cmocka_unit_test(client_of_the_old_root_is_refused_by_new_roots),
        cmocka_unit_test(connections_beyond_the_limit_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
