/* tests/unit/base/test_isolation.c – the rule as a table. */
#include "base/isolation.h"

#include "tests/unit/test.h"

enum { NO = -1 };

static void windows_builds(void **state)
{
    static const struct {
        const char *host, *image;
        bool offers_hyperv;
        enum isolation wish;
        int want; /* an isolation, or NO */
        const char *message;
    } rows[] = {
        {"10.0.14393.100", "10.0.14393.100", false, ISOLATION_PROCESS, ISOLATION_PROCESS, ""},
        {"10.0.14393.100", "10.0.14393.101", false, ISOLATION_PROCESS, NO, "same build and revision"},
        {"10.0.17763.1", "10.0.17763.999", false, ISOLATION_PROCESS, ISOLATION_PROCESS, ""},
        {"10.0.17763.1", "10.0.14393.1", true, ISOLATION_PROCESS, NO, "hyperv would work here"},
        {"10.0.17763.1", "10.0.14393.1", true, ISOLATION_DEFAULT, ISOLATION_HYPERV, ""},
        {"10.0.17763.1", "10.0.14393.1", false, ISOLATION_DEFAULT, NO, "hyperv isolation is not offered here"},
        {"10.0.19045.1", "10.0.19044.1", false, ISOLATION_PROCESS, NO, "the same build"},
        {"10.0.20348.5", "10.0.20348.1", false, ISOLATION_PROCESS, ISOLATION_PROCESS, ""},
        {"10.0.20348.5", "10.0.17763.1", false, ISOLATION_PROCESS, NO, "from 20348 to 20348"},
        {"10.0.25398.1", "10.0.20348.1", false, ISOLATION_PROCESS, ISOLATION_PROCESS, ""},
        {"10.0.26100.1", "10.0.20348.1", false, ISOLATION_PROCESS, ISOLATION_PROCESS, ""},
        {"10.0.26100.1", "10.0.26200.1", true, ISOLATION_PROCESS, NO, "from 20348 to 26100"},
        {"10.0.26200.1", "10.0.20348.1", false, ISOLATION_PROCESS, ISOLATION_PROCESS, ""},
        {"10.0.26100.1", "10.0.17763.1", true, ISOLATION_HYPERV, ISOLATION_HYPERV, ""},
        {"10.0.17763.1", "10.0.20348.1", true, ISOLATION_HYPERV, NO, "from 14393 to 17763"},
        {"10.0.20348.1", "", false, ISOLATION_PROCESS, ISOLATION_PROCESS, ""},
        {"", "10.0.20348.1", false, ISOLATION_PROCESS, NO, "build is not known"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct isolation_host host = {.node = "win1",
                                            .os = "windows",
                                            .architecture = "x86_64",
                                            .os_version = rows[i].host,
                                            .offers_process = true,
                                            .offers_hyperv = rows[i].offers_hyperv,
                                            .preferred = ISOLATION_PROCESS};
        const struct isolation_image image = {"windows", "amd64", rows[i].image};
        enum isolation got = ISOLATION_DEFAULT;
        if (rows[i].want == NO) {
            assert_fails(isolation_choose(&host, &image, rows[i].wish, &got, err), ERR_UNSUPPORTED, rows[i].message);
            continue;
        }
        assert_ok(isolation_choose(&host, &image, rows[i].wish, &got, err));
        assert_int_equal(got, rows[i].want);
    }
}

static void linux_hosts(void **state)
{
    struct isolation_host host = {.node = "n1",
                                  .os = "linux",
                                  .architecture = "x86_64",
                                  .os_version = "",
                                  .offers_process = true,
                                  .hyperv_missing = "/dev/kvm: permission denied",
                                  .preferred = ISOLATION_PROCESS};
    struct isolation_image image = {"linux", "amd64", ""};
    enum isolation got = ISOLATION_DEFAULT;
    (void)state;
    assert_ok(isolation_choose(&host, &image, ISOLATION_DEFAULT, &got, err));
    assert_int_equal(got, ISOLATION_PROCESS);
    assert_fails(isolation_choose(&host, &image, ISOLATION_HYPERV, &got, err), ERR_UNSUPPORTED,
                 "node n1: isolation hyperv: hyperv isolation is not offered here: /dev/kvm: permission denied");
    host.offers_hyperv = true;
    host.preferred = ISOLATION_HYPERV;
    assert_ok(isolation_choose(&host, &image, ISOLATION_DEFAULT, &got, err));
    assert_int_equal(got, ISOLATION_HYPERV);
    image.architecture = "aarch64";
    assert_fails(isolation_choose(&host, &image, ISOLATION_DEFAULT, &got, err), ERR_UNSUPPORTED, "for arm64, the host is amd64");
    image = (struct isolation_image){"windows", "amd64", "10.0.20348.1"};
    assert_fails(isolation_choose(&host, &image, ISOLATION_DEFAULT, &got, err), ERR_UNSUPPORTED,
                 "operating system: the image is for windows");
    assert_string_equal(isolation_name(ISOLATION_DEFAULT), "default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows_builds), cmocka_unit_test(linux_hosts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
