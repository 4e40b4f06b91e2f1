/* proto/tls/verify.c – see verify.h. */
#include "proto/tls/verify.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/time.h"

static void free_store(X509_STORE **store)
{
    X509_STORE_free(*store);
}

static void free_context(X509_STORE_CTX **context)
{
    X509_STORE_CTX_free(*context);
}

#define cleanup_store   __attribute__((cleanup(free_store)))
#define cleanup_context __attribute__((cleanup(free_context)))

void tls_list_free(STACK_OF(X509) * list)
{
    sk_X509_pop_free(list, X509_free);
}

int tls_read_list(struct bytes pem, STACK_OF(X509) * *out, struct error *err)
{
    if (pem.size > CERTIFICATE_PEM_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "certificates of %zu bytes: more than %u", pem.size, CERTIFICATE_PEM_SIZE_BYTES);
    BIO *bio = BIO_new_mem_buf(pem.size ? (const void *)pem.data : "", (int)pem.size);
    STACK_OF(X509) *list = sk_X509_new_null();
    X509 *one;
    while ((one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        sk_X509_push(list, one);
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    if (at_end && sk_X509_num(list) > 0) {
        *out = list;
        return 0;
    }
    tls_list_free(list);
    return error_set(err, ERR_CORRUPT, at_end ? "no certificate in it" : "a certificate in it is damaged");
}

bool tls_is_issued_by(X509 *child, X509 *issuer)
{
    bool is_so =
        X509_NAME_cmp(X509_get_issuer_name(child), X509_get_subject_name(issuer)) == 0 && X509_verify(child, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return is_so;
}

int64_t tls_wall_ns(const ASN1_TIME *time)
{
    struct tm parts;
    if (time == NULL || !ASN1_TIME_to_tm(time, &parts))
        return 0;
    char text[TIME_RFC3339_SIZE];
    int64_t wall_ns = 0;
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", (parts.tm_year + 1900) % 10000, parts.tm_mon + 1, parts.tm_mday,
             parts.tm_hour, parts.tm_min, parts.tm_sec);
    return time_parse(text, &wall_ns, NULL) < 0 ? 0 : wall_ns;
}

/* Each certificate that a trusted root signed under its own name, for another key, becomes an anchor of this one verification. */
static void add_cross_signed(X509_STORE *store, STACK_OF(X509) * others, STACK_OF(X509) * roots)
{
    for (int i = 0; i < sk_X509_num(others); i++) {
        X509 *one = sk_X509_value(others, i);
        if (X509_check_ca(one) != 1 || tls_is_issued_by(one, one))
            continue;
        for (int k = 0; k < sk_X509_num(roots); k++)
            if (tls_is_issued_by(one, sk_X509_value(roots, k))) {
                X509_STORE_add_cert(store, one);
                break;
            }
    }
}

static enum tls_flaw flaw_of(int openssl_error)
{
    switch (openssl_error) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_NOT_YET_VALID;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return TLS_EXPIRED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* the right name on another key: two clusters' roots are both called swarm-ca */
    case X509_V_ERR_AKID_SKID_MISMATCH:
        return TLS_UNKNOWN_AUTHORITY;
    default:
        return TLS_BROKEN;
    }
}

static int refuse_time(const X509 *one, bool is_expired, int64_t wall_ns, struct error *err)
{
    char from[TIME_RFC3339_SIZE], to[TIME_RFC3339_SIZE], now[TIME_RFC3339_SIZE];
    time_format_rfc3339(tls_wall_ns(X509_get0_notBefore(one)), from);
    time_format_rfc3339(tls_wall_ns(X509_get0_notAfter(one)), to);
    time_format_rfc3339(wall_ns, now);
    return error_set(err, ERR_TRUST, "the certificate %s: it is valid from %.19sZ to %.19sZ and our clock says %.19sZ%s",
                     is_expired ? "has expired" : "is not valid yet", from, to, now,
                     is_expired ? "" : "; set this host's clock, or the manager's");
}

static int refuse(X509_STORE_CTX *context, enum tls_flaw flaw, int64_t wall_ns, struct error *err)
{
    int reason = X509_STORE_CTX_get_error(context);
    X509 *one = X509_STORE_CTX_get_current_cert(context);
    if (one && (flaw == TLS_NOT_YET_VALID || flaw == TLS_EXPIRED))
        return refuse_time(one, flaw == TLS_EXPIRED, wall_ns, err);
    if (flaw == TLS_UNKNOWN_AUTHORITY)
        return error_set(err, ERR_TRUST, "the certificate was issued by an authority that is not among the cluster's root CAs (%s)",
                         X509_verify_cert_error_string(reason));
    return error_set(err, ERR_TRUST, "the certificate is not sound: %s", X509_verify_cert_error_string(reason));
}

int tls_verify(X509 *leaf, STACK_OF(X509) * others, STACK_OF(X509) * roots, enum tls_use use, const char *name, int64_t wall_ns,
               enum tls_flaw *flaw, struct error *err)
{
    enum tls_flaw ignored;
    flaw = flaw ? flaw : &ignored;
    cleanup_store X509_STORE *store = X509_STORE_new();
    for (int i = 0; i < sk_X509_num(roots); i++)
        X509_STORE_add_cert(store, sk_X509_value(roots, i));
    add_cross_signed(store, others, roots);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)(wall_ns / (int64_t)NS_PER_S));
    cleanup_context X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, leaf, others);
    int is_good = X509_verify_cert(context);
    ERR_clear_error();
    *flaw = is_good == 1 ? TLS_SOUND : flaw_of(X509_STORE_CTX_get_error(context));
    if (is_good != 1)
        return refuse(context, *flaw, wall_ns, err);
    if (X509_check_purpose(leaf, use == TLS_AS_CLIENT ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER, 0) != 1) {
        *flaw = TLS_BROKEN;
        return error_set(err, ERR_TRUST, "the certificate may not be used to identify a %s", use == TLS_AS_CLIENT ? "client" : "server");
    }
    if (name && X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1) {
        *flaw = TLS_WRONG_NAME;
        return error_set(err, ERR_TRUST, "the certificate is not one of a %s", name);
    }
    return 0;
}
