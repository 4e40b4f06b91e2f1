/* tests/unit/runtime/linux/test_addresses.c */
#include "runtime/linux/addresses.h"

#include "tests/unit/test.h"

static void the_first_address_is_the_gateways_and_the_ends_are_never_given(void **state)
{
    (void)state;
    struct addresses addresses;
    assert_ok(addresses_init(&addresses, "10.1.2.77/29", err));
    assert_int_equal(addresses_gateway(&addresses), 0x0a010249);
    for (uint32_t want = 0x0a01024a; want <= 0x0a01024e; want++) {
        uint32_t got = 0;
        assert_ok(addresses_take(&addresses, &got, err));
        assert_int_equal(got, want);
    }
    uint32_t got;
    assert_fails(addresses_take(&addresses, &got, err), ERR_LIMIT, "larger --bridge-subnet than /29");
    addresses_deinit(&addresses);
}

static void what_was_given_back_comes_last(void **state)
{
    (void)state;
    struct addresses addresses;
    assert_ok(addresses_init(&addresses, "10.0.0.0/29", err));
    uint32_t first, second, next;
    assert_ok(addresses_take(&addresses, &first, err));
    assert_ok(addresses_take(&addresses, &second, err));
    addresses_release(&addresses, first);
    for (int i = 0; i < 3; i++) {
        assert_ok(addresses_take(&addresses, &next, err));
        assert_int_not_equal(next, first);
    }
    assert_ok(addresses_take(&addresses, &next, err));
    assert_int_equal(next, first);
    addresses_deinit(&addresses);
}

static void a_known_address_is_claimed_once(void **state)
{
    (void)state;
    struct addresses addresses;
    assert_ok(addresses_init(&addresses, "172.30.0.0/16", err));
    assert_true(addresses_claim(&addresses, 0xac1e0102));
    assert_false(addresses_claim(&addresses, 0xac1e0102));
    assert_false(addresses_claim(&addresses, 0xac1e0001)); /* the gateway */
    assert_false(addresses_claim(&addresses, 0xac1effff)); /* broadcast */
    assert_false(addresses_claim(&addresses, 0x0a000001)); /* elsewhere */
    assert_false(addresses_claim(&addresses, 0xffffffff));
    addresses_release(&addresses, 0x0a000001);
    addresses_deinit(&addresses);
}

static void what_is_no_subnet_is_named(void **state)
{
    (void)state;
    struct addresses addresses;
    const char *bad[] = {"", "10.0.0.0", "10.0.0.0/8", "10.0.0.0/31", "10.0.0/24", "::/64", "10.0.0.0/x", "10.0.0.0/24/1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(addresses_init(&addresses, bad[i], err), ERR_INVALID, bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_address_is_the_gateways_and_the_ends_are_never_given),
        cmocka_unit_test(what_was_given_back_comes_last),
        cmocka_unit_test(a_known_address_is_claimed_once),
        cmocka_unit_test(what_is_no_subnet_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
