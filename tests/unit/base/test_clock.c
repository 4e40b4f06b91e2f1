/* tests/unit/base/test_clock.c */
#include "base/clock.h"

#include "tests/unit/test.h"

static void monotonic_time_does_not_go_back(void **state)
{
    (void)state;
    struct clock clock = clock_system();
    uint64_t last = clock_monotonic_ns(&clock);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_monotonic_ns(&clock);
        assert_true(now >= last);
        last = now;
    }
}

static void a_shifted_clock_follows_its_offset(void **state)
{
    (void)state;
    int64_t offset_ns = 90ll * 86400 * (int64_t)NS_PER_S;
    struct clock real = clock_system(), shifted = clock_system_shifted(&offset_ns);
    int64_t ahead = clock_wall_ns(&shifted) - clock_wall_ns(&real);
    assert_true(ahead > offset_ns - (int64_t)NS_PER_S && ahead < offset_ns + (int64_t)NS_PER_S);
    offset_ns = 0;
    ahead = clock_wall_ns(&shifted) - clock_wall_ns(&real);
    assert_true(ahead > -(int64_t)NS_PER_S && ahead < (int64_t)NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_time_does_not_go_back),
        cmocka_unit_test(a_shifted_clock_follows_its_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
