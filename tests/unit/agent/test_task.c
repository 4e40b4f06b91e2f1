/* tests/unit/agent/test_task.c */
#include "agent/task.h"

#include "base/clock.h"
#include "tests/unit/test.h"

static const struct error io = {ERR_IO, "no luck"}, away = {ERR_UNAVAILABLE, "busy"}, gone = {ERR_NOT_FOUND, "no such system"},
                          late = {ERR_DEADLINE, "no answer"}, taken = {ERR_EXISTS, "there is one already"};

static void see(struct task *task, enum task_container container, int exit_code)
{
    const struct task_observation seen = {.container = container, .was_started = true, .exit_code = exit_code};
    task_observe(task, &seen, 0);
}

/* The next effect that is not a report. */
static enum task_effect next(struct task *task, uint64_t now_s)
{
    enum task_effect effect = TASK_DO_REPORT;
    while (effect == TASK_DO_REPORT)
        effect = task_next(task, now_s * NS_PER_S);
    return effect;
}

static void begin(struct task *task)
{
    task_begin(task, 192, TASK_NUMBER_RUNNING, "", "", true, 0);
}

static void do_well(struct task *task, enum task_effect effect)
{
    assert_int_equal(next(task, 0), effect);
    task_done(task, effect, NULL, 0);
}

static void to_running(struct task *task)
{
    begin(task);
    do_well(task, TASK_DO_PERSIST);
    do_well(task, TASK_DO_PULL);
    do_well(task, TASK_DO_CREATE);
    do_well(task, TASK_DO_START);
    assert_int_equal(next(task, 0), TASK_DO_WATCH_HEALTH);
    task_set_health(task, TASK_HEALTH_NONE);
    assert_int_equal(next(task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_state(task), TASK_RUNNING);
}

static void table_is_sound(void **state)
{
    (void)state;
    const char *flaw = state_table_flaw(&task_states, TASK_ASSIGNED);
    if (flaw)
        fail_msg("%s", flaw);
    for (unsigned i = 0; i < task_states.count; i++)
        assert_true((task_states.states[i].deadline_ms != 0) != (task_state_reason((enum task_state)i) != NULL));
    assert_int_equal(task_state_of_number(0), TASK_ASSIGNED);
    assert_int_equal(task_state_of_number(512), TASK_RUNNING);
    assert_int_equal(task_state_of_number(832), TASK_FAILED);
}

static void straight_way_reports_each_state(void **state)
{
    struct task task;
    unsigned reports = 0;
    enum task_effect effect = TASK_DO_NOTHING;
    (void)state;
    begin(&task);
    for (int i = 0; i < 40; i++) {
        effect = task_next(&task, 0);
        reports += effect == TASK_DO_REPORT;
        if (effect == TASK_DO_WATCH_HEALTH)
            task_set_health(&task, TASK_HEALTH_NONE);
        task_done(&task, effect, NULL, 0);
    }
    assert_int_equal(task_state(&task), TASK_RUNNING);
    assert_int_equal(reports, 5);
    see(&task, TASK_CONTAINER_STOPPED, 0);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_COMPLETE);
    assert_string_equal(task.message, "finished");
    task_end(&task);
}

static void not_persisted_is_not_accepted(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    assert_int_equal(next(&task, 0), TASK_DO_PERSIST);
    task_done(&task, TASK_DO_PERSIST, &io, 0);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_ASSIGNED);
    assert_true(task_wake_ns(&task) == NS_PER_S);
    assert_int_equal(next(&task, 1), TASK_DO_PERSIST);
    task_done(&task, TASK_DO_PERSIST, &io, NS_PER_S);
    assert_int_equal(next(&task, 61), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_REJECTED);
    assert_string_equal(task.err, "the node cannot keep the task: no luck");
    task_end(&task);
}

static void disk_that_never_answers_rejects(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    assert_int_equal(next(&task, 0), TASK_DO_PERSIST);
    assert_int_equal(next(&task, 59), TASK_DO_NOTHING);
    assert_true(task_wake_ns(&task) == 60 * NS_PER_S);
    assert_int_equal(next(&task, 60), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_REJECTED);
    assert_string_equal(task.err, "the node cannot keep the task: its disk does not answer");
    task_done(&task, TASK_DO_PERSIST, NULL, 61 * NS_PER_S); /* too late */
    assert_int_equal(next(&task, 61), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_REJECTED);
    task_end(&task);
}

