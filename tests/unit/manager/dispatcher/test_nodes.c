/* tests/unit/manager/dispatcher/test_nodes.c – heartbeats, and what becomes of nodes that send none. */
#include "manager/dispatcher/inside.h"

#include "tests/unit/manager/dispatcher/fixture.h"

#define DAY_MS (24 * 3600 * 1000u)

static void the_table_is_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&dispatcher_phases, DISPATCHER_IDLE));
}

static void periods_are_jittered_around_five_seconds(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    int64_t lowest = INT64_MAX, highest = 0;
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    for (int i = 0; i < 1000; i++) {
        int64_t period_ns = beat(&house, "n1", &ear);
        lowest = period_ns < lowest ? period_ns : lowest;
        highest = period_ns > highest ? period_ns : highest;
    }
    assert_in_range(lowest, MS(4500), MS(4600));
    assert_in_range(highest, MS(5400), MS(5500));
    assert_int_equal(stats_of(&house).heartbeats, 1000);
    house_end(&house);
}

static void all_nodes_together_stay_under_the_limit(void **state)
{
    struct house house = {.heartbeats_per_s = 2};
    struct ear ears[20] = {{0}};
    char id[8];
    double per_s = 0;
    (void)state;
    house_begin(&house, "");
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "n%d", i);
        add_node(&house, id, id);
        enter(&house, &ears[i], id, "");
    }
    assert_int_equal(stats_of(&house).period_ns, MS(10000)); /* 20 nodes, 2 heartbeats a second */
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "n%d", i);
        int64_t period_ns = beat(&house, id, &ears[i]);
        assert_in_range(period_ns, MS(9500), MS(10500));
        per_s += 1e9 / (double)period_ns;
    }
    assert_true(per_s < 2.1);
    pass(&house, 28000); /* each is given three of the periods that it was told */
    assert_int_equal(stats_of(&house).nodes_in_session, 20);
    pass(&house, 5000);
    assert_int_equal(stats_of(&house).nodes_in_session, 0);
    assert_int_equal(stats_of(&house).period_ns, MS(5000)); /* and it shrinks again */
    house_end(&house);
}

static void a_node_without_heartbeats_goes_down_and_hears_it(void **state)
{
    struct house house = {0};
    struct ear ear = {0}, assignments = {0};
    struct dispatcher_contact contact;
    int64_t period_ns;
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    follow(&house, &assignments, "n1", &ear);
    forget_said(&ear);
    beat(&house, "n1", &ear);
    uint64_t last_ns = house.now_ns;
    pass(&house, 13400);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    pass(&house, 3200 + 100);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    assert_string_equal(node_of(&house, "n1")->status->message, "heartbeat failure");
    assert_string_equal(node_of(&house, "n1")->status->addr, "10.1.0.1"); /* as it was */
    assert_said(&ear, "n1 1\n");
    assert_ended(&ear, ERR_NOT_FOUND, "node not registered");
    assert_ended(&assignments, ERR_NOT_FOUND, "node not registered");
    assert_fails(try_heartbeat(&house, "n1", ear.session_id, &period_ns, err), ERR_NOT_FOUND, "node not registered");
    assert_true(dispatcher_contact(house.dispatcher, "n1", &contact));
    assert_false(contact.has_session);
    assert_true(contact.heard_ns == last_ns);
    assert_in_range(contact.down_ns, last_ns + MS(13500), last_ns + MS(16500));
    assert_int_equal(stats_of(&house).nodes_down, 1);
    house_end(&house);
}

static void closing_its_stream_does_not_make_a_node_go_down(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    dispatcher_session_close(ear.session);
    live(&house, "n1", &ear, 60000);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    house_end(&house);
}

static void a_node_that_returns_is_ready_and_keeps_its_tasks(void **state)
{
    struct house house = {0};
    struct ear first = {0}, second = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &first, "n1", "");
    put_task(&house, "t1", "n1", RUNNING, RUNNING);
    pass(&house, 20000);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    pass(&house, DAY_MS - 60000);
    enter(&house, &second, "n1", first.session_id);
    assert_string_not_equal(first.session_id, second.session_id);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    live(&house, "n1", &second, 120000);
    assert_int_equal(state_of_task(&house, "t1"), RUNNING);
    house_end(&house);
}

