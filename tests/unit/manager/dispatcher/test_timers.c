/* tests/unit/manager/dispatcher/test_timers.c – many deadlines in one heap. */
#include "manager/dispatcher/timers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"
#include "tests/unit/test.h"

struct alarm {
    struct dispatcher_timer timer;
    struct dispatcher_timers *timers;
    uint64_t again_ns, fired_ns; /* set anew when it fires: so much later; 0: not */
    int fired;
    struct alarm *stops;
};

static void fire(void *ctx, uint64_t now_ns)
{
    struct alarm *alarm = ctx;
    assert_true(alarm->timer.deadline_ns <= now_ns);
    assert_false(dispatcher_timer_is_set(&alarm->timer));
    alarm->fired++;
    alarm->fired_ns = now_ns;
    if (alarm->again_ns)
        dispatcher_timer_set(alarm->timers, &alarm->timer, now_ns + alarm->again_ns);
    if (alarm->stops)
        dispatcher_timer_stop(alarm->timers, &alarm->stops->timer);
}

static struct alarm alarm_of(struct dispatcher_timers *timers)
{
    return (struct alarm){.timers = timers};
}

static void begin(struct alarm *alarm, uint64_t deadline_ns)
{
    alarm->timer.fire = fire;
    alarm->timer.ctx = alarm;
    dispatcher_timer_set(alarm->timers, &alarm->timer, deadline_ns);
}

static void they_fire_when_due_and_once(void **state)
{
    struct dispatcher_timers timers = {0};
    struct alarm a = alarm_of(&timers), b = alarm_of(&timers);
    (void)state;
    assert_true(dispatcher_timers_next_ns(&timers) == UINT64_MAX);
    begin(&a, 20);
    begin(&b, 10);
    assert_int_equal(dispatcher_timers_next_ns(&timers), 10);
    dispatcher_timers_run(&timers, 9);
    assert_int_equal(a.fired + b.fired, 0);
    dispatcher_timers_run(&timers, 10);
    assert_int_equal(b.fired, 1);
    assert_int_equal(a.fired, 0);
    dispatcher_timers_run(&timers, 30);
    dispatcher_timers_run(&timers, 40);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 1);
    dispatcher_timers_deinit(&timers);
}

static void one_put_off_fires_at_its_new_time(void **state)
{
    struct dispatcher_timers timers = {0};
    struct alarm a = alarm_of(&timers);
    (void)state;
    begin(&a, 10);
    dispatcher_timer_set(&timers, &a.timer, 50);
    dispatcher_timers_run(&timers, 20);
    assert_int_equal(a.fired, 0);
    assert_int_equal(dispatcher_timers_next_ns(&timers), 50);
    dispatcher_timer_set(&timers, &a.timer, 30); /* and brought forward again */
    assert_int_equal(dispatcher_timers_next_ns(&timers), 30);
    dispatcher_timers_run(&timers, 30);
    assert_int_equal(a.fired, 1);
    dispatcher_timers_deinit(&timers);
}

static void firing_may_set_and_stop_others(void **state)
{
    struct dispatcher_timers timers = {0};
    struct alarm a = alarm_of(&timers), b = alarm_of(&timers);
    (void)state;
    a.again_ns = 5;
    a.stops = &b;
    begin(&a, 10);
    begin(&b, 10);
    dispatcher_timer_set(&timers, &b.timer, 11);
    dispatcher_timers_run(&timers, 11);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    assert_int_equal(dispatcher_timers_next_ns(&timers), 16);
    dispatcher_timer_stop(&timers, &a.timer);
    dispatcher_timer_stop(&timers, &a.timer);
    dispatcher_timers_run(&timers, 100);
    assert_int_equal(a.fired, 1);
    dispatcher_timers_deinit(&timers);
}

#define COUNT 500

static void any_order_of_changes_keeps_every_deadline(void **state)
{
    struct dispatcher_timers timers = {0};
    struct alarm *alarms = mem_array(COUNT, sizeof *alarms);
    struct random_seeded seed;
    uint64_t now_ns = 0;
    (void)state;
    random_seeded_init(&seed, 5);
    struct random random = random_from_seeded(&seed);
    for (size_t i = 0; i < COUNT; i++) {
        alarms[i] = alarm_of(&timers);
        begin(&alarms[i], 1 + random_below(&random, 1000));
    }
    for (int round = 0; round < 20000; round++) {
        struct alarm *alarm = &alarms[random_below(&random, COUNT)];
        if (random_below(&random, 8) == 0)
            dispatcher_timer_stop(&timers, &alarm->timer);
        else
            dispatcher_timer_set(&timers, &alarm->timer, now_ns + 1 + random_below(&random, 1000));
        if (random_below(&random, 4) > 0)
            continue;
        now_ns += random_below(&random, 50);
        dispatcher_timers_run(&timers, now_ns);
        uint64_t next_ns = UINT64_MAX;
        for (size_t i = 0; i < COUNT; i++) {
            if (!dispatcher_timer_is_set(&alarms[i].timer))
                continue;
            assert_true(alarms[i].timer.deadline_ns > now_ns);
            assert_true(alarms[i].timer.placed_ns <= alarms[i].timer.deadline_ns);
            next_ns = alarms[i].timer.placed_ns < next_ns ? alarms[i].timer.placed_ns : next_ns;
        }
        assert_true(dispatcher_timers_next_ns(&timers) == next_ns);
    }
    dispatcher_timers_deinit(&timers);
    free(alarms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_fire_when_due_and_once),
        cmocka_unit_test(one_put_off_fires_at_its_new_time),
        cmocka_unit_test(firing_may_set_and_stop_others),
        cmocka_unit_test(any_order_of_changes_keeps_every_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
