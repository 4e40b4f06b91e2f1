/* tests/unit/proto/identity/test_unlock_key.c */
#include "proto/identity/unlock_key.h"

#include <openssl/pem.h>

#include "proto/identity/keyfile.h"
#include "tests/unit/proto/identity/fixture.h"

static int give_password(char *room, int size, int writing, void *key)
{
    (void)writing;
    assert_true(size >= UNLOCK_KEY_SIZE_BYTES);
    memcpy(room, key, UNLOCK_KEY_SIZE_BYTES);
    return UNLOCK_KEY_SIZE_BYTES;
}

/* The key that dockerd printed opens the key file that dockerd locked. */
static void docker_key_opens_what_docker_locked(void **state)
{
    (void)state;
    cleanup_buf struct buf text = {0}, locked = {0};
    uint8_t key[UNLOCK_KEY_SIZE_BYTES];
    char again[UNLOCK_KEY_SIZE_CHARS + 1];
    struct keyfile file;
    fixture(&text, "unlock-key.txt");
    assert_ok(unlock_key_parse((char *)text.data, key, err));
    assert_ok(keyfile_parse(fixture(&locked, "locked.key"), &file, err));
    BIO *bio = BIO_new_mem_buf(file.body_pem.data, (int)file.body_pem.size);
    EVP_PKEY *opened = PEM_read_bio_PrivateKey(bio, NULL, give_password, key);
    assert_non_null(opened);
    unlock_key_format(key, again);
    assert_int_equal(strlen(again), UNLOCK_KEY_SIZE_CHARS);
    assert_memory_equal(again, text.data, UNLOCK_KEY_SIZE_CHARS);
    EVP_PKEY_free(opened);
    BIO_free(bio);
    keyfile_deinit(&file);
}

static void white_space_around_is_forgiven(void **state)
{
    (void)state;
    uint8_t key[UNLOCK_KEY_SIZE_BYTES], zeros[UNLOCK_KEY_SIZE_BYTES] = {0};
    assert_ok(unlock_key_parse("\n SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA \r\n", key, err));
    assert_memory_equal(key, zeros, sizeof key);
}

static void damaged_key_is_refused_and_nothing_left(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {NULL, "does not start with SWMKEY-1-"},
        {"", "does not start with SWMKEY-1-"},
        {"SWMKEY-2-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "does not start with SWMKEY-1-"},
        {"SWMKEY-1-", "not copied whole"},
        {"SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "not copied whole"},
        {"SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not copied whole"},
        {"SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*A", "a character that no key has"},
        {"SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "a character"},
        {"SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_", "a character of it is wrong"}, /* another alphabet */
        {"SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "a character of it is wrong"}, /* bits behind the last byte */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[UNLOCK_KEY_SIZE_BYTES], zeros[UNLOCK_KEY_SIZE_BYTES] = {0};
        memset(key, 7, sizeof key);
        assert_fails(unlock_key_parse(cases[i].text, key, err), ERR_INVALID, cases[i].message);
        assert_memory_equal(key, zeros, sizeof key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docker_key_opens_what_docker_locked),
        cmocka_unit_test(white_space_around_is_forgiven),
        cmocka_unit_test(damaged_key_is_refused_and_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
