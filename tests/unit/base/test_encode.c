/* tests/unit/base/test_encode.c */
#include "base/encode.h"

#include "tests/unit/test.h"

static void hex_goes_both_ways(void **state)
{
    (void)state;
    char text[9];
    uint8_t raw[4];
    encode_hex(bytes_of("\x00\xff\x1a\x80", 4), text);
    assert_string_equal(text, "00ff1a80");
    assert_ok(decode_hex("00FF1a80", 8, raw, err));
    assert_memory_equal(raw, "\x00\xff\x1a\x80", 4);
    assert_fails(decode_hex("0", 1, raw, err), ERR_INVALID, "odd length");
    assert_fails(decode_hex("0g", 2, raw, err), ERR_INVALID, "position 1");
}

static void base36_keeps_the_width_and_the_value(void **state)
{
    (void)state;
    uint8_t all[32], back[32];
    char text[51];
    memset(all, 0xff, sizeof all);
    encode_base36(bytes_of(all, 32), text, 50);
    assert_int_equal(strlen(text), 50);
    assert_ok(decode_base36(text, 50, back, 32, err));
    assert_memory_equal(all, back, 32);
    encode_base36(bytes_of("\x00\x01\x00", 3), text, 5);
    assert_string_equal(text, "00074"); /* 256 = 7 * 36 + 4 */
    assert_fails(decode_base36("zzzzzz", 6, back, 3, err), ERR_INVALID, "does not fit");
    assert_fails(decode_base36("ab-", 3, back, 3, err), ERR_INVALID, "position 2");
    assert_fails(decode_base36("AB", 2, back, 3, err), ERR_INVALID, "position 0");
}

static void base64_goes_both_ways_in_both_alphabets(void **state)
{
    (void)state;
    cleanup_buf struct buf text = {0}, raw = {0};
    encode_base64(bytes_of("\xfb\xff\xfe!", 4), &text);
    assert_string_equal((char *)text.data, "+//+IQ==");
    assert_ok(decode_base64("+//+IQ==", 8, &raw, err));
    assert_ok(decode_base64("-__-IQ", 6, &raw, err));
    assert_memory_equal(raw.data, "\xfb\xff\xfe!\xfb\xff\xfe!", 8);
    assert_fails(decode_base64("abcde", 5, &raw, err), ERR_INVALID, "length");
    assert_fails(decode_base64("ab d", 4, &raw, err), ERR_INVALID, "position 2");
    raw.limit = raw.size;
    assert_fails(decode_base64("AAAA", 4, &raw, err), ERR_LIMIT, "more than");
}

static void sha256_of_the_empty_string_is_the_known_one(void **state)
{
    (void)state;
    uint8_t digest[SHA256_SIZE_BYTES];
    char text[65];
    sha256(bytes_of(NULL, 0), digest);
    encode_hex(bytes_of(digest, sizeof digest), text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(base36_keeps_the_width_and_the_value),
        cmocka_unit_test(base64_goes_both_ways_in_both_alphabets),
        cmocka_unit_test(sha256_of_the_empty_string_is_the_known_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