static void passing_errors_are_tried_again_others_reject(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    do_well(&task, TASK_DO_PERSIST);
    do_well(&task, TASK_DO_PULL);
    assert_int_equal(next(&task, 0), TASK_DO_CREATE);
    task_done(&task, TASK_DO_CREATE, &away, 0);
    assert_int_equal(next(&task, 0), TASK_DO_QUERY); /* it may have been made all the same */
    task_done(&task, TASK_DO_QUERY, &gone, 0);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(next(&task, 1), TASK_DO_CREATE);
    task_done(&task, TASK_DO_CREATE, &io, NS_PER_S);
    assert_int_equal(next(&task, 1), TASK_DO_QUERY);
    task_done(&task, TASK_DO_QUERY, &gone, NS_PER_S);
    assert_int_equal(next(&task, 1), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_REJECTED);
    assert_string_equal(task.err, "no luck");
    assert_string_equal(task.message, "preparing");
    task_end(&task);
}

static void stalled_pull_is_cancelled_one_that_gets_on_is_not(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    do_well(&task, TASK_DO_PERSIST);
    assert_int_equal(next(&task, 0), TASK_DO_PULL);
    for (uint64_t s = 200; s < 2000; s += 200) {
        assert_int_equal(next(&task, s), TASK_DO_NOTHING);
        task_progress(&task, s * NS_PER_S);
    }
    assert_int_equal(next(&task, 1800 + 300), TASK_DO_CANCEL_PULL);
    assert_int_equal(next(&task, 1800 + 300), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_REJECTED);
    task_end(&task);
}

static void shutdown_interrupts_a_pull(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    do_well(&task, TASK_DO_PERSIST);
    assert_int_equal(next(&task, 0), TASK_DO_PULL);
    task_desire(&task, TASK_NUMBER_SHUTDOWN);
    assert_int_equal(next(&task, 0), TASK_DO_CANCEL_PULL);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_SHUTDOWN);
    task_desire(&task, TASK_NUMBER_RUNNING);
    assert_int_equal(task.desired, TASK_NUMBER_SHUTDOWN);
    task_end(&task);
}

static void exits(void **state)
{
    static const struct {
        int exit_code;
        bool is_oom_killed;
        enum task_health health;
        const char *cause, *err;
    } rows[] = {
        {0, false, TASK_HEALTH_NONE, NULL, NULL},
        {3, false, TASK_HEALTH_NONE, NULL, "task: non-zero exit (3)"},
        {137, true, TASK_HEALTH_NONE, NULL, "task: non-zero exit (137): OOMKilled: the container ran out of memory"},
        {137, false, TASK_HEALTH_UNHEALTHY, NULL, "task: non-zero exit (137): dockerexec: unhealthy container"},
        {0, false, TASK_HEALTH_UNHEALTHY, NULL, "dockerexec: unhealthy container"},
        {255, false, TASK_HEALTH_NONE, "conmon died", "task: non-zero exit (255): conmon died"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct task task;
        to_running(&task);
        task_set_health(&task, rows[i].health);
        const struct task_observation seen = {TASK_CONTAINER_STOPPED, true, rows[i].exit_code, rows[i].is_oom_killed, rows[i].cause};
        task_observe(&task, &seen, 0);
        assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
        assert_int_equal(task_state(&task), rows[i].err ? TASK_FAILED : TASK_COMPLETE);
        if (rows[i].err)
            assert_string_equal(task.err, rows[i].err);
        task_end(&task);
    }
}

static void stop_then_terminate_until_it_is_stopped(void **state)
{
    struct task task;
    (void)state;
    to_running(&task);
    task_desire(&task, TASK_NUMBER_SHUTDOWN);
    assert_int_equal(next(&task, 0), TASK_DO_STOP);
    task_done(&task, TASK_DO_STOP, NULL, 0);
    assert_int_equal(next(&task, 0), TASK_DO_QUERY);
    see(&task, TASK_CONTAINER_RUNNING, 0); /* stopped, they said */
    task_done(&task, TASK_DO_QUERY, NULL, 0);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(next(&task, 1), TASK_DO_QUERY);
    see(&task, TASK_CONTAINER_RUNNING, 0);
    task_done(&task, TASK_DO_QUERY, NULL, NS_PER_S);
    assert_int_equal(next(&task, 1), TASK_DO_TERMINATE);
    see(&task, TASK_CONTAINER_STOPPED, 137);
    task_done(&task, TASK_DO_TERMINATE, NULL, NS_PER_S);
    assert_int_equal(next(&task, 1), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_SHUTDOWN);
    task_end(&task);
}

static void leaving_takes_everything_away_and_reports_nothing(void **state)
{
    struct task task;
    (void)state;
    to_running(&task);
    task_leave(&task);
    assert_int_equal(task_next(&task, 0), TASK_DO_STOP);
    see(&task, TASK_CONTAINER_STOPPED, 0);
    task_done(&task, TASK_DO_STOP, NULL, 0);
    assert_int_equal(task_next(&task, 0), TASK_DO_REMOVE);
    task_done(&task, TASK_DO_REMOVE, &io, 0);
    assert_int_equal(task_next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_next(&task, 30 * NS_PER_S), TASK_DO_REMOVE);
    task_done(&task, TASK_DO_REMOVE, NULL, 0);
    assert_int_equal(task_next(&task, 30 * NS_PER_S), TASK_DO_FORGET);
    task_end(&task);
}

static void start_that_failed_but_happened_is_running(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    do_well(&task, TASK_DO_PERSIST);
    do_well(&task, TASK_DO_PULL);
    do_well(&task, TASK_DO_CREATE);
    assert_int_equal(next(&task, 0), TASK_DO_START);
    task_done(&task, TASK_DO_START, &io, 0);
    assert_int_equal(next(&task, 0), TASK_DO_QUERY);
    see(&task, TASK_CONTAINER_RUNNING, 0);
    task_done(&task, TASK_DO_QUERY, NULL, 0);
    assert_int_equal(next(&task, 0), TASK_DO_WATCH_HEALTH);
    task_set_health(&task, TASK_HEALTH_STARTING);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_STARTING);
    task_set_health(&task, TASK_HEALTH_HEALTHY);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_RUNNING);
    task_end(&task);
}

