/* manager/ca/state.h – Cluster.root_ca, where a cluster keeps its authority: as it begins, and what is the same in all its changes.
 *
 * The fields and their meaning: swarmkit-wire §2.3 and §2.6. Messages carry keys and tokens: free them with message_wipe_free(). */
#ifndef SKEP_MANAGER_CA_STATE_H
#define SKEP_MANAGER_CA_STATE_H

#include <stdbool.h>

#include "base/random.h"
#include "manager/ca/root.h"
#include "proto/swarmkit/types.pb-c.h"

/* What a cluster has from @root on: its hash, and new tokens. @forced_rotation: CAConfig.force_rotate as it was when the root was made. */
Docker__Swarmkit__V1__RootCA *ca_state_new(const struct ca_root *root, bool is_fips, uint64_t forced_rotation, const struct random *random);

/* What certificates are to be issued under: the root that a rotation leads to, or the cluster's root. Borrowed. */
struct bytes ca_state_wanted_pem(const Docker__Swarmkit__V1__RootCA *root_ca);

/* Does the cluster sign what it wants signed with a key of its own? Otherwise an external CA has to. */
bool ca_state_has_key(const Docker__Swarmkit__V1__RootCA *root_ca);

#endif
