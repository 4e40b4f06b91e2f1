/* api/swarm/issuer.c – see issuer.h. */
#include "api/swarm/issuer.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static void append_der(int length, unsigned char *der, struct buf *out)
{
    if (length > 0)
        buf_append(out, der, (size_t)length);
    OPENSSL_free(der);
}

int issuer_of_certificate(struct bytes pem, struct issuer *out, struct error *err)
{
    if (pem.size == 0 || pem.size > INT_MAX)
        return error_set(err, ERR_INVALID, "no certificate");
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (certificate == NULL) {
        ERR_clear_error();
        return error_set(err, ERR_INVALID, "not a certificate in PEM");
    }
    unsigned char *subject = NULL, *key = NULL;
    int subject_length = i2d_X509_NAME(X509_get_subject_name(certificate), &subject);
    int key_length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    append_der(subject_length, subject, &out->subject);
    append_der(key_length, key, &out->public_key);
    X509_free(certificate);
    if (out->subject.size > 0 && out->public_key.size > 0)
        return 0;
    ERR_clear_error();
    issuer_deinit(out);
    return error_set(err, ERR_INVALID, "a certificate without subject or key");
}

void issuer_deinit(struct issuer *issuer)
{
    buf_deinit(&issuer->subject);
    buf_deinit(&issuer->public_key);
}