static void container_that_vanished_fails(void **state)
{
    struct task task;
    (void)state;
    task_begin(&task, 512, TASK_NUMBER_RUNNING, "started", NULL, false, 0);
    assert_int_equal(next(&task, 0), TASK_DO_QUERY);
    task_done(&task, TASK_DO_QUERY, &gone, 0);
    assert_int_equal(next(&task, 0), TASK_DO_NOTHING);
    assert_int_equal(task_state(&task), TASK_FAILED);
    assert_string_equal(task.err, "dockerexec: container destroyed");
    assert_string_equal(task.message, "started");
    task_end(&task);
}

/* The runtime goes on with a create that was given up: until it is done its id is taken, and a query may not find it yet. */
static void create_that_exists_already_is_looked_for_again(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    do_well(&task, TASK_DO_PERSIST);
    do_well(&task, TASK_DO_PULL);
    assert_int_equal(next(&task, 0), TASK_DO_CREATE);
    task_done(&task, TASK_DO_CREATE, &taken, 0);
    uint64_t s = 0;
    for (unsigned rounds = 0; rounds < 5; rounds++) {
        assert_int_equal(next(&task, s), TASK_DO_QUERY);
        task_done(&task, TASK_DO_QUERY, &gone, s * NS_PER_S);
        assert_int_equal(next(&task, s), TASK_DO_NOTHING);
        s = task_wake_ns(&task) / NS_PER_S;
        assert_int_equal(next(&task, s), TASK_DO_QUERY); /* before another create */
        task_done(&task, TASK_DO_QUERY, &gone, s * NS_PER_S);
        assert_int_equal(next(&task, s), TASK_DO_CREATE);
        task_done(&task, TASK_DO_CREATE, &taken, s * NS_PER_S);
    }
    assert_int_equal(next(&task, s), TASK_DO_QUERY);
    see(&task, TASK_CONTAINER_CREATED, 0);
    task_done(&task, TASK_DO_QUERY, NULL, s * NS_PER_S);
    assert_int_equal(next(&task, s), TASK_DO_START);
    task_end(&task);
}

static void create_that_never_comes_is_given_up(void **state)
{
    struct task task;
    uint64_t s = 0;
    (void)state;
    begin(&task);
    do_well(&task, TASK_DO_PERSIST);
    do_well(&task, TASK_DO_PULL);
    while (task_state(&task) != TASK_REJECTED && s < 1000) {
        enum task_effect effect = next(&task, s);
        if (effect == TASK_DO_NOTHING)
            s++;
        else
            task_done(&task, effect, effect == TASK_DO_CREATE ? &taken : &gone, s * NS_PER_S);
    }
    assert_in_range(s, 300, 400);
    assert_string_equal(task.err, "the runtime has not finished creating the container in 5m0s: there is one already");
    task_end(&task);
}

