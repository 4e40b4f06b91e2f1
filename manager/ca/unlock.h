/* manager/ca/unlock.h – the key that locked managers are opened with: Cluster.unlock_keys. Its text: proto/identity/unlock_key.h.
 *
 * Source: swarmkit-wire §2.7. */
#ifndef SKEP_MANAGER_CA_UNLOCK_H
#define SKEP_MANAGER_CA_UNLOCK_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/random.h"
#include "proto/swarmkit/ca.pb-c.h"
#include "proto/swarmkit/objects.pb-c.h"

/* The managers' key; empty where they are not locked. Borrowed. */
struct bytes ca_unlock_key(const Docker__Swarmkit__V1__Cluster *cluster);

/* Make the keys what cluster->spec asks for: one for managers where they lock themselves, made where it is missing and made anew where it
 * @rotates; none where they do not. Keys of other subsystems stay. */
void ca_unlock_update(Docker__Swarmkit__V1__Cluster *cluster, bool rotates, const struct random *random);

/* CA/GetUnlockKey: a manager renews its key file when the version is newer than the one it has. @reply is initialised here and borrows from
 * @cluster. */
void ca_unlock_reply(const Docker__Swarmkit__V1__Cluster *cluster, Docker__Swarmkit__V1__GetUnlockKeyResponse *reply);

#endif