static void tasks_of_a_node_down_for_a_day_are_orphaned(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1 n2");
    enter(&house, &ear, "n1", "");
    put_task(&house, "t0", "n1", PENDING, RUNNING);
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    put_task(&house, "t2", "n1", RUNNING, SHUTDOWN);
    put_task(&house, "t3", "n1", FAILED, SHUTDOWN);
    put_task(&house, "t4", "n2", RUNNING, RUNNING);
    pass(&house, DAY_MS);
    assert_int_equal(state_of_task(&house, "t1"), ASSIGNED);
    pass(&house, 17000);
    assert_int_equal(state_of_task(&house, "t0"), PENDING);
    assert_int_equal(state_of_task(&house, "t1"), ORPHANED);
    assert_int_equal(state_of_task(&house, "t2"), ORPHANED);
    assert_int_equal(state_of_task(&house, "t3"), FAILED);
    assert_string_equal(store_task(house.world.store, "t1")->status->applied_by, "leader");
    assert_int_equal(stats_of(&house).orphaned, 2);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    struct ear again = {0};
    enter(&house, &again, "n1", "");
    assert_int_equal(state_of_node(&house, "n1"), READY);
    house_end(&house);
}

static void a_new_leader_awaits_every_node(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1 n2 n3");
    assert_int_equal(state_of_node(&house, "n1"), UNKNOWN);
    assert_string_equal(node_of(&house, "n1")->status->message, "Node moved to \"unknown\" state due to leadership change in cluster");
    assert_int_equal(stats_of(&house).nodes_awaited, 3);
    enter(&house, &ear, "n1", "a session of the leader before");
    assert_int_equal(state_of_node(&house, "n1"), READY);
    live(&house, "n1", &ear, 26000);
    assert_int_equal(state_of_node(&house, "n2"), UNKNOWN);
    live(&house, "n1", &ear, 8000);
    assert_int_equal(state_of_node(&house, "n2"), DOWN);
    assert_string_equal(node_of(&house, "n2")->status->message, "heartbeat failure for node in \"unknown\" state");
    assert_int_equal(state_of_node(&house, "n1"), READY);
    house_end(&house);
}

static void a_heartbeat_of_the_session_before_is_told_so(void **state)
{
    struct house house = {0};
    int64_t period_ns;
    (void)state;
    house_begin(&house, "n1");
    assert_fails(try_heartbeat(&house, "n1", "a session of the leader before", &period_ns, err), ERR_INVALID, "session invalid");
    assert_fails(try_heartbeat(&house, "n1", "", &period_ns, err), ERR_INVALID, "session invalid");
    assert_fails(try_heartbeat(&house, "n2", "", &period_ns, err), ERR_NOT_FOUND, "node not registered");
    house_end(&house);
}

static void nodes_down_stay_down_with_a_new_leader(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    pass(&house, 17000);
    put_task(&house, "t1", "n1", RUNNING, RUNNING);
    house.part.free(house.part.self);
    lead(&house);
    pass(&house, 60000);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    assert_string_equal(node_of(&house, "n1")->status->message, "heartbeat failure");
    pass(&house, DAY_MS); /* the day begins anew */
    assert_int_equal(state_of_task(&house, "t1"), ORPHANED);
    house_end(&house);
}

static void a_leader_that_slept_hears_the_nodes_out(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    beat(&house, "n1", &ear);
    set_time(&house, house.now_ns + MS(60000)); /* a machine that was suspended: nothing was stepped */
    step(&house);
    settle(&house);
    pass(&house, 200);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    assert_int_equal(stats_of(&house).late, 1);
    beat(&house, "n1", &ear); /* it had been waiting in the socket */
    pass(&house, 13000);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    pass(&house, 4000);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    house_end(&house);
}

static void a_leader_that_always_sleeps_hears_them_out_three_times(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    for (int i = 0; i < 5; i++) {
        set_time(&house, house.now_ns + MS(60000));
        step(&house);
        settle(&house);
    }
    pass(&house, 200);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    assert_int_equal(stats_of(&house).late, DISPATCHER_LATE_COUNT);
    house_end(&house);
}

