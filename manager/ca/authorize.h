/* manager/ca/authorize.h – who calls, and may it: from the certificate of a TLS peer, or from what a manager forwards of another's.
 *
 * A node's id is its certificate's CN, its roles are all OUs, its cluster the first O (swarmkit-wire §1.5). A follower calls the leader
 * under its own certificate and tells whose call it is (§1.6); that is believed of managers only. */
#ifndef SKEP_MANAGER_CA_AUTHORIZE_H
#define SKEP_MANAGER_CA_AUTHORIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "proto/methods.h"
#include "proto/swarmkit/objects.pb-c.h"

/* What a certificate that was verified under the cluster's root says. Borrowed; "" or NULL where it says nothing. */
struct ca_papers {
    const char *node_id, *cluster_id;
    const char *const *units;
    size_t unit_count;
};

struct ca_caller {
    const struct ca_papers *papers; /* of the TLS peer; NULL: it showed no certificate */
    bool is_forwarded;              /* metadata "forwarded_cert" is "true" */
    struct ca_papers forwarded;     /* metadata forwarded_cert_cn, …_org, …_ou */
};

/* May @caller use a method for @callers in the cluster @cluster_id? @cluster (NULL: not known yet) has the list of removed nodes. *node_id,
 * borrowed from @caller, is who calls: NULL where anyone may. ERR_PERMISSION in SwarmKit's words, by which agents know what befell them. */
int ca_authorize(const struct ca_caller *caller, const char *cluster_id, const Docker__Swarmkit__V1__Cluster *cluster,
                 enum method_callers callers, const char **node_id, struct error *err);

#endif
