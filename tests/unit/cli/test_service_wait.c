/* tests/unit/cli/test_service_wait.c – when a service counts as being as it shall be. */
#include <stdlib.h>

#include "base/mem.h"
#include "cli/service_wait.h"
#include "tests/unit/test.h"

static int step(struct service_progress *progress, const char *mode, int running, int desired, int completed, const char *state,
                struct error *err)
{
    cleanup_free char *text = mem_format(
        "{\"Spec\":{\"Name\":\"web\",\"Mode\":%s},\"ServiceStatus\":{\"RunningTasks\":%d,\"DesiredTasks\":%d,\"CompletedTasks\":%d},"
        "\"UpdateStatus\":{\"State\":\"%s\",\"Message\":\"task t1 failed\"}}",
        mode, running, desired, completed, state);
    cleanup_json cJSON *service = cJSON_Parse(text);
    assert_non_null(service);
    return service_progress_step(progress, service, err);
}

#define REPLICATED "{\"Replicated\":{\"Replicas\":2}}"
#define JOB        "{\"ReplicatedJob\":{\"MaxConcurrent\":1,\"TotalCompletions\":3}}"

static void enough_tasks_for_a_while_are_enough(void **state)
{
    (void)state;
    struct service_progress progress = {0};
    struct error ignored;
    assert_int_equal(step(&progress, REPLICATED, 1, 2, 0, "", &ignored), 0);
    for (int i = 1; i < 10; i++)
        assert_int_equal(step(&progress, REPLICATED, 2, 2, 0, "completed", &ignored), 0);
    assert_int_equal(step(&progress, REPLICATED, 2, 2, 0, "completed", &ignored), 1);
    assert_int_equal(step(&progress, REPLICATED, 1, 2, 0, "completed", &ignored), 0); /* one died: from the start */
    assert_int_equal(step(&progress, REPLICATED, 2, 2, 0, "completed", &ignored), 0);
    assert_true(progress.done == 2 && progress.wanted == 2 && !progress.is_job);
}

static void update_must_have_ended(void **state)
{
    (void)state;
    struct service_progress progress = {0};
    struct error ignored;
    for (int i = 0; i < 20; i++)
        assert_int_equal(step(&progress, REPLICATED, 2, 2, 0, "updating", &ignored), 0);
    assert_fails(step(&progress, REPLICATED, 1, 2, 0, "paused", err), ERR_PRECONDITION, "service web: update paused: task t1 failed");
    for (int i = 1; i < 10; i++)
        assert_int_equal(step(&progress, REPLICATED, 2, 2, 0, "rollback_completed", &ignored), 0);
    assert_fails(step(&progress, REPLICATED, 2, 2, 0, "rollback_completed", err), ERR_PRECONDITION, "service web: rolled back");
}

static void job_is_done_when_it_is_complete(void **state)
{
    (void)state;
    struct service_progress progress = {0};
    struct error ignored;
    assert_int_equal(step(&progress, JOB, 1, 1, 2, "", &ignored), 0);
    assert_true(progress.done == 2 && progress.wanted == 3);
    assert_int_equal(step(&progress, JOB, 0, 1, 3, "", &ignored), 1);
    assert_int_equal(step(&progress, "{\"GlobalJob\":{}}", 1, 1, 1, "", &ignored), 0); /* of two nodes one is done */
    assert_int_equal(step(&progress, "{\"GlobalJob\":{}}", 0, 0, 2, "", &ignored), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(enough_tasks_for_a_while_are_enough), cmocka_unit_test(update_must_have_ended),
                                       cmocka_unit_test(job_is_done_when_it_is_complete)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
