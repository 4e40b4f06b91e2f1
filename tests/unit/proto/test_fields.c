/* tests/unit/proto/test_fields.c */
#include "proto/fields.h"

#include "tests/unit/test.h"

static void what_is_put_is_taken(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    cleanup_buf struct buf out = {0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        size_t before = out.size;
        field_put_varint(&out, 3, values[i]);
        assert_int_equal(out.size - before, 1 + field_varint_size(values[i]));
    }
    size_t before = out.size;
    field_put_length(&out, FIELD_NUMBER_MOST, 3);
    buf_append(&out, "abc", 3);
    assert_int_equal(out.size - before, field_length_size(FIELD_NUMBER_MOST, 3));
    buf_append(&out, "\x0d\1\0\0\0\x11\2\0\0\0\0\0\0\0", 14);
    struct bytes rest = buf_bytes(&out);
    struct field field;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_true(field_take(&rest, &field));
        assert_int_equal(field.number, 3);
        assert_int_equal(field.type, FIELD_VARINT);
        assert_true(field.value == values[i]);
    }
    assert_true(field_take(&rest, &field));
    assert_int_equal(field.number, FIELD_NUMBER_MOST);
    assert_true(bytes_equal(field.bytes, bytes_of_string("abc")));
    assert_true(field_take(&rest, &field) && field.type == FIELD_FIXED32 && field.value == 1);
    assert_true(field_take(&rest, &field) && field.type == FIELD_FIXED64 && field.value == 2 && field.number == 2);
    assert_int_equal(rest.size, 0);
}

static void what_is_malformed_is_not(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"\x0a", 1}, {"\x0a\x05x", 3}, {"\x0b", 1},   {"\x00\x01", 2},
               {"\x08", 1}, {"\x0d\1\2", 3},  {"\x09\1", 2}, {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bytes rest = bytes_of(bad[i].bytes, bad[i].size);
        struct field field;
        assert_false(field_take(&rest, &field));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_taken),
        cmocka_unit_test(what_is_malformed_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
