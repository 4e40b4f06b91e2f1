/* proto/identity/pem.h – PEM texts as OpenSSL's objects and back, within limits: what certificate.c and a manager's CA share.
 *
 * Everything that is read here may come from a peer: it has a size and a count, and nothing asks a terminal for a passphrase. */
#ifndef SKEP_PROTO_IDENTITY_PEM_H
#define SKEP_PROTO_IDENTITY_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "base/buf.h"

/* Released at the end of the scope: of a BIO *, EVP_PKEY *, X509 *, X509_REQ *, STACK_OF(X509) *. */
void pem_free_bio(BIO **bio);
void pem_free_key(EVP_PKEY **key);
void pem_free_one(X509 **one);
void pem_free_request(X509_REQ **request);
void pem_free_list(STACK_OF(X509) * *list);
#define cleanup_bio          __attribute__((cleanup(pem_free_bio)))
#define cleanup_key          __attribute__((cleanup(pem_free_key)))
#define cleanup_one          __attribute__((cleanup(pem_free_one)))
#define cleanup_request      __attribute__((cleanup(pem_free_request)))
#define cleanup_certificates __attribute__((cleanup(pem_free_list)))

/* Fill @err with @what and OpenSSL's own words for what went wrong last; its queue is empty afterwards. Returns @code. */
int pem_fail(struct error *err, int code, const char *what);

/* All certificates of a PEM text in its order: 1 to CERTIFICATE_CHAIN_COUNT. @what names the text in messages. ERR_CORRUPT. */
int pem_read_certificates(struct bytes pem, const char *what, STACK_OF(X509) * *out, struct error *err);
int pem_read_key(struct bytes pem, EVP_PKEY **out, struct error *err);     /* PKCS#8 or an older form, in clear. ERR_CORRUPT */
int pem_read_request(struct bytes pem, X509_REQ **out, struct error *err); /* its signature is not looked at. ERR_CORRUPT */

/* Appended. Keys go through memory that is wiped; the caller wipes @out. */
void pem_print_certificate(X509 *one, struct buf *out);
int pem_print_request(X509_REQ *request, struct buf *out, struct error *err);
int pem_print_key(EVP_PKEY *key, struct buf *out, struct error *err);         /* PKCS#8, "PRIVATE KEY" */
int pem_print_key_by_kind(EVP_PKEY *key, struct buf *out, struct error *err); /* "EC PRIVATE KEY", "RSA PRIVATE KEY" */

/* "ENCRYPTED PRIVATE KEY": PKCS#8 under the bytes of @passphrase. Reading it: ERR_PERMISSION where they do not open it. */
int pem_print_key_locked(EVP_PKEY *key, struct bytes passphrase, struct buf *out, struct error *err);
int pem_read_key_locked(struct bytes pem, struct bytes passphrase, EVP_PKEY **out, struct error *err);

/* What NodeTLSInfo says of an issuer: its subject and its SubjectPublicKeyInfo, in DER. */
void pem_print_issuer(const X509 *one, struct buf *subject_der, struct buf *public_key_der);

/* What SwarmKit accepts: RSA from 2048 bits or one of the NIST curves P-256, P-384 and P-521 by name, signed with SHA-2 (swarmkit-wire
 * §2.3). */
bool pem_is_accepted_key(const EVP_PKEY *key);
bool pem_is_accepted_signature(int signature_nid);

#endif
