/* api/swarm_event.h – a change of the cluster's objects as `docker events` tells it: of nodes, services, networks, secrets and configs,
 * with what is different in an update where dockerd says so (availability, role and state of a node; image, replicas and update state of a
 * service). Pure. Private to the room. Source: dockerd 20.10's own events (tests/interop/test_swarm_events.py). */
#ifndef SKEP_API_SWARM_EVENT_H
#define SKEP_API_SWARM_EVENT_H

#include "api/api.h"
#include "base/arena.h"
#include "manager/store/store.h"

/* False: nothing is told of such an object. What @out points to is @arena's, or borrowed from @change. */
bool swarm_event(const struct store_change *change, struct arena *arena, struct api_event *out);

#endif
