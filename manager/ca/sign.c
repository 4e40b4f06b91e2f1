/* manager/ca/sign.c – see sign.h. */
#include "manager/ca/sign.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "manager/ca/build.h"
#include "manager/ca/root.h"
#include "proto/identity/pem.h"
#include "proto/message.h"
#include "proto/tls/verify.h"

struct ca_signer {
    X509 *issuer; /* its subject and key identifier go into what is signed */
    EVP_PKEY *key;
    struct buf rest_pem; /* what a chain has behind the leaf */
};

const char *ca_subject_unit(const struct ca_subject *subject)
{
    return subject->role == CERTIFICATE_MANAGER ? "swarm-manager" : "swarm-worker";
}

size_t ca_subject_names(const struct ca_subject *subject, const char *names[CA_SUBJECT_NAMES_COUNT])
{
    size_t count = 0;
    names[count++] = ca_subject_unit(subject);
    names[count++] = subject->node_id;
    if (subject->role == CERTIFICATE_MANAGER)
        names[count++] = CA_ROOT_NAME;
    return count;
}

/* ---- requests ---- */

static int read_good_request(struct bytes pem, X509_REQ **out, struct error *err)
{
    struct error why;
    cleanup_request X509_REQ *request = NULL;
    if (pem.size > CA_REQUEST_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "the certificate request is larger than %u bytes", CA_REQUEST_SIZE_BYTES);
    if (pem_read_request(pem, &request, &why) < 0)
        return error_set(err, ERR_INVALID, "%s", why.message);
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    bool is_accepted = pem_is_accepted_key(key) && EVP_PKEY_get_bits(key) <= CA_KEY_BITS_COUNT;
    bool is_signed = is_accepted && X509_REQ_verify(request, key) == 1;
    ERR_clear_error();
    if (!is_accepted)
        return error_set(
            err, ERR_INVALID,
            "the certificate request has a key of a kind that is not accepted: it takes RSA of 2048 to %d bits, or ECDSA on P-256, "
            "P-384 or P-521",
            CA_KEY_BITS_COUNT);
    if (!is_signed)
        return error_set(err, ERR_INVALID, "the certificate request is not signed by its own key");
    *out = request;
    request = NULL;
    return 0;
}

int ca_request_check(struct bytes request_pem, struct error *err)
{
    cleanup_request X509_REQ *request = NULL;
    return read_good_request(request_pem, &request, err);
}

/* ---- the signer ---- */

void ca_signer_free(struct ca_signer *signer)
{
    if (!signer)
        return;
    X509_free(signer->issuer);
    EVP_PKEY_free(signer->key);
    buf_deinit(&signer->rest_pem);
    free(signer);
}

static int read_first(struct bytes pem, const char *what, X509 **out, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    int failed = pem_read_certificates(pem, what, &list, err);
    if (failed == 0)
        *out = sk_X509_shift(list);
    return failed;
}

static int read_pair(struct bytes cert_pem, struct bytes key_pem, X509 **cert, EVP_PKEY **key, struct error *err)
{
    int failed = read_first(cert_pem, "the root CA", cert, err);
    if (failed < 0)
        return failed;
    failed = pem_read_key(key_pem, key, err);
    if (failed < 0)
        return failed;
    if (EVP_PKEY_eq(X509_get0_pubkey(*cert), *key) == 1)
        return 0;
    ERR_clear_error();
    return error_set(err, ERR_CORRUPT, "the CA's private key does not belong to its certificate");
}

/* What nodes trust until the rotation is over is the old root: the chain has to lead there. */
static int read_crossed(struct ca_signer *signer, const Docker__Swarmkit__V1__RootCA *root_ca, struct error *err)
{
    cleanup_one X509 *crossed = NULL, *old = NULL;
    struct bytes crossed_pem = message_bytes(root_ca->root_rotation->cross_signed_ca_cert);
    int failed = read_first(crossed_pem, "the cross-signed root CA", &crossed, err);
    if (failed < 0)
        return failed;
    failed = read_first(message_bytes(root_ca->ca_cert), "the root CA", &old, err);
    if (failed < 0)
        return failed;
    bool is_same = X509_NAME_cmp(X509_get_subject_name(crossed), X509_get_subject_name(signer->issuer)) == 0 &&
                   EVP_PKEY_eq(X509_get0_pubkey(crossed), signer->key) == 1;
    ERR_clear_error();
    if (!is_same || !tls_is_issued_by(crossed, old))
        return error_set(err, ERR_CORRUPT, "the cross-signed root CA is not the new one signed by the old one");
    return ca_root_normalise(crossed_pem, &signer->rest_pem, err);
}

