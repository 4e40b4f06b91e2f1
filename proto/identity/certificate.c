/* proto/identity/certificate.c – see certificate.h. */
#include "proto/identity/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "proto/identity/pem.h"
#include "proto/tls/verify.h"

const char *certificate_role_text(enum certificate_role role)
{
    return role == CERTIFICATE_MANAGER ? "manager" : "worker";
}

int certificate_make_key(struct buf *key_pem, struct error *err)
{
    cleanup_key EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key)
        return pem_fail(err, ERR_INTERNAL, "make a P-256 key");
    return pem_print_key(key, key_pem, err);
}

int certificate_make_request(struct bytes key_pem, struct buf *request_pem, struct error *err)
{
    cleanup_key EVP_PKEY *key = NULL;
    int failed = pem_read_key(key_pem, &key, err);
    if (failed < 0)
        return failed;
    cleanup_request X509_REQ *request = X509_REQ_new();
    if (!X509_REQ_set_version(request, X509_REQ_VERSION_1) || !X509_REQ_set_pubkey(request, key) ||
        X509_REQ_sign(request, key, EVP_sha256()) <= 0)
        return pem_fail(err, ERR_INTERNAL, "make a certificate request");
    return pem_print_request(request, request_pem, err);
}

/* The first (or next) value of an attribute, copied; NULL when there is none or it holds what no id holds. */
static char *subject_value(const X509 *leaf, int nid, int *place)
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    *place = X509_NAME_get_index_by_NID(subject, nid, *place);
    if (*place < 0)
        return NULL;
    unsigned char *text;
    int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, *place)));
    if (length < 0)
        return NULL;
    bool is_clean = length > 0;
    for (int i = 0; i < length; i++)
        is_clean = is_clean && text[i] > 0x20 && text[i] < 0x7f;
    char *copy = is_clean ? mem_string_n((const char *)text, (size_t)length) : NULL;
    OPENSSL_free(text);
    return copy;
}

static char *first_subject_value(const X509 *leaf, int nid)
{
    int place = -1;
    return subject_value(leaf, nid, &place);
}

/* Which of the roles the leaf names; a manager's certificate may name both. */
static int read_role(const X509 *leaf, enum certificate_role *role, struct error *err)
{
    bool is_worker = false, is_manager = false;
    for (int place = -1;;) {
        cleanup_free char *unit = subject_value(leaf, NID_organizationalUnitName, &place);
        if (place < 0)
            break;
        is_worker = is_worker || text_equal(unit, "swarm-worker");
        is_manager = is_manager || text_equal(unit, "swarm-manager");
    }
    if (!is_worker && !is_manager)
        return error_set(err, ERR_CORRUPT, "the certificate names neither the role swarm-worker nor swarm-manager");
    *role = is_manager ? CERTIFICATE_MANAGER : CERTIFICATE_WORKER;
    return 0;
}

static X509 *find_issuer(X509 *child, STACK_OF(X509) * candidates, int first)
{
    for (int i = first; i < sk_X509_num(candidates); i++)
        if (tls_is_issued_by(child, sk_X509_value(candidates, i)))
            return sk_X509_value(candidates, i);
    return NULL;
}

static int read_leaf(STACK_OF(X509) * chain, STACK_OF(X509) * roots, struct certificate *out, struct error *err)
{
    X509 *leaf = sk_X509_value(chain, 0);
    int failed = read_role(leaf, &out->role, err);
    if (failed < 0)
        return failed;
    out->node_id = first_subject_value(leaf, NID_commonName);
    out->cluster_id = first_subject_value(leaf, NID_organizationName);
    if (!out->node_id || !out->cluster_id)
        return error_set(err, ERR_CORRUPT, "the certificate names no %s", out->node_id ? "cluster" : "node");
    out->not_before_wall_ns = tls_wall_ns(X509_get0_notBefore(leaf));
    out->not_after_wall_ns = tls_wall_ns(X509_get0_notAfter(leaf));
    if (out->not_after_wall_ns <= out->not_before_wall_ns)
        return error_set(err, ERR_CORRUPT, "the certificate's validity ends before it begins");
    X509 *issuer = find_issuer(leaf, chain, 1);
    if (!issuer)
        issuer = find_issuer(leaf, roots, 0);
    if (!issuer)
        return error_set(err, ERR_TRUST, "the certificate was issued by an authority that is not among the cluster's root CAs");
    pem_print_issuer(issuer, &out->issuer_subject_der, &out->issuer_public_key_der);
    return 0;
}

void certificate_deinit(struct certificate *certificate)
{
    free(certificate->node_id);
    free(certificate->cluster_id);
    buf_deinit(&certificate->issuer_subject_der);
    buf_deinit(&certificate->issuer_public_key_der);
    *certificate = (struct certificate){0};
}

int certificate_read(struct bytes chain_pem, struct bytes roots_pem, struct certificate *out, struct error *err)
{
    *out = (struct certificate){0};
    cleanup_certificates STACK_OF(X509) *chain = NULL;
    cleanup_certificates STACK_OF(X509) *roots = NULL;
    int failed = pem_read_certificates(chain_pem, "the certificate", &chain, err);
    if (failed < 0)
        return failed;
    failed = pem_read_certificates(roots_pem, "the root CA", &roots, err);
    if (failed < 0)
        return failed;
    failed = read_leaf(chain, roots, out, err);
    if (failed < 0)
        certificate_deinit(out);
    return failed;
}

