/* tests/unit/cli/test_cells.c – small texts in tables. */
#include <stdlib.h>

#include "base/clock.h"
#include "cli/cells.h"
#include "tests/unit/test.h"

static void is(char *cell, const char *wanted)
{
    assert_string_equal(cell, wanted);
    free(cell);
}

static void texts_are_shortened(void **state)
{
    (void)state;
    is(cell_id("abcdefghijklmno", false), "abcdefghijkl");
    is(cell_id("abcdefghijklmno", true), "abcdefghijklmno");
    is(cell_id("abc", false), "abc");
    is(cell_cut("abcdef", 3, false), "ab…");
    is(cell_cut("äöü", 3, false), "äöü");
    is(cell_cut("äöüß", 3, false), "äö…");
    is(cell_cut("abcdef", 3, true), "abcdef");
    is(cell_capital("running"), "Running");
    is(cell_capital(""), "");
}

static void times_are_said_as_docker_does(void **state)
{
    (void)state;
    const int64_t now = INT64_C(1790000000) * (int64_t)NS_PER_S; /* 2026-09-21T14:13:20Z */
    is(cell_ago("2026-09-21T14:11:20.5Z", now), "about a minute ago");
    is(cell_ago("2026-09-21T14:03:20Z", now), "10 minutes ago");
    is(cell_ago("0001-01-01T00:00:00Z", now), "");
    is(cell_ago("", now), "");
    is(cell_ago("soon", now), "");
}

static void names_are_looked_up(void **state)
{
    (void)state;
    static const char *const path[] = {"Spec", "Name", NULL};
    cleanup_json cJSON *list = cJSON_Parse("[{\"ID\":\"a\",\"Spec\":{\"Name\":\"web\"}},{\"ID\":\"b\"}]");
    assert_string_equal(cell_name_of(list, "a", path), "web");
    assert_string_equal(cell_name_of(list, "b", path), "b");
    assert_string_equal(cell_name_of(list, "c", path), "c");
    assert_string_equal(cell_name_of(NULL, "c", path), "c");
    cleanup_json cJSON *pairs = cJSON_Parse("{\"a\":\"b\",\"c\":\"d\"}");
    is(cell_pairs(pairs), "a=b,c=d");
    is(cell_pairs(NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_shortened), cmocka_unit_test(times_are_said_as_docker_does),
                                       cmocka_unit_test(names_are_looked_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
