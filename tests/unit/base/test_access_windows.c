/* tests/unit/base/test_access_windows.c – lists and groups that every Windows has, and Wine. */
#include "base/access_windows.h"
#include "tests/unit/test.h"

static void a_list_has_a_rule_for_each_in_its_text(void **state)
{
    PSECURITY_DESCRIPTOR descriptor;
    PACL list = NULL;

    (void)state;
    assert_ok(access_list_new(L"D:P(A;;GA;;;BA)(A;;GA;;;SY)", &descriptor, &list, err));
    assert_non_null(list);
    assert_int_equal(list->AceCount, 2);
    LocalFree(descriptor);
    assert_int_not_equal(access_list_new(L"D:P(A;;GA", &descriptor, &list, &(struct error){0}), 0);
}

static void a_group_is_known_by_name(void **state)
{
    wchar_t *sid = NULL;

    (void)state;
    assert_ok(access_sid_of("Administrators", &sid, err));
    assert_true(wcsncmp(sid, L"S-1-5-32-", 9) == 0);
    LocalFree(sid);
    assert_fails(access_sid_of("no such group", &sid, err), ERR_NOT_FOUND, "there is no group no such group");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_has_a_rule_for_each_in_its_text),
        cmocka_unit_test(a_group_is_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
