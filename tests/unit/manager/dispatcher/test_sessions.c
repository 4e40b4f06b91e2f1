/* tests/unit/manager/dispatcher/test_sessions.c – registering, and what a node hears of itself and the managers. */
#include "base/text.h"
#include "tests/unit/manager/dispatcher/fixture.h"

static void a_node_registers_and_hears_everything(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    house.managers[1] = (struct dispatcher_manager){"m2", ""};
    house.managers[2] = (struct dispatcher_manager){"m3", "10.0.0.3:2377"};
    house.managers_count = 3;
    assert_ok(try_register(&house, &ear, "n1", "", err));
    pass(&house, DISPATCHER_WRITES_MS - 1);
    assert_int_equal(ear.messages, 0); /* what it said is collected with what others say */
    pass(&house, 1);
    assert_said(&ear, "n1 2\n");
    assert_int_equal(strlen(ear.session_id), ID_SIZE_CHARS);
    assert_string_equal(ear.managers, "leader@10.0.0.1:2377*10 m3@10.0.0.3:2377*10"); /* one without an address is not told */
    assert_int_equal(state_of_node(&house, "n1"), READY);
    assert_string_equal(node_of(&house, "n1")->status->addr, "10.1.0.1");
    assert_string_equal(node_of(&house, "n1")->status->message, "");
    pass(&house, 1000);
    assert_int_equal(ear.messages, 0); /* its own registration is no news */
    assert_int_equal(stats_of(&house).nodes_in_session, 1);
    dispatcher_session_close(ear.session);
    house_end(&house);
}

static void a_node_nobody_knows_is_refused(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "");
    assert_fails(try_register(&house, &ear, "n9", "", err), ERR_PEER, "node not found");
    assert_int_equal(error_grpc_status(ERR_PEER), 2);
    house_end(&house);
}

static void a_node_removed_while_it_registers_is_refused(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    assert_ok(try_register(&house, &ear, "n1", "", err));
    do_remove(&house.world, STORE_NODE, "n1");
    pass(&house, 200);
    assert_int_equal(ear.ends, 1);
    assert_int_equal(ear.messages, 0);
    house_end(&house);
}

static void a_description_is_written_and_a_huge_one_refused(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    struct dispatcher_caller caller = {"n1", "10.0.0.9"};
    struct dispatcher_sink sink = {hear, hear_end, &ear};
    (void)state;
    house_begin(&house, "n1");
    description.hostname = (char *)(uintptr_t) "new-name";
    request.description = &description;
    assert_ok(dispatcher_register(house.dispatcher, &caller, &request, &sink, house.now_ns, &ear.session, err));
    description.hostname = (char *)(uintptr_t) "changed by the caller afterwards";
    pass(&house, 100);
    assert_string_equal(node_of(&house, "n1")->description->hostname, "new-name");
    description.hostname = mem_alloc(DISPATCHER_DESCRIPTION_SIZE_BYTES + 1);
    memset(description.hostname, 'x', DISPATCHER_DESCRIPTION_SIZE_BYTES);
    assert_fails(dispatcher_register(house.dispatcher, &caller, &request, &sink, house.now_ns, &ear.session, err), ERR_INVALID,
                 "description");
    free(description.hostname);
    house_end(&house);
}

static void the_fifth_registration_of_a_burst_is_refused(void **state)
{
    struct house house = {0};
    struct ear ears[6] = {{0}};
    (void)state;
    house_begin(&house, "n1");
    for (int i = 0; i < 4; i++)
        enter(&house, &ears[i], "n1", "");
    assert_fails(try_register(&house, &ears[4], "n1", "", err), ERR_UNAVAILABLE, "node n1 exceeded rate limit count of registrations");
    pass(&house, 7000);
    assert_fails(try_register(&house, &ears[4], "n1", "", err), ERR_UNAVAILABLE, "exceeded");
    pass(&house, 1000); /* eight seconds since the last one that was accepted */
    enter(&house, &ears[4], "n1", "");
    assert_int_equal(stats_of(&house).registrations_refused, 2);
    house_end(&house);
}

