#include "tests/unit/proto/grpc/world.h"

/* --- shapes --- */

static void unary_call_carries_identity_and_metadata(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    struct grpc_metadatum words[] = {{"word", "one"}, {"word", "two"}};
    ask(world, &unary, "hello", &(struct grpc_call_options){.metadata = words, .metadata_count = 2}, &seen);
    run_until(&world->loop, seen.done && world->served.done);
    assert_int_equal(seen.code, GRPC_OK);
    assert_true(seen.is_from_peer);
    assert_string_equal(seen.text, "hello");
    assert_string_equal(world->served.peer, "node1 cluster1 1");
    assert_string_equal(world->served.text, "two");
    assert_int_equal(world->served.code, GRPC_OK);
    char local[GRPC_ADDRESS_SIZE_CHARS];
    grpc_channel_local_address(world->channel, local);
    assert_int_equal(strncmp(local, "127.0.0.1:", 10), 0);
    assert_string_equal(grpc_channel_peer(world->channel)->common_name, "node1");
    end(world);
}

static void both_sides_stream(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    Payload message = payload("abc", 3);
    seen.call = grpc_call_start(world->channel, &both, NULL, &handlers, &seen);
    for (int i = 0; i < 3; i++) {
        assert_ok(grpc_call_send(seen.call, &message.base, err));
        run_until(&world->loop, seen.messages == (size_t)i + 1);
    }
    grpc_call_send_end(seen.call);
    assert_fails(grpc_call_send(seen.call, &message.base, err), ERR_PRECONDITION, "end was sent");
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, 9);
    assert_string_equal(seen.message, "enough");
    assert_int_equal(seen.error.code, ERR_PRECONDITION);
    end(world);
}

/* A reader who pauses holds the writer back, and gets everything in the end, also what came before the status. */
static void paused_reader_holds_the_server_back(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {.pauses = true};
    ask(world, &down, "400 100000", NULL, &seen);
    run_until(&world->loop, seen.messages == 1);
    run_for(&world->loop, 200);
    assert_int_equal(seen.messages, 1);
    assert_true(world->served.refusals > 0);
    assert_true(world->served.left > 300); /* the window and the queue hold about 3 MB of 40 */
    seen.pauses = false;
    grpc_call_pause(seen.call, false);
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_OK);
    assert_int_equal(seen.messages, 400);
    assert_int_equal(seen.bytes, 40000000);
    end(world);
}

static void status_waits_for_a_paused_reader(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {.pauses = true}, other = {.pauses = true};
    ask(world, &down, "5 10", NULL, &seen);
    run_until(&world->loop, world->served.done && seen.messages == 1);
    run_for(&world->loop, 30);
    assert_false(seen.done);
    ask(world, &down, "5 10", NULL, &other);
    run_until(&world->loop, other.messages == 1);
    for (size_t i = 1; i <= 5; i++) {
        run_until(&world->loop, seen.messages == i);
        if (!seen.done)
            grpc_call_pause(seen.call, false);
    }
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_OK);
    grpc_channel_close(world->channel); /* with the other still paused */
    assert_int_equal(other.done, 1);
    world->channel = NULL;
    end(world);
}

static void paused_server_holds_the_client_back(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {.left = 300, .size = 100000};
    world->served.pauses = true;
    seen.call = grpc_call_start(world->channel, &up, NULL, &handlers, &seen);
    pour(seen.call, &seen);
    run_until(&world->loop, world->served.messages == 1);
    run_for(&world->loop, 200);
    assert_int_equal(world->served.messages, 1);
    assert_true(seen.left > 200);
    world->served.pauses = false;
    grpc_call_pause(world->served.call, false);
    run_until(&world->loop, seen.done);
    assert_string_equal(seen.text, "30000000");
    end(world);
}

/* --- ends --- */

