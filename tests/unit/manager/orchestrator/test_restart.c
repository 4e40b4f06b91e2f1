/* The restart policy: conditions, delays, attempts, windows. */
#include "tests/unit/manager/orchestrator/fixture.h"

static void fail_newest(struct swarm *swarm, const char *service_id, int state)
{
    KEEP_ID(id, swarm_task(swarm, service_id, 1, 0));
    swarm_set_state(swarm, id, state);
}

static void what_failed_is_replaced_in_its_slot_after_the_delay(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    swarm_create(&swarm, &spec);
    KEEP_ID(old, swarm_task(&swarm, "web", 1, 0));
    swarm_pass_s(&swarm, 1);
    fail_newest(&swarm, "web", STATE(FAILED));
    assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(SHUTDOWN));
    const task_type *task = swarm_task(&swarm, "web", 1, 0);
    assert_string_not_equal(task->id, old);
    assert_int_equal(task->desired_state, STATE(READY));
    assert_int_equal(task->status->state, STATE(READY)); /* prepared, and waits */
    swarm_pass_ms(&swarm, 4999);
    assert_int_equal(swarm_task(&swarm, "web", 1, 0)->desired_state, STATE(READY));
    swarm_pass_ms(&swarm, 1);
    assert_int_equal(swarm_task(&swarm, "web", 1, 0)->desired_state, STATE(RUNNING));
    assert_int_equal(swarm_task(&swarm, "web", 1, 0)->status->state, STATE(RUNNING));
    swarm_end(&swarm);
}

static void condition_none_restarts_nothing(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 2);
    spec_restart(&spec, RESTART_NONE, 0, 0);
    swarm_create(&swarm, &spec);
    fail_newest(&swarm, "web", STATE(FAILED));
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2);
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(FAILED)), 1);
    spec.replicated.replicas = 3; /* the slot that is over counts */
    swarm_update(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 3);
    spec.replicated.replicas = 2; /* and leaves before those that run */
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2);
    swarm_end(&swarm);
}

static void condition_on_failure_leaves_what_is_complete(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    spec_restart(&spec, RESTART_ON_FAILURE, 1, 0);
    swarm_create(&swarm, &spec);
    fail_newest(&swarm, "web", STATE(FAILED));
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    swarm_pass_s(&swarm, 1);
    fail_newest(&swarm, "web", STATE(COMPLETE));
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2);
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(COMPLETE)), 1);
    swarm_end(&swarm);
}

static void condition_any_restarts_what_is_complete(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    spec_restart(&spec, RESTART_ANY, 0, 0);
    swarm_create(&swarm, &spec);
    fail_newest(&swarm, "web", STATE(COMPLETE));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    swarm_end(&swarm);
}

static void attempts_are_counted_for_each_slot(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 2);
    spec_restart(&spec, RESTART_ANY, 1, 3);
    swarm_create(&swarm, &spec);
    for (unsigned i = 0; i < 10; i++) {
        swarm_pass_s(&swarm, 2);
        if (swarm_task(&swarm, "web", 1, 0)->status->state == STATE(RUNNING))
            fail_newest(&swarm, "web", STATE(FAILED));
    }
    swarm_pass_s(&swarm, 10);
    unsigned tasks = 0;
    while (swarm_task(&swarm, "web", 1, tasks))
        tasks++;
    assert_int_equal(tasks, 4); /* the first and three attempts, all kept */
    assert_int_equal(swarm_task(&swarm, "web", 2, 0)->status->state, STATE(RUNNING));
    /* another leader counts the same */
    swarm_stop_parts(&swarm);
    swarm_start_parts(&swarm);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    /* an update of the spec begins anew */
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    swarm_end(&swarm);
}

static void attempts_within_a_window(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    spec_restart(&spec, RESTART_ANY, 0, 2);
    message_set_duration(&spec.restart_window, 20 * (int64_t)NS_PER_S);
    spec.restart.window = &spec.restart_window;
    swarm_create(&swarm, &spec);
    for (unsigned i = 0; i < 6; i++) { /* one in 15 seconds is one, or two, in any 20 */
        swarm_pass_s(&swarm, 15);
        fail_newest(&swarm, "web", STATE(FAILED));
        assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    }
    swarm_pass_s(&swarm, 1);
    fail_newest(&swarm, "web", STATE(FAILED));
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 0); /* two within the last 20 */
    swarm_end(&swarm);
}

static void what_fails_before_its_start_waits_as_long_as_if_it_had_started(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm.fails_prepare = "image:1";
    spec_init(&spec, "web", 1);
    swarm_create(&swarm, &spec);
    for (unsigned i = 1; i <= 4; i++) {
        assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1 + i); /* the replacement failed at once */
        swarm_pass_ms(&swarm, 4998);
        assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1 + i);
        swarm_pass_ms(&swarm, 2);
        if (i == 4)
            break; /* history's length */
        assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 2 + i);
    }
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_failed_is_replaced_in_its_slot_after_the_delay),
        cmocka_unit_test(condition_none_restarts_nothing),
        cmocka_unit_test(condition_on_failure_leaves_what_is_complete),
        cmocka_unit_test(condition_any_restarts_what_is_complete),
        cmocka_unit_test(attempts_are_counted_for_each_slot),
        cmocka_unit_test(attempts_within_a_window),
        cmocka_unit_test(what_fails_before_its_start_waits_as_long_as_if_it_had_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
