#include "proto/identity/keyfile.h"

#include "proto/identity/certificate.h"
#include "proto/identity/unlock_key.h"
#include "tests/unit/proto/identity/fixture.h"

static void docker_key_opens_without_its_header_lines(void **state)
{
    (void)state;
    cleanup_buf struct buf text = {0}, chain = {0}, printed = {0};
    struct keyfile key;
    assert_ok(keyfile_parse(fixture(&text, "manager-1.key"), &key, err));
    assert_false(key.is_encrypted);
    assert_string_equal(keyfile_header(&key, "kek-version"), "0");
    assert_string_equal(keyfile_header(&key, "raft-dek"), "EiAbxW1VP/Ne/Omj0Z1H3PmScKeDfZ/Q4owWqgVQ9bnGZg==");
    assert_null(keyfile_header(&key, "raft-dek-pending"));
    assert_ok(certificate_match_key(fixture(&chain, "manager-1.crt"), buf_bytes(&key.body_pem), err));
    keyfile_print(&key, &printed);
    assert_string_equal(printed.data, text.data);
    keyfile_deinit(&key);
}

static void locked_key_is_told_apart_and_rewritten_as_it_was(void **state)
{
    (void)state;
    cleanup_buf struct buf text = {0}, printed = {0};
    struct keyfile key;
    assert_ok(keyfile_parse(fixture(&text, "locked.key"), &key, err));
    assert_true(key.is_encrypted);
    assert_string_equal(keyfile_header(&key, "kek-version"), "18");
    keyfile_print(&key, &printed);
    assert_string_equal(printed.data, text.data);
    keyfile_deinit(&key);
}

static void docker_key_is_unlocked_by_its_unlock_key(void **state)
{
    (void)state;
    cleanup_buf struct buf text = {0}, key_text = {0};
    struct keyfile key;
    uint8_t kek[UNLOCK_KEY_SIZE_BYTES];
    fixture(&key_text, "unlock-key.txt");
    assert_ok(unlock_key_parse((const char *)key_text.data, kek, err));
    assert_ok(keyfile_parse(fixture(&text, "locked.key"), &key, err));
    kek[0] ^= 1;
    assert_fails(keyfile_unlock(&key, bytes_of(kek, sizeof kek), err), ERR_PERMISSION, "cannot be opened");
    assert_true(key.is_encrypted);
    kek[0] ^= 1;
    assert_ok(keyfile_unlock(&key, bytes_of(kek, sizeof kek), err));
    assert_false(key.is_encrypted);
    assert_non_null(strstr((const char *)key.body_pem.data, "BEGIN PRIVATE KEY"));
    assert_string_equal(keyfile_header(&key, "kek-version"), "18");
    keyfile_deinit(&key);
}

static void locked_key_is_unlocked_again(void **state)
{
    (void)state;
    cleanup_buf struct buf pem = {0}, printed = {0};
    struct keyfile key, again;
    static const uint8_t passphrase[] = "with\0zero"; /* bytes, no text */
    struct bytes bytes = bytes_of(passphrase, sizeof passphrase);
    assert_ok(certificate_make_key(&pem, err));
    assert_ok(keyfile_parse(buf_bytes(&pem), &key, err));
    assert_ok(keyfile_set_header(&key, "kek-version", "7", err));
    assert_ok(keyfile_lock(&key, bytes, err));
    assert_true(key.is_encrypted);
    keyfile_print(&key, &printed);
    assert_null(strstr((const char *)printed.data, "BEGIN PRIVATE"));
    assert_ok(keyfile_parse(buf_bytes(&printed), &again, err));
    assert_true(again.is_encrypted);
    assert_fails(keyfile_unlock(&again, bytes_of(passphrase, 4), err), ERR_PERMISSION, "cannot be opened");
    assert_ok(keyfile_unlock(&again, bytes, err));
    assert_string_equal(again.body_pem.data, pem.data);
    assert_fails(keyfile_lock(&(struct keyfile){0}, bytes, err), ERR_CORRUPT, "cannot be read");
    keyfile_deinit(&key);
    keyfile_deinit(&again);
}

static void header_is_set_and_replaced(void **state)
{
    (void)state;
    cleanup_buf struct buf pem = {0}, printed = {0};
    struct keyfile key, again;
    assert_ok(certificate_make_key(&pem, err));
    assert_ok(keyfile_parse(buf_bytes(&pem), &key, err));
    assert_int_equal(key.header_count, 0);
    assert_ok(keyfile_set_header(&key, "kek-version", "0", err));
    assert_ok(keyfile_set_header(&key, "kek-version", "12", err));
    keyfile_print(&key, &printed);
    assert_ok(keyfile_parse(buf_bytes(&printed), &again, err));
    assert_int_equal(again.header_count, 1);
    assert_string_equal(keyfile_header(&again, "kek-version"), "12");
    assert_string_equal(again.body_pem.data, pem.data);
    assert_fails(keyfile_set_header(&key, "a b", "x", err), ERR_INVALID, "not a header line");
    assert_fails(keyfile_set_header(&key, "a", "x\n-----END", err), ERR_INVALID, "not a header line");
    for (int i = 1; i < KEYFILE_HEADERS_COUNT; i++) {
        char name[8];
        snprintf(name, sizeof name, "h%d", i);
        assert_ok(keyfile_set_header(&key, name, "x", err));
    }
    assert_fails(keyfile_set_header(&key, "one-more", "x", err), ERR_LIMIT, "more than");
    keyfile_deinit(&key);
    keyfile_deinit(&again);
}

static void damaged_file_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no private key"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no private key"},
        {"-----BEGIN PRIVATE KEY-----\n", "ends in the middle"},
        {"-----BEGIN PRIVATE KEY-----\nkek-version: 0\n", "ends in the middle"},
        {"-----BEGIN PRIVATE KEY-----\nkek-version: 0\n-----END PRIVATE KEY-----\n", "no key behind"},
        {"-----BEGIN PRIVATE KEY-----\nkek-version: 0\nAAAA\n-----END PRIVATE KEY-----\n", "no \"name: value\""},
        {"-----BEGIN PRIVATE KEY-----\na:1\nb:1\nc:1\nd:1\ne:1\nf:1\ng:1\nh:1\ni:1\n\n-----END PRIVATE KEY-----\n", "more than 8"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n\nAAAA?\n-----END PRIVATE KEY-----\n", "not base64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keyfile key;
        assert_fails(keyfile_parse(bytes_of_string(cases[i].text), &key, err), ERR_CORRUPT, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docker_key_opens_without_its_header_lines),
        cmocka_unit_test(locked_key_is_told_apart_and_rewritten_as_it_was),
        cmocka_unit_test(docker_key_is_unlocked_by_its_unlock_key),
        cmocka_unit_test(locked_key_is_unlocked_again),
        cmocka_unit_test(header_is_set_and_replaced),
        cmocka_unit_test(damaged_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
