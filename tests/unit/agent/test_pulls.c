/* tests/unit/agent/test_pulls.c */
#include "agent/pulls.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/test.h"

enum { JOBS = 32 };

/* A registry whose answers the test gives, and what the tasks heard. */
struct world {
    struct pulls *pulls;
    struct job {
        char reference[32], auth[32];
        image_progress_cb on_progress;
        image_pulled_cb on_done;
        void *ctx;
        bool is_canceled, is_over;
    } jobs[JOBS];
    size_t job_count;
    const char *refusal;
    int done[JOBS], progress[JOBS], codes[JOBS];
    size_t numbers[JOBS];
    struct pull_wait *given_up; /* by the first that hears of an end */
};

static struct world *world;

static int pull(void *self, const char *reference, const char *auth, image_progress_cb on_progress, image_pulled_cb on_done, void *ctx,
                void **job, struct error *err)
{
    struct world *w = self;
    if (w->refusal)
        return error_set(err, ERR_LIMIT, "%s", w->refusal);
    struct job *made = &w->jobs[w->job_count++];
    *made = (struct job){.on_progress = on_progress, .on_done = on_done, .ctx = ctx};
    snprintf(made->reference, sizeof made->reference, "%s", reference);
    snprintf(made->auth, sizeof made->auth, "%s", auth ? auth : "");
    *job = made;
    return 0;
}

static void cancel(void *self, void *job)
{
    (void)self;
    assert_false(((struct job *)job)->is_over);
    ((struct job *)job)->is_canceled = true;
}

static void on_progress(void *ctx)
{
    world->progress[*(size_t *)ctx]++;
}

static void on_done(void *ctx, const struct error *err)
{
    size_t number = *(size_t *)ctx;
    struct pull_wait *other = world->given_up;
    world->done[number]++;
    world->codes[number] = err ? err->code : 0;
    world->given_up = NULL;
    if (other)
        pulls_cancel(world->pulls, other, 0);
}

static int begin(void **state)
{
    static const struct pull_listener listener = {on_progress, on_done};
    *state = world = calloc(1, sizeof *world);
    const struct image_source images = {.pull = pull, .cancel = cancel, .self = world};
    world->pulls = pulls_new(&images, &listener);
    for (size_t i = 0; i < JOBS; i++)
        world->numbers[i] = i;
    return 0;
}

static int end(void **state)
{
    pulls_free(world->pulls);
    free(*state);
    return 0;
}

static struct pull_wait *want(size_t number, const char *reference, const char *auth, uint64_t at_s)
{
    struct error outcome = {0};
    struct pull_wait *wait = pulls_want(world->pulls, reference, auth, at_s * NS_PER_S, &world->numbers[number], &outcome);
    if (!wait) {
        world->done[number]++;
        world->codes[number] = outcome.code;
    }
    return wait;
}

static void answer(size_t job, int code)
{
    struct error err = {.code = code};
    world->jobs[job].is_over = true;
    world->jobs[job].on_done(world->jobs[job].ctx, code ? &err : NULL, NULL);
}

static void same_image_is_pulled_once_for_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_non_null(want(i, "web:1", NULL, 1));
    pulls_step(world->pulls, 1 * NS_PER_S);
    assert_int_equal(world->job_count, 1);
    assert_string_equal(world->jobs[0].reference, "web:1");
    world->jobs[0].on_progress(world->jobs[0].ctx, "half");
    answer(0, 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(world->done[i], 1);
        assert_int_equal(world->progress[i], 1);
    }
    assert_int_equal(pulls_started_count(world->pulls), 1);
}

static void other_credentials_are_another_pull(void **state)
{
    (void)state;
    want(0, "web:1", "alice", 1);
    want(1, "web:1", "bob", 1);
    want(2, "web:1", NULL, 1);
    pulls_step(world->pulls, 1 * NS_PER_S);
    assert_int_equal(world->job_count, 3);
    answer(1, ERR_PERMISSION);
    assert_int_equal(world->codes[1], ERR_PERMISSION);
    assert_int_equal(world->done[0], 0);
}

