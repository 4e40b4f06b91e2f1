/* tests/unit/api/test_human.c – durations and sizes, with the values docker's own words have. */
#include "tests/unit/test.h"

#include "api/human.h"
#include "base/clock.h"

static void durations(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-5, "Less than a second"}, {0, "Less than a second"},  {1, "1 second"},          {59, "59 seconds"},      {60, "About a minute"},
        {119, "About a minute"},    {120, "2 minutes"},         {3599, "59 minutes"},     {3600, "About an hour"}, {5399, "About an hour"},
        {5400, "2 hours"},          {47 * 3600, "47 hours"},    {48 * 3600, "2 days"},    {13 * 86400, "13 days"}, {14 * 86400, "2 weeks"},
        {60 * 86400, "2 months"},   {729 * 86400, "24 months"}, {730 * 86400, "2 years"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[HUMAN_SIZE];
        human_duration(cases[i].seconds * (int64_t)NS_PER_S, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        double bytes;
        const char *decimal, *binary;
    } cases[] = {
        {0, "0B", "0B"},
        {999, "999B", "999B"},
        {1000, "1kB", "1000B"},
        {1024, "1.02kB", "1KiB"},
        {4261502, "4.26MB", "4.064MiB"},
        {999999, "1MB", "976.6KiB"},
        {25276887040.0, "25.3GB", "23.54GiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[HUMAN_SIZE];
        human_size(cases[i].bytes, text);
        assert_string_equal(text, cases[i].decimal);
        human_size_binary(cases[i].bytes, text);
        assert_string_equal(text, cases[i].binary);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(durations), cmocka_unit_test(sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
