/* tests/unit/base/test_mem.c */
#include "base/mem.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "tests/unit/test.h"

static void copies_are_exact_and_terminated(void **state)
{
    (void)state;
    cleanup_free char *text = mem_string_n("abcdef", 3);
    assert_string_equal(text, "abc");
    cleanup_free char *formatted = mem_format("%s-%04d", "x", 7);
    assert_string_equal(formatted, "x-0007");
    assert_null(mem_string(NULL));
    assert_null(mem_copy("x", 0));
    cleanup_free int *zeroed = mem_array(100, sizeof *zeroed);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
}

static void wiping_leaves_zeros(void **state)
{
    (void)state;
    char secret[] = "secret";
    mem_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        assert_int_equal(secret[i], 0);
    mem_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_exact_and_terminated),
        cmocka_unit_test(wiping_leaves_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
