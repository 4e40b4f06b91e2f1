/* proto/identity/sealed.h – a secret as text that only its key opens: base64 of nonce, ciphertext and tag of AES-256-GCM.
 *
 * For the keys that a locked manager keeps on disk (manager/member.h, daemon/vault.h). What a secret is for is bound in, so that one does
 * not pass for another. Nonces are random: a key seals some dozens of texts in its life. What is written by the million has its own way
 * (raft/log/seal.h). */
#ifndef SKEP_PROTO_IDENTITY_SEALED_H
#define SKEP_PROTO_IDENTITY_SEALED_H

#include "base/buf.h"
#include "base/random.h"

#define SEALED_KEY_SIZE_BYTES   32
#define SEALED_NONCE_SIZE_BYTES 12
#define SEALED_TAG_SIZE_BYTES   16

/* Appends the text of @secret (at most SEALED_SECRET_SIZE_BYTES) to @out. */
void sealed_print(const uint8_t key[SEALED_KEY_SIZE_BYTES], const char *purpose, struct bytes secret, const struct random *random,
                  struct buf *out);

/* Appends the secret to @out, which should be a secret buffer. ERR_CORRUPT: no such text; ERR_PERMISSION: sealed under another key, for
 * another purpose, or changed by somebody, which cannot be told apart. */
int sealed_open(const uint8_t key[SEALED_KEY_SIZE_BYTES], const char *purpose, const char *text, struct buf *out, struct error *err);

#endif
