/* tests/unit/runtime/linux/test_seccomp_filters.c */
#include "runtime/linux/seccomp_filters.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static void assert_known(struct seccomp_filters *filters, const char *profile, const char *want)
{
    cleanup_free char *found = seccomp_filters_find(filters, profile);
    if (want)
        assert_string_equal(found, want);
    else
        assert_null(found);
}

static void a_kept_filter_is_found_by_its_profile_only(void **state)
{
    (void)state;
    struct seccomp_filters *filters = seccomp_filters_new();
    seccomp_filters_keep(filters, "{\"a\":1}", bytes_of("\0\1\2\3\4\5\6\7", 8));
    assert_known(filters, "{\"a\":1}", "AAECAwQFBgc=");
    assert_known(filters, "{\"a\":2}", NULL);
    seccomp_filters_free(filters);
}

static void what_cannot_be_a_filter_is_not_kept(void **state)
{
    (void)state;
    struct seccomp_filters *filters = seccomp_filters_new();
    cleanup_free char *large = mem_alloc(40000);
    seccomp_filters_keep(filters, "empty", bytes_of("", 0));
    seccomp_filters_keep(filters, "odd", bytes_of("123456789", 9));
    seccomp_filters_keep(filters, "large", bytes_of(large, 40000));
    assert_known(filters, "empty", NULL);
    assert_known(filters, "odd", NULL);
    assert_known(filters, "large", NULL);
    seccomp_filters_free(filters);
}

static void of_too_many_the_oldest_goes(void **state)
{
    (void)state;
    struct seccomp_filters *filters = seccomp_filters_new();
    for (int i = 0; i <= SECCOMP_FILTERS_COUNT; i++) {
        cleanup_free char *profile = mem_format("%d", i);
        seccomp_filters_keep(filters, profile, bytes_of("01234567", 8));
    }
    assert_known(filters, "0", NULL);
    assert_known(filters, "1", "MDEyMzQ1Njc=");
    seccomp_filters_free(filters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_filter_is_found_by_its_profile_only),
        cmocka_unit_test(what_cannot_be_a_filter_is_not_kept),
        cmocka_unit_test(of_too_many_the_oldest_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
