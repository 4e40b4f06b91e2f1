/* manager/ca/part.h – the CA's part of the leader's work: signs the nodes that wait for a certificate, and brings a root rotation to its
 * end.
 *
 * What a request makes of a node is manager/ca/service.h's, over the store: a node that came with a token is there already accepted, one
 * that renews is in state RENEW (manager/ca/issue.h). Here they become ISSUED, or FAILED with the reason: by an external CA where the
 * cluster has one for the root that it wants to be under, else with the cluster's own key. What fails for a passing reason is tried again
 * after CA_SIGN_RETRY_MS, and at once when the cluster's object changes.
 *
 * Source: swarmkit-wire §2.4 to §2.6. */
#ifndef SKEP_MANAGER_CA_PART_H
#define SKEP_MANAGER_CA_PART_H

#include "manager/ca/asker.h"
#include "manager/part.h"

struct ca_part_options {
    struct part_host host;
    struct ca_asker asker; /* zeroed: no external CA is ever asked, and nodes that need one wait */
};

/* Freed before the store; what it has put to the log may still be told afterwards. */
struct part ca_part_new(const struct ca_part_options *options);

#endif
