/* tests/unit/runtime/linux/test_capabilities.c */
#include "runtime/linux/capabilities.h"

#include "tests/unit/test.h"

static int apply(const char *add, const char *drop, capability_set *out, struct error *err)
{
    const char *adds[] = {add}, *drops[] = {drop};
    struct document_strings a = {adds, add != NULL}, d = {drops, drop != NULL};

    return capabilities_apply(&a, &d, 40, out, err);
}

static void the_default_set_is_dockers(void **state)
{
    capability_set set;

    (void)state;
    assert_ok(apply(NULL, NULL, &set, err));
    assert_true(set == 0xa80425fb);
}

static void adds_and_drops_are_applied_in_dockers_order(void **state)
{
    capability_set set;

    (void)state;
    assert_ok(apply("cap_chown", "ALL", &set, err));
    assert_true(set == 1);
    assert_ok(apply("ALL", NULL, &set, err));
    assert_true(set == (UINT64_C(1) << 41) - 1);
    assert_ok(apply("NET_ADMIN", "CAP_CHOWN", &set, err));
    assert_true(set == ((0xa80425fb & ~UINT64_C(1)) | UINT64_C(1) << CAPABILITY_NET_ADMIN));
    assert_ok(apply("ALL", "SYS_ADMIN", &set, err));
    assert_true(set == (((UINT64_C(1) << 41) - 1) & ~(UINT64_C(1) << CAPABILITY_SYS_ADMIN)));
    assert_ok(apply("ALL", "ALL", &set, err));
    assert_true(set == (UINT64_C(1) << 41) - 1);
    assert_ok(apply("CHOWN", "CHOWN", &set, err));
    assert_true(set == 0xa80425fb);
    assert_fails(apply("FLY", NULL, &set, err), ERR_INVALID, "invalid capability: \"FLY\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_set_is_dockers),
        cmocka_unit_test(adds_and_drops_are_applied_in_dockers_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
