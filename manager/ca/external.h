/* manager/ca/external.h – the documents of an external CA (CFSSL's API): what is asked of it, and what comes back.
 *
 * A JSON document is POSTed over mutual TLS; the answer is hostile bytes within CA_EXTERNAL_RESPONSE_BYTES, and what it holds is believed
 * only after it was checked like any certificate (swarmkit-wire §2.6). Nothing here talks to anyone. */
#ifndef SKEP_MANAGER_CA_EXTERNAL_H
#define SKEP_MANAGER_CA_EXTERNAL_H

#include "manager/ca/root.h"
#include "manager/ca/sign.h"

/* Ask for a node certificate. Freed with free(). Which external CAs: ca_config_external_urls() for ca_state_wanted_pem(); their own
 * certificates come from the cluster's root, or during a rotation also from the one it leads to. */
char *ca_external_request(struct bytes request_pem, const struct ca_subject *subject);

/* Ask the external CA of the present root to sign the root that a cluster shall change to, whose key is needed for the request.
 * ERR_INVALID. Freed with free(). */
int ca_external_cross_request(const struct ca_root *next, char **out, struct error *err);

/* The certificate in an answer of HTTP status 200. ERR_AGAIN: this is no answer of such an API, another try may get one; ERR_PEER: it
 * refused, with its reasons. Appended to @cert_pem. */
int ca_external_parse(struct bytes body, struct buf *cert_pem, struct error *err);

/* The chain that a node gets: what came back for @request_pem, with the cross-signed root behind it during a root rotation. ERR_PEER when
 * it is not a certificate of @subject for that key, good under @root_ca at @wall_ns. Appended to @chain_pem. */
int ca_external_chain(struct bytes cert_pem, struct bytes request_pem, const struct ca_subject *subject,
                      const Docker__Swarmkit__V1__RootCA *root_ca, int64_t wall_ns, struct buf *chain_pem, struct error *err);

#endif
