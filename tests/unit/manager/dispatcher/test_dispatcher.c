/* tests/unit/manager/dispatcher/test_dispatcher.c – a leader that begins, goes, and is left behind by the store. */
#include "tests/unit/manager/dispatcher/fixture.h"

static void a_leader_that_goes_tells_every_node(void **state)
{
    struct house house = {0};
    struct ear ears[3] = {{0}}, assignments = {0};
    int64_t period_ns;
    (void)state;
    house_begin(&house, "n1 n2 n3");
    enter(&house, &ears[0], "n1", "");
    enter(&house, &ears[1], "n2", "");
    follow(&house, &assignments, "n1", &ears[0]);
    assert_ok(try_register(&house, &ears[2], "n3", "", err)); /* not in yet */
    forget_said(&ears[0]);
    dispatcher_stop(house.dispatcher, house.now_ns);
    assert_said(&ears[0], "n1 2\n"); /* a last message */
    assert_ended(&ears[0], ERR_ABORTED, "node must disconnect");
    assert_ended(&ears[1], ERR_ABORTED, "node must disconnect");
    assert_ended(&ears[2], ERR_ABORTED, "node must disconnect");
    assert_int_equal(ears[2].messages, 0);
    assert_ended(&assignments, ERR_ABORTED, "dispatcher is stopped");
    settle(&house);
    assert_int_equal(state_of_node(&house, "n1"), DISCONNECTED);
    assert_string_equal(node_of(&house, "n1")->status->message, "node is currently trying to find new manager");
    assert_fails(try_heartbeat(&house, "n1", ears[0].session_id, &period_ns, err), ERR_ABORTED, "dispatcher is stopped");
    assert_fails(try_register(&house, &ears[0], "n1", "", err), ERR_ABORTED, "dispatcher is stopped");
    assert_fails(try_open(&house, &ears[0], "n1", "", err), ERR_ABORTED, "dispatcher is stopped");
    assert_fails(try_report(&house, "n1", "", "t", RUNNING, err), ERR_ABORTED, "dispatcher is stopped");
    assert_int_equal(error_grpc_status(ERR_ABORTED), 10);
    pass(&house, 60000);
    assert_int_equal(state_of_node(&house, "n1"), DISCONNECTED); /* nobody is lost by one who left */
    house_end(&house);
}

static void one_that_lost_its_lead_ends_streams_and_writes_nothing(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    int entries = house.world.entries_count;
    house.part.free(house.part.self);
    house.dispatcher = NULL;
    assert_ended(&ear, ERR_ABORTED, "node must disconnect");
    world_settle(&house.world);
    assert_int_equal(house.world.entries_count, entries);
    house_end(&house);
}

static void what_was_on_its_way_when_it_went_harms_nobody(void **state)
{
    struct house house = {0};
    struct ear ear = {0}, other = {0};
    (void)state;
    house_begin(&house, "n1 n2");
    enter(&house, &ear, "n1", "");
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    report(&house, "n1", &ear, "t1", RUNNING);
    assert_ok(try_register(&house, &other, "n2", "", err));
    set_time(&house, house.now_ns + MS(100));
    step(&house);
    world_run(&house.world); /* proposed */
    report(&house, "n1", &ear, "t1", FAILED);
    house.part.free(house.part.self);
    house.dispatcher = NULL;
    assert_int_equal(other.ends, 1);
    world_settle(&house.world);
    assert_int_equal(state_of_task(&house, "t1"), RUNNING); /* the log had it */
    house_end(&house);
}

static void what_waits_in_the_stores_queue_is_not_done_for_one_that_went(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    report(&house, "n1", &ear, "t1", RUNNING);
    set_time(&house, house.now_ns + MS(100));
    step(&house);
    house.part.free(house.part.self);
    house.dispatcher = NULL;
    world_settle(&house.world);
    assert_int_equal(state_of_task(&house, "t1"), ASSIGNED);
    house_end(&house);
}

