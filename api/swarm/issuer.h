/* api/swarm/issuer.h – what of a CA's certificate names the issuer of others: Docker shows it, and its clients compare it. */
#ifndef SKEP_API_SWARM_ISSUER_H
#define SKEP_API_SWARM_ISSUER_H

#include "base/buf.h"

struct issuer {
    struct buf subject;    /* a Name, DER */
    struct buf public_key; /* a SubjectPublicKeyInfo, DER */
};

/* Of the first certificate in @pem. ERR_INVALID. */
int issuer_of_certificate(struct bytes pem, struct issuer *out, struct error *err);
void issuer_deinit(struct issuer *issuer);

#endif
