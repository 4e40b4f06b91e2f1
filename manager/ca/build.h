/* manager/ca/build.h – the parts of a certificate that is being made; for root.c and sign.c. What a field holds: swarmkit-wire §2.3.
 *
 * Each returns false, with OpenSSL's queue saying why, when it cannot be done. */
#ifndef SKEP_MANAGER_CA_BUILD_H
#define SKEP_MANAGER_CA_BUILD_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

int64_t build_minute_s(int64_t wall_ns);         /* the nearest whole minute, in seconds since 1970: all validities start on one */
const EVP_MD *build_digest(const EVP_PKEY *key); /* the SHA-2 that goes with a key of its strength */

bool build_begin(X509 *one, const struct random *random, int64_t from_s, int64_t to_s); /* version 3, a serial of 160 bits, the validity */
bool build_name(X509 *one, int nid, const char *value);                                 /* one more attribute of the subject */
bool build_extension(X509 *one, int nid, const char *value); /* in OpenSSL's words; never with text from outside */
bool build_dns_names(X509 *one, const char *const *names, size_t count);
bool build_authority_key(X509 *one, X509 *issuer); /* nothing where the issuer has no key identifier */

#endif
