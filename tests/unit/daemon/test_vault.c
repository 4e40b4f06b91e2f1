/* tests/unit/daemon/test_vault.c */
#include "daemon/vault.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static char dir[64];
static struct random chance;
static const uint8_t first[UNLOCK_KEY_SIZE_BYTES] = {1}, second[UNLOCK_KEY_SIZE_BYTES] = {2};

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/skep-vault-XXXXXX");
    chance = random_system();
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static void put(const char *text)
{
    cleanup_free char *path = mem_format("%s/lock.json", dir);
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
}

/* As after a restart. */
static void reopen(struct vault *vault)
{
    vault_deinit(vault);
    vault_init(vault, dir);
}

static void without_a_file_nothing_is_locked(void **state)
{
    (void)state;
    struct vault vault;
    vault_init(&vault, dir);
    assert_false(vault_is_locked(&vault));
    assert_null(vault_key(&vault));
    assert_false(vault_is_under(&vault, first));
    assert_fails(vault_unlock(&vault, first, err), ERR_PRECONDITION, "swarm is not locked");
    assert_ok(vault_erase(&vault, err));
    vault_deinit(&vault);
}

static void after_a_restart_the_right_key_opens_it(void **state)
{
    (void)state;
    struct vault vault;
    struct stat found;
    uint8_t key[SEALED_KEY_SIZE_BYTES];
    vault_init(&vault, dir);
    assert_ok(vault_lock(&vault, first, 12, &chance, err));
    memcpy(key, vault_key(&vault), sizeof key);
    assert_int_equal(stat(vault.path, &found), 0);
    assert_true(!TEST_HAS_MODES || (found.st_mode & 0777) == 0600);
    reopen(&vault);
    assert_true(vault_is_locked(&vault));
    assert_null(vault_key(&vault));
    assert_int_equal(vault.kek_version, 12);
    assert_fails(vault_unlock(&vault, second, err), ERR_TRUST, "swarm could not be unlocked: invalid key provided");
    assert_true(vault_is_locked(&vault));
    assert_ok(vault_unlock(&vault, first, err));
    assert_memory_equal(vault_key(&vault), key, sizeof key);
    vault_relock(&vault);
    assert_true(vault_is_locked(&vault) && vault_key(&vault) == NULL);
    vault_deinit(&vault);
}

/* The other files lie under the vault's own key, which stays: none of them is to be written anew. */
static void another_unlock_key_changes_this_file_alone(void **state)
{
    (void)state;
    struct vault vault;
    uint8_t key[SEALED_KEY_SIZE_BYTES];
    vault_init(&vault, dir);
    assert_ok(vault_lock(&vault, first, 12, &chance, err));
    memcpy(key, vault_key(&vault), sizeof key);
    assert_ok(vault_lock(&vault, second, 15, &chance, err));
    assert_true(vault_is_under(&vault, second));
    assert_false(vault_is_under(&vault, first));
    reopen(&vault);
    assert_fails(vault_unlock(&vault, first, err), ERR_TRUST, "invalid key provided");
    assert_ok(vault_unlock(&vault, second, err));
    assert_memory_equal(vault_key(&vault), key, sizeof key);
    assert_int_equal(vault.kek_version, 15);
    vault_deinit(&vault);
}

static void what_was_unlocked_for_good_stays_so_and_knows_since_when(void **state)
{
    (void)state;
    struct vault vault;
    uint8_t key[SEALED_KEY_SIZE_BYTES];
    vault_init(&vault, dir);
    assert_ok(vault_lock(&vault, first, 12, &chance, err));
    memcpy(key, vault_key(&vault), sizeof key);
    assert_ok(vault_drop(&vault, 20, err));
    assert_null(vault_key(&vault));
    reopen(&vault);
    assert_false(vault_is_locked(&vault));
    assert_int_equal(vault.kek_version, 20);
    assert_ok(vault_lock(&vault, first, 21, &chance, err));
    assert_memory_not_equal(vault_key(&vault), key, sizeof key); /* the one before lay open */
    assert_ok(vault_erase(&vault, err));
    assert_int_equal(vault.kek_version, 0);
    assert_false(file_exists(vault.path));
    vault_deinit(&vault);
}

static void file_that_cannot_be_written_changes_nothing(void **state)
{
    (void)state;
    struct vault vault;
    uint8_t key[SEALED_KEY_SIZE_BYTES];
    struct error cause = {0};
    vault_init(&vault, dir);
    assert_ok(vault_lock(&vault, first, 12, &chance, err));
    memcpy(key, vault_key(&vault), sizeof key);
    char *path = vault.path;
    vault.path = mem_format("%s/nowhere/lock.json", dir);
    assert_true(vault_lock(&vault, second, 13, &chance, &cause) < 0);
    assert_true(vault_drop(&vault, 14, &cause) < 0);
    assert_int_equal(vault.kek_version, 12);
    assert_true(vault_is_under(&vault, first));
    assert_memory_equal(vault_key(&vault), key, sizeof key);
    free(vault.path);
    vault.path = path;
    vault_deinit(&vault);
}

static void damaged_file_is_locked_and_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *message;
    } cases[] = {
        {"", ERR_CORRUPT, "no JSON object"},
        {"[]", ERR_CORRUPT, "no JSON object"},
        {"{\"version\":2,\"kekVersion\":1}", ERR_VERSION, "of version 2"},
        {"{\"version\":1}", ERR_CORRUPT, "no kekVersion"},
        {"{\"version\":1,\"kekVersion\":-3}", ERR_CORRUPT, "no kekVersion"},
        {"{\"version\":1,\"kekVersion\":1,\"key\":7}", ERR_CORRUPT, "no text"},
        {"{\"version\":1,\"kekVersion\":1,\"key\":\"\"}", ERR_CORRUPT, "no text"},
        {"{\"version\":1,\"kekVersion\":1,\"key\":\"AAAA\"}", ERR_CORRUPT, "no sealed secret"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vault vault;
        put(cases[i].text);
        vault_init(&vault, dir);
        assert_true(vault_is_locked(&vault));
        assert_null(vault_key(&vault));
        assert_fails(vault_unlock(&vault, first, err), cases[i].code, cases[i].message);
        assert_fails(vault_unlock(&vault, first, err), cases[i].code, "lock.json");
        assert_ok(vault_erase(&vault, err));
        assert_false(vault_is_locked(&vault));
        vault_deinit(&vault);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(without_a_file_nothing_is_locked),
        T(after_a_restart_the_right_key_opens_it),
        T(another_unlock_key_changes_this_file_alone),
        T(what_was_unlocked_for_good_stays_so_and_knows_since_when),
        T(file_that_cannot_be_written_changes_nothing),
        T(damaged_file_is_locked_and_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
