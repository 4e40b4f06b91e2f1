/* manager/orchestrator/allocator.h – gives new tasks what they need of networks before they are scheduled: NEW becomes PENDING.
 *
 * What there is to give so far is nothing: tasks on the nodes' own networks (host, bridge, none) and with ports published by their nodes
 * (mode host) need nothing, and pass. A task that needs an overlay network or an ingress port stays NEW, and its status says why; whoever
 * takes in services should have refused it (allocator_check()).
 *
 * Source: swarmkit-wire §4.1, §7.9. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_ALLOCATOR_H
#define SKEP_MANAGER_ORCHESTRATOR_ALLOCATOR_H

#include "manager/part.h"

/* @host borrowed. */
struct part allocator_new(const struct part_host *host);

/* Whether the tasks of such a service can be given what they need. ERR_UNSUPPORTED names the port or network; ERR_NOT_FOUND: a network that
 * is not there. @network finds one by id or name, NULL: none. */
typedef const Docker__Swarmkit__V1__Network *allocator_network_fn(void *ctx, const char *id_or_name);
int allocator_check(const Docker__Swarmkit__V1__ServiceSpec *spec, allocator_network_fn *network, void *ctx, struct error *err);

/* The endpoint of a service of this spec: its ports are the nodes' own, so there is nothing to wait for, and whoever writes the service
 * writes it as well: a service that changes once more after its creation refuses the update that follows at once. @out is filled and
 * returned, and borrows from @spec; NULL: the spec has none. */
Docker__Swarmkit__V1__Endpoint *allocator_endpoint(const Docker__Swarmkit__V1__ServiceSpec *spec, Docker__Swarmkit__V1__Endpoint *out);

#endif
