#include "manager/orchestrator/timers.h"

#include "base/random.h"
#include "tests/unit/test.h"

#define TIMERS 200

static void timers_fire_in_order_whatever_was_set_before(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer items[TIMERS] = {0};
    uint64_t want[TIMERS];
    struct random_seeded seed;
    random_seeded_init(&seed, 3);
    struct random random = random_from_seeded(&seed);
    for (unsigned i = 0; i < TIMERS; i++)
        want[i] = TIMER_NEVER;
    for (unsigned round = 0; round < 5000; round++) {
        unsigned at = (unsigned)random_below(&random, TIMERS);
        want[at] = random_below(&random, 4) == 0 ? TIMER_NEVER : random_below(&random, 1000);
        timers_set(&timers, &items[at], want[at]);
        uint64_t first = TIMER_NEVER;
        for (unsigned i = 0; i < TIMERS; i++)
            first = want[i] < first ? want[i] : first;
        assert_true(timers_next_ns(&timers) == first);
    }
    uint64_t last = 0;
    assert_null(timers_take_due(&timers, timers_next_ns(&timers) - 1));
    for (struct timer *timer; (timer = timers_take_due(&timers, 1000)) != NULL;) {
        assert_true(timer->at_ns >= last);
        assert_true(want[timer - items] == timer->at_ns);
        want[timer - items] = TIMER_NEVER;
        last = timer->at_ns;
    }
    for (unsigned i = 0; i < TIMERS; i++)
        assert_true(want[i] == TIMER_NEVER);
    timers_deinit(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(timers_fire_in_order_whatever_was_set_before)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
