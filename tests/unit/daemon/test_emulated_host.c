/* tests/unit/daemon/test_emulated_host.c */
#include "daemon/emulated_host.h"

#include "tests/unit/test.h"

static void a_host_is_described_in_any_order(void **state)
{
    struct emulated_host host;
    (void)state;
    assert_ok(emulated_host_parse("isolation=process+hyperv,os=windows,build=20348.2113,product=server,arch=arm64", &host, err));
    assert_string_equal(host.os, "windows");
    assert_string_equal(host.architecture, "arm64");
    assert_string_equal(host.os_version, "10.0.20348.2113");
    assert_false(host.is_client);
    assert_true(host.offers_process && host.offers_hyperv);
    assert_ok(emulated_host_parse("os=windows,build=10.0.17763,isolation=none", &host, err));
    assert_string_equal(host.os_version, "10.0.17763");
    assert_false(host.offers_process || host.offers_hyperv);
    assert_ok(emulated_host_parse("os=linux,isolation=hyperv", &host, err));
    assert_string_equal(host.os_version, "");
    assert_true(host.offers_hyperv && !host.offers_process);
}

static void what_is_left_out_is_its_kinds_default(void **state)
{
    struct emulated_host host;
    (void)state;
    assert_ok(emulated_host_parse("os=windows,build=26100", &host, err));
    assert_true(host.offers_process && !host.offers_hyperv);
    assert_string_equal(emulated_host_default_isolation(&host), "process");
    assert_ok(emulated_host_parse("os=windows,build=26200,product=client", &host, err));
    assert_true(host.offers_hyperv && !host.offers_process);
    assert_string_equal(emulated_host_default_isolation(&host), "hyperv");
    assert_ok(emulated_host_parse("os=linux", &host, err));
    assert_string_equal(host.architecture, "amd64");
}

static void refused(const char *text, const char *want)
{
    struct emulated_host host;
    assert_fails(emulated_host_parse(text, &host, err), ERR_INVALID, want);
}

static void what_cannot_be_is_refused_by_name(void **state)
{
    (void)state;
    refused("", "write KEY=VALUE");
    refused("windows", "windows: write KEY=VALUE");
    refused("os=windows,", "write KEY=VALUE");
    refused("os=beos", "os=beos: must be linux or windows");
    refused("os=", "must be linux or windows");
    refused("arch=sparc", "arch=sparc: must be amd64 or arm64");
    refused("os=windows", "needs its build");
    refused("os=windows,build=new", "build=new: write BUILD or BUILD.REVISION");
    refused("os=windows,build=20348.", "build=20348.: write");
    refused("os=windows,build=20348.1.2", "write BUILD");
    refused("os=windows,build=20348x", "write BUILD");
    refused("os=windows,build=1234567890", "write BUILD");
    refused("os=windows,build=20348,product=desktop", "product=desktop: must be server or client");
    refused("os=windows,build=20348,isolation=vm", "isolation=vm: must be process, hyperv");
    refused("os=windows,build=20348,edition=x", "edition: no such part");
    refused("os=windows,build=20348,build=17763", "build is given twice");
    refused("os=linux,build=20348", "build is of Windows only");
    refused("product=client", "product is of Windows only");
    refused("os=windows,build=17134,product=client,isolation=process", "a Windows client before build 17763 has hyperv isolation only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_described_in_any_order),
        cmocka_unit_test(what_is_left_out_is_its_kinds_default),
        cmocka_unit_test(what_cannot_be_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
