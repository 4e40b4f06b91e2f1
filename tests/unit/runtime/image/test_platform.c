/* Which image fits which host. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "runtime/image/platform.h"

static int chosen(const char *os, const char *architecture, const char *variant, const char *version, const struct image_platform *have,
                  size_t count)
{
    struct image_platform want = {os, architecture, variant, version};
    return image_platform_choose(have, count, &want);
}

static void spellings_mean_the_same(void **state)
{
    (void)state;
    const struct image_platform have[] = {{.os = "linux", .architecture = "arm64", .variant = "v8"},
                                          {.os = "linux", .architecture = "amd64"}};
    assert_int_equal(chosen("linux", "x86_64", NULL, NULL, have, 2), 1);
    assert_int_equal(chosen("linux", "aarch64", NULL, NULL, have, 2), 0);
    assert_int_equal(chosen("windows", "amd64", NULL, NULL, have, 2), -1);
    assert_int_equal(chosen("linux", "s390x", NULL, NULL, have, 2), -1);
}

static void newest_variant_that_the_host_runs_is_chosen(void **state)
{
    (void)state;
    const struct image_platform arm[] = {{.os = "linux", .architecture = "arm", .variant = "v5"},
                                         {.os = "linux", .architecture = "arm", .variant = "v7"},
                                         {.os = "linux", .architecture = "arm", .variant = "v6"}};
    assert_int_equal(chosen("linux", "arm", "v7", NULL, arm, 3), 1);
    assert_int_equal(chosen("linux", "arm", "v6", NULL, arm, 3), 2);
    const struct image_platform amd[] = {{.os = "linux", .architecture = "amd64", .variant = "v3"},
                                         {.os = "linux", .architecture = "amd64"}};
    assert_int_equal(chosen("linux", "amd64", NULL, NULL, amd, 2), 1);
    assert_int_equal(chosen("linux", "amd64", "v3", NULL, amd, 2), 0);
    assert_int_equal(chosen("linux", "amd64", NULL, NULL, amd, 1), -1);
}

static void windows_image_is_the_newest_not_above_the_host(void **state)
{
    (void)state;
    const struct image_platform have[] = {{"windows", "amd64", NULL, "10.0.17763.5206"},
                                          {"windows", "amd64", NULL, "10.0.26100.1"},
                                          {"windows", "amd64", NULL, "10.0.20348.2100"},
                                          {"windows", "amd64", NULL, "10.0.20348.2227"}};
    assert_int_equal(chosen("windows", "amd64", NULL, "10.0.20348.1", have, 4), 3);
    assert_int_equal(chosen("windows", "amd64", NULL, "10.0.25398.1", have, 4), 3);
    assert_int_equal(chosen("windows", "amd64", NULL, "10.0.17763.1", have, 4), 0);
    assert_int_equal(chosen("windows", "amd64", NULL, "10.0.14393.1", have, 4), -1);
    assert_int_equal(chosen("windows", "amd64", NULL, NULL, have, 4), 1);
}

static void platform_is_shown_as_docker_writes_it(void **state)
{
    (void)state;
    struct image_platform arm = {"linux", "arm", "v7", NULL}, windows = {"windows", "x86_64", NULL, "10.0.20348.1"}, none = {0};
    cleanup_free char *a = image_platform_text(&arm), *b = image_platform_text(&windows), *c = image_platform_text(&none);
    assert_string_equal(a, "linux/arm/v7");
    assert_string_equal(b, "windows/amd64:10.0.20348.1");
    assert_string_equal(c, "unknown/unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_mean_the_same),
        cmocka_unit_test(newest_variant_that_the_host_runs_is_chosen),
        cmocka_unit_test(windows_image_is_the_newest_not_above_the_host),
        cmocka_unit_test(platform_is_shown_as_docker_writes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
