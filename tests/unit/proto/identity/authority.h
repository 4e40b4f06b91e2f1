/* tests/unit/proto/identity/authority.h – a cluster's CA in small, for tests in virtual time: roots, node certificates and cross-signatures
 * at any instant, with the fields and extensions of SwarmKit's (swarmkit-wire §2.3). */
#ifndef SKEP_TESTS_UNIT_PROTO_IDENTITY_AUTHORITY_H
#define SKEP_TESTS_UNIT_PROTO_IDENTITY_AUTHORITY_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/buf.h"
#include "tests/unit/test.h"

struct authority {
    EVP_PKEY *key;
    X509 *root;
    struct buf root_pem;
};

static inline void authority_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static inline void authority_name(X509_NAME *name, const char *field, const char *value)
{
    if (*value)
        assert_int_equal(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0), 1);
}

static inline void authority_print(X509 *certificate, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_X509(bio, certificate);
    long size = BIO_get_mem_data(bio, &data);
    buf_append(out, data, (size_t)size);
    BIO_free(bio);
}

static inline X509 *authority_blank(EVP_PKEY *key, int64_t from_wall_ns, int64_t seconds)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    time_t from = (time_t)(from_wall_ns / 1000000000);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    ASN1_TIME_set(X509_getm_notBefore(certificate), from);
    ASN1_TIME_set(X509_getm_notAfter(certificate), from + (time_t)seconds);
    X509_set_pubkey(certificate, key);
    return certificate;
}

static inline X509 *authority_root(EVP_PKEY *key, int64_t from_wall_ns)
{
    X509 *root = authority_blank(key, from_wall_ns, 630720000);
    authority_name(X509_get_subject_name(root), "CN", "swarm-ca");
    X509_set_issuer_name(root, X509_get_subject_name(root));
    authority_extend(root, NULL, NID_basic_constraints, "critical,CA:TRUE");
    authority_extend(root, NULL, NID_key_usage, "critical,keyCertSign,cRLSign");
    authority_extend(root, NULL, NID_subject_key_identifier, "hash");
    return root;
}

static inline void authority_init(struct authority *authority, int64_t from_wall_ns)
{
    *authority = (struct authority){.key = EVP_EC_gen("P-256")};
    authority->root = authority_root(authority->key, from_wall_ns);
    assert_true(X509_sign(authority->root, authority->key, EVP_sha256()) > 0);
    authority_print(authority->root, &authority->root_pem);
}

static inline void authority_deinit(struct authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->root);
    buf_deinit(&authority->root_pem);
}

/* A node certificate for the key of @request_pem; empty fields are left out. Appended to @out. */
static inline void authority_issue(struct authority *authority, struct bytes request_pem, const char *node_id, const char *role,
                                   const char *cluster_id, int64_t from_wall_ns, int64_t seconds, struct buf *out)
{
    BIO *bio = BIO_new_mem_buf(request_pem.data, (int)request_pem.size);
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    assert_non_null(request);
    X509 *leaf = authority_blank(X509_REQ_get0_pubkey(request), from_wall_ns, seconds);
    X509_NAME *subject = X509_get_subject_name(leaf);
    authority_name(subject, "O", cluster_id);
    authority_name(subject, "OU", role);
    authority_name(subject, "CN", node_id);
    X509_set_issuer_name(leaf, X509_get_subject_name(authority->root));
    authority_extend(leaf, authority->root, NID_basic_constraints, "critical,CA:FALSE");
    authority_extend(leaf, authority->root, NID_key_usage, "critical,digitalSignature,keyEncipherment");
    authority_extend(leaf, authority->root, NID_ext_key_usage, "serverAuth,clientAuth");
    authority_extend(leaf, authority->root, NID_subject_key_identifier, "hash");
    authority_extend(leaf, authority->root, NID_authority_key_identifier, "keyid:always");
    assert_true(X509_sign(leaf, authority->key, EVP_sha256()) > 0);
    authority_print(leaf, out);
    X509_free(leaf);
    X509_REQ_free(request);
    BIO_free(bio);
}

/* The root of @next signed by @authority, as a rotation makes it. Appended to @out. */
static inline void authority_cross_sign(struct authority *authority, const struct authority *next, struct buf *out)
{
    X509 *crossed = X509_dup(next->root);
    assert_true(X509_sign(crossed, authority->key, EVP_sha256()) > 0);
    authority_print(crossed, out);
    X509_free(crossed);
}

#endif
