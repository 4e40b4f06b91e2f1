/* tests/unit/proto/identity/test_sealed.c */
#include "proto/identity/sealed.h"

#include "tests/unit/test.h"

static const uint8_t key[SEALED_KEY_SIZE_BYTES] = "0123456789abcdef0123456789abcde";
static const char secret[] = "thirty-two bytes of a secret key";

static struct buf print(void)
{
    struct buf text = {0};
    struct random random = random_system();
    sealed_print(key, "test", bytes_of_string(secret), &random, &text);
    return text;
}

static void secret_is_opened_by_its_key_alone(void **state)
{
    (void)state;
    uint8_t other[SEALED_KEY_SIZE_BYTES];
    cleanup_buf struct buf text = print(), again = print(), out = {.is_secret = true};
    assert_null(strstr((const char *)text.data, "dGhpcnR5")); /* "thirty" in base64 */
    assert_string_not_equal(text.data, again.data);
    memcpy(other, key, sizeof other);
    other[31] ^= 1;
    assert_fails(sealed_open(other, "test", (const char *)text.data, &out, err), ERR_PERMISSION, "another key");
    assert_fails(sealed_open(key, "tests", (const char *)text.data, &out, err), ERR_PERMISSION, "another key");
    assert_int_equal(out.size, 0);
    assert_ok(sealed_open(key, "test", (const char *)text.data, &out, err));
    assert_int_equal(out.size, sizeof secret - 1);
    assert_memory_equal(out.data, secret, out.size);
}

static void each_changed_letter_is_noticed(void **state)
{
    (void)state;
    cleanup_buf struct buf text = print();
    for (size_t i = 0; i < text.size; i++) {
        cleanup_buf struct buf out = {.is_secret = true};
        uint8_t was = text.data[i];
        if (was == '=')
            continue;
        text.data[i] = was == 'A' ? 'Q' : 'A'; /* differs in the highest bits of the six */
        struct error err = {0};
        assert_true(sealed_open(key, "test", (const char *)text.data, &out, &err) < 0);
        assert_int_equal(out.size, 0);
        text.data[i] = was;
    }
}

static void what_is_no_sealed_text_is_refused(void **state)
{
    (void)state;
    char long_one[SEALED_TEXT_SIZE_CHARS + 2];
    cleanup_buf struct buf out = {0};
    memset(long_one, 'A', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    const char *const texts[] = {"", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "*", long_one};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fails(sealed_open(key, "test", texts[i], &out, err), ERR_CORRUPT, "no sealed secret");
    long_one[124] = '\0'; /* 93 bytes: one more than the longest secret makes */
    assert_fails(sealed_open(key, "test", long_one, &out, err), ERR_CORRUPT, "no sealed secret");
}

static void secrets_of_any_size_come_back(void **state)
{
    (void)state;
    struct random random = random_system();
    uint8_t long_one[SEALED_SECRET_SIZE_BYTES] = {7};
    for (size_t size = 0; size <= sizeof long_one; size++) {
        cleanup_buf struct buf text = {0}, out = {.is_secret = true};
        sealed_print(key, "", bytes_of(long_one, size), &random, &text);
        assert_in_range(text.size, 1, SEALED_TEXT_SIZE_CHARS);
        assert_ok(sealed_open(key, "", (const char *)text.data, &out, err));
        assert_true(bytes_equal(buf_bytes(&out), bytes_of(long_one, size)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_is_opened_by_its_key_alone),
        cmocka_unit_test(each_changed_letter_is_noticed),
        cmocka_unit_test(what_is_no_sealed_text_is_refused),
        cmocka_unit_test(secrets_of_any_size_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
