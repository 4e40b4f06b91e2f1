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

/* --- peers that finish TLS, and then say little --- */

struct mute {
    uv_tcp_t *tcp;
    struct tls_stream *tls;
    const char *says;
    size_t says_size;
    bool is_ready, is_closed;
};

static void mute_ready(void *ctx)
{
    struct mute *mute = ctx;
    mute->is_ready = true;
    if (mute->says_size > 0)
        tls_stream_write(mute->tls, bytes_of(mute->says, mute->says_size));
}

static void mute_data(void *ctx, struct bytes data)
{
    (void)ctx;
    (void)data;
}

static void mute_drained(void *ctx)
{
    (void)ctx;
}

static void mute_end(void *ctx, const struct error *err)
{
    struct mute *mute = ctx;
    (void)err;
    mute->is_closed = true;
}

static void mute_connected(uv_connect_t *request, int status)
{
    assert_int_equal(status, 0);
    *(bool *)request->data = true;
}

static void connect_mute(struct world *world, struct mute *mute)
{
    struct sockaddr_in name;
    uv_connect_t request;
    bool is_connected = false;
    mute->tcp = mem_alloc(sizeof *mute->tcp);
    uv_tcp_init(&world->loop, mute->tcp);
    assert_int_equal(uv_ip4_addr("127.0.0.1", grpc_server_port(world->server), &name), 0);
    request.data = &is_connected;
    assert_int_equal(uv_tcp_connect(&request, mute->tcp, (struct sockaddr *)&name, mute_connected), 0);
    run_until(&world->loop, is_connected);
    struct tls_options options = {.credentials = world->client_credentials, .is_unverified = true, .is_anonymous = true};
    struct tls_handlers tls_handlers = {
        .on_ready = mute_ready, .on_data = mute_data, .on_drained = mute_drained, .on_end = mute_end, .ctx = mute};
    mute->tls = tls_stream_new((uv_stream_t *)mute->tcp, &options, &tls_handlers);
    run_until(&world->loop, mute->is_ready);
}

static void peer_that_says_nothing_after_tls_is_closed(void **state)
{
    (void)state;
    struct world *world = begin();
    struct mute mute = {.is_ready = false}, half = {.says = "PRI * HTTP/2.0\r\n\r\nSM", .says_size = 20};
    connect_mute(world, &mute);
    connect_mute(world, &half);
    run_for(&world->loop, 4000);
    assert_false(mute.is_closed);
    run_until(&world->loop, mute.is_closed && half.is_closed);
    struct seen seen = {0};
    ask(world, &unary, "in", NULL, &seen); /* one that has said its settings stays */
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_OK);
    tls_stream_close(mute.tls);
    tls_stream_close(half.tls);
    end(world);
}

static void quiet_peer_is_asked_and_one_that_is_gone_is_closed(void **state)
{
    (void)state;
    struct world *world = begin();
    static const char settings[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    struct mute gone = {.says = settings, .says_size = sizeof settings};
    grpc_channel_close(world->channel);
    grpc_server_stop(world->server, 0, on_stopped, world);
    run_until(&world->loop, world->stopped);
    world->server_keepalive_ms = 300;
    world->server_answer_ms = 300;
    start_server(world, "127.0.0.1:0");
    world->channel = dial(world, world->address, "swarm-manager", false);
    struct seen seen = {0};
    connect_mute(world, &gone);
    run_for(&world->loop, 400);
    assert_false(gone.is_closed);
    run_until(&world->loop, gone.is_closed);
    run_for(&world->loop, 1000); /* the channel answers every time */
    assert_int_equal(world->failed, 0);
    ask(world, &unary, "in", NULL, &seen);
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_OK);
    tls_stream_close(gone.tls);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening_server_takes_a_new_certificate_and_new_roots),
        cmocka_unit_test(client_of_the_old_root_is_refused_by_new_roots),
        cmocka_unit_test(peer_that_says_nothing_after_tls_is_closed),
        cmocka_unit_test(quiet_peer_is_asked_and_one_that_is_gone_is_closed),
        cmocka_unit_test(connections_beyond_the_limit_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
