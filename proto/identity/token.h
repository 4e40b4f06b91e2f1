/* proto/identity/token.h – the text a person types to bring a node in: which cluster, and the right to enter it.
 *
 *     SWMTKN-1-<digest of the root CA: 50 of base 36>-<secret: 25 of base 36>
 *     SWMTKN-2-<fips: 0 or 1>-<digest>-<secret>
 *
 * The digest is SHA-256 over the exact bytes of the root CA's PEM, final newline included, so that a manager's answer can be checked before
 * anything is told to it. The text does not say whether it is a worker's or a manager's; only the manager knows (swarmkit-wire §2.2). */
#ifndef SKEP_PROTO_IDENTITY_TOKEN_H
#define SKEP_PROTO_IDENTITY_TOKEN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/encode.h"

#define TOKEN_DIGEST_SIZE_CHARS 50
#define TOKEN_SECRET_SIZE_CHARS 25
#define TOKEN_SECRET_SIZE_BYTES 16

/* Holds a secret: wipe it with token_wipe() when done. */
struct token {
    int version; /* 1 or 2 */
    bool is_fips;
    uint8_t ca_digest[SHA256_SIZE_BYTES];
    char text[TOKEN_SIZE_CHARS + 1]; /* as sent to the manager */
};

/* Parse @text strictly; white space around it is the one thing forgiven, as it comes from copying. On failure @out is wiped, and the
 * message says which part is wrong without repeating the secret. ERR_TOKEN; ERR_UNSUPPORTED for a FIPS-only cluster. */
int token_parse(const char *text, struct token *out, struct error *err);
void token_wipe(struct token *token);

/* Does the token belong to the cluster whose root CA is @root_pem? ERR_TRUST saying what to do when not. */
int token_check_root(const struct token *token, struct bytes root_pem, struct error *err);

/* Write the token of a cluster with @root_pem and @secret: version 2 where only nodes in FIPS mode are admitted, else version 1. The caller
 * wipes @out. */
void token_format(struct bytes root_pem, const uint8_t secret[TOKEN_SECRET_SIZE_BYTES], bool is_fips, char out[TOKEN_SIZE_CHARS + 1]);

#endif
