/* tests/unit/base/test_random.c */
#include "base/random.h"

#include "tests/unit/test.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct random_seeded a, b, c;
    random_seeded_init(&a, 1);
    random_seeded_init(&b, 1);
    random_seeded_init(&c, 2);
    struct random ra = random_from_seeded(&a), rb = random_from_seeded(&b), rc = random_from_seeded(&c);
    int different = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t x = random_u64(&ra);
        assert_true(x == random_u64(&rb));
        different += x != random_u64(&rc);
    }
    assert_true(different > 90);
}

static void below_stays_below_and_reaches_every_value(void **state)
{
    (void)state;
    struct random_seeded seeded;
    random_seeded_init(&seeded, 3);
    struct random random = random_from_seeded(&seeded);
    int seen[7] = {0};
    for (int i = 0; i < 7000; i++)
        seen[random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 800, 1200);
    assert_int_equal(random_below(&random, 0), 0);
    assert_int_equal(random_below(&random, 1), 0);
}

static void the_system_source_does_not_repeat(void **state)
{
    (void)state;
    struct random random = random_system();
    assert_true(random_u64(&random) != random_u64(&random));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(below_stays_below_and_reaches_every_value),
        cmocka_unit_test(the_system_source_does_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