static void a_live_session_id_is_kept_and_counts_against_nothing(void **state)
{
    struct house house = {0};
    struct ear first = {0}, again[6] = {{0}};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &first, "n1", "");
    for (int i = 0; i < 3; i++) {
        enter(&house, &again[i], "n1", first.session_id);
        assert_string_equal(again[i].session_id, first.session_id);
    }
    assert_int_equal(first.ends, 0);
    beat(&house, "n1", &first);
    house_end(&house);
}

static void any_other_session_id_begins_a_new_session(void **state)
{
    struct house house = {0};
    struct ear first = {0}, second = {0}, assignments = {0};
    int64_t period_ns;
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &first, "n1", "");
    follow(&house, &assignments, "n1", &first);
    forget_said(&first);
    enter(&house, &second, "n1", "made-up");
    assert_string_not_equal(second.session_id, first.session_id);
    assert_string_not_equal(second.session_id, "made-up");
    assert_int_equal(first.messages, 1); /* the stream before it has one more message, and ends */
    assert_ended(&first, ERR_INVALID, "session invalid");
    assert_ended(&assignments, ERR_INVALID, "session invalid");
    assert_fails(try_heartbeat(&house, "n1", first.session_id, &period_ns, err), ERR_INVALID, "session invalid");
    assert_fails(try_open(&house, &assignments, "n1", first.session_id, err), ERR_INVALID, "session invalid");
    beat(&house, "n1", &second);
    house_end(&house);
}

static void registrations_that_overtake_each_other_leave_one_session(void **state)
{
    struct house house = {0};
    struct ear a = {0}, b = {0};
    (void)state;
    house_begin(&house, "n1");
    assert_ok(try_register(&house, &a, "n1", "", err));
    assert_ok(try_register(&house, &b, "n1", "", err));
    pass(&house, 100);
    assert_int_equal(a.ends + b.ends, 1);
    assert_ended(&a, ERR_INVALID, "session invalid");
    beat(&house, "n1", &b);
    house_end(&house);
}

static void a_stream_closed_while_it_registers_is_forgotten(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    assert_ok(try_register(&house, &ear, "n1", "", err));
    dispatcher_session_close(ear.session);
    pass(&house, 200);
    assert_int_equal(ear.messages + ear.ends, 0);
    assert_int_equal(stats_of(&house).sessions, 0);
    house_end(&house);
}

static void each_change_of_the_node_is_told_and_of_others_not(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1 n2");
    enter(&house, &ear, "n1", "");
    forget_said(&ear);
    Node changed = copy_of(house.world.store, node, "n1");
    Docker__Swarmkit__V1__NodeSpec spec = *changed.spec;
    spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    changed.spec = &spec;
    do_update(&house.world, &changed);
    settle(&house);
    assert_said(&ear, "n1 2\n");
    Node other = copy_of(house.world.store, node, "n2");
    do_update(&house.world, &other);
    settle(&house);
    assert_said(&ear, "");
    house_end(&house);
}

static Docker__Swarmkit__V1__Cluster *cluster(const char *root, uint64_t time, int64_t period_s)
{
    static Docker__Swarmkit__V1__Cluster cluster;
    static Docker__Swarmkit__V1__RootCA root_ca;
    static Docker__Swarmkit__V1__ClusterSpec spec;
    static Docker__Swarmkit__V1__DispatcherConfig config;
    static Docker__Swarmkit__V1__EncryptionKey key, *keys[1] = {&key};
    static Google__Protobuf__Duration period;
    docker__swarmkit__v1__cluster__init(&cluster);
    docker__swarmkit__v1__root_ca__init(&root_ca);
    docker__swarmkit__v1__cluster_spec__init(&spec);
    docker__swarmkit__v1__dispatcher_config__init(&config);
    docker__swarmkit__v1__encryption_key__init(&key);
    message_set_duration(&period, period_s * (int64_t)NS_PER_S);
    cluster.id = (char *)(uintptr_t) "c1";
    cluster.root_ca = &root_ca;
    cluster.spec = &spec;
    spec.dispatcher = &config;
    config.heartbeat_period = &period;
    root_ca.ca_cert = (ProtobufCBinaryData){strlen(root), (uint8_t *)(uintptr_t)root};
    key.lamport_time = time;
    cluster.network_bootstrap_keys = keys;
    cluster.n_network_bootstrap_keys = 1;
    return &cluster;
}

