/* manager/ca/sign.h – a node certificate from a request, and a root signed by its predecessor.
 *
 * Of a request only the public key is used, after the request's own signature has shown that its sender has the private one; who the node
 * is and what it may do is decided here (swarmkit-wire §2.3). Requests are hostile bytes. Pure but for the randomness of a signature. */
#ifndef SKEP_MANAGER_CA_SIGN_H
#define SKEP_MANAGER_CA_SIGN_H

#include "base/buf.h"
#include "base/random.h"
#include "proto/identity/certificate.h"
#include "proto/swarmkit/types.pb-c.h"

#define CA_LEAF_BACKDATE_S 3600 /* node certificates begin so long ago, and end so much later than they would */

/* Who a certificate is for. Borrowed. */
struct ca_subject {
    const char *cluster_id, *node_id;
    enum certificate_role role;
};
#define CA_SUBJECT_NAMES_COUNT 3
const char *ca_subject_unit(const struct ca_subject *subject); /* "swarm-worker", "swarm-manager" */
/* The DNS names of its certificate: its unit, its node id, and a manager's also swarm-ca. Returns how many. */
size_t ca_subject_names(const struct ca_subject *subject, const char *names[CA_SUBJECT_NAMES_COUNT]);

/* Could @request_pem be signed? At most CA_REQUEST_SIZE_BYTES, an accepted key, a good signature. ERR_INVALID. */
int ca_request_check(struct bytes request_pem, struct error *err);

/* Holds a parsed key. During a root rotation it signs with the new one, and adds the cross-signed root to each chain. */
struct ca_signer;

/* Takes nothing of @root_ca. ERR_PRECONDITION when the cluster has no key, so that only an external CA signs; ERR_CORRUPT when its
 * certificates or keys do not fit together. */
int ca_signer_new(const Docker__Swarmkit__V1__RootCA *root_ca, struct ca_signer **out, struct error *err);
void ca_signer_free(struct ca_signer *signer);

/* Sign for @expiry_ns and CA_LEAF_BACKDATE_S from CA_LEAF_BACKDATE_S before @wall_ns: leaf first. Appended to @chain_pem. ERR_INVALID for
 * the request, or a node id that cannot stand in a certificate. */
int ca_sign(const struct ca_signer *signer, struct bytes request_pem, const struct ca_subject *subject, int64_t expiry_ns,
            const struct random *random, int64_t wall_ns, struct buf *chain_pem, struct error *err);

/* The first certificate of @new_pem signed by the root @old_cert_pem: all of it but issuer and signature stays as it is. Where both have
 * the same name it has no authority key identifier, as SwarmKit's (swarmkit-wire §2.6). Appended. ERR_INVALID, ERR_CORRUPT. */
int ca_cross_sign(struct bytes old_cert_pem, struct bytes old_key_pem, struct bytes new_pem, struct buf *crossed_pem, struct error *err);

#endif
