/* Jobs: slots from 0, so many at once, to completion; iterations. */
#include "tests/unit/manager/orchestrator/fixture.h"

static void spec_job(struct spec *spec, uint64_t max_concurrent, uint64_t total)
{
    spec_init(spec, "job", 0);
    spec->spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    spec->spec.replicated_job = &spec->replicated_job;
    spec->replicated_job.max_concurrent = max_concurrent;
    spec->replicated_job.total_completions = total;
}

static void spec_global_job(struct spec *spec)
{
    spec_init(spec, "job", 0);
    spec->spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
    spec->spec.global_job = &spec->global_job;
}

static void as_many_at_once_as_may_be_until_enough_are_complete(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 3, 5);
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 3);
    const task_type *task = swarm_task(&swarm, "job", 0, 0);
    assert_non_null(task);
    assert_non_null(task->job_iteration);
    assert_int_equal(task->job_iteration->index, 0);
    assert_null(swarm_task(&swarm, "job", 3, 0));
    KEEP_ID(second, swarm_task(&swarm, "job", 1, 0));
    swarm_set_state(&swarm, second, STATE(COMPLETE));
    assert_non_null(swarm_task(&swarm, "job", 3, 0));
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 3);
    swarm.jobs_complete = true;
    swarm_pass_s(&swarm, 1000);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 5); /* all kept, none beyond */
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 5);
    swarm_end(&swarm);
}

static void what_fails_is_tried_again_in_its_slot(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 1, 2);
    swarm_create(&swarm, &spec);
    KEEP_ID(first, swarm_task(&swarm, "job", 0, 0));
    swarm_set_state(&swarm, first, STATE(FAILED));
    assert_int_equal(swarm_count(&swarm, "job", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 5);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 1);
    assert_int_equal(swarm_task(&swarm, "job", 0, 0)->status->state, STATE(RUNNING));
    assert_null(swarm_task(&swarm, "job", 1, 0));
    swarm_end(&swarm);
}

static void a_slot_without_attempts_left_is_over(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 1, 2);
    spec_restart(&spec, RESTART_NONE, 0, 0);
    swarm_create(&swarm, &spec);
    KEEP_ID(first, swarm_task(&swarm, "job", 0, 0));
    swarm_set_state(&swarm, first, STATE(FAILED));
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 2);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 1);
    assert_string_equal(swarm_task(&swarm, "job", 0, 0)->id, first);
    KEEP_ID(second, swarm_task(&swarm, "job", 1, 0));
    swarm_set_state(&swarm, second, STATE(COMPLETE));
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 2); /* it stays incomplete */
    swarm_end(&swarm);
}

/* What is finished stays as history, what still runs is taken away. */
static void an_update_is_another_iteration(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 2, 4);
    swarm_create(&swarm, &spec);
    KEEP_ID(first, swarm_task(&swarm, "job", 0, 0));
    KEEP_ID(second, swarm_task(&swarm, "job", 1, 0));
    swarm_set_state(&swarm, first, STATE(COMPLETE));
    KEEP_ID(third, swarm_task(&swarm, "job", 2, 0));
    swarm.stops_slowly = true;
    swarm_update(&swarm, &spec);
    assert_int_equal(store_task(swarm.world.store, first)->desired_state, STATE(COMPLETE));
    assert_int_equal(store_task(swarm.world.store, second)->desired_state, STATE(REMOVE));
    assert_int_equal(store_task(swarm.world.store, third)->desired_state, STATE(REMOVE));
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 2); /* they wait for nobody */
    assert_int_equal(swarm_task(&swarm, "job", 0, 0)->job_iteration->index, 1);
    assert_int_equal(swarm_task(&swarm, "job", 0, 0)->status->state, STATE(RUNNING));
    swarm.stops_slowly = false;
    swarm.jobs_complete = true;
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 4 + 1);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 4 + 1);
    assert_null(swarm_service(&swarm, "job")->update_status);
    swarm_end(&swarm);
}

static void old_iterations_are_history_and_bounded(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    swarm.jobs_complete = true;
    spec_job(&spec, 2, 2);
    swarm_create(&swarm, &spec);
    for (unsigned i = 0; i < 9; i++) {
        swarm_update(&swarm, &spec);
        swarm_pass_s(&swarm, 1);
    }
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 2 * TASK_HISTORY_DEFAULT_COUNT);
    assert_int_equal(swarm_task(&swarm, "job", 1, 0)->job_iteration->index, 9);
    assert_int_equal(swarm_task(&swarm, "job", 1, TASK_HISTORY_DEFAULT_COUNT - 1)->job_iteration->index,
                     9 + 1 - TASK_HISTORY_DEFAULT_COUNT);
    swarm_end(&swarm);
}

static void what_fails_for_ever_does_not_fill_the_store(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    swarm.fails_image = "image:1";
    spec_job(&spec, 1, 2);
    swarm_create(&swarm, &spec);
    swarm_pass_s(&swarm, 302);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), TASK_HISTORY_DEFAULT_COUNT);
    swarm.fails_image = NULL;
    swarm.jobs_complete = true;
    swarm_pass_s(&swarm, 10);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 2);
    swarm_end(&swarm);
}