/* Credentials and secrets are not kept: they come with the first COMPLETE set. */
static void resumed_task_prepares_only_when_released(void **state)
{
    struct task task;
    (void)state;
    task_begin(&task, 256, TASK_NUMBER_RUNNING, "accepted", NULL, false, 0);
    assert_int_equal(next(&task, 0), TASK_DO_QUERY);
    task_done(&task, TASK_DO_QUERY, &gone, 0);
    for (uint64_t s = 0; s < 100000; s += 100) {
        assert_int_equal(next(&task, s), TASK_DO_NOTHING);
        assert_true(task_wake_ns(&task) == UINT64_MAX);
    }
    assert_int_equal(task_state(&task), TASK_PREPARING);
    task_release(&task, 100000 * NS_PER_S);
    assert_int_equal(next(&task, 100000), TASK_DO_PULL);
    task_end(&task);
    task_begin(&task, 320, TASK_NUMBER_RUNNING, "preparing", NULL, false, 0); /* one that was created needs nothing more */
    assert_int_equal(next(&task, 0), TASK_DO_QUERY);
    see(&task, TASK_CONTAINER_CREATED, 0);
    task_done(&task, TASK_DO_QUERY, NULL, 0);
    assert_int_equal(next(&task, 0), TASK_DO_START);
    task_end(&task);
}

/* After a turn with nothing to do, the next one is in the future, or nothing wakes it: else the loop spins. */
static void expect_rest(struct task *task, uint64_t now_s)
{
    assert_int_equal(next(task, now_s), TASK_DO_NOTHING);
    assert_true(task_wake_ns(task) > now_s * NS_PER_S);
}

static void a_wait_that_is_over_wakes_nobody(void **state)
{
    struct task task;
    (void)state;
    begin(&task);
    do_well(&task, TASK_DO_PERSIST);
    do_well(&task, TASK_DO_PULL);
    do_well(&task, TASK_DO_CREATE);
    assert_int_equal(next(&task, 0), TASK_DO_START);
    task_done(&task, TASK_DO_START, &late, 60 * NS_PER_S);
    assert_int_equal(next(&task, 60), TASK_DO_QUERY);
    see(&task, TASK_CONTAINER_CREATED, 0);
    task_done(&task, TASK_DO_QUERY, NULL, 60 * NS_PER_S);
    expect_rest(&task, 60);
    see(&task, TASK_CONTAINER_RUNNING, 0); /* it came all the same */
    assert_int_equal(next(&task, 70), TASK_DO_WATCH_HEALTH);
    task_set_health(&task, TASK_HEALTH_STARTING);
    expect_rest(&task, 70);
    task_set_health(&task, TASK_HEALTH_HEALTHY);
    expect_rest(&task, 80);
    assert_int_equal(task_state(&task), TASK_RUNNING);
    task_suspect(&task);
    assert_int_equal(next(&task, 90), TASK_DO_QUERY);
    task_done(&task, TASK_DO_QUERY, &io, 90 * NS_PER_S);
    expect_rest(&task, 90);
    assert_int_equal(next(&task, 91), TASK_DO_QUERY);
    see(&task, TASK_CONTAINER_RUNNING, 0);
    task_done(&task, TASK_DO_QUERY, NULL, 91 * NS_PER_S);
    expect_rest(&task, 91);
    task_end(&task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_sound),
        cmocka_unit_test(straight_way_reports_each_state),
        cmocka_unit_test(not_persisted_is_not_accepted),
        cmocka_unit_test(disk_that_never_answers_rejects),
        cmocka_unit_test(passing_errors_are_tried_again_others_reject),
        cmocka_unit_test(stalled_pull_is_cancelled_one_that_gets_on_is_not),
        cmocka_unit_test(shutdown_interrupts_a_pull),
        cmocka_unit_test(exits),
        cmocka_unit_test(stop_then_terminate_until_it_is_stopped),
        cmocka_unit_test(leaving_takes_everything_away_and_reports_nothing),
        cmocka_unit_test(start_that_failed_but_happened_is_running),
        cmocka_unit_test(container_that_vanished_fails),
        cmocka_unit_test(create_that_exists_already_is_looked_for_again),
        cmocka_unit_test(create_that_never_comes_is_given_up),
        cmocka_unit_test(resumed_task_prepares_only_when_released),
        cmocka_unit_test(a_wait_that_is_over_wakes_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
