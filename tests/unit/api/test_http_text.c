/* tests/unit/api/test_http_text.c */
#include "api/http_text.h"

#include "base/clock.h"
#include "tests/unit/test.h"

static void date_is_written_as_http_wants_it(void **state)
{
    (void)state;
    char text[HTTP_DATE_SIZE];
    http_text_date(0, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_text_date(INT64_C(1790000000) * (int64_t)NS_PER_S, text);
    assert_string_equal(text, "Mon, 21 Sep 2026 14:13:20 GMT");
    http_text_date(-1, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void escapes_are_decoded_and_broken_ones_refused(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    char *out;
    assert_ok(http_text_decode(&arena, "a%2Fb+c", 7, false, &out, err));
    assert_string_equal(out, "a/b+c");
    assert_ok(http_text_decode(&arena, "a%2fb+c", 7, true, &out, err));
    assert_string_equal(out, "a/b c");
    assert_fails(http_text_decode(&arena, "a%2", 3, false, &out, err), ERR_INVALID, "%2");
    assert_fails(http_text_decode(&arena, "%", 1, false, &out, err), ERR_INVALID, "%");
    assert_fails(http_text_decode(&arena, "%zz", 3, false, &out, err), ERR_INVALID, "%zz");
    assert_fails(http_text_decode(&arena, "%00", 3, false, &out, err), ERR_INVALID, "%00");
    assert_fails(http_text_decode(&arena, "ab%41", 4, false, &out, err), ERR_INVALID, "%4"); /* the length counts, not the zero */
}

static void what_is_encoded_decodes_to_itself(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    cleanup_buf struct buf encoded = {0};
    const char *text = "web/a b%\xc3\xa4?&=+~";
    char *back;
    http_text_encode(&encoded, text, false);
    assert_string_equal((char *)encoded.data, "web%2Fa%20b%25%C3%A4%3F%26%3D%2B~");
    assert_ok(http_text_decode(&arena, (char *)encoded.data, encoded.size, true, &back, err));
    assert_string_equal(back, text);
    buf_clear(&encoded);
    http_text_encode(&encoded, "a/b", true);
    assert_string_equal((char *)encoded.data, "a/b");
}

static void query_is_read_in_order_and_booleans_as_dockerd_does(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    struct http_query query;
    assert_ok(http_query_parse(&arena, "&a=1&b&a=2&&c=x%3Dy&d=False&e=", &query, err));
    assert_int_equal(query.count, 6);
    assert_string_equal(http_query_get(&query, "a", "none"), "1");
    assert_string_equal(http_query_get(&query, "b", "none"), "");
    assert_string_equal(http_query_get(&query, "c", "none"), "x=y");
    assert_string_equal(http_query_get(&query, "z", "none"), "none");
    assert_true(http_query_bool(&query, "a", false));
    assert_false(http_query_bool(&query, "b", true));
    assert_false(http_query_bool(&query, "d", true));
    assert_true(http_query_bool(&query, "z", true));
    assert_fails(http_query_parse(&arena, "a=%f", &query, err), ERR_INVALID, "%f");
}

static void names_compare_without_case_and_controls_are_not_safe(void **state)
{
    (void)state;
    assert_true(http_text_equal_nocase("Content-Type", "content-tYPE"));
    assert_false(http_text_equal_nocase("Content", "Content-Type"));
    assert_false(http_text_equal_nocase("@", "`")); /* these differ by the same bit as A and a */
    assert_true(http_text_is_header_safe("a \xc3\xa4"));
    assert_false(http_text_is_header_safe("a\r\nSet-Cookie: x"));
    assert_string_equal(http_text_reason(404), "Not Found");
    assert_string_equal(http_text_reason(999), "Status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date_is_written_as_http_wants_it),
        cmocka_unit_test(escapes_are_decoded_and_broken_ones_refused),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
        cmocka_unit_test(query_is_read_in_order_and_booleans_as_dockerd_does),
        cmocka_unit_test(names_compare_without_case_and_controls_are_not_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