static void deadline_ends_both_sides(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    run_until(&world->loop, world->ready);
    seen.call = grpc_call_start(world->channel, &both, &(struct grpc_call_options){.deadline_ms = 100}, &handlers, &seen);
    run_until(&world->loop, seen.done && world->served.done);
    assert_int_equal(seen.code, GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(seen.error.code, ERR_DEADLINE);
    assert_true(world->served.code == GRPC_DEADLINE_EXCEEDED || world->served.code == GRPC_CANCELED);
    end(world);
}

static void server_is_told_of_a_cancellation(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    seen.call = grpc_call_start(world->channel, &both, NULL, &handlers, &seen);
    run_until(&world->loop, world->served.call);
    grpc_call_cancel(seen.call);
    assert_int_equal(seen.done, 0); /* nothing is called from inside */
    run_until(&world->loop, seen.done && world->served.done);
    assert_int_equal(seen.code, GRPC_CANCELED);
    assert_int_equal(world->served.code, GRPC_CANCELED);
    end(world);
}

static void call_may_be_given_up_before_it_left(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen waiting = {0}, queued = {0}, after = {0};
    ask(world, &unary, "x", NULL, &waiting);
    grpc_call_cancel(waiting.call);
    run_until(&world->loop, waiting.done && world->ready);
    ask(world, &unary, "x", NULL, &queued);
    grpc_call_cancel(queued.call);
    ask(world, &unary, "y", NULL, &after);
    run_until(&world->loop, queued.done && after.done);
    assert_int_equal(waiting.code, GRPC_CANCELED);
    assert_int_equal(queued.code, GRPC_CANCELED);
    assert_int_equal(after.code, GRPC_OK);
    end(world);
}

static void too_large_a_message_is_refused(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    uint8_t *data = mem_alloc(GRPC_MESSAGE_SIZE_BYTES);
    Payload message = payload(data, GRPC_MESSAGE_SIZE_BYTES);
    seen.call = grpc_call_start(world->channel, &unary, NULL, &handlers, &seen);
    assert_ok(grpc_call_send(seen.call, &message.base, err));
    free(data);
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_RESOURCE_EXHAUSTED);
    assert_string_equal(seen.message, "grpc: received message larger than max (4194309 vs. 4194304)");
    assert_true(seen.is_from_peer);
    end(world);
}

static void unknown_methods_are_answered_in_grpc_go_s_words(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0}, other = {0};
    ask(world, &absent, "", NULL, &seen);
    ask(world, &foreign, "", NULL, &other);
    run_until(&world->loop, seen.done && other.done);
    assert_int_equal(seen.code, GRPC_UNIMPLEMENTED);
    assert_string_equal(seen.message, "unknown method Absent for service skep.test.Echo");
    assert_int_equal(other.code, GRPC_UNIMPLEMENTED);
    assert_string_equal(other.message, "unknown service skep.test.Other");
    end(world);
}

static void headers_beyond_the_limit_are_refused_in_words(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct world *world = begin();
    struct grpc_metadatum *words = mem_array(COUNT, sizeof *words);
    struct seen seen = {0}, other = {0};
    for (size_t i = 0; i < COUNT; i++)
        words[i] = (struct grpc_metadatum){"a-name-that-takes", "some room of its own"};
    ask(world, &unary, "", &(struct grpc_call_options){.metadata = words, .metadata_count = COUNT}, &seen);
    ask(world, &unary, "small", NULL, &other);
    run_until(&world->loop, seen.done && other.done);
    assert_int_equal(seen.code, GRPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(seen.message, "received headers larger than max"));
    assert_int_equal(other.code, GRPC_OK); /* the connection is none the worse for it */
    assert_int_equal(world->failed, 0);
    free(words);
    end(world);
}

static void bad_message_is_an_internal_error(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0};
    seen.call = grpc_call_start(world->channel, &unary, NULL, &handlers, &seen);
    assert_ok(grpc_call_send_bytes(seen.call, bytes_of("\x0a\x7f", 2), err));
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_INTERNAL);
    assert_non_null(strstr(seen.message, "grpc: error unmarshalling request: "));
    end(world);
}

static void unary_cb(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    struct seen *seen = ctx;
    seen->done++;
    seen->code = status->code;
    if (reply)
        seen->bytes = ((Payload *)reply)->value.len;
    grpc_channel_close(seen->closes);
}

static void channel_may_be_closed_in_a_callback(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen first = {.closes = world->channel}, hanging = {0};
    Payload message = payload("12345", 5);
    ask(world, &hang, "", NULL, &hanging);
    grpc_unary(world->channel, &unary, &message.base, NULL, unary_cb, &first);
    run_until(&world->loop, first.done);
    assert_int_equal(first.code, GRPC_OK);
    assert_int_equal(first.bytes, 5);
    assert_int_equal(hanging.done, 1);
    assert_int_equal(hanging.code, GRPC_CANCELED);
    world->channel = NULL;
    end(world);
}

/* The message came while the reader was paused, and the status too: the channel is closed as it is read at last. */
static void channel_may_be_closed_as_a_call_resumes(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {.pauses = true};
    ask(world, &down, "3 10", NULL, &seen);
    run_until(&world->loop, world->served.done && seen.messages == 1);
    run_for(&world->loop, 30);
    seen.pauses = false;
    seen.closes = world->channel;
    grpc_call_pause(seen.call, false);
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.messages, 2);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.code, GRPC_CANCELED);
    world->channel = NULL;
    end(world);
}

/* --- connections that fail --- */

