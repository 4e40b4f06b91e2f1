/* tests/unit/base/test_time.c */
#include "base/time.h"

#include "base/clock.h"
#include "tests/unit/test.h"

static void instants_print_as_docker_prints_them(void **state)
{
    (void)state;
    char text[TIME_RFC3339_SIZE];
    time_format_rfc3339(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000000Z");
    time_format_rfc3339(1709210096123456789, text);
    assert_string_equal(text, "2024-02-29T12:34:56.123456789Z");
    time_format_rfc3339(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
}

static void instants_parse_back_from_any_offset(void **state)
{
    (void)state;
    int64_t ns = 0;
    assert_ok(time_parse("2024-02-29T12:34:56.123456789Z", &ns, err));
    assert_true(ns == 1709210096123456789);
    assert_ok(time_parse("2024-02-29T14:34:56.123456789+02:00", &ns, err));
    assert_true(ns == 1709210096123456789);
    assert_ok(time_parse("1700000000.25", &ns, err));
    assert_true(ns == 1700000000250000000);
    for (int64_t t = -5000000000000000000; t < 5000000000000000000; t += 123456789012345678) {
        char text[TIME_RFC3339_SIZE];
        int64_t back;
        time_format_rfc3339(t, text);
        assert_ok(time_parse(text, &back, err));
        assert_true(back == t);
    }
}

static void what_is_no_instant_is_named(void **state)
{
    (void)state;
    int64_t ns;
    const char *bad[] = {"",   "yesterday", "2024-13-01T00:00:00Z", "2024-01-32T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01",
                         "1.", "-5",        "2024-01-01T00:00:00",  "9999-01-01T00:00:00Z", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(time_parse(bad[i], &ns, err), ERR_INVALID, "not a time");
}

static void durations_go_both_ways_as_in_go(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t ns;
        const char *printed;
    } cases[] = {
        {"0", 0, "0s"},
        {"1.5s", 1500000000, "1.5s"},
        {"90s", 90000000000, "1m30s"},
        {"1h", 3600000000000, "1h0m0s"},
        {"300ms", 300000000, "300ms"},
        {"2us", 2000, "2µs"},
        {"1h2m3.004s", 3723004000000, "1h2m3.004s"},
        {"-5s", -5000000000, "-5s"},
        {"7ns", 7, "7ns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns = -1;
        char text[TIME_DURATION_SIZE];
        assert_ok(time_parse_duration(cases[i].text, &ns, err));
        assert_true(ns == cases[i].ns);
        time_format_duration(ns, text);
        assert_string_equal(text, cases[i].printed);
    }
    const char *bad[] = {"", "5", "s", "1x", "1s2", "99999999999h", ".s"};
    int64_t ns;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(time_parse_duration(bad[i], &ns, err), ERR_INVALID, "not a duration");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_print_as_docker_prints_them),
        cmocka_unit_test(instants_parse_back_from_any_offset),
        cmocka_unit_test(what_is_no_instant_is_named),
        cmocka_unit_test(durations_go_both_ways_as_in_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
