/* tests/unit/base/test_buf.c */
#include "base/buf.h"

#include <stdlib.h>

#include "tests/unit/test.h"

static void appending_grows_and_keeps_a_terminator(void **state)
{
    (void)state;
    cleanup_buf struct buf buf = {0};
    for (int i = 0; i < 1000; i++)
        buf_append_format(&buf, "%d,", i);
    assert_memory_equal(buf.data, "0,1,2,", 6);
    assert_int_equal(strlen((char *)buf.data), buf.size);
}

static void a_limit_refuses_and_leaves_the_content(void **state)
{
    (void)state;
    cleanup_buf struct buf buf = {.limit = 4};
    assert_ok(buf_append_checked(&buf, "1234", 4, err));
    assert_fails(buf_append_checked(&buf, "5", 1, err), ERR_LIMIT, "more than 4 bytes");
    assert_fails(buf_append_checked(&buf, "5", SIZE_MAX, err), ERR_LIMIT, "more than 4 bytes");
    assert_string_equal((char *)buf.data, "1234");
}

static void consuming_drops_from_the_front(void **state)
{
    (void)state;
    cleanup_buf struct buf buf = {0};
    buf_append_string(&buf, "abcdef");
    buf_consume(&buf, 2);
    assert_string_equal((char *)buf.data, "cdef");
    buf_consume(&buf, 4);
    assert_int_equal(buf.size, 0);
    buf_consume(&buf, 0);
}

static void stealing_leaves_an_empty_buffer(void **state)
{
    (void)state;
    struct buf buf = {0};
    cleanup_free char *empty = buf_steal_string(&buf);
    assert_string_equal(empty, "");
    buf_append_string(&buf, "x");
    cleanup_free char *text = buf_steal_string(&buf);
    assert_string_equal(text, "x");
    assert_null(buf.data);
}

static void secret_bytes_are_wiped_where_they_are_left_behind(void **state)
{
    (void)state;
    static const uint8_t nothing[200];
    cleanup_buf struct buf buf = {.is_secret = true};
    for (int i = 0; i < 100; i++) /* moves a few times */
        buf_append_string(&buf, "ab");
    assert_int_equal(buf.size, 200);
    buf_consume(&buf, 150);
    assert_int_equal(buf.size, 50);
    assert_memory_equal(buf.data, "abababab", 8);
    assert_memory_equal(buf.data + 50, nothing, 150);
    buf_clear(&buf);
    assert_memory_equal(buf.data, nothing, 200);
    buf_append_string(&buf, "x");
    buf_deinit(&buf);
    assert_true(buf.is_secret);
}

static void slices_compare_by_content(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of_string("")));
    assert_true(bytes_equal(bytes_of_string("ab"), bytes_of_string("ab")));
    assert_false(bytes_equal(bytes_of_string("ab"), bytes_of_string("abc")));
    assert_true(bytes_equal_constant_time(bytes_of_string("key"), bytes_of_string("key")));
    assert_false(bytes_equal_constant_time(bytes_of_string("key"), bytes_of_string("kez")));
    assert_false(bytes_equal_constant_time(bytes_of_string("key"), bytes_of_string("ke")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_grows_and_keeps_a_terminator),
        cmocka_unit_test(a_limit_refuses_and_leaves_the_content),
        cmocka_unit_test(consuming_drops_from_the_front),
        cmocka_unit_test(stealing_leaves_an_empty_buffer),
        cmocka_unit_test(secret_bytes_are_wiped_where_they_are_left_behind),
        cmocka_unit_test(slices_compare_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
