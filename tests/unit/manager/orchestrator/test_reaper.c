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

static void what_completed_a_job_is_no_history(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    set_limit(&swarm, 0);
    spec_init(&spec, "job", 0);
    spec.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    spec.spec.replicated_job = &spec.replicated_job;
    spec.replicated_job.max_concurrent = spec.replicated_job.total_completions = 2;
    swarm_create(&swarm, &spec);
    KEEP_ID(failed, swarm_task(&swarm, "job", 0, 0));
    swarm_set_state(&swarm, failed, STATE(FAILED));
    swarm.jobs_complete = true;
    swarm_pass_s(&swarm, 10);
    KEEP_ID(done, swarm_task(&swarm, "job", 0, 0));
    swarm_pass_s(&swarm, 100);
    assert_string_equal(swarm_task(&swarm, "job", 0, 0)->id, done);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 2);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 2);
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 2);
    assert_int_equal(swarm_task(&swarm, "job", 0, 0)->job_iteration->index, 1);
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

/* Nobody will ever say what became of them. */
static void tasks_of_nodes_that_are_gone_are_history(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    set_limit(&swarm, 1);
    spec_init(&spec, "web", 1);
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    char node_id[8];
    snprintf(node_id, sizeof node_id, "%s", swarm_task(&swarm, "web", 1, 0)->node_id);
    swarm_lose_node(&swarm, node_id);
    swarm_pass_s(&swarm, 10);
    assert_non_null(store_task(swarm.world.store, id)); /* it may come back */
    do_remove(&swarm.world, STORE_NODE, node_id);
    swarm_pass_s(&swarm, 1);
    assert_null(store_task(swarm.world.store, id));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    swarm_end(&swarm);
}

static void tasks_to_be_removed_go_with_their_node(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 2);
    swarm_create(&swarm, &spec);
    swarm_lose_node(&swarm, "n0");
    swarm_remove(&swarm, "web");
    swarm_pass_s(&swarm, 10);
    assert_int_equal(swarm_count(&swarm, "web", STATE(REMOVE), STATE(RUNNING)), 2);
    do_remove(&swarm.world, STORE_NODE, "n0");
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 0);
    swarm_end(&swarm);
}

static void tasks_of_no_service_leave_when_they_are_to_or_are_orphaned(void **state)
{
    (void)state;
    struct swarm swarm;
    static const char *const ids[] = {"runs", "removed", "orphan", "on-no-node"};
    swarm_begin(&swarm, 2);
    for (unsigned i = 0; i < 4; i++) {
        task_type *message = task(ids[i], "", 0, "n0", STATE(RUNNING));
        message->status->state = STATE(RUNNING);
        if (i == 3)
            message->node_id = word("n1");
        do_create(&swarm.world, message);
    }
    swarm_pass_s(&swarm, 1);
    assert_int_equal(store_count(swarm.world.store, STORE_TASK, STORE_ALL, NULL), 4);
    task_type changed = *store_task(swarm.world.store, "removed");
    changed.desired_state = STATE(REMOVE);
    do_update(&swarm.world, &changed);
    swarm_set_state(&swarm, "orphan", STATE(ORPHANED));
    do_remove(&swarm.world, STORE_NODE, "n1");
    swarm_run(&swarm);
    swarm.world.refuses = ERR_UNAVAILABLE; /* and once more than once, if need be */
    swarm.now_ns += REAPER_INTERVAL_MS * NS_PER_MS;
    swarm.parts[0].step(swarm.parts[0].self, swarm.now_ns);
    world_settle(&swarm.world);
    swarm.world.refuses = 0;
    assert_non_null(store_task(swarm.world.store, "orphan"));
    swarm_pass_s(&swarm, 2);
    assert_non_null(store_task(swarm.world.store, "runs"));
    assert_non_null(store_task(swarm.world.store, "on-no-node")); /* whoever made it says when it goes */
    assert_null(store_task(swarm.world.store, "removed"));
    assert_null(store_task(swarm.world.store, "orphan"));
    changed = *store_task(swarm.world.store, "on-no-node");
    changed.desired_state = STATE(REMOVE);
    do_update(&swarm.world, &changed);
    swarm_pass_s(&swarm, 1);
    assert_null(store_task(swarm.world.store, "on-no-node"));
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
        cmocka_unit_test(what_completed_a_job_is_no_history),
        cmocka_unit_test(orphans_of_a_service_that_is_gone_leave),
        cmocka_unit_test(tasks_of_nodes_that_are_gone_are_history),
        cmocka_unit_test(tasks_to_be_removed_go_with_their_node),
        cmocka_unit_test(tasks_of_no_service_leave_when_they_are_to_or_are_orphaned),
        cmocka_unit_test(removal_waits_for_a_quarter_of_a_second_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