static void refused_connection_says_so(void **state)
{
    (void)state;
    struct world *world = begin();
    grpc_channel_close(world->channel);
    grpc_server_stop(world->server, 0, on_stopped, world);
    run_until(&world->loop, world->stopped);
    world->server = NULL;
    world->channel = dial(world, world->address, "swarm-manager", false);
    struct seen seen = {0}, late = {0};
    ask(world, &unary, "", NULL, &seen);
    run_until(&world->loop, seen.done && world->failed);
    assert_int_equal(seen.code, GRPC_UNAVAILABLE);
    assert_false(seen.is_from_peer);
    assert_int_equal(seen.error.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(seen.message, "connection refused"));
    ask(world, &unary, "", NULL, &late);
    run_until(&world->loop, late.done);
    assert_int_equal(late.code, GRPC_UNAVAILABLE);
    end(world);
}

static void expect_failure(struct world *world, const char *role, int code, const char *words)
{
    struct seen seen = {0};
    grpc_channel_close(world->channel);
    world->failed = 0;
    world->channel = dial(world, world->address, role, false);
    ask(world, &unary, "", NULL, &seen);
    run_until(&world->loop, seen.done && world->failed);
    assert_int_equal(seen.code, GRPC_UNAVAILABLE);
    assert_int_equal(seen.error.code, code);
    if (strstr(seen.message, words) == NULL)
        fail_msg("\"%s\" is without \"%s\"", seen.message, words);
}

static void wrong_peers_are_named_in_words(void **state)
{
    (void)state;
    struct world *world = begin();
    expect_failure(world, "swarm-ca", ERR_TRUST, "not one of a swarm-ca");
    world->wall_ns = NOW_NS + 400 * DAY_NS;
    expect_failure(world, "swarm-manager", ERR_TRUST, "has expired");
    world->wall_ns = NOW_NS - 30 * DAY_NS;
    expect_failure(world, "swarm-manager", ERR_TRUST, "set this host's clock");
    end(world);
}

static void server_that_refuses_our_certificate_is_no_network_trouble(void **state)
{
    (void)state;
    struct world *world = begin();
    struct authority other;
    authority_init(&other, NOW_NS - DAY_NS);
    struct papers papers = papers_make(&other, &(struct papers_options){.from_wall_ns = NOW_NS - DAY_NS});
    assert_ok(tls_credentials_set(world->client_credentials, buf_bytes(&papers.chain_pem), buf_bytes(&papers.key_pem),
                                  buf_bytes(&world->authority.root_pem), err));
    expect_failure(world, "swarm-manager", ERR_TRUST, "certificate");
    papers_deinit(&papers);
    authority_deinit(&other);
    end(world);
}

static void on_plain_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_plain(uv_stream_t *listener, int status)
{
    static char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    (void)status;
    uv_tcp_t *peer = mem_alloc(sizeof *peer);
    uv_tcp_init(listener->loop, peer);
    uv_accept(listener, (uv_stream_t *)peer);
    uv_buf_t piece = uv_buf_init(answer, sizeof answer - 1);
    uv_try_write((uv_stream_t *)peer, &piece, 1);
    uv_close((uv_handle_t *)peer, on_plain_closed);
}

static void peer_without_tls_is_named(void **state)
{
    (void)state;
    struct world *world = begin();
    struct sockaddr_in name;
    int size = sizeof name;
    uv_tcp_t listener;
    uv_tcp_init(&world->loop, &listener);
    uv_ip4_addr("127.0.0.1", 0, &name);
    uv_tcp_bind(&listener, (struct sockaddr *)&name, 0);
    uv_listen((uv_stream_t *)&listener, 8, on_plain);
    uv_tcp_getsockname(&listener, (struct sockaddr *)&name, &size);
    snprintf(world->address, sizeof world->address, "127.0.0.1:%u", ntohs(name.sin_port));
    expect_failure(world, "swarm-manager", ERR_PEER, "TLS");
    uv_close((uv_handle_t *)&listener, NULL);
    end(world);
}

static void channel_connects_again_and_new_credentials_count(void **state)
{
    (void)state;
    struct world *world = begin();
    grpc_channel_close(world->channel);
    world->channel = dial(world, world->address, "swarm-manager", true);
    run_until(&world->loop, world->ready == 1);
    char address[64];
    snprintf(address, sizeof address, "%s", world->address);
    grpc_server_stop(world->server, 0, on_stopped, world);
    run_until(&world->loop, world->stopped);
    struct papers papers = papers_make(&world->authority, &(struct papers_options){.name = "node2", .from_wall_ns = NOW_NS - DAY_NS});
    assert_ok(tls_credentials_set(world->server_credentials, buf_bytes(&papers.chain_pem), buf_bytes(&papers.key_pem),
                                  buf_bytes(&world->authority.root_pem), err));
    papers_deinit(&papers);
    start_server(world, address);
    struct seen seen = {0};
    ask(world, &unary, "again", &(struct grpc_call_options){.waits_for_ready = true}, &seen);
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_OK);
    assert_int_equal(world->ready, 2);
    assert_string_equal(grpc_channel_peer(world->channel)->common_name, "node2");
    end(world);
}

