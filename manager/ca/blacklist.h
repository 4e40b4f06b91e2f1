/* manager/ca/blacklist.h – nodes that were removed while their certificate was still good: Cluster.blacklisted_certificates.
 *
 * ca_authorize() refuses them. An entry is kept until the certificate has been over for CA_BLACKLIST_GRACE_S, for clocks that differ; one
 * whose certificate's end is not known is kept for good (swarmkit-wire §1.5). */
#ifndef SKEP_MANAGER_CA_BLACKLIST_H
#define SKEP_MANAGER_CA_BLACKLIST_H

#include "proto/swarmkit/objects.pb-c.h"

/* @node goes: no certificate of its id is good any more. Twice is once, with the later end. */
void ca_blacklist_add(Docker__Swarmkit__V1__Cluster *cluster, const Docker__Swarmkit__V1__Node *node);

/* Forget whose certificate has been over for long. */
void ca_blacklist_expire(Docker__Swarmkit__V1__Cluster *cluster, int64_t wall_ns);

#endif
