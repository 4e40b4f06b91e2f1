/* proto/identity/pem.c – see pem.h. */
#include "proto/identity/pem.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "proto/tls/verify.h"

void pem_free_bio(BIO **bio)
{
    BIO_free(*bio);
}

void pem_free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

void pem_free_one(X509 **one)
{
    X509_free(*one);
}

void pem_free_request(X509_REQ **request)
{
    X509_REQ_free(*request);
}

void pem_free_list(STACK_OF(X509) * *list)
{
    tls_list_free(*list);
}

int pem_fail(struct error *err, int code, const char *what)
{
    char text[160];
    unsigned long number = ERR_get_error();
    ERR_error_string_n(number, text, sizeof text);
    ERR_clear_error();
    return error_set(err, code, "%s: %s", what, number ? text : "no reason given");
}

static BIO *reader(struct bytes pem)
{
    return BIO_new_mem_buf(pem.data ? pem.data : (const uint8_t *)"", (int)pem.size);
}

static int check_size(struct bytes pem, const char *what, struct error *err)
{
    if (pem.size > CERTIFICATE_PEM_SIZE_BYTES)
        return error_set(err, ERR_CORRUPT, "%s is larger than %u bytes", what, CERTIFICATE_PEM_SIZE_BYTES);
    return 0;
}

static int take_bio(BIO *bio, struct buf *out)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    buf_append(out, data, (size_t)size);
    return 0;
}

int pem_read_certificates(struct bytes pem, const char *what, STACK_OF(X509) * *out, struct error *err)
{
    struct error why;
    cleanup_certificates STACK_OF(X509) *list = NULL;
    if (tls_read_list(pem, &list, &why) < 0)
        return error_set(err, ERR_CORRUPT, "%s cannot be read: %s", what, why.message);
    if (sk_X509_num(list) > CERTIFICATE_CHAIN_COUNT)
        return error_set(err, ERR_CORRUPT, "%s has more than %d certificates", what, CERTIFICATE_CHAIN_COUNT);
    *out = list;
    list = NULL;
    return 0;
}

int pem_read_key(struct bytes pem, EVP_PKEY **out, struct error *err)
{
    int failed = check_size(pem, "the private key", err);
    if (failed < 0)
        return failed;
    cleanup_bio BIO *bio = reader(pem);
    /* An empty passphrase instead of OpenSSL's default, which would ask the terminal. */
    *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    return *out ? 0 : pem_fail(err, ERR_CORRUPT, "the private key cannot be read");
}

int pem_read_request(struct bytes pem, X509_REQ **out, struct error *err)
{
    int failed = check_size(pem, "the certificate request", err);
    if (failed < 0)
        return failed;
    cleanup_bio BIO *bio = reader(pem);
    *out = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    return *out ? 0 : pem_fail(err, ERR_CORRUPT, "the certificate request cannot be read");
}

void pem_print_certificate(X509 *one, struct buf *out)
{
    cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, one);
    take_bio(bio, out);
}

void pem_print_issuer(const X509 *one, struct buf *subject_der, struct buf *public_key_der)
{
    uint8_t *der = NULL;
    int size = i2d_X509_NAME(X509_get_subject_name(one), &der);
    if (size > 0)
        buf_append(subject_der, der, (size_t)size);
    OPENSSL_free(der);
    der = NULL;
    size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(one), &der);
    if (size > 0)
        buf_append(public_key_der, der, (size_t)size);
    OPENSSL_free(der);
}

int pem_print_request(X509_REQ *request, struct buf *out, struct error *err)
{
    cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
    if (!PEM_write_bio_X509_REQ(bio, request))
        return pem_fail(err, ERR_INTERNAL, "write a certificate request");
    return take_bio(bio, out);
}

int pem_print_key(EVP_PKEY *key, struct buf *out, struct error *err)
{
    cleanup_bio BIO *bio = BIO_new(BIO_s_secmem());
    if (!PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
        return pem_fail(err, ERR_INTERNAL, "write a private key");
    return take_bio(bio, out);
}

int pem_print_key_by_kind(EVP_PKEY *key, struct buf *out, struct error *err)
{
    cleanup_bio BIO *bio = BIO_new(BIO_s_secmem());
    if (!PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL))
        return pem_fail(err, ERR_INTERNAL, "write a private key");
    return take_bio(bio, out);
}

int pem_print_key_locked(EVP_PKEY *key, struct bytes passphrase, struct buf *out, struct error *err)
{
    cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
    if (!PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), (const char *)passphrase.data, (int)passphrase.size, NULL, NULL))
        return pem_fail(err, ERR_INTERNAL, "write an encrypted private key");
    return take_bio(bio, out);
}

static int give_passphrase(char *out, int capacity, int is_writing, void *ctx)
{
    const struct bytes *passphrase = ctx;
    (void)is_writing;
    if (passphrase->size > (size_t)capacity)
        return -1;
    memcpy(out, passphrase->data, passphrase->size);
    return (int)passphrase->size;
}

int pem_read_key_locked(struct bytes pem, struct bytes passphrase, EVP_PKEY **out, struct error *err)
{
    int failed = check_size(pem, "the private key", err);
    if (failed < 0)
        return failed;
    cleanup_bio BIO *bio = reader(pem);
    *out = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &passphrase);
    return *out ? 0 : pem_fail(err, ERR_PERMISSION, "the encrypted private key cannot be opened");
}

/* By name: other curves have as many bits. One told by its parameters, which OpenSSL may know as one of these, other peers cannot read. */
static bool is_accepted_curve(const EVP_PKEY *key)
{
    char name[64];
    size_t length;
    int is_explicit = 0;
    bool is_named = EVP_PKEY_get_group_name(key, name, sizeof name, &length) == 1;
    bool is_told = EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit) == 1;
    ERR_clear_error();
    is_named = is_named && !(is_told && is_explicit);
    return is_named && (text_equal(name, "prime256v1") || text_equal(name, "secp384r1") || text_equal(name, "secp521r1"));
}

bool pem_is_accepted_key(const EVP_PKEY *key)
{
    if (!key)
        return false;
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        return EVP_PKEY_get_bits(key) >= 2048;
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && is_accepted_curve(key);
}

bool pem_is_accepted_signature(int signature_nid)
{
    int digest = NID_undef;
    if (!OBJ_find_sigid_algs(signature_nid, &digest, NULL))
        return false;
    return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
}
