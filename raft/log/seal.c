/* raft/log/seal.c – see seal.h. */
#include "raft/log/seal.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

const struct raft_key *raft_keys_find(const struct raft_keys *keys, uint32_t id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->items[i].id == id)
            return &keys->items[i];
    return NULL;
}

int raft_keys_add(struct raft_keys *keys, uint32_t id, const uint8_t bytes[RAFT_KEY_SIZE_BYTES], struct error *err)
{
    const struct raft_key *known = raft_keys_find(keys, id);
    if (id == 0)
        return error_set(err, ERR_INVALID, "a key of the raft log needs a number other than 0");
    if (known && !bytes_equal_constant_time(bytes_of(known->bytes, RAFT_KEY_SIZE_BYTES), bytes_of(bytes, RAFT_KEY_SIZE_BYTES)))
        return error_set(err, ERR_INVALID, "key %" PRIu32 " of the raft log is known with other bytes: a new key needs a new number", id);
    if (known)
        return 0;
    if (keys->count == RAFT_KEYS_COUNT)
        return error_set(err, ERR_LIMIT, "more than %d keys for the raft log", RAFT_KEYS_COUNT);
    struct raft_key *key = &keys->items[keys->count++];
    key->id = id;
    memcpy(key->bytes, bytes, RAFT_KEY_SIZE_BYTES);
    return 0;
}

void raft_keys_remove(struct raft_keys *keys, uint32_t id)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->items[i].id != id)
            continue;
        keys->items[i] = keys->items[--keys->count];
        mem_wipe(&keys->items[keys->count], sizeof keys->items[0]);
        return;
    }
}

void raft_keys_deinit(struct raft_keys *keys)
{
    mem_wipe(keys, sizeof *keys);
}

void raft_sealer_deinit(struct raft_sealer *sealer)
{
    EVP_CIPHER_CTX_free(sealer->cipher);
    *sealer = (struct raft_sealer){0};
}

/* What fails here fails for want of memory, or because the OpenSSL of the host lacks what every build of it has. */
static void must(int done, const char *what)
{
    if (done > 0)
        return;
    fprintf(stderr, "skep: raft log: OpenSSL: %s failed\n", what);
    abort();
}

static void derive(const struct raft_key *key, const uint8_t *salt, uint8_t out[RAFT_KEY_SIZE_BYTES])
{
    static const char info[] = "skep raft log file";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key->bytes, RAFT_KEY_SIZE_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, RAFT_SALT_SIZE_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, sizeof info - 1),
        OSSL_PARAM_construct_end(),
    };
    must(ctx && EVP_KDF_derive(ctx, out, RAFT_KEY_SIZE_BYTES, params) > 0, "HKDF");
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

int raft_sealer_use(struct raft_sealer *sealer, const struct raft_keys *keys, uint32_t key_id, const uint8_t salt[RAFT_SALT_SIZE_BYTES],
                    const char *where, struct error *err)
{
    const struct raft_key *key = raft_keys_find(keys, key_id);
    uint8_t own[RAFT_KEY_SIZE_BYTES];

    if (sealer->key_id == key_id)
        return 0;
    if (!key)
        return error_set(err, ERR_PERMISSION,
                         "%s: encrypted with key %" PRIu32 ", which was not given: unlock this manager with the key of its raft log", where,
                         key_id);
    if (!sealer->cipher)
        sealer->cipher = EVP_CIPHER_CTX_new();
    derive(key, salt, own);
    must(sealer->cipher && EVP_CipherInit_ex(sealer->cipher, EVP_aes_256_gcm(), NULL, own, NULL, 1), "AES-256-GCM");
    mem_wipe(own, sizeof own);
    sealer->key_id = key_id;
    return 0;
}

/* OpenSSL counts in int; records and chunks are far below. */
static void begin(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, struct bytes bound, int encrypt)
{
    int length;
    must(EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, encrypt), "nonce");
    must(EVP_CipherUpdate(ctx, NULL, &length, bound.data, (int)bound.size), "bound data");
}

void raft_seal(struct raft_sealer *sealer, const uint8_t nonce[RAFT_NONCE_SIZE_BYTES], struct bytes bound, uint8_t *data, size_t size)
{
    int length;
    assert(sealer->cipher && size <= RAFT_RECORD_SIZE_BYTES);
    begin(sealer->cipher, nonce, bound, 1);
    must(EVP_CipherUpdate(sealer->cipher, data, &length, data, (int)size), "encrypt");
    must(EVP_CipherFinal_ex(sealer->cipher, data + size, &length), "encrypt");
    must(EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_GET_TAG, RAFT_TAG_SIZE_BYTES, data + size), "tag");
}

bool raft_unseal(struct raft_sealer *sealer, const uint8_t nonce[RAFT_NONCE_SIZE_BYTES], struct bytes bound, struct bytes sealed,
                 uint8_t *out)
{
    int length;
    uint8_t tag[RAFT_TAG_SIZE_BYTES];

    assert(sealer->cipher);
    if (sealed.size < RAFT_TAG_SIZE_BYTES)
        return false;
    size_t size = sealed.size - RAFT_TAG_SIZE_BYTES;
    memcpy(tag, sealed.data + size, sizeof tag);
    begin(sealer->cipher, nonce, bound, 0);
    must(EVP_CipherUpdate(sealer->cipher, out, &length, sealed.data, (int)size), "decrypt");
    must(EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_SET_TAG, RAFT_TAG_SIZE_BYTES, tag), "tag");
    return EVP_CipherFinal_ex(sealer->cipher, out + size, &length) > 0;
}

int raft_seal_refused(uint32_t key_id, const char *where, uint64_t offset, struct error *err)
{
    return error_set(err, ERR_PERMISSION,
                     "%s at %" PRIu64 ": whole, but key %" PRIu32
                     " does not open it: the key given under that number is not the one it was "
                     "written with; give the right one",
                     where, offset, key_id);
}