static void outcome_holds_for_a_moment_also_a_failure(void **state)
{
    (void)state;
    const uint64_t fresh_s = WORKER_PULL_FRESH_MS / 1000;
    want(0, "web:1", NULL, 1);
    pulls_step(world->pulls, 1 * NS_PER_S);
    answer(0, ERR_NOT_FOUND);
    assert_null(want(1, "web:1", NULL, fresh_s));
    assert_int_equal(world->codes[1], ERR_NOT_FOUND);
    assert_non_null(want(2, "web:1", NULL, 1 + fresh_s));
    pulls_step(world->pulls, (1 + fresh_s) * NS_PER_S);
    assert_int_equal(world->job_count, 2);
    answer(1, 0);
    assert_int_equal(world->codes[2], 0);
}

static void bounded_number_runs_and_the_others_hear_that_it_goes_on(void **state)
{
    (void)state;
    static char names[WORKER_PULLS_COUNT + 2][16];
    for (size_t i = 0; i < WORKER_PULLS_COUNT + 2; i++) {
        snprintf(names[i], sizeof names[i], "web:%zu", i);
        want(i, names[i], NULL, 1);
    }
    pulls_step(world->pulls, 1 * NS_PER_S);
    assert_int_equal(world->job_count, WORKER_PULLS_COUNT);
    assert_int_equal(world->progress[WORKER_PULLS_COUNT], 1);
    answer(3, 0);
    pulls_step(world->pulls, 2 * NS_PER_S);
    assert_int_equal(world->job_count, WORKER_PULLS_COUNT + 1);
    assert_string_equal(world->jobs[WORKER_PULLS_COUNT].reference, "web:8");
}

static void pull_is_given_up_with_the_last_that_wants_it(void **state)
{
    (void)state;
    struct pull_wait *first = want(0, "web:1", NULL, 1), *second = want(1, "web:1", NULL, 1);
    pulls_step(world->pulls, 1 * NS_PER_S);
    pulls_cancel(world->pulls, first, 1 * NS_PER_S);
    assert_false(world->jobs[0].is_canceled);
    pulls_cancel(world->pulls, second, 1 * NS_PER_S);
    assert_true(world->jobs[0].is_canceled);
    assert_int_equal(world->done[0] + world->done[1], 0);
}

static void refusal_to_start_is_told_like_a_failure(void **state)
{
    (void)state;
    world->refusal = "too many at once";
    want(0, "web:1", NULL, 1);
    want(1, "web:2", NULL, 1);
    pulls_step(world->pulls, 1 * NS_PER_S);
    assert_int_equal(world->codes[0], ERR_LIMIT);
    assert_int_equal(world->codes[1], ERR_LIMIT);
}

static void another_may_give_up_while_the_end_is_told(void **state)
{
    (void)state;
    want(0, "web:1", NULL, 1);
    world->given_up = want(1, "web:1", NULL, 1); /* the last of the same pull */
    pulls_step(world->pulls, 1 * NS_PER_S);
    answer(0, 0);
    assert_int_equal(world->done[0], 1);
    assert_int_equal(world->done[1], 0);
    world->refusal = "no";
    want(2, "web:2", NULL, 100);
    world->given_up = want(3, "web:3", NULL, 100); /* the next pull in line */
    want(4, "web:4", NULL, 100);
    pulls_step(world->pulls, 100 * NS_PER_S);
    assert_int_equal(world->done[2], 1);
    assert_int_equal(world->done[3], 0);
    assert_int_equal(world->done[4], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(same_image_is_pulled_once_for_all),
        TEST(other_credentials_are_another_pull),
        TEST(outcome_holds_for_a_moment_also_a_failure),
        TEST(bounded_number_runs_and_the_others_hear_that_it_goes_on),
        TEST(pull_is_given_up_with_the_last_that_wants_it),
        TEST(refusal_to_start_is_told_like_a_failure),
        TEST(another_may_give_up_while_the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