static void going_down_is_tried_until_it_is_written(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &ear, "n1", "");
    house.world.refuses = ERR_LIMIT; /* too much is proposed already */
    pass(&house, 20000);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    house.world.refuses = 0;
    pass(&house, 1100);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    assert_ended(&ear, ERR_NOT_FOUND, "node not registered");
    house_end(&house);
}

static void a_node_that_registers_is_not_lost_while_the_store_is_slow(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    house_begin(&house, "n1");
    pass(&house, 25000);
    assert_ok(try_register(&house, &ear, "n1", "", err));
    set_time(&house, house.now_ns + MS(100));
    step(&house);
    world_run(&house.world); /* proposed, and not committed */
    for (int i = 0; i < 20; i++) {
        set_time(&house, house.now_ns + MS(900));
        step(&house);
    }
    assert_int_equal(state_of_node(&house, "n1"), UNKNOWN);
    settle(&house);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    assert_int_equal(stats_of(&house).nodes_lost, 0);
    beat(&house, "n1", &ear);
    house_end(&house);
}

static void one_that_returns_as_it_is_written_down_gets_its_session(void **state)
{
    struct house house = {0};
    struct ear first = {0}, second = {0};
    (void)state;
    house_begin(&house, "n1");
    enter(&house, &first, "n1", "");
    while (stats_of(&house).nodes_lost == 0) {
        set_time(&house, house.part.deadline_ns(house.part.self));
        step(&house);
    }
    set_time(&house, house.now_ns + MS(100));
    step(&house);
    world_run(&house.world); /* "down" is proposed */
    assert_ok(try_register(&house, &second, "n1", "", err));
    settle(&house);
    pass(&house, 200);
    assert_int_equal(second.ends, 0);
    assert_int_equal(state_of_node(&house, "n1"), READY);
    beat(&house, "n1", &second);
    assert_int_equal(first.ends, 1);
    house_end(&house);
}

static void ten_thousand_lost_at_once_are_few_entries(void **state)
{
    struct house house = {0};
    char id[16];
    (void)state;
    house_begin(&house, "");
    house.part.free(house.part.self);
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof id, "n%d", i);
        struct write_of write = {.change = CREATE, .message = &node(id, id)->base};
        ask(&house.world, &write);
        world_settle(&house.world);
    }
    int entries = house.world.entries_count;
    lead(&house);
    assert_int_equal(house.world.entries_count - entries, 2000 / STORE_ACTIONS_COUNT);
    entries = house.world.entries_count;
    pass(&house, 40000);
    assert_int_equal(stats_of(&house).nodes_down, 2000);
    assert_int_equal(state_of_node(&house, "n1999"), DOWN);
    assert_in_range(house.world.entries_count - entries, 2000 / STORE_ACTIONS_COUNT, 100); /* spread over jitter's time */
    house_end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(periods_are_jittered_around_five_seconds),
        cmocka_unit_test(all_nodes_together_stay_under_the_limit),
        cmocka_unit_test(a_node_without_heartbeats_goes_down_and_hears_it),
        cmocka_unit_test(closing_its_stream_does_not_make_a_node_go_down),
        cmocka_unit_test(a_node_that_returns_is_ready_and_keeps_its_tasks),
        cmocka_unit_test(tasks_of_a_node_down_for_a_day_are_orphaned),
        cmocka_unit_test(a_new_leader_awaits_every_node),
        cmocka_unit_test(a_heartbeat_of_the_session_before_is_told_so),
        cmocka_unit_test(nodes_down_stay_down_with_a_new_leader),
        cmocka_unit_test(a_leader_that_slept_hears_the_nodes_out),
        cmocka_unit_test(a_leader_that_always_sleeps_hears_them_out_three_times),
        cmocka_unit_test(going_down_is_tried_until_it_is_written),
        cmocka_unit_test(a_node_that_registers_is_not_lost_while_the_store_is_slow),
        cmocka_unit_test(one_that_returns_as_it_is_written_down_gets_its_session),
        cmocka_unit_test(ten_thousand_lost_at_once_are_few_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
