/* manager/ca/rotation.h – a root rotation under way: which nodes are told to renew, and when all have, the new root.
 *
 * A pure reconciler: it looks at the cluster and its nodes as they are, and keeps nothing. Every CA_ROTATION_INTERVAL_MS it is asked again;
 * a rotation that was changed, canceled or finished meanwhile is then simply not there any more (swarmkit-wire §2.6). */
#ifndef SKEP_MANAGER_CA_ROTATION_H
#define SKEP_MANAGER_CA_ROTATION_H

#include <stdbool.h>

#include "base/error.h"
#include "base/random.h"
#include "proto/swarmkit/objects.pb-c.h"

struct ca_rotation_look {
    bool is_rotating;                                 /* otherwise nothing else is set */
    bool is_converged;                                /* every node's certificate comes from the new root: call ca_rotation_finish() */
    size_t left_count;                                /* nodes that still have one from another */
    size_t told[CA_ROTATION_BATCH_COUNT], told_count; /* places in @nodes: give each of them ca_rotation_tell() */
};

/* A node that is down, or never said who issued its certificate, holds the rotation up for as long as it is in the cluster. One that is
 * about to get a certificate (RENEW, PENDING), or was told already (ROTATE), is left alone. ERR_CORRUPT when the cluster's root cannot be
 * read. */
int ca_rotation_look(const Docker__Swarmkit__V1__RootCA *root_ca, Docker__Swarmkit__V1__Node *const *nodes, size_t count,
                     struct ca_rotation_look *out, struct error *err);

/* The node, told to renew its certificate: a copy in state ROTATE. */
Docker__Swarmkit__V1__Node *ca_rotation_tell(const Docker__Swarmkit__V1__Node *node);

/* What the cluster has when the rotation of @root_ca is over: the new root alone, a new hash and new tokens. ERR_PRECONDITION when none
 * goes on, ERR_CORRUPT and ERR_TRUST when the new root is not good at @wall_ns. Freed with message_wipe_free(). */
int ca_rotation_finish(const Docker__Swarmkit__V1__RootCA *root_ca, bool is_fips, const struct random *random, int64_t wall_ns,
                       Docker__Swarmkit__V1__RootCA **out, struct error *err);

#endif
