/* manager/ca/found.h – a new cluster's first papers: its authority with its tokens, and the certificate of the manager that founds it.
 *
 * There is nobody to ask yet, so the founder signs itself, with the key that it puts into the cluster's first object. Pure but for the
 * randomness of keys. What the papers hold: swarmkit-wire §2.3. */
#ifndef SKEP_MANAGER_CA_FOUND_H
#define SKEP_MANAGER_CA_FOUND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/random.h"
#include "proto/swarmkit/types.pb-c.h"

/* Borrowed. */
struct ca_found_options {
    const char *cluster_id, *node_id; /* base/id.h; a FIPS cluster's begins with "FIPS." */
    int64_t expiry_ns;                /* of the node's certificate: ca_config_expiry_ns() */
    bool is_fips;
    struct random random;
    int64_t wall_ns;
};

/* Owned; what is secret is wiped when it goes. */
struct ca_founding {
    Docker__Swarmkit__V1__RootCA *root_ca; /* Cluster.root_ca, with the root's key and the tokens */
    struct buf root_pem;                   /* the root's certificate, for the node's own directory */
    struct buf chain_pem;                  /* the node's, a manager's */
    struct buf key_pem;                    /* its key, in PKCS#8 and in clear, without header lines */
};
void ca_founding_deinit(struct ca_founding *founding);

/* ERR_INVALID for a node id that cannot stand in a certificate. On failure there is nothing to be released. */
int ca_found(const struct ca_found_options *options, struct ca_founding *out, struct error *err);

#endif
