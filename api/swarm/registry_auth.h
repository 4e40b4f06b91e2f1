/* api/swarm/registry_auth.h – a service's credentials for its image's registry: they come by a header and never by the spec. Pure. */
#ifndef SKEP_API_SWARM_REGISTRY_AUTH_H
#define SKEP_API_SWARM_REGISTRY_AUTH_H

#include "api/swarm/query.h"
#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/objects.pb-c.h"

/* Set the pull_options of @spec, which has a container. @header: X-Registry-Auth, passed on as it is; NULL or "": for a new service
 * (@current NULL) none, for an update what @current, or its previous spec, has. In @arena; a secret of the registry's.
 * ERR_LIMIT for a header beyond API_REGISTRY_AUTH_BYTES in base64, ERR_INVALID where there is no previous spec or no container. */
int swarm_set_registry_auth(Docker__Swarmkit__V1__ServiceSpec *spec, const char *header, const Docker__Swarmkit__V1__Service *current,
                            enum swarm_auth_from from, struct arena *arena, struct error *err);

#endif
