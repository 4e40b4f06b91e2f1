/* proto/identity/certificate.h – the node's own X.509: making a key and a request, reading and judging the answer.
 *
 * Pure but for the randomness of a key. PEM in, PEM out, so that what is stored and what is compared are the same bytes. The judgement of a
 * chain is the one that proto/tls uses for a peer. What the fields mean: swarmkit-wire §2.3. */
#ifndef SKEP_PROTO_IDENTITY_CERTIFICATE_H
#define SKEP_PROTO_IDENTITY_CERTIFICATE_H

#include "base/buf.h"
#include "base/encode.h"

/* SwarmKit's numbers of NodeRole. */
enum certificate_role { CERTIFICATE_WORKER = 0, CERTIFICATE_MANAGER = 1 };
const char *certificate_role_text(enum certificate_role role); /* "worker", "manager" */

/* What a node certificate says. Owned. */
struct certificate {
    char *node_id;              /* CN */
    char *cluster_id;           /* O */
    enum certificate_role role; /* OU: manager when any of them is swarm-manager */
    int64_t not_before_wall_ns, not_after_wall_ns;
    struct buf issuer_subject_der;    /* these two go into NodeTLSInfo: the reconciler of a root rotation */
    struct buf issuer_public_key_der; /* compares them with the new root's; SubjectPublicKeyInfo */
};
void certificate_deinit(struct certificate *certificate);

/* A new P-256 key: PKCS#8 PEM without headers. The caller wipes it. */
int certificate_make_key(struct buf *key_pem, struct error *err);

/* The request that goes with it: PEM, empty subject, as the manager sets the subject itself. */
int certificate_make_request(struct bytes key_pem, struct buf *request_pem, struct error *err);

/* Read the leaf of @chain_pem (leaf first) and, in the rest of it or in @roots_pem, who issued it. ERR_CORRUPT for what is no certificate
 * or no node's, ERR_TRUST when the issuer is in neither. */
int certificate_read(struct bytes chain_pem, struct bytes roots_pem, struct certificate *out, struct error *err);

/* What is wrong with a chain, for those who act differently on each. */
enum certificate_flaw {
    CERTIFICATE_SOUND,
    CERTIFICATE_NOT_YET_VALID,
    CERTIFICATE_EXPIRED,
    CERTIFICATE_UNKNOWN_AUTHORITY,
    CERTIFICATE_BROKEN, /* not a certificate, a bad signature, not fit for a node */
};

/* Judge @chain_pem at @wall_ns under @roots_pem, cross-signed intermediates included. ERR_TRUST with a message that names both clocks where
 * it is about time; ERR_CORRUPT when one cannot be read. @flaw may be NULL. */
int certificate_verify(struct bytes chain_pem, struct bytes roots_pem, int64_t wall_ns, enum certificate_flaw *flaw, struct error *err);

/* Is @pem a bundle of 1 to CERTIFICATE_CHAIN_COUNT root certificates, each self-signed, fit to sign, of an accepted algorithm and valid at
 * @wall_ns? As certificate_verify otherwise. */
int certificate_check_roots(struct bytes pem, int64_t wall_ns, enum certificate_flaw *flaw, struct error *err);

/* Does @key_pem belong to the leaf of @chain_pem, or to the request? ERR_CORRUPT when not. */
int certificate_match_key(struct bytes chain_pem, struct bytes key_pem, struct error *err);
int certificate_match_request(struct bytes request_pem, struct bytes key_pem, struct error *err);

#endif