static void stop_lets_calls_end_within_its_grace(void **state)
{
    (void)state;
    struct world *world = begin();
    struct seen seen = {0}, late = {0};
    Payload message = payload("abc", 3);
    seen.call = grpc_call_start(world->channel, &both, NULL, &handlers, &seen);
    run_until(&world->loop, world->served.call);
    grpc_server_stop(world->server, 3000, on_stopped, world);
    run_until(&world->loop, world->failed);
    assert_non_null(strstr(world->err.message, "shutting down"));
    ask(world, &unary, "", NULL, &late);
    assert_ok(grpc_call_send(seen.call, &message.base, err));
    run_until(&world->loop, seen.messages == 1 && late.done);
    assert_int_equal(late.code, GRPC_UNAVAILABLE);
    assert_false(world->stopped);
    grpc_call_send_end(seen.call);
    run_until(&world->loop, seen.done && world->stopped);
    assert_int_equal(seen.code, 9);
    world->server = NULL;
    end(world);
}

static void many_idle_calls_share_a_connection(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct world *world = begin();
    struct seen *seen = mem_array(COUNT, sizeof *seen), one = {0};
    for (size_t i = 0; i < COUNT; i++)
        ask(world, &hang, "", NULL, &seen[i]);
    run_until(&world->loop, world->served_count == COUNT);
    ask(world, &unary, "still here", NULL, &one);
    run_until(&world->loop, one.done);
    assert_string_equal(one.text, "still here");
    grpc_channel_close(world->channel);
    world->channel = NULL;
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(seen[i].done, 1);
    free(seen);
    end(world);
}

static void unix_socket_serves_too(void **state)
{
    (void)state;
    struct world *world = begin();
    char address[96];
    snprintf(address, sizeof address, TEST_PIPES "skep-test-grpc-%d.sock", (int)uv_os_getpid());
    assert_ok(grpc_server_listen(world->server, address, err));
    grpc_channel_close(world->channel);
    world->channel = dial(world, address, "swarm-manager", false);
    struct seen seen = {0};
    ask(world, &unary, "hello", NULL, &seen);
    run_until(&world->loop, seen.done);
    assert_int_equal(seen.code, GRPC_OK);
    end(world);
    remove(address + strlen("unix://"));
}

static void taken_addresses_are_refused(void **state)
{
    (void)state;
    struct world *world = begin();
    assert_fails(grpc_server_listen(world->server, world->address, err), ERR_EXISTS, "taken");
    assert_fails(grpc_server_listen(world->server, "nowhere:1", err), ERR_INVALID, "not an IP address");
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_call_carries_identity_and_metadata),
        cmocka_unit_test(both_sides_stream),
        cmocka_unit_test(paused_reader_holds_the_server_back),
        cmocka_unit_test(status_waits_for_a_paused_reader),
        cmocka_unit_test(paused_server_holds_the_client_back),
        cmocka_unit_test(deadline_ends_both_sides),
        cmocka_unit_test(server_is_told_of_a_cancellation),
        cmocka_unit_test(call_may_be_given_up_before_it_left),
        cmocka_unit_test(too_large_a_message_is_refused),
        cmocka_unit_test(unknown_methods_are_answered_in_grpc_go_s_words),
        cmocka_unit_test(headers_beyond_the_limit_are_refused_in_words),
        cmocka_unit_test(bad_message_is_an_internal_error),
        cmocka_unit_test(channel_may_be_closed_in_a_callback),
        cmocka_unit_test(channel_may_be_closed_as_a_call_resumes),
        cmocka_unit_test(refused_connection_says_so),
        cmocka_unit_test(wrong_peers_are_named_in_words),
        cmocka_unit_test(server_that_refuses_our_certificate_is_no_network_trouble),
        cmocka_unit_test(peer_without_tls_is_named),
        cmocka_unit_test(channel_connects_again_and_new_credentials_count),
        cmocka_unit_test(stop_lets_calls_end_within_its_grace),
        cmocka_unit_test(many_idle_calls_share_a_connection),
        cmocka_unit_test(unix_socket_serves_too),
        cmocka_unit_test(taken_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