static void attempts_are_counted_in_each_iteration(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    swarm.fails_image = "image:1";
    spec_job(&spec, 1, 1);
    spec_restart(&spec, RESTART_ANY, 1, 2);
    swarm_create(&swarm, &spec);
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "job", STATE(SHUTDOWN), STATE(FAILED)), 3);
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 100);
    const task_type *task = swarm_task(&swarm, "job", 0, 2);
    assert_int_equal(task->job_iteration->index, 1);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 3); /* those that are counted, and no older ones */
    swarm_end(&swarm);
}

static void a_lost_node_does_not_cost_a_completion(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 2, 2);
    swarm_create(&swarm, &spec);
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 6);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 2);
    assert_null(swarm_task_on(&swarm, "job", "n0", STATE(COMPLETE)));
    swarm_end(&swarm);
}

static void a_drained_node_is_left_at_once_but_for_what_is_complete(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 3, 3);
    swarm_create(&swarm, &spec);
    KEEP_ID(done, swarm_task_on(&swarm, "job", "n0", STATE(COMPLETE)));
    swarm_set_state(&swarm, done, STATE(COMPLETE));
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 2);
    assert_int_equal(store_task(swarm.world.store, done)->desired_state, STATE(COMPLETE));
    assert_string_equal(swarm_task_on(&swarm, "job", "n0", STATE(COMPLETE))->id, done);
    swarm_pass_s(&swarm, 60);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 1);
    swarm_end(&swarm);
}

static void a_removed_job_goes_whole(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 2, 3);
    swarm_create(&swarm, &spec);
    KEEP_ID(first, swarm_task(&swarm, "job", 0, 0));
    swarm_set_state(&swarm, first, STATE(COMPLETE));
    swarm_remove(&swarm, "job");
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 0);
    swarm_end(&swarm);
}

static void the_next_leader_goes_on_with_a_job(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_job(&spec, 2, 3);
    swarm_create(&swarm, &spec);
    KEEP_ID(first, swarm_task(&swarm, "job", 0, 0));
    swarm_set_state(&swarm, first, STATE(FAILED));
    swarm_pass_s(&swarm, 2);
    swarm_stop_parts(&swarm);
    swarm_start_parts(&swarm);
    swarm_pass_s(&swarm, 2);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 1);
    assert_int_equal(swarm_count(&swarm, "job", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(RUNNING)), 2);
    swarm.jobs_complete = true;
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 3);
    swarm_end(&swarm);
}

static void a_global_job_runs_once_on_each_node(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 3);
    swarm.jobs_complete = true;
    swarm_drain(&swarm, "n2", AVAILABILITY(DRAIN));
    spec_global_job(&spec);
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 2);
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 2);
    swarm_drain(&swarm, "n2", AVAILABILITY(ACTIVE));
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 3);
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 3);
    assert_int_equal(swarm_count(&swarm, "job", STATE(SHUTDOWN), STATE(COMPLETE)), 3); /* of the iteration before */
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 6);
    assert_int_equal(swarm_task(&swarm, "job", 0, 0)->job_iteration->index, 1);
    swarm_end(&swarm);
}

static void a_global_job_is_for_the_nodes_of_its_time(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm.jobs_complete = true;
    spec_global_job(&spec);
    swarm_create(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    swarm_add_node(&swarm, "n1");
    swarm_pass_s(&swarm, 10);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 1);
    swarm_update(&swarm, &spec);
    assert_non_null(swarm_task_on(&swarm, "job", "n1", STATE(COMPLETE)));
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 2);
    swarm_end(&swarm);
}

static void a_global_job_is_tried_again_where_it_failed_and_leaves_drained_nodes(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_global_job(&spec);
    swarm_create(&swarm, &spec);
    KEEP_ID(first, swarm_task_on(&swarm, "job", "n0", STATE(COMPLETE)));
    swarm_set_state(&swarm, first, STATE(FAILED));
    swarm_pass_s(&swarm, 5);
    assert_int_equal(swarm_task_on(&swarm, "job", "n0", STATE(COMPLETE))->status->state, STATE(RUNNING));
    swarm_drain(&swarm, "n1", AVAILABILITY(DRAIN));
    assert_null(swarm_task_on(&swarm, "job", "n1", STATE(COMPLETE)));
    swarm_drain(&swarm, "n1", AVAILABILITY(ACTIVE)); /* it did not complete there */
    assert_int_equal(swarm_task_on(&swarm, "job", "n1", STATE(COMPLETE))->status->state, STATE(RUNNING));
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_at_once_as_may_be_until_enough_are_complete),
        cmocka_unit_test(what_fails_is_tried_again_in_its_slot),
        cmocka_unit_test(a_slot_without_attempts_left_is_over),
        cmocka_unit_test(an_update_is_another_iteration),
        cmocka_unit_test(old_iterations_are_history_and_bounded),
        cmocka_unit_test(what_fails_for_ever_does_not_fill_the_store),
        cmocka_unit_test(attempts_are_counted_in_each_iteration),
        cmocka_unit_test(a_lost_node_does_not_cost_a_completion),
        cmocka_unit_test(a_drained_node_is_left_at_once_but_for_what_is_complete),
        cmocka_unit_test(a_removed_job_goes_whole),
        cmocka_unit_test(the_next_leader_goes_on_with_a_job),
        cmocka_unit_test(a_global_job_runs_once_on_each_node),
        cmocka_unit_test(a_global_job_is_for_the_nodes_of_its_time),
        cmocka_unit_test(a_global_job_is_tried_again_where_it_failed_and_leaves_drained_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
