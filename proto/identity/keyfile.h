/* proto/identity/keyfile.h – a private key as SwarmKit stores it: PEM with "name: value" lines between the first line and a blank one.
 *
 * OpenSSL refuses such a file, so the lines are taken off before it sees the key and put back when the file is written. A worker's key has
 * kek-version alone; a manager's carries the keys of its Raft log there too, which must survive every rewrite (swarmkit-wire §2.7). */
#ifndef SKEP_PROTO_IDENTITY_KEYFILE_H
#define SKEP_PROTO_IDENTITY_KEYFILE_H

#include <stdbool.h>

#include "base/buf.h"

struct keyfile_header {
    char *name, *value;
};

/* Owned; wiped when released. */
struct keyfile {
    bool is_encrypted;   /* "ENCRYPTED PRIVATE KEY": needs the unlock key */
    struct buf body_pem; /* the PEM block without the lines: what OpenSSL reads */
    struct keyfile_header headers[KEYFILE_HEADERS_COUNT];
    size_t header_count;
};
void keyfile_deinit(struct keyfile *keyfile);

/* ERR_CORRUPT for what is no private key in PEM, or has lines beyond the limits. */
int keyfile_parse(struct bytes text, struct keyfile *out, struct error *err);
void keyfile_print(const struct keyfile *keyfile, struct buf *out);

/* Encrypt the key with the bytes of @passphrase, as SwarmKit does and openssl reads: PKCS#8 with PBES2, PBKDF2 and AES-256-CBC. The bytes
 * are random, so the rounds need not be many. ERR_CORRUPT: it is no key. */
int keyfile_lock(struct keyfile *keyfile, struct bytes passphrase, struct error *err);
/* The reverse. ERR_PERMISSION: that is not what it was encrypted with. */
int keyfile_unlock(struct keyfile *keyfile, struct bytes passphrase, struct error *err);

const char *keyfile_header(const struct keyfile *keyfile, const char *name);                             /* NULL when not there */
int keyfile_set_header(struct keyfile *keyfile, const char *name, const char *value, struct error *err); /* ERR_LIMIT, ERR_INVALID */

#endif
