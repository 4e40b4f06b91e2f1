/* tests/unit/raft/core/test_inflights.c – the window of messages on their way. */
#include "raft/core/inflights.h"

#include "tests/unit/test.h"

static void the_window_fills_and_frees_in_order(void **state)
{
    struct raft_inflights window;
    (void)state;
    raft_inflights_init(&window, 10, 0);
    for (uint64_t round = 0; round < 7; round++) { /* round and round the ring, which grows on the way */
        for (uint64_t i = 0; i < 7; i++)
            raft_inflights_add(&window, 10 * (7 * round + i), 100);
        assert_int_equal(window.count, 7);
        raft_inflights_free_to(&window, 10 * (7 * round) + 25);
        assert_int_equal(window.count, 4);
        assert_int_equal(window.total_bytes, 400);
        raft_inflights_free_to(&window, 0); /* old news */
        assert_int_equal(window.count, 4);
        raft_inflights_free_to(&window, 10 * (7 * round) + 60);
        assert_int_equal(window.count, 0);
        assert_int_equal(window.total_bytes, 0);
    }
    raft_inflights_deinit(&window);
}

static void it_is_full_by_number(void **state)
{
    struct raft_inflights window;
    (void)state;
    raft_inflights_init(&window, 3, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_false(raft_inflights_is_full(&window));
        raft_inflights_add(&window, i, 1);
    }
    assert_true(raft_inflights_is_full(&window));
    raft_inflights_reset(&window);
    assert_false(raft_inflights_is_full(&window));
    raft_inflights_deinit(&window);
}

static void it_is_full_by_bytes_and_takes_the_one_that_goes_over(void **state)
{
    struct raft_inflights window;
    (void)state;
    raft_inflights_init(&window, 100, 10);
    raft_inflights_add(&window, 1, 9);
    assert_false(raft_inflights_is_full(&window));
    raft_inflights_add(&window, 2, 1000);
    assert_true(raft_inflights_is_full(&window));
    raft_inflights_free_to(&window, 1);
    assert_true(raft_inflights_is_full(&window));
    raft_inflights_free_to(&window, 2);
    assert_false(raft_inflights_is_full(&window));
    raft_inflights_deinit(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_fills_and_frees_in_order),
        cmocka_unit_test(it_is_full_by_number),
        cmocka_unit_test(it_is_full_by_bytes_and_takes_the_one_that_goes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
