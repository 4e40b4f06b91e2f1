/* tests/unit/base/test_cleanup.c */
#include "base/cleanup.h"

#include "base/mem.h"
#include "tests/unit/test.h"

/* The address sanitizer is the judge here: a leak or a double free fails the test. */
static char *make(int keep)
{
    cleanup_free char *text = mem_string("made");
    return keep ? steal(&text) : NULL;
}

static void what_is_stolen_outlives_its_scope(void **state)
{
    (void)state;
    cleanup_free char *kept = make(1);
    assert_string_equal(kept, "made");
    assert_null(make(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_stolen_outlives_its_scope)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
