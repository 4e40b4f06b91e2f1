/* tests/unit/base/test_guard.c – keys that lie on a disk, as the host keeps them. */
#include "base/guard.h"

#include "tests/unit/test.h"

static const char key[] = "-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n";

static void what_was_sealed_opens(void **state)
{
    (void)state;
    cleanup_buf struct buf sealed = {0}, clear = {0};
    assert_ok(guard_seal(bytes_of_string(key), &sealed, err));
    assert_ok(guard_open(buf_bytes(&sealed), &clear, err));
    assert_true(bytes_equal(buf_bytes(&clear), bytes_of_string(key)));
}

static void what_lies_in_clear_is_taken_as_it_is(void **state)
{
    (void)state;
    cleanup_buf struct buf clear = {0}, nothing = {0};
    assert_ok(guard_open(bytes_of_string(key), &clear, err));
    assert_true(bytes_equal(buf_bytes(&clear), bytes_of_string(key)));
    assert_ok(guard_open(bytes_of_string(""), &nothing, err));
    assert_int_equal(nothing.size, 0);
}

static void a_damaged_seal_is_refused(void **state)
{
    (void)state;
    cleanup_buf struct buf sealed = {0}, clear = {0};
    assert_ok(guard_seal(bytes_of_string(key), &sealed, err));
    if (bytes_equal(buf_bytes(&sealed), bytes_of_string(key))) { /* this host has no key of its own */
        buf_deinit(&sealed);
        skip();
    }
    sealed.data[sealed.size - 1] ^= 1;
    assert_fails(guard_open(buf_bytes(&sealed), &clear, err), ERR_TRUST, "DPAPI");
    assert_int_equal(clear.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(what_lies_in_clear_is_taken_as_it_is),
        cmocka_unit_test(a_damaged_seal_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
