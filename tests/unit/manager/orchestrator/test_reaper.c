/* How much history is kept, and what leaves at once. */
#include "tests/unit/manager/orchestrator/fixture.h"

static void set_limit(struct swarm *swarm, int64_t limit)
{
    const Docker__Swarmkit__V1__Cluster *old = store_cluster(swarm->world.store, "c");
    Docker__Swarmkit__V1__Cluster cluster = DOCKER__SWARMKIT__V1__CLUSTER__INIT;
    Docker__Swarmkit__V1__ClusterSpec spec = DOCKER__SWARMKIT__V1__CLUSTER_SPEC__INIT;
    Docker__Swarmkit__V1__OrchestrationConfig orchestration = DOCKER__SWARMKIT__V1__ORCHESTRATION_CONFIG__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    annotations.name = word("default");
    orchestration.task_history_retention_limit = limit;
    spec.orchestration = &orchestration;
    spec.annotations = &annotations;
    if (old)
        cluster = *old;
    cluster.id = word("c");
    cluster.spec = &spec;
    if (old)
        do_update(&swarm->world, &cluster);
    else
        do_create(&swarm->world, &cluster);
    swarm_run(swarm);
}

static void fail_many(struct swarm *swarm, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        swarm_pass_s(swarm, 10);
        KEEP_ID(id, swarm_task(swarm, "web", 1, 0));
        swarm_set_state(swarm, id, STATE(FAILED));
    }
    swarm_pass_s(swarm, 10);
}

static void each_slot_keeps_as_many_tasks_as_the_cluster_says(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    set_limit(&swarm, 3);
    spec_init(&spec, "web", 2);
    swarm_create(&swarm, &spec);
    fail_many(&swarm, 8);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 3 + 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    set_limit(&swarm, 1);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2);
    swarm_end(&swarm);
}

static void five_where_nobody_says(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    swarm_create(&swarm, &spec);
    fail_many(&swarm, 8);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 5);
    swarm_end(&swarm);
}

static void a_negative_limit_keeps_everything(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    set_limit(&swarm, -1);
    spec_init(&spec, "web", 1);
    swarm_create(&swarm, &spec);
    fail_many(&swarm, 8);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 9);
    swarm_end(&swarm);
}

static void attempts_that_are_counted_are_kept(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    set_limit(&swarm, 1);
    spec_init(&spec, "web", 1);
    spec_restart(&spec, RESTART_ANY, 1, 6);
    swarm_create(&swarm, &spec);
    fail_many(&swarm, 4);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 5);
    swarm_end(&swarm);
}

static void no_history_at_all(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    set_limit(&swarm, 0);
    spec_init(&spec, "web", 1);
    spec_restart(&spec, RESTART_ON_FAILURE, 1, 0);
    swarm_create(&swarm, &spec);
    fail_many(&swarm, 2);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    swarm_set_state(&swarm, id, STATE(COMPLETE));
    swarm_pass_s(&swarm, 100); /* the last one stays, or nobody would know that it is over */
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(COMPLETE)), 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 1);
    swarm_end(&swarm);
}

static void orphans_of_a_service_that_is_gone_leave(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    swarm_create(&swarm, &spec);
    swarm_lose_node(&swarm, "n0");
    swarm_remove(&swarm, "web");
    swarm_pass_s(&swarm, 10);
    assert_int_equal(swarm_count(&swarm, "web", STATE(REMOVE), STATE(RUNNING)), 1); /* its node may come back */
    KEEP_ID(id, swarm_task_on(&swarm, "web", "n0", -1));
    swarm_set_state(&swarm, id, STATE(ORPHANED));
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 0);
    swarm_end(&swarm);
}

static void removal_waits_for_a_quarter_of_a_second_of_others(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm.scheduler_idle = true;
    spec_init(&spec, "web", 3);
    swarm_create(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    swarm_remove(&swarm, "web");
    assert_int_equal(swarm_count(&swarm, "web", STATE(REMOVE), STATE(PENDING)), 3);
    swarm_pass_ms(&swarm, REAPER_INTERVAL_MS - 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 3);
    swarm_pass_ms(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 0);
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slot_keeps_as_many_tasks_as_the_cluster_says),
        cmocka_unit_test(five_where_nobody_says),
        cmocka_unit_test(a_negative_limit_keeps_everything),
        cmocka_unit_test(attempts_that_are_counted_are_kept),
        cmocka_unit_test(no_history_at_all),
        cmocka_unit_test(orphans_of_a_service_that_is_gone_leave),
        cmocka_unit_test(removal_waits_for_a_quarter_of_a_second_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
