/* manager/member.c – see member.h. */
#include "manager/member.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

void member_deinit(struct member *member)
{
    raft_keys_deinit(&member->keys);
    free(member->address);
    *member = (struct member){0};
}

static char *path_in(const char *dir)
{
    return mem_format("%s/member.json", dir);
}

/* --- reading --- */

static void purpose_of(int64_t id, char out[32])
{
    snprintf(out, 32, "raft log key %" PRId64, id);
}

/* In clear, or sealed. */
static int read_bytes(const cJSON *item, int64_t id, const uint8_t *lock, struct buf *key, struct error *err)
{
    const char *text = json_string(item, "key", NULL), *sealed = json_string(item, "sealed", NULL);
    char purpose[32];

    if (text)
        return decode_base64(text, strlen(text), key, err);
    if (sealed == NULL)
        return error_set(err, ERR_CORRUPT, "key %" PRId64 " is missing", id);
    if (lock == NULL)
        return error_set(err, ERR_PERMISSION, "key %" PRId64 " is sealed: this manager is locked", id);
    purpose_of(id, purpose);
    return sealed_open(lock, purpose, sealed, key, err);
}

static int read_key(const cJSON *item, const uint8_t *lock, struct raft_keys *keys, struct error *err)
{
    cleanup_buf struct buf key = {.is_secret = true};
    int64_t id = json_int(item, "id", 0);

    if (id < 1 || id > UINT32_MAX)
        return error_set(err, ERR_CORRUPT, "a key has the number %lld", (long long)id);
    int failed = read_bytes(item, id, lock, &key, err);
    if (failed == ERR_PERMISSION)
        return error_wrap(err, "key %" PRId64, id);
    if (failed < 0 || key.size != RAFT_KEY_SIZE_BYTES)
        return error_set(err, ERR_CORRUPT, "key %lld is not one of %d bytes", (long long)id, RAFT_KEY_SIZE_BYTES);
    if (raft_keys_add(keys, (uint32_t)id, key.data, err) < 0)
        return err->code;
    keys->current = (uint32_t)id > keys->current ? (uint32_t)id : keys->current;
    return 0;
}

static int read_document(const cJSON *json, const uint8_t *lock, struct member *out, struct error *err)
{
    const char *id = json_string(json, "raftId", "");
    int64_t version = json_int(json, "version", 0);
    const cJSON *item;
    char *end;

    if (version != MEMBER_VERSION)
        return error_set(err, ERR_VERSION, "it is of version %lld, and this program knows %d", (long long)version, MEMBER_VERSION);
    out->is_joined = json_bool(json, "isJoined", false);
    out->address = mem_string(json_string(json, "address", ""));
    errno = 0;
    out->raft_id = strtoull(id, &end, 16);
    if (*id == 0 || *end || errno || out->raft_id == 0)
        return error_set(err, ERR_CORRUPT, "raftId \"%.32s\" is no number of a member", id);
    out->is_sealed = true;
    cJSON_ArrayForEach (item, json_array(json, "keys")) {
        if (read_key(item, lock, &out->keys, err) < 0)
            return err->code;
        out->is_sealed = out->is_sealed && json_string(item, "sealed", NULL);
    }
    return 0;
}

/* cJSON's strings are its own: the keys in them are wiped before it frees them. */
static void wipe_keys(cJSON *json)
{
    cJSON *item;

    cJSON_ArrayForEach (item, json_array(json, "keys")) {
        const cJSON *key = cJSON_GetObjectItemCaseSensitive(item, "key");
        if (cJSON_IsString(key))
            mem_wipe(key->valuestring, strlen(key->valuestring));
    }
}

int member_read(const char *dir, const uint8_t *lock, struct member *out, struct error *err)
{
    cleanup_free char *path = path_in(dir);
    cleanup_buf struct buf content = {.is_secret = true};
    cleanup_json cJSON *json = NULL;

    *out = (struct member){0};
    int failed = file_read(path, MEMBER_FILE_SIZE_BYTES, &content, err);
    if (failed == ERR_NOT_FOUND)
        return 0;
    if (failed == 0 && json_parse(buf_bytes(&content), MEMBER_FILE_SIZE_BYTES, &json, err) < 0)
        return error_set(err, ERR_CORRUPT, "%s: no JSON object", path);
    if (failed == 0 && (failed = read_document(json, lock, out, err)) < 0)
        error_wrap(err, "%s", path);
    wipe_keys(json);
    if (failed < 0)
        member_deinit(out);
    return failed;
}

/* --- writing --- */

static void add_key(cJSON *keys, const struct raft_key *key, const uint8_t *lock, const struct random *random)
{
    cleanup_buf struct buf text = {.is_secret = true};
    struct bytes bytes = bytes_of(key->bytes, RAFT_KEY_SIZE_BYTES);
    cJSON *item = cJSON_CreateObject();
    char purpose[32];

    purpose_of(key->id, purpose);
    if (lock)
        sealed_print(lock, purpose, bytes, random, &text);
    else
        encode_base64(bytes, &text);
    json_add_int(item, "id", key->id);
    json_add_string(item, lock ? "sealed" : "key", (const char *)text.data);
    cJSON_AddItemToArray(keys, item);
}

int member_write(const char *dir, const struct member *member, const uint8_t *lock, const struct random *random, struct error *err)
{
    cleanup_free char *path = path_in(dir);
    cleanup_json cJSON *json = cJSON_CreateObject();
    cJSON *keys = cJSON_CreateArray();
    char id[17];

    snprintf(id, sizeof id, "%" PRIx64, member->raft_id);
    json_add_int(json, "version", MEMBER_VERSION);
    json_add_string(json, "raftId", id);
    json_add_string(json, "address", member->address);
    cJSON_AddBoolToObject(json, "isJoined", member->is_joined);
    for (size_t i = 0; i < member->keys.count; i++)
        add_key(keys, &member->keys.items[i], lock, random);
    cJSON_AddItemToObject(json, "keys", keys);
    char *text = json_print(json);
    int failed = file_make_dirs(dir, 0700, err);
    if (failed == 0)
        failed = file_write(path, bytes_of_string(text), 0600, err);
    wipe_keys(json);
    mem_wipe(text, strlen(text));
    free(text);
    return failed;
}

int member_make_key(struct member *member, const struct random *random, struct error *err)
{
    uint8_t bytes[RAFT_KEY_SIZE_BYTES];
    uint32_t id = member->keys.current + 1;

    random_fill(random, bytes, sizeof bytes);
    int failed = raft_keys_add(&member->keys, id, bytes, err);
    if (failed == 0)
        member->keys.current = id;
    mem_wipe(bytes, sizeof bytes);
    return failed;
}

int member_erase(const char *dir, struct error *err)
{
    return file_remove_tree(dir, err);
}
