/* proto/tls/verify.h – is a chain of certificates good: SwarmKit's rules on top of OpenSSL's.
 *
 * Names are roles (swarm-manager, swarm-ca), never hosts; time is passed in; and a root that was rotated signs its successor, which OpenSSL
 * alone takes for a self-signed stranger (swarmkit-wire §1.3, §2.6, §9 trap 1). */
#ifndef SKEP_PROTO_TLS_VERIFY_H
#define SKEP_PROTO_TLS_VERIFY_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* For those who act differently on each. */
enum tls_flaw {
    TLS_SOUND,
    TLS_NOT_YET_VALID,
    TLS_EXPIRED,
    TLS_UNKNOWN_AUTHORITY,
    TLS_WRONG_NAME,
    TLS_BROKEN, /* a bad signature inside, not fit for its use */
};

enum tls_use { TLS_AS_CLIENT, TLS_AS_SERVER };

/* Judge @leaf with what came along in @others (borrowed, may be NULL; the leaf may be among them) under @roots at @wall_ns. @name: the DNS
 * name the leaf must carry; NULL: any. ERR_TRUST with the cause in words, both clocks where it is about time; @flaw may be NULL. */
int tls_verify(X509 *leaf, STACK_OF(X509) * others, STACK_OF(X509) * roots, enum tls_use use, const char *name, int64_t wall_ns,
               enum tls_flaw *flaw, struct error *err);

/* All certificates of a PEM text, in order; anything else between them is skipped. ERR_CORRUPT when there is none, or one is damaged;
 * ERR_LIMIT beyond CERTIFICATE_PEM_SIZE_BYTES. Freed with tls_list_free(). */
int tls_read_list(struct bytes pem, STACK_OF(X509) * *out, struct error *err);
void tls_list_free(STACK_OF(X509) * list);

/* Was @child signed by @issuer, whose name it gives? */
bool tls_is_issued_by(X509 *child, X509 *issuer);

int64_t tls_wall_ns(const ASN1_TIME *time); /* 0 for what is no time */

#endif
