/* tests/unit/base/test_state.c */
#include "base/state.h"

#include "base/clock.h"
#include "tests/unit/test.h"

enum { SHUT, OPEN, BROKEN };
static const struct state_info infos[] = {
    {"SHUT", "shut", BIT(OPEN), 0},
    {"OPEN", "open", BIT(SHUT) | BIT(BROKEN), 500},
    {"BROKEN", "broken", 0, 0},
};
static const struct state_table door = {"door", infos, 3};

static void a_machine_moves_only_as_its_table_allows(void **state)
{
    (void)state;
    struct state_machine machine;
    state_init(&machine, &door, SHUT, 1);
    assert_fails(state_move(&machine, BROKEN, 2, err), ERR_INTERNAL, "no way from SHUT to BROKEN");
    assert_int_equal(machine.state, SHUT);
    assert_ok(state_move(&machine, OPEN, 2, err));
    assert_string_equal(state_shown(&machine), "open");
    assert_string_equal(state_name(&machine), "OPEN");
    assert_ok(state_move(&machine, BROKEN, 3, err));
    assert_fails(state_move(&machine, 17, 4, err), ERR_INTERNAL, "does not exist");
}

static void a_deadline_counts_from_entry(void **state)
{
    (void)state;
    struct state_machine machine;
    state_init(&machine, &door, SHUT, 0);
    assert_true(state_deadline_ns(&machine) == UINT64_MAX);
    assert_ok(state_move(&machine, OPEN, 7, err));
    assert_true(state_deadline_ns(&machine) == 7 + 500 * NS_PER_MS);
}

static void flaws_of_a_table_are_found(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&door, SHUT));
    assert_string_equal(state_table_flaw(&door, BROKEN), "a state that cannot be reached");
    struct state_info bad[] = {{"A", "a", BIT(5), 0}, {"B", "b", 0, 0}};
    assert_string_equal(state_table_flaw(&(struct state_table){"bad", bad, 2}, 0), "a successor that does not exist");
    assert_non_null(state_table_flaw(&(struct state_table){"bad", bad, 0}, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_moves_only_as_its_table_allows),
        cmocka_unit_test(a_deadline_counts_from_entry),
        cmocka_unit_test(flaws_of_a_table_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
