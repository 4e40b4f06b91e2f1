/* tests/unit/base/test_system_windows.c */
#include "base/system_windows.h"

#include <stdlib.h>
#include <windows.h>

#include "base/cleanup.h"
#include "tests/unit/test.h"

static void check_path(const char *given, const wchar_t *want)
{
    cleanup_free wchar_t *got = wide_path(given);
    if (wcscmp(got, want) != 0)
        fail_msg("%s gave %ls, not %ls", given, got, want);
}

static void text_comes_back_as_it_went(void **state)
{
    (void)state;
    static const char text[] = "Bienenk\xc3\xb6rbe \xf0\x9f\x90\x9d";
    cleanup_free wchar_t *wide = wide_from_utf8(text);
    cleanup_free char *back = utf8_from_wide(wide);
    assert_int_equal(wcslen(wide), 14); /* the bee takes two */
    assert_string_equal(back, text);
    assert_null(wide_from_utf8(NULL));
    assert_null(utf8_from_wide(NULL));
}

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    cleanup_free wchar_t *wide = wide_from_utf8("a\xff");
    assert_int_equal(wide[1], 0xfffd);
}

static void paths_get_the_prefix_that_lifts_the_limit(void **state)
{
    (void)state;
    check_path("C:/ProgramData/skep/../x", L"\\\\?\\C:\\ProgramData\\x");
    check_path("\\\\server\\share\\x", L"\\\\?\\UNC\\server\\share\\x");
    check_path("\\\\.\\pipe\\skep", L"\\\\.\\pipe\\skep");
    check_path("\\\\?\\C:\\x", L"\\\\?\\C:\\x");
}

static void errors_of_the_system_become_ours(void **state)
{
    (void)state;
    assert_fails(error_set_windows(err, ERROR_FILE_NOT_FOUND, "open %s", "x"), ERR_NOT_FOUND, "open x: no such file or directory");
    assert_fails(error_set_windows(err, ERROR_DISK_FULL, "write"), ERR_NO_SPACE, "write: ");
    assert_fails(error_set_windows(err, ERROR_SERVICE_DOES_NOT_EXIST, "start"), ERR_NOT_FOUND, "1060");
    assert_fails(error_set_windows(err, ERROR_SERVICE_REQUEST_TIMEOUT, "start"), ERR_IO, "error 1053");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back_as_it_went),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(paths_get_the_prefix_that_lifts_the_limit),
        cmocka_unit_test(errors_of_the_system_become_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
