/* Global services: one on each node that is up, not drained, and fits. */
#include "manager/orchestrator/labels.h"
#include "tests/unit/manager/orchestrator/fixture.h"

static void begin(struct swarm *swarm, struct spec *spec, unsigned nodes)
{
    swarm_begin(swarm, nodes);
    spec_init(spec, "agent", 0);
    spec_global(spec);
}

static int running(const struct swarm *swarm)
{
    return swarm_count(swarm, "agent", STATE(RUNNING), STATE(RUNNING));
}

static void each_node_has_one_and_new_nodes_get_one(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 3);
    swarm_create(&swarm, &spec);
    assert_int_equal(running(&swarm), 3);
    const task_type *task = swarm_task_on(&swarm, "agent", "n1", STATE(RUNNING));
    assert_int_equal(task->slot, 0);
    swarm_add_node(&swarm, "n3");
    swarm_run(&swarm);
    assert_int_equal(running(&swarm), 4);
    assert_non_null(swarm_task_on(&swarm, "agent", "n3", STATE(RUNNING)));
    swarm_end(&swarm);
}

static void constraints_choose_the_nodes(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 3);
    swarm_label_node(&swarm, "n1", "east");
    spec_constraint(&spec, "node.labels.zone==east");
    swarm_create(&swarm, &spec);
    assert_int_equal(running(&swarm), 1);
    swarm_label_node(&swarm, "n2", "east");
    assert_int_equal(running(&swarm), 2);
    swarm_label_node(&swarm, "n1", "west");
    assert_int_equal(running(&swarm), 1);
    assert_null(swarm_task_on(&swarm, "agent", "n1", STATE(RUNNING)));
    swarm_end(&swarm);
}

static void a_drained_node_has_none(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 2);
    swarm_create(&swarm, &spec);
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    assert_int_equal(running(&swarm), 1);
    assert_int_equal(swarm_count(&swarm, "agent", STATE(SHUTDOWN), STATE(SHUTDOWN)), 1);
    swarm_drain(&swarm, "n0", AVAILABILITY(ACTIVE));
    assert_int_equal(running(&swarm), 2);
    assert_int_equal(swarm_count(&swarm, "agent", -1, -1), 3);
    swarm_end(&swarm);
}

static void a_paused_node_keeps_its_task_until_it_ends(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 2);
    swarm_create(&swarm, &spec);
    swarm_drain(&swarm, "n0", AVAILABILITY(PAUSE));
    swarm_pass_s(&swarm, 10);
    assert_int_equal(running(&swarm), 2);
    KEEP_ID(id, swarm_task_on(&swarm, "agent", "n0", STATE(RUNNING)));
    swarm_set_state(&swarm, id, STATE(FAILED));
    swarm_pass_s(&swarm, 10);
    assert_int_equal(store_task(swarm.world.store, id)->desired_state, STATE(SHUTDOWN));
    assert_int_equal(running(&swarm), 1);
    assert_int_equal(swarm_count(&swarm, "agent", -1, -1), 2);
    swarm_drain(&swarm, "n0", AVAILABILITY(ACTIVE));
    assert_int_equal(running(&swarm), 2);
    swarm_end(&swarm);
}

static void what_failed_is_restarted_on_its_node(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 2);
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task_on(&swarm, "agent", "n0", STATE(RUNNING)));
    swarm_set_state(&swarm, id, STATE(FAILED));
    const task_type *task = swarm_task_on(&swarm, "agent", "n0", STATE(READY));
    assert_non_null(task);
    swarm_pass_s(&swarm, 5);
    assert_int_equal(running(&swarm), 2);
    swarm_end(&swarm);
}

static void a_node_that_is_down_shuts_its_task_down_at_once_or_is_awaited(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 2);
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task_on(&swarm, "agent", "n0", STATE(RUNNING)));
    swarm_lose_node(&swarm, "n0");
    assert_int_equal(store_task(swarm.world.store, id)->desired_state, STATE(SHUTDOWN));
    swarm_return_node(&swarm, "n0");
    assert_int_equal(running(&swarm), 2);
    spec_label(&spec, LABEL_LOST_AFTER, "1m");
    swarm_update(&swarm, &spec);
    KEEP_ID(second, swarm_task_on(&swarm, "agent", "n0", STATE(RUNNING)));
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 59);
    swarm_return_node(&swarm, "n0");
    assert_int_equal(store_task(swarm.world.store, second)->desired_state, STATE(RUNNING));
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 60);
    assert_int_equal(store_task(swarm.world.store, second)->desired_state, STATE(SHUTDOWN));
    swarm_end(&swarm);
}

static void a_removed_node_takes_its_tasks_along(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 2);
    swarm_create(&swarm, &spec);
    do_remove(&swarm.world, STORE_NODE, "n0");
    swarm_run(&swarm);
    assert_int_equal(swarm_count(&swarm, "agent", -1, -1), 1);
    swarm_end(&swarm);
}

static void restart_none_is_over_until_the_spec_changes(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 1);
    spec_restart(&spec, RESTART_NONE, 0, 0);
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task_on(&swarm, "agent", "n0", STATE(RUNNING)));
    swarm_set_state(&swarm, id, STATE(FAILED));
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "agent", -1, -1), 1);
    spec.task.force_update = 1;
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm), 1);
    swarm_end(&swarm);
}

static void a_removed_service_takes_its_tasks_along(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, 3);
    swarm_create(&swarm, &spec);
    swarm_remove(&swarm, "agent");
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "agent", -1, -1), 0);
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_node_has_one_and_new_nodes_get_one),
        cmocka_unit_test(constraints_choose_the_nodes),
        cmocka_unit_test(a_drained_node_has_none),
        cmocka_unit_test(a_paused_node_keeps_its_task_until_it_ends),
        cmocka_unit_test(what_failed_is_restarted_on_its_node),
        cmocka_unit_test(a_node_that_is_down_shuts_its_task_down_at_once_or_is_awaited),
        cmocka_unit_test(a_removed_node_takes_its_tasks_along),
        cmocka_unit_test(restart_none_is_over_until_the_spec_changes),
        cmocka_unit_test(a_removed_service_takes_its_tasks_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
