/* daemon/vault.c – see vault.h. */
#include "daemon/vault.h"

#include <assert.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

static const char purpose[] = "skep vault";

/* --- reading --- */

static int read_document(struct vault *vault, const cJSON *json, struct error *err)
{
    int64_t version = json_int(json, "version", 0), kek_version = json_int(json, "kekVersion", -1);
    const char *sealed = json_string(json, "key", NULL);

    if (version != VAULT_VERSION)
        return error_set(err, ERR_VERSION, "it is of version %lld, and this program knows %d", (long long)version, VAULT_VERSION);
    if (kek_version < 0)
        return error_set(err, ERR_CORRUPT, "it has no kekVersion");
    if (cJSON_GetObjectItemCaseSensitive(json, "key") && text_empty(sealed))
        return error_set(err, ERR_CORRUPT, "its key is no text");
    vault->kek_version = (uint64_t)kek_version;
    vault->sealed = mem_string(sealed);
    return 0;
}

static int read_file(struct vault *vault, struct error *err)
{
    cleanup_buf struct buf content = {0};
    cleanup_json cJSON *json = NULL;
    int failed = file_read(vault->path, VAULT_FILE_SIZE_BYTES, &content, err);

    if (failed == ERR_NOT_FOUND)
        return 0;
    if (failed == 0 && (json_parse(buf_bytes(&content), VAULT_FILE_SIZE_BYTES, &json, NULL) < 0 || !cJSON_IsObject(json)))
        failed = error_set(err, ERR_CORRUPT, "it is no JSON object");
    if (failed == 0)
        failed = read_document(vault, json, err);
    if (failed == 0)
        return 0;
    return error_wrap(err, "%s: restore it from a copy, or take the node out with `skep leave --force`", vault->path);
}

void vault_init(struct vault *vault, const char *state_dir)
{
    struct error err = {0};

    *vault = (struct vault){.path = mem_format("%s/lock.json", state_dir)};
    if (read_file(vault, &err) < 0)
        vault->damage = err;
}

static void forget(struct vault *vault)
{
    mem_wipe(vault->key, sizeof vault->key);
    free(vault->sealed);
    vault->sealed = NULL;
    vault->is_open = false;
}

void vault_deinit(struct vault *vault)
{
    forget(vault);
    free(vault->path);
    *vault = (struct vault){0};
}

bool vault_is_locked(const struct vault *vault)
{
    return (vault->sealed || vault->damage.code) && !vault->is_open;
}

const uint8_t *vault_key(const struct vault *vault)
{
    return vault->is_open ? vault->key : NULL;
}

/* --- its key --- */

static int open_with(const struct vault *vault, const uint8_t *kek, struct buf *key, struct error *err)
{
    if (sealed_open(kek, purpose, vault->sealed, key, err) < 0)
        return err->code;
    if (key->size != SEALED_KEY_SIZE_BYTES)
        return error_set(err, ERR_CORRUPT, "its key has not %d bytes", SEALED_KEY_SIZE_BYTES);
    return 0;
}

int vault_unlock(struct vault *vault, const uint8_t kek[UNLOCK_KEY_SIZE_BYTES], struct error *err)
{
    cleanup_buf struct buf key = {.is_secret = true};

    if (vault->damage.code) {
        *err = vault->damage;
        return err->code;
    }
    if (vault->sealed == NULL)
        return error_set(err, ERR_PRECONDITION, "swarm is not locked");
    int failed = open_with(vault, kek, &key, err);
    if (failed == ERR_PERMISSION)
        return error_set(err, ERR_TRUST, "swarm could not be unlocked: invalid key provided");
    if (failed < 0)
        return error_wrap(err, "%s", vault->path);
    memcpy(vault->key, key.data, sizeof vault->key);
    vault->is_open = true;
    return 0;
}

void vault_relock(struct vault *vault)
{
    mem_wipe(vault->key, sizeof vault->key);
    vault->is_open = false;
}

bool vault_is_under(const struct vault *vault, const uint8_t kek[UNLOCK_KEY_SIZE_BYTES])
{
    cleanup_buf struct buf key = {.is_secret = true};
    struct error ignored;

    return vault->sealed && open_with(vault, kek, &key, &ignored) == 0;
}

/* --- writing --- */

static int write_file(const struct vault *vault, const char *sealed, uint64_t version, struct error *err)
{
    cleanup_json cJSON *json = cJSON_CreateObject();

    json_add_int(json, "version", VAULT_VERSION);
    json_add_int(json, "kekVersion", (int64_t)version);
    json_add_string(json, "key", sealed);
    cleanup_free char *text = json_print(json);
    return file_write(vault->path, bytes_of_string(text), 0600, err);
}

int vault_lock(struct vault *vault, const uint8_t kek[UNLOCK_KEY_SIZE_BYTES], uint64_t version, const struct random *random,
               struct error *err)
{
    cleanup_buf struct buf text = {0};
    uint8_t key[SEALED_KEY_SIZE_BYTES];

    assert(!vault_is_locked(vault));
    if (vault->sealed)
        memcpy(key, vault->key, sizeof key);
    else
        random_fill(random, key, sizeof key);
    sealed_print(kek, purpose, bytes_of(key, sizeof key), random, &text);
    int failed = write_file(vault, (const char *)text.data, version, err);
    if (failed == 0) {
        forget(vault);
        memcpy(vault->key, key, sizeof key);
        vault->sealed = buf_steal_string(&text);
        vault->kek_version = version;
        vault->is_open = true;
    }
    mem_wipe(key, sizeof key);
    return failed;
}

int vault_drop(struct vault *vault, uint64_t version, struct error *err)
{
    int failed = write_file(vault, NULL, version, err);

    if (failed == 0) {
        forget(vault);
        vault->kek_version = version;
    }
    return failed;
}

int vault_erase(struct vault *vault, struct error *err)
{
    int failed = file_remove(vault->path, err);

    if (failed < 0)
        return failed;
    forget(vault);
    vault->kek_version = 0;
    vault->damage = (struct error){0};
    return 0;
}
