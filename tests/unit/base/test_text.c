/* tests/unit/base/test_text.c */
#include "base/text.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

static void prefixes_and_suffixes(void **state)
{
    (void)state;
    assert_true(text_starts("abc", "ab"));
    assert_false(text_starts("a", "ab"));
    assert_false(text_starts(NULL, "a"));
    assert_true(text_ends("abc", "bc"));
    assert_false(text_ends("c", "bc"));
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_true(text_empty(NULL) && text_empty("") && !text_empty(" "));
    assert_int_equal(text_key_length("a=b=c"), 1);
    assert_int_equal(text_key_length("=b"), -1);
    assert_int_equal(text_key_length("ab"), -1);
}

static void numbers_are_whole_and_within_bounds(void **state)
{
    (void)state;
    int64_t n = 0;
    assert_ok(text_parse_i64("-42", -100, 100, &n, err));
    assert_int_equal(n, -42);
    const char *bad[] = {"", "x", "1x", " 1", "+1", "99999999999999999999", "101", "-101"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(text_parse_i64(bad[i], -100, 100, &n, err), ERR_INVALID, "");
}

static void check_address(const char *text, uint16_t fallback, const char *want_host, uint16_t want_port)
{
    cleanup_free char *host = NULL;
    uint16_t port = 0;
    assert_ok(text_parse_address(text, fallback, &host, &port, err));
    assert_string_equal(host, want_host);
    assert_int_equal(port, want_port);
}

static void addresses_come_in_four_shapes(void **state)
{
    (void)state;
    check_address("10.0.0.5:2377", 0, "10.0.0.5", 2377);
    check_address("manager", 2377, "manager", 2377);
    check_address("[::1]:80", 0, "::1", 80);
    check_address("[fe80::1]", 2377, "fe80::1", 2377);
    check_address("fe80::1", 2377, "fe80::1", 2377);
}

static void an_address_that_is_none_is_named(void **state)
{
    (void)state;
    char *host = NULL;
    uint16_t port;
    assert_fails(text_parse_address(":2377", 0, &host, &port, err), ERR_INVALID, "host is missing");
    assert_fails(text_parse_address("", 0, &host, &port, err), ERR_INVALID, "host is missing");
    assert_fails(text_parse_address("h", 0, &host, &port, err), ERR_INVALID, "port is missing");
    assert_fails(text_parse_address("h:0", 0, &host, &port, err), ERR_INVALID, "between 1 and 65535");
    assert_fails(text_parse_address("h:65536", 0, &host, &port, err), ERR_INVALID, "h:65536");
    assert_fails(text_parse_address("[::1", 0, &host, &port, err), ERR_INVALID, "[::1");
    assert_null(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_and_suffixes),
        cmocka_unit_test(numbers_are_whole_and_within_bounds),
        cmocka_unit_test(addresses_come_in_four_shapes),
        cmocka_unit_test(an_address_that_is_none_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