static void put_cluster(struct house *house, const char *root, uint64_t time, int64_t period_s)
{
    Docker__Swarmkit__V1__Cluster *message = cluster(root, time, period_s);
    const Docker__Swarmkit__V1__Cluster *old = store_cluster(house->world.store, "c1");
    message->meta = old ? old->meta : NULL;
    if (old)
        do_update(&house->world, message);
    else
        do_create(&house->world, message);
    settle(house);
}

static void keys_root_and_managers_are_told_when_they_change(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    put_cluster(&house, "root 1", 1, 5);
    enter(&house, &ear, "n1", "");
    assert_string_equal(ear.root, "root 1");
    assert_int_equal(ear.keys, 1);
    forget_said(&ear);
    put_cluster(&house, "root 1", 1, 7); /* nothing that a node hears of */
    assert_int_equal(ear.messages, 0);
    put_cluster(&house, "root 2", 1, 7);
    assert_int_equal(ear.messages, 1);
    assert_string_equal(ear.root, "root 2");
    put_cluster(&house, "root 2", 2, 7);
    assert_int_equal(ear.messages, 2);
    house.managers[0].addr = "10.0.0.99:2377";
    dispatcher_managers_changed(house.dispatcher);
    settle(&house);
    assert_int_equal(ear.messages, 3);
    assert_string_equal(ear.managers, "leader@10.0.0.99:2377*10");
    house_end(&house);
}

static void a_stream_that_takes_nothing_hears_the_newest_later(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    put_cluster(&house, "root 1", 1, 5);
    enter(&house, &ear, "n1", "");
    forget_said(&ear);
    ear.is_full = true;
    put_cluster(&house, "root 2", 1, 5);
    put_cluster(&house, "root 3", 1, 5);
    assert_int_equal(ear.messages, 0);
    ear.is_full = false;
    dispatcher_session_writable(ear.session);
    settle(&house);
    assert_int_equal(ear.messages, 1);
    assert_string_equal(ear.root, "root 3");
    dispatcher_session_writable(ear.session);
    settle(&house);
    assert_int_equal(ear.messages, 1);
    house_end(&house);
}

static void a_stream_that_fails_is_ended_and_the_node_stays(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    ear.refuses = ERR_LIMIT;
    dispatcher_managers_changed(house.dispatcher);
    settle(&house);
    assert_ended(&ear, ERR_LIMIT, "refused");
    beat(&house, "n1", &ear);
    house_end(&house);
}

static void streams_of_connections_that_broke_unseen_do_not_pile_up(void **state)
{
    struct house house = {0};
    struct ear ears[DISPATCHER_STREAMS_PER_NODE_COUNT + 2] = {{0}}, follows[DISPATCHER_STREAMS_PER_NODE_COUNT + 2] = {{0}};
    (void)state;
    house_begin(&house, "n1");
    for (unsigned i = 0; i < DISPATCHER_STREAMS_PER_NODE_COUNT + 2; i++) {
        enter(&house, &ears[i], "n1", ears[0].session_id);
        follow(&house, &follows[i], "n1", &ears[0]);
    }
    for (unsigned i = 0; i < DISPATCHER_STREAMS_PER_NODE_COUNT + 2; i++) {
        assert_int_equal(ears[i].ends, i < 2);
        assert_int_equal(follows[i].ends, i < 2);
    }
    assert_int_equal(stats_of(&house).sessions, DISPATCHER_STREAMS_PER_NODE_COUNT);
    assert_int_equal(stats_of(&house).assignments, DISPATCHER_STREAMS_PER_NODE_COUNT);
    house_end(&house);
}

