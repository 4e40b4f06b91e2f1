/* tests/unit/api/test_filters.c – docker's filters argument. */
#include "tests/unit/test.h"

#include "api/filters.h"
#include "base/buf.h"

static const char *const known[] = {"label", "name", NULL};

static void both_forms_mean_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"label\":[\"a\",\"b=c\"]}", "{\"label\":{\"a\":true,\"b=c\":true,\"no\":false}}"};
    for (size_t i = 0; i < 2; i++) {
        cleanup_arena struct arena arena = {0};
        struct filters filters;
        assert_ok(filters_parse(texts[i], known, &arena, &filters, err));
        assert_int_equal(filters.count, 2);
        assert_string_equal(filters.items[0].value, "a");
        assert_string_equal(filters.items[1].value, "b=c");
        assert_true(filters_have(&filters, "label"));
        assert_true(filters_allow_exactly(&filters, "label", "b=c"));
        assert_false(filters_allow_exactly(&filters, "label", "x"));
        assert_true(filters_allow_exactly(&filters, "name", "anything"));
    }
}

static void nothing_is_no_filter(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    struct filters filters;
    assert_ok(filters_parse(NULL, known, &arena, &filters, err));
    assert_int_equal(filters.count, 0);
    assert_ok(filters_parse("{}", known, &arena, &filters, err));
    assert_int_equal(filters.count, 0);
}

static void bad_filters_are_named(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    struct filters filters;
    assert_fails(filters_parse("{\"foo\":[\"a\"]}", known, &arena, &filters, err), ERR_INVALID, "invalid filter 'foo'");
    assert_fails(filters_parse("{\"name\":\"a\"}", known, &arena, &filters, err), ERR_INVALID, "'name'");
    assert_fails(filters_parse("{\"name\":[1]}", known, &arena, &filters, err), ERR_INVALID, "'name'");
    assert_fails(filters_parse("[]", known, &arena, &filters, err), ERR_INVALID, "filters");
    assert_fails(filters_parse("{", known, &arena, &filters, err), ERR_INVALID, "filters");
    cleanup_buf struct buf many = {0};
    buf_append_string(&many, "{\"name\":[\"0\"");
    for (int i = 0; i < API_FILTERS_COUNT; i++)
        buf_append_string(&many, ",\"x\"");
    buf_append_string(&many, "]}");
    assert_fails(filters_parse((char *)many.data, known, &arena, &filters, err), ERR_LIMIT, "filters");
}

static void names_match_anywhere_unless_tied_down(void **state)
{
    (void)state;
    assert_true(filters_match_name("web", "my-web-1"));
    assert_true(filters_match_name("^my", "my-web-1"));
    assert_true(filters_match_name("/my", "my-web-1"));
    assert_true(filters_match_name("1$", "my-web-1"));
    assert_true(filters_match_name("^my-web-1$", "my-web-1"));
    assert_true(filters_match_name("", "x"));
    assert_true(filters_match_name("^", "x"));
    assert_false(filters_match_name("^web", "my-web-1"));
    assert_false(filters_match_name("web$", "my-web-1"));
    assert_false(filters_match_name("^web$", "web-1"));
    assert_false(filters_match_name("longer than it", "it"));
}

static void globs_stop_at_slashes(void **state)
{
    (void)state;
    assert_true(filters_match_glob("busy*", "busybox"));
    assert_true(filters_match_glob("*:1.?", "busybox:1.3"));
    assert_true(filters_match_glob("a/*/c", "a/b/c"));
    assert_true(filters_match_glob("*a*a*", "banana"));
    assert_false(filters_match_glob("*", "a/b"));
    assert_false(filters_match_glob("busy?", "busy/"));
    assert_false(filters_match_glob("busy", "busybox"));
    assert_false(filters_match_glob("*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_mean_the_same), cmocka_unit_test(nothing_is_no_filter),
        cmocka_unit_test(bad_filters_are_named),    cmocka_unit_test(names_match_anywhere_unless_tied_down),
        cmocka_unit_test(globs_stop_at_slashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
