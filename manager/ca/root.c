/* manager/ca/root.c – see root.h. */
#include "manager/ca/root.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"
#include "manager/ca/build.h"
#include "proto/identity/certificate.h"
#include "proto/identity/pem.h"

void ca_root_deinit(struct ca_root *root)
{
    root->key_pem.is_secret = true;
    buf_deinit(&root->cert_pem);
    buf_deinit(&root->key_pem);
    *root = (struct ca_root){0};
}

static bool fill(X509 *root, EVP_PKEY *key, const struct random *random, int64_t wall_ns)
{
    int64_t from_s = build_minute_s(wall_ns) - CA_ROOT_BACKDATE_S;
    return build_begin(root, random, from_s, from_s + CA_ROOT_VALIDITY_S) && build_name(root, NID_commonName, CA_ROOT_NAME) &&
           X509_set_issuer_name(root, X509_get_subject_name(root)) && X509_set_pubkey(root, key) &&
           build_extension(root, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           build_extension(root, NID_basic_constraints, "critical,CA:TRUE") && build_extension(root, NID_subject_key_identifier, "hash");
}

int ca_root_make(const struct random *random, int64_t wall_ns, struct ca_root *out, struct error *err)
{
    *out = (struct ca_root){.key_pem.is_secret = true};
    cleanup_key EVP_PKEY *key = EVP_EC_gen("P-256");
    cleanup_one X509 *root = X509_new();
    if (!key || !fill(root, key, random, wall_ns) || !X509_sign(root, key, build_digest(key)))
        return pem_fail(err, ERR_INTERNAL, "make a root CA");
    pem_print_certificate(root, &out->cert_pem);
    return pem_print_key_by_kind(key, &out->key_pem, err);
}

int ca_root_check(struct bytes cert_pem, struct bytes key_pem, int64_t wall_ns, struct error *err)
{
    int failed = certificate_check_roots(cert_pem, wall_ns, NULL, err);
    if (failed < 0 || key_pem.size == 0)
        return failed;
    return certificate_match_key(cert_pem, key_pem, err);
}

/* An encrypted one would fail too, with words that help nobody. */
static bool is_encrypted(struct bytes key_pem)
{
    static const char word[] = "ENCRYPTED";
    for (size_t i = 0; i + sizeof word - 1 <= key_pem.size; i++)
        if (memcmp(key_pem.data + i, word, sizeof word - 1) == 0)
            return true;
    return false;
}

static int take(struct bytes cert_pem, struct bytes key_pem, int64_t wall_ns, struct ca_root *out, struct error *err)
{
    if (is_encrypted(key_pem))
        return error_set(err, ERR_INVALID, "the CA's private key is encrypted: give it in clear");
    int failed = ca_root_normalise(cert_pem, &out->cert_pem, err);
    if (failed < 0)
        return failed;
    failed = ca_root_check(buf_bytes(&out->cert_pem), key_pem, wall_ns, err);
    if (failed < 0)
        return failed;
    buf_append(&out->key_pem, key_pem.data, key_pem.size);
    return 0;
}

int ca_root_take(struct bytes cert_pem, struct bytes key_pem, int64_t wall_ns, struct ca_root *out, struct error *err)
{
    struct error why;
    *out = (struct ca_root){.key_pem.is_secret = true};
    if (take(cert_pem, key_pem, wall_ns, out, &why) == 0)
        return 0;
    ca_root_deinit(out);
    return error_set(err, ERR_INVALID, "%s", why.message);
}

void ca_root_hash(struct bytes cert_pem, char out[CA_HASH_SIZE_CHARS + 1])
{
    uint8_t digest[SHA256_SIZE_BYTES];
    sha256(cert_pem, digest);
    memcpy(out, "sha256:", 7);
    encode_hex(bytes_of(digest, sizeof digest), out + 7);
}

int ca_root_normalise(struct bytes pem, struct buf *out, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    int failed = pem_read_certificates(pem, "the CA certificate", &list, err);
    for (int i = 0; failed == 0 && i < sk_X509_num(list); i++)
        pem_print_certificate(sk_X509_value(list, i), out);
    return failed;
}

bool ca_root_equal(struct bytes a_pem, struct bytes b_pem)
{
    cleanup_buf struct buf a = {0}, b = {0};
    return ca_root_normalise(a_pem, &a, NULL) == 0 && ca_root_normalise(b_pem, &b, NULL) == 0 && bytes_equal(buf_bytes(&a), buf_bytes(&b));
}

int ca_root_issuer(struct bytes cert_pem, struct buf *subject_der, struct buf *public_key_der, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    int failed = pem_read_certificates(cert_pem, "the root CA", &list, err);
    if (failed < 0)
        return failed;
    pem_print_issuer(sk_X509_value(list, 0), subject_der, public_key_der);
    return 0;
}
