/* tests/unit/manager/scheduler/test_ip_range.c – addresses and networks of both families. */
#include "manager/scheduler/ip_range.h"

#include "tests/unit/test.h"

static void reads_addresses_and_networks(void **state)
{
    static const struct {
        const char *text;
        enum ip_kind kind;
    } rows[] = {
        {"10.0.0.5", IP_ADDRESS},
        {"2001:db8::2", IP_ADDRESS},
        {"::ffff:10.0.0.5", IP_ADDRESS},
        {"10.0.0.0/8", IP_RANGE},
        {"2001:db8::/32", IP_RANGE},
        {"0.0.0.0/0", IP_RANGE},
        {"", IP_NOTHING},
        {"10.0.0", IP_NOTHING},
        {"10.0.0.256", IP_NOTHING},
        {"10.0.0.1/33", IP_NOTHING},
        {"::/129", IP_NOTHING},
        {"10.0.0.1/", IP_NOTHING},
        {"10.0.0.1/+8", IP_NOTHING},
        {"/8", IP_NOTHING},
        {"fe80::1%eth0", IP_NOTHING},
        {"10.0.0.1/8/8", IP_NOTHING},
        {"10.0.0.1 ", IP_NOTHING},
        {"01.2.3.4", IP_NOTHING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (ip_range_parse(rows[i].text).kind != rows[i].kind)
            fail_msg("\"%s\" is of kind %d", rows[i].text, (int)ip_range_parse(rows[i].text).kind);
    char endless[100];
    memset(endless, ':', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_int_equal(ip_range_parse(endless).kind, IP_NOTHING);
}

static void contains_what_it_should(void **state)
{
    static const struct {
        const char *range, *address;
        bool is_within;
    } rows[] = {
        {"10.0.0.5", "10.0.0.5", true},
        {"10.0.0.5", "::ffff:10.0.0.5", true}, /* the same address in the other spelling */
        {"10.0.0.5", "10.0.0.6", false},
        {"10.0.0.77/8", "10.255.0.1", true}, /* the bits behind the prefix do not count */
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.0/31", "10.0.0.1", true},
        {"10.0.0.0/31", "10.0.0.2", false},
        {"10.128.0.0/9", "10.127.0.1", false},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "2001:db8::1", false}, /* families do not mix */
        {"::/0", "1.2.3.4", false},
        {"::/0", "2001:db8::1", true},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/33", "2001:db8:ffff::1", false},
        {"10.0.0.0/8", "", false},
        {"10.0.0.0/8", "10.0.0.0/8", false}, /* a network is no address */
        {"nonsense", "10.0.0.1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_range range = ip_range_parse(rows[i].range), address = ip_range_parse(rows[i].address);
        if (ip_range_contains(&range, &address) != rows[i].is_within)
            fail_msg("%s in %s", rows[i].address, rows[i].range);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_addresses_and_networks), cmocka_unit_test(contains_what_it_should)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
