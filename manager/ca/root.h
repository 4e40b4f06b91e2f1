/* manager/ca/root.h – a cluster's authority: the certificate that all nodes trust, and the key that signs in its name.
 *
 * PEM in and PEM out: join tokens and hashes cover the text itself, final newline included (swarmkit-wire §2.3, §9 trap 23), so whatever is
 * taken over is first printed anew in the one form that every peer prints. Pure but for the randomness of a key. */
#ifndef SKEP_MANAGER_CA_ROOT_H
#define SKEP_MANAGER_CA_ROOT_H

#include "base/buf.h"
#include "base/random.h"

#define CA_ROOT_NAME       "swarm-ca"
#define CA_ROOT_VALIDITY_S 630720000 /* 20 years */
#define CA_ROOT_BACKDATE_S 300       /* for clocks that run behind ours */
#define CA_ROOT_LEFT_S     31536000  /* a root that a cluster shall change to is good for a year more, at least */
#define CA_HASH_SIZE_CHARS 71        /* "sha256:" and 64 of hex */

/* Owned. */
struct ca_root {
    struct buf cert_pem; /* 1 to CERTIFICATE_CHAIN_COUNT roots; the first one signs */
    struct buf key_pem;  /* secret; empty where only an external CA has it */
};
void ca_root_deinit(struct ca_root *root);

/* A new one: P-256, CN=swarm-ca, valid for CA_ROOT_VALIDITY_S from CA_ROOT_BACKDATE_S before @wall_ns. */
int ca_root_make(const struct random *random, int64_t wall_ns, struct ca_root *out, struct error *err);

/* Take over what someone gives: every certificate self-signed, an authority, of an accepted algorithm and valid at @wall_ns, and @key_pem
 * (may be empty) the first one's. ERR_INVALID saying which of it is not so. */
int ca_root_take(struct bytes cert_pem, struct bytes key_pem, int64_t wall_ns, struct ca_root *out, struct error *err);

/* The same demands on what stands already in a cluster: ERR_CORRUPT, ERR_TRUST. */
int ca_root_check(struct bytes cert_pem, struct bytes key_pem, int64_t wall_ns, struct error *err);

/* "sha256:<hex>" of the text. */
void ca_root_hash(struct bytes cert_pem, char out[CA_HASH_SIZE_CHARS + 1]);

/* Print the certificates of @pem anew, in order, with nothing else around them. ERR_CORRUPT. Appended to @out. */
int ca_root_normalise(struct bytes pem, struct buf *out, struct error *err);

/* Are these the same certificates, however they are printed? False where one of them cannot be read. */
bool ca_root_equal(struct bytes a_pem, struct bytes b_pem);

/* Who issues under the first certificate of @cert_pem, as NodeTLSInfo tells it: subject and SubjectPublicKeyInfo in DER. Appended.
 * ERR_CORRUPT. */
int ca_root_issuer(struct bytes cert_pem, struct buf *subject_der, struct buf *public_key_der, struct error *err);

#endif
