/* tests/unit/manager/scheduler/test_choose.c – to which of the nodes that fit. */
#include "tests/unit/manager/scheduler/swarm.h"

static Task *running(struct swarm *swarm, const char *service, const char *id, const char *node)
{
    Task *task = task_make(swarm, service, id);
    task_state(swarm, task, node, RUNNING);
    return task;
}

static void tasks_of_a_service_are_spread(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < 7; i++)
        node_set(&swarm, node_make(&swarm, arena_format(&swarm.arena, "n%zu", i)));
    for (size_t i = 0; i < 24; i++)
        task_set(&swarm, task_make(&swarm, "s", arena_format(&swarm.arena, "t%zu", i)));
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 24);
    for (size_t i = 0; i < 7; i++)
        assert_in_range(swarm_placed_on(&swarm, arena_format(&swarm.arena, "n%zu", i)), 3, 4);
    swarm_deinit(&swarm);
}

static void fewest_of_the_service_comes_before_fewest_at_all(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "busy"));
    node_set(&swarm, node_make(&swarm, "quiet"));
    for (size_t i = 0; i < 5; i++)
        running(&swarm, "other", arena_format(&swarm.arena, "o%zu", i), "busy");
    running(&swarm, "s", "s0", "quiet");
    task_set(&swarm, task_make(&swarm, "s", "s1"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "s1"), "busy"); /* none of the service there */
    task_set(&swarm, task_make(&swarm, "s", "s2"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "s2"), "quiet"); /* one on each: the total decides */
    swarm_deinit(&swarm);
}

/* Many services of one task each fill the nodes evenly. */
static void small_services_go_to_the_emptiest(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < 5; i++)
        node_set(&swarm, node_make(&swarm, arena_format(&swarm.arena, "n%zu", i)));
    for (size_t i = 0; i < 4; i++)
        running(&swarm, "old", arena_format(&swarm.arena, "old%zu", i), "n0");
    for (size_t i = 0; i < 21; i++)
        task_set(&swarm, task_make(&swarm, arena_format(&swarm.arena, "s%zu", i), arena_format(&swarm.arena, "t%zu", i)));
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "n0"), 1);
    for (size_t i = 1; i < 5; i++)
        assert_int_equal(swarm_placed_on(&swarm, arena_format(&swarm.arena, "n%zu", i)), 5);
    swarm_deinit(&swarm);
}

static void a_task_that_is_to_stop_does_not_count(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "a"));
    node_set(&swarm, node_make(&swarm, "b"));
    Task *stopping = running(&swarm, "s", "s0", "a");
    running(&swarm, "s", "s1", "b");
    stopping->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    task_set(&swarm, stopping);
    task_set(&swarm, task_make(&swarm, "s", "s2"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "s2"), "a");
    stopping->desired_state = (Docker__Swarmkit__V1__TaskState)COMPLETE; /* a job's: it counts */
    task_set(&swarm, stopping);
    task_set(&swarm, task_make(&swarm, "s", "s3"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "s3"), "b");
    swarm_deinit(&swarm);
}

static void fail_on(struct swarm *swarm, const char *node, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Task *task = running(swarm, "s", "failing", node);
        task_state(swarm, task, node, FAILED);
    }
}

static void a_node_of_many_failures_comes_last(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "bad"));
    node_set(&swarm, node_make(&swarm, "good"));
    for (size_t i = 0; i < 3; i++)
        running(&swarm, "s", arena_format(&swarm.arena, "r%zu", i), "good");
    fail_on(&swarm, "bad", 4);
    task_set(&swarm, task_make(&swarm, "s", "t0"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t0"), "bad"); /* four are not many */
    scheduler_task_remove(swarm.scheduler, "t0");
    fail_on(&swarm, "bad", 1);
    task_set(&swarm, task_make(&swarm, "s", "t1"));
    task_set(&swarm, task_make(&swarm, "other", "o1"));
    Task *newer = task_make(&swarm, "s", "t2");
    newer->spec_version->index = 2; /* which has not failed yet */
    task_set(&swarm, newer);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t1"), "good");
    assert_string_equal(swarm_node_of(&swarm, "o1"), "bad");
    assert_string_equal(swarm_node_of(&swarm, "t2"), "bad");

    /* It is still chosen where no other fits, and forgiven after five minutes. */
    scheduler_task_remove(swarm.scheduler, "t2");
    Node *good = node_make(&swarm, "good");
    good->spec->availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__PAUSE;
    node_set(&swarm, good);
    task_set(&swarm, task_make(&swarm, "s", "t3"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t3"), "bad");
    node_set(&swarm, node_make(&swarm, "good"));
    swarm.now_ns += (int64_t)299 * 1000000000;
    task_set(&swarm, task_make(&swarm, "s", "t4"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t4"), "good");
    swarm.now_ns += (int64_t)2 * 1000000000;
    task_set(&swarm, task_make(&swarm, "s", "t5"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t5"), "bad");
    swarm_deinit(&swarm);
}

static void of_failing_nodes_the_one_that_failed_least(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "worse"));
    node_set(&swarm, node_make(&swarm, "bad"));
    fail_on(&swarm, "worse", 9);
    fail_on(&swarm, "bad", 6);
    for (size_t i = 0; i < 4; i++)
        task_set(&swarm, task_make(&swarm, "s", arena_format(&swarm.arena, "t%zu", i)));
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "bad"), 4);
    swarm_deinit(&swarm);
}

/* The scheduler does not choose where preassigned tasks run: their failures say nothing of its choice. */
static void failures_of_preassigned_tasks_do_not_count(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "a"));
    node_set(&swarm, node_make(&swarm, "b"));
    running(&swarm, "s", "on-b", "b");
    for (size_t i = 0; i < 6; i++) {
        Task *task = task_make(&swarm, "s", "global");
        task_state(&swarm, task, "a", PENDING);
        swarm_run(&swarm);
        assert_string_equal(swarm_node_of(&swarm, "global"), "a");
        task_state(&swarm, task, "a", ASSIGNED);
        task_state(&swarm, task, "a", FAILED);
    }
    task_set(&swarm, task_make(&swarm, "s", "t"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t"), "a");
    swarm_deinit(&swarm);
}

/* Tasks without a spec version are told apart by their spec. */
static void specs_without_version(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    Task *small = task_make(&swarm, "", "small"), *large = task_make(&swarm, "", "large");
    small->spec_version = large->spec_version = NULL;
    task_reserve(large, 5 * CPU, 0);
    task_set(&swarm, large);
    task_set(&swarm, small);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "small"), "n1");
    assert_string_equal(swarm_text_of(&swarm, "large"), "no suitable node (insufficient resources on 1 node)");
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_a_service_are_spread),
        cmocka_unit_test(fewest_of_the_service_comes_before_fewest_at_all),
        cmocka_unit_test(small_services_go_to_the_emptiest),
        cmocka_unit_test(a_task_that_is_to_stop_does_not_count),
        cmocka_unit_test(a_node_of_many_failures_comes_last),
        cmocka_unit_test(of_failing_nodes_the_one_that_failed_least),
        cmocka_unit_test(failures_of_preassigned_tasks_do_not_count),
        cmocka_unit_test(specs_without_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