static void a_store_that_takes_nothing_refuses_registrations(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    house.world.refuses = ERR_UNAVAILABLE;
    assert_ok(try_register(&house, &ear, "n1", "", err));
    pass(&house, 100);
    assert_ended(&ear, ERR_UNAVAILABLE, "no leader");
    assert_int_equal(stats_of(&house).nodes_in_session, 0);
    house_end(&house);
}

#define MANY (DISPATCHER_STEP_STREAMS_COUNT + 20)

static void many_sessions_are_told_in_turns(void **state)
{
    struct house house = {0};
    struct ear *ears = mem_array(MANY, sizeof *ears);
    char id[16];
    unsigned told = 0;
    (void)state;
    house_begin(&house, "");
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "n%u", i);
        add_node(&house, id, id);
        assert_ok(try_register(&house, &ears[i], id, "", err));
    }
    pass(&house, 100);
    for (unsigned i = 0; i < MANY; i++)
        forget_said(&ears[i]);
    dispatcher_managers_changed(house.dispatcher);
    step(&house);
    for (unsigned i = 0; i < MANY; i++)
        told += (unsigned)ears[i].messages;
    assert_int_equal(told, DISPATCHER_STEP_STREAMS_COUNT);
    assert_true(house.is_woken); /* for the rest */
    settle(&house);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(ears[i].messages, 1);
    house_end(&house);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(ears[i].ends, 1);
    free(ears);
}

static void a_removed_node_is_told_so_on_every_stream(void **state)
{
    struct house house = {0};
    struct ear ear = {0}, assignments = {0};
    const char *text =
        "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = Permission denied: node n1 was "
        "removed from swarm";
    int64_t period_ns;
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    follow(&house, &assignments, "n1", &ear);
    do_remove(&house.world, STORE_NODE, "n1");
    settle(&house);
    assert_ended(&ear, ERR_PERMISSION, text);
    assert_ended(&assignments, ERR_PERMISSION, text);
    assert_fails(try_heartbeat(&house, "n1", ear.session_id, &period_ns, err), ERR_NOT_FOUND, "node not registered");
    assert_int_equal(stats_of(&house).nodes_in_session, 0);
    pass(&house, 60000);
    house_end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_registers_and_hears_everything),
        cmocka_unit_test(a_node_nobody_knows_is_refused),
        cmocka_unit_test(a_node_removed_while_it_registers_is_refused),
        cmocka_unit_test(a_description_is_written_and_a_huge_one_refused),
        cmocka_unit_test(the_fifth_registration_of_a_burst_is_refused),
        cmocka_unit_test(a_live_session_id_is_kept_and_counts_against_nothing),
        cmocka_unit_test(any_other_session_id_begins_a_new_session),
        cmocka_unit_test(registrations_that_overtake_each_other_leave_one_session),
        cmocka_unit_test(a_stream_closed_while_it_registers_is_forgotten),
        cmocka_unit_test(each_change_of_the_node_is_told_and_of_others_not),
        cmocka_unit_test(keys_root_and_managers_are_told_when_they_change),
        cmocka_unit_test(a_stream_that_takes_nothing_hears_the_newest_later),
        cmocka_unit_test(a_stream_that_fails_is_ended_and_the_node_stays),
        cmocka_unit_test(streams_of_connections_that_broke_unseen_do_not_pile_up),
        cmocka_unit_test(a_store_that_takes_nothing_refuses_registrations),
        cmocka_unit_test(many_sessions_are_told_in_turns),
        cmocka_unit_test(a_removed_node_is_told_so_on_every_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