/* Its watcher is left behind: it keeps two commits only. */
static void one_that_was_left_behind_looks_at_everything(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0}, gone = {0};
    (void)state;
    house.now_ns = MS(1000000);
    world_begin_with(&house.world, 2);
    house.managers[0] = (struct dispatcher_manager){"leader", "10.0.0.1:2377"};
    house.managers_count = 1;
    do_create(&house.world, node("n1", "host-n1"));
    do_create(&house.world, node("n2", "host-n2"));
    do_create(&house.world, task("t1", "", 0, "n1", RUNNING));
    do_create(&house.world, task("t2", "", 0, "n1", RUNNING));
    lead(&house);
    put_task(&house, "t1", "n1", RUNNING, RUNNING);
    put_task(&house, "t2", "n1", RUNNING, RUNNING);
    enter(&house, &session, "n1", "");
    enter(&house, &gone, "n2", "");
    follow(&house, &ear, "n1", &session);
    assert_said(&ear, ">1 all +t1 +t2\n");
    forget_said(&session);
    Task changed = copy_of(house.world.store, task, "t2");
    changed.desired_state = SHUTDOWN;
    do_update(&house.world, &changed); /* without a step between */
    do_remove(&house.world, STORE_TASK, "t1");
    do_remove(&house.world, STORE_NODE, "n2");
    Task *assigned = task("t3", "", 0, "n1", RUNNING);
    assigned->status->state = ASSIGNED;
    do_create(&house.world, assigned);
    Node other = copy_of(house.world.store, node, "n1");
    do_update(&house.world, &other);
    pass(&house, 100);
    assert_said(&ear, "1>2 -t1 +t2! +t3\n");
    assert_int_equal(session.messages, 1);
    assert_int_equal(gone.ends, 1);
    assert_int_equal(gone.end.code, ERR_PERMISSION);
    house_end(&house);
}

static void heartbeat_periods_follow_the_clusters_spec(void **state)
{
    const struct {
        int64_t configured_ns;
        uint64_t period_ns;
    } rows[] = {{2 * (int64_t)NS_PER_S, 2 * NS_PER_S},
                {0, 5 * NS_PER_S},
                {-1, 5 * NS_PER_S},
                {1, HEARTBEAT_PERIOD_MIN_MS * NS_PER_MS},
                {INT64_MAX, HEARTBEAT_PERIOD_MAX_MS * NS_PER_MS}};
    struct house house = {0};
    (void)state;
    house_begin(&house, "n1");
    assert_int_equal(stats_of(&house).period_ns, 5 * NS_PER_S);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Docker__Swarmkit__V1__Cluster cluster = DOCKER__SWARMKIT__V1__CLUSTER__INIT;
        Docker__Swarmkit__V1__ClusterSpec spec = DOCKER__SWARMKIT__V1__CLUSTER_SPEC__INIT;
        Docker__Swarmkit__V1__DispatcherConfig config = DOCKER__SWARMKIT__V1__DISPATCHER_CONFIG__INIT;
        Google__Protobuf__Duration period;
        const Docker__Swarmkit__V1__Cluster *old = store_cluster(house.world.store, "c1");
        message_set_duration(&period, rows[i].configured_ns);
        cluster.id = (char *)(uintptr_t) "c1";
        cluster.spec = &spec;
        spec.dispatcher = &config;
        config.heartbeat_period = &period;
        cluster.meta = old ? old->meta : NULL;
        if (old)
            do_update(&house.world, &cluster);
        else
            do_create(&house.world, &cluster);
        settle(&house);
        assert_true(stats_of(&house).period_ns == rows[i].period_ns);
    }
    house_end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_that_goes_tells_every_node),
        cmocka_unit_test(one_that_lost_its_lead_ends_streams_and_writes_nothing),
        cmocka_unit_test(what_was_on_its_way_when_it_went_harms_nobody),
        cmocka_unit_test(what_waits_in_the_stores_queue_is_not_done_for_one_that_went),
        cmocka_unit_test(one_that_was_left_behind_looks_at_everything),
        cmocka_unit_test(heartbeat_periods_follow_the_clusters_spec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
