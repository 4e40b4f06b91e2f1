#include "tests/sim/linearizable.h"

#include "tests/unit/test.h"

#define COUNT(ops) (sizeof(ops) / sizeof(ops)[0])
#define STEPS      100000

static enum linear_verdict check(const struct linear_op *ops, size_t count)
{
    return linear_check(ops, count, 0, STEPS, NULL);
}

static void empty_history_is_linearizable(void **state)
{
    (void)state;
    assert_int_equal(linear_check(NULL, 0, 0, STEPS, NULL), LINEAR_YES);
}

static void read_sees_the_write_before_it(void **state)
{
    const struct linear_op good[] = {{1, 2, LINEAR_WRITE, 7}, {3, 4, LINEAR_READ, 7}};
    const struct linear_op stale[] = {{1, 2, LINEAR_WRITE, 7}, {3, 4, LINEAR_READ, 0}};
    size_t stuck = 99;
    (void)state;
    assert_int_equal(check(good, COUNT(good)), LINEAR_YES);
    assert_int_equal(linear_check(stale, COUNT(stale), 0, STEPS, &stuck), LINEAR_NO);
    assert_int_equal(stuck, 1);
}

static void concurrent_read_may_see_either(void **state)
{
    (void)state;
    for (uint64_t value = 0; value <= 7; value += 7) {
        const struct linear_op ops[] = {{1, 4, LINEAR_WRITE, 7}, {2, 3, LINEAR_READ, value}};
        assert_int_equal(check(ops, COUNT(ops)), LINEAR_YES);
    }
    const struct linear_op other[] = {{1, 4, LINEAR_WRITE, 7}, {2, 3, LINEAR_READ, 8}};
    assert_int_equal(check(other, COUNT(other)), LINEAR_NO);
}

/* Both reads lie within the write, one after the other: the new value cannot be followed by the old one. */
static void reads_do_not_go_back(void **state)
{
    const struct linear_op forward[] = {{1, 9, LINEAR_WRITE, 7}, {2, 3, LINEAR_READ, 0}, {4, 5, LINEAR_READ, 7}};
    const struct linear_op back[] = {{1, 9, LINEAR_WRITE, 7}, {2, 3, LINEAR_READ, 7}, {4, 5, LINEAR_READ, 0}};
    (void)state;
    assert_int_equal(check(forward, COUNT(forward)), LINEAR_YES);
    assert_int_equal(check(back, COUNT(back)), LINEAR_NO);
}

static void unknown_write_may_have_happened_or_not(void **state)
{
    const struct linear_op never[] = {{1, LINEAR_UNKNOWN, LINEAR_WRITE, 7}, {2, 3, LINEAR_READ, 0}};
    const struct linear_op late[] = {{1, LINEAR_UNKNOWN, LINEAR_WRITE, 7}, {2, 3, LINEAR_READ, 0}, {4, 5, LINEAR_READ, 7}};
    const struct linear_op twice[] = {
        {1, LINEAR_UNKNOWN, LINEAR_WRITE, 7}, {2, 3, LINEAR_READ, 7}, {4, 5, LINEAR_READ, 0}, {6, 7, LINEAR_READ, 7}};
    const struct linear_op early[] = {{2, 3, LINEAR_READ, 7}, {4, LINEAR_UNKNOWN, LINEAR_WRITE, 7}};
    (void)state;
    assert_int_equal(check(never, COUNT(never)), LINEAR_YES);
    assert_int_equal(check(late, COUNT(late)), LINEAR_YES);
    assert_int_equal(check(twice, COUNT(twice)), LINEAR_NO);
    assert_int_equal(check(early, COUNT(early)), LINEAR_NO);
}

static void unknown_read_is_left_out(void **state)
{
    const struct linear_op ops[] = {{1, 2, LINEAR_WRITE, 7}, {3, LINEAR_UNKNOWN, LINEAR_READ, 99}, {4, 5, LINEAR_READ, 7}};
    (void)state;
    assert_int_equal(check(ops, COUNT(ops)), LINEAR_YES);
}

static void lost_append_is_found(void **state)
{
    uint64_t one = linear_append(0, 1), both = linear_append(one, 2), lost = linear_append(0, 2);
    const struct linear_op good[] = {{1, 2, LINEAR_APPEND, 1}, {3, 4, LINEAR_APPEND, 2}, {5, 6, LINEAR_READ, both}};
    const struct linear_op bad[] = {{1, 2, LINEAR_APPEND, 1}, {3, 4, LINEAR_APPEND, 2}, {5, 6, LINEAR_READ, lost}};
    (void)state;
    assert_int_equal(check(good, COUNT(good)), LINEAR_YES);
    assert_int_equal(check(bad, COUNT(bad)), LINEAR_NO);
}

static void append_twice_is_found(void **state)
{
    uint64_t one = linear_append(0, 1), twice = linear_append(one, 1);
    const struct linear_op ops[] = {{1, 2, LINEAR_APPEND, 1}, {3, 4, LINEAR_READ, twice}};
    (void)state;
    assert_int_equal(check(ops, COUNT(ops)), LINEAR_NO);
}

/* Two readers that disagree on the order of two writes that were concurrent. */
static void readers_agree_on_the_order(void **state)
{
    const struct linear_op ops[] = {{1, 10, LINEAR_WRITE, 1}, {2, 11, LINEAR_WRITE, 2}, {12, 13, LINEAR_READ, 1}, {14, 15, LINEAR_READ, 2}};
    const struct linear_op fine[] = {{1, 10, LINEAR_WRITE, 1}, {2, 11, LINEAR_WRITE, 2}, {3, 4, LINEAR_READ, 1}, {12, 13, LINEAR_READ, 2}};
    (void)state;
    assert_int_equal(check(ops, COUNT(ops)), LINEAR_NO);
    assert_int_equal(check(fine, COUNT(fine)), LINEAR_YES);
}

/* All orders of many concurrent appends, of which one explains the read: the memory of what was tried must keep this short. */
static void many_concurrent_operations_are_decided(void **state)
{
    struct linear_op ops[12];
    uint64_t value = 0;
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        ops[i] = (struct linear_op){1 + i, 100 + i, LINEAR_APPEND, i};
        value = linear_append(value, 6 - i);
    }
    ops[7] = (struct linear_op){200, 201, LINEAR_READ, value};
    assert_int_equal(check(ops, 8), LINEAR_YES);
    ops[7].value++;
    assert_int_equal(check(ops, 8), LINEAR_NO);
}

static void bound_on_steps_is_kept(void **state)
{
    struct linear_op ops[31];
    (void)state;
    for (size_t i = 0; i < 30; i++)
        ops[i] = (struct linear_op){1 + i, 100 + i, LINEAR_APPEND, i};
    ops[30] = (struct linear_op){200, 201, LINEAR_READ, 12345};
    assert_int_equal(linear_check(ops, 31, 0, 10000, NULL), LINEAR_UNDECIDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_history_is_linearizable),
        cmocka_unit_test(read_sees_the_write_before_it),
        cmocka_unit_test(concurrent_read_may_see_either),
        cmocka_unit_test(reads_do_not_go_back),
        cmocka_unit_test(unknown_write_may_have_happened_or_not),
        cmocka_unit_test(unknown_read_is_left_out),
        cmocka_unit_test(lost_append_is_found),
        cmocka_unit_test(append_twice_is_found),
        cmocka_unit_test(readers_agree_on_the_order),
        cmocka_unit_test(many_concurrent_operations_are_decided),
        cmocka_unit_test(bound_on_steps_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
