/* raft/log/seal.h – AES-256-GCM for what lies on disk: the caller's keys by number, and a key of its own for each file.
 *
 * A file's key is HKDF-SHA256 of the caller's key with the file's random salt, so nonces of two files never meet under one key. Inside a
 * file each nonce is 96 random bits: in the 2^21 records that fit in the largest segment a repeat has a chance of 2^-55, whatever crashed,
 * was torn, cut, or written again at the same place in between – no counter has to survive. Key number 0 means: not encrypted. */
#ifndef SKEP_RAFT_LOG_SEAL_H
#define SKEP_RAFT_LOG_SEAL_H

#include <stdbool.h>

#include "base/buf.h"

enum { RAFT_KEY_SIZE_BYTES = 32, RAFT_SALT_SIZE_BYTES = 16, RAFT_NONCE_SIZE_BYTES = 12, RAFT_TAG_SIZE_BYTES = 16 };

/* The caller's. @current is the one new records use; 0: they are not encrypted. Zeroed: no keys. */
struct raft_keys {
    struct raft_key {
        uint32_t id; /* not 0 */
        uint8_t bytes[RAFT_KEY_SIZE_BYTES];
    } items[RAFT_KEYS_COUNT];
    size_t count;
    uint32_t current;
};

/* ERR_INVALID for id 0 or an id that is there with other bytes, ERR_LIMIT beyond RAFT_KEYS_COUNT. */
int raft_keys_add(struct raft_keys *keys, uint32_t id, const uint8_t bytes[RAFT_KEY_SIZE_BYTES], struct error *err);
void raft_keys_remove(struct raft_keys *keys, uint32_t id);
const struct raft_key *raft_keys_find(const struct raft_keys *keys, uint32_t id); /* NULL: not given */
void raft_keys_deinit(struct raft_keys *keys);                                    /* wipes */

/* One file's key under one of the caller's. Zeroed: none yet. */
struct raft_sealer {
    uint32_t key_id;
    void *cipher; /* EVP_CIPHER_CTX, keyed */
};
void raft_sealer_deinit(struct raft_sealer *sealer);

/* Make @sealer the one of @key_id for the file with @salt, unless it is already. @where names the file in messages.
 * ERR_PERMISSION: that key was not given. */
int raft_sealer_use(struct raft_sealer *sealer, const struct raft_keys *keys, uint32_t key_id, const uint8_t salt[RAFT_SALT_SIZE_BYTES],
                    const char *where, struct error *err);

/* In place: @size bytes, then room for the tag. */
void raft_seal(struct raft_sealer *sealer, const uint8_t nonce[RAFT_NONCE_SIZE_BYTES], struct bytes bound, uint8_t *data, size_t size);

/* @sealed with its tag at the end, into @out (without it). False: another key, or bytes that somebody changed and gave a right checksum. */
bool raft_unseal(struct raft_sealer *sealer, const uint8_t nonce[RAFT_NONCE_SIZE_BYTES], struct bytes bound, struct bytes sealed,
                 uint8_t *out);

/* What to say then. ERR_PERMISSION. */
int raft_seal_refused(uint32_t key_id, const char *where, uint64_t offset, struct error *err);

#endif