static int set_flaw(enum certificate_flaw *place, enum certificate_flaw flaw)
{
    if (place)
        *place = flaw;
    return 0;
}

static enum certificate_flaw flaw_of(enum tls_flaw flaw)
{
    switch (flaw) {
    case TLS_SOUND:
        return CERTIFICATE_SOUND;
    case TLS_NOT_YET_VALID:
        return CERTIFICATE_NOT_YET_VALID;
    case TLS_EXPIRED:
        return CERTIFICATE_EXPIRED;
    case TLS_UNKNOWN_AUTHORITY:
        return CERTIFICATE_UNKNOWN_AUTHORITY;
    case TLS_WRONG_NAME:
    case TLS_BROKEN:
        break;
    }
    return CERTIFICATE_BROKEN;
}

int certificate_verify(struct bytes chain_pem, struct bytes roots_pem, int64_t wall_ns, enum certificate_flaw *flaw, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *chain = NULL;
    cleanup_certificates STACK_OF(X509) *roots = NULL;
    set_flaw(flaw, CERTIFICATE_BROKEN);
    int failed = pem_read_certificates(chain_pem, "the certificate", &chain, err);
    if (failed < 0)
        return failed;
    failed = pem_read_certificates(roots_pem, "the root CA", &roots, err);
    if (failed < 0)
        return failed;
    enum tls_flaw found;
    failed = tls_verify(sk_X509_value(chain, 0), chain, roots, TLS_AS_CLIENT, NULL, wall_ns, &found, err);
    set_flaw(flaw, flaw_of(found));
    return failed;
}

static int refuse_time(const X509 *one, enum certificate_flaw flaw, int64_t wall_ns, struct error *err)
{
    char from[TIME_RFC3339_SIZE], to[TIME_RFC3339_SIZE], now[TIME_RFC3339_SIZE];
    time_format_rfc3339(tls_wall_ns(X509_get0_notBefore(one)), from);
    time_format_rfc3339(tls_wall_ns(X509_get0_notAfter(one)), to);
    time_format_rfc3339(wall_ns, now);
    return error_set(err, ERR_TRUST, "the root CA %s: it is valid from %.19sZ to %.19sZ and our clock says %.19sZ; %s",
                     flaw == CERTIFICATE_EXPIRED ? "has expired" : "is not valid yet", from, to, now,
                     flaw == CERTIFICATE_EXPIRED ? "rotate it with `docker swarm ca --rotate` on a manager, or set this host's clock"
                                                 : "set this host's clock, or the manager's");
}

static int check_root(X509 *root, int64_t wall_ns, enum certificate_flaw *flaw, struct error *err)
{
    time_t at = (time_t)(wall_ns / (int64_t)NS_PER_S);
    if (!tls_is_issued_by(root, root))
        return error_set(err, ERR_CORRUPT, "the root CA is not signed by itself");
    if (X509_check_ca(root) != 1)
        return error_set(err, ERR_CORRUPT, "the root CA is not marked as an authority");
    if (!pem_is_accepted_key(X509_get0_pubkey(root)) || !pem_is_accepted_signature(X509_get_signature_nid(root)))
        return error_set(err, ERR_CORRUPT, "the root CA's key or signature is of a kind that is not accepted");
    enum certificate_flaw wrong = X509_cmp_time(X509_get0_notBefore(root), &at) > 0  ? CERTIFICATE_NOT_YET_VALID
                                  : X509_cmp_time(X509_get0_notAfter(root), &at) < 0 ? CERTIFICATE_EXPIRED
                                                                                     : CERTIFICATE_SOUND;
    if (wrong == CERTIFICATE_SOUND)
        return 0;
    set_flaw(flaw, wrong);
    return refuse_time(root, wrong, wall_ns, err);
}

int certificate_check_roots(struct bytes pem, int64_t wall_ns, enum certificate_flaw *flaw, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *roots = NULL;
    set_flaw(flaw, CERTIFICATE_BROKEN);
    int failed = pem_read_certificates(pem, "the root CA", &roots, err);
    for (int i = 0; failed == 0 && i < sk_X509_num(roots); i++)
        failed = check_root(sk_X509_value(roots, i), wall_ns, flaw, err);
    return failed < 0 ? failed : set_flaw(flaw, CERTIFICATE_SOUND);
}

int certificate_match_key(struct bytes chain_pem, struct bytes key_pem, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *chain = NULL;
    cleanup_key EVP_PKEY *key = NULL;
    int failed = pem_read_certificates(chain_pem, "the certificate", &chain, err);
    if (failed < 0)
        return failed;
    failed = pem_read_key(key_pem, &key, err);
    if (failed < 0)
        return failed;
    if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(chain, 0)), key) == 1)
        return 0;
    ERR_clear_error();
    return error_set(err, ERR_CORRUPT, "the private key does not belong to the certificate");
}

int certificate_match_request(struct bytes request_pem, struct bytes key_pem, struct error *err)
{
    cleanup_request X509_REQ *request = NULL;
    cleanup_key EVP_PKEY *key = NULL;
    int failed = pem_read_request(request_pem, &request, err);
    if (failed < 0)
        return failed;
    failed = pem_read_key(key_pem, &key, err);
    if (failed < 0)
        return failed;
    if (EVP_PKEY_eq(X509_REQ_get0_pubkey(request), key) == 1)
        return 0;
    ERR_clear_error();
    return error_set(err, ERR_CORRUPT, "the private key does not belong to the certificate request");
}