static int fill_signer(struct ca_signer *signer, const Docker__Swarmkit__V1__RootCA *root_ca, struct error *err)
{
    const Docker__Swarmkit__V1__RootRotation *rotation = root_ca->root_rotation;
    struct bytes key_pem = message_bytes(rotation ? rotation->ca_key : root_ca->ca_key);
    if (key_pem.size == 0)
        return error_set(err, ERR_PRECONDITION, "no valid signer found: this cluster's certificates are signed by an external CA");
    int failed = read_pair(message_bytes(rotation ? rotation->ca_cert : root_ca->ca_cert), key_pem, &signer->issuer, &signer->key, err);
    if (failed < 0)
        return failed;
    return rotation ? read_crossed(signer, root_ca, err) : 0;
}

int ca_signer_new(const Docker__Swarmkit__V1__RootCA *root_ca, struct ca_signer **out, struct error *err)
{
    struct ca_signer *signer = mem_alloc(sizeof *signer);
    int failed = fill_signer(signer, root_ca, err);
    if (failed < 0) {
        ca_signer_free(signer);
        return error_wrap(err, "the cluster's CA");
    }
    *out = signer;
    return 0;
}

static bool fill_leaf(X509 *leaf, const struct ca_signer *signer, X509_REQ *request, const struct ca_subject *subject, int64_t expiry_ns,
                      const struct random *random, int64_t wall_ns)
{
    const char *names[CA_SUBJECT_NAMES_COUNT];
    size_t count = ca_subject_names(subject, names);
    int64_t from_s = build_minute_s(wall_ns) - CA_LEAF_BACKDATE_S;
    int64_t to_s = from_s + CA_LEAF_BACKDATE_S + expiry_ns / (int64_t)NS_PER_S;
    return build_begin(leaf, random, from_s, to_s) && build_name(leaf, NID_organizationName, subject->cluster_id) &&
           build_name(leaf, NID_organizationalUnitName, ca_subject_unit(subject)) && build_name(leaf, NID_commonName, subject->node_id) &&
           X509_set_issuer_name(leaf, X509_get_subject_name(signer->issuer)) && X509_set_pubkey(leaf, X509_REQ_get0_pubkey(request)) &&
           build_extension(leaf, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
           build_extension(leaf, NID_ext_key_usage, "serverAuth,clientAuth") &&
           build_extension(leaf, NID_basic_constraints, "critical,CA:FALSE") && build_extension(leaf, NID_subject_key_identifier, "hash") &&
           build_authority_key(leaf, signer->issuer) && build_dns_names(leaf, names, count);
}

int ca_sign(const struct ca_signer *signer, struct bytes request_pem, const struct ca_subject *subject, int64_t expiry_ns,
            const struct random *random, int64_t wall_ns, struct buf *chain_pem, struct error *err)
{
    cleanup_request X509_REQ *request = NULL;
    cleanup_one X509 *leaf = X509_new();
    if (!id_is_safe(subject->node_id))
        return error_set(err, ERR_INVALID, "a node's id cannot be \"%.64s\"", subject->node_id);
    int failed = read_good_request(request_pem, &request, err);
    if (failed < 0)
        return failed;
    if (!fill_leaf(leaf, signer, request, subject, expiry_ns, random, wall_ns) || !X509_sign(leaf, signer->key, build_digest(signer->key)))
        return pem_fail(err, ERR_INTERNAL, "sign a node certificate");
    pem_print_certificate(leaf, chain_pem);
    buf_append(chain_pem, signer->rest_pem.data, signer->rest_pem.size);
    return 0;
}

/* ---- one root by another ---- */

/* Peers that find issuer and subject equal look no further for a key identifier; Go writes none then. */
static bool set_issuer(X509 *crossed, X509 *old)
{
    int place = X509_get_ext_by_NID(crossed, NID_authority_key_identifier, -1);
    if (place >= 0)
        X509_EXTENSION_free(X509_delete_ext(crossed, place));
    bool is_same_name = X509_NAME_cmp(X509_get_subject_name(crossed), X509_get_subject_name(old)) == 0;
    return X509_set_issuer_name(crossed, X509_get_subject_name(old)) && (is_same_name || build_authority_key(crossed, old));
}

int ca_cross_sign(struct bytes old_cert_pem, struct bytes old_key_pem, struct bytes new_pem, struct buf *crossed_pem, struct error *err)
{
    cleanup_one X509 *old = NULL, *crossed = NULL;
    cleanup_key EVP_PKEY *key = NULL;
    int failed = read_pair(old_cert_pem, old_key_pem, &old, &key, err);
    if (failed < 0)
        return failed;
    failed = read_first(new_pem, "the new root CA", &crossed, err);
    if (failed < 0)
        return failed;
    if (X509_check_ca(crossed) != 1)
        return error_set(err, ERR_INVALID, "the new root CA is not marked as an authority");
    if (!set_issuer(crossed, old) || !X509_sign(crossed, key, build_digest(key)))
        return pem_fail(err, ERR_INTERNAL, "sign the new root CA with the old one");
    pem_print_certificate(crossed, crossed_pem);
    return 0;
}
