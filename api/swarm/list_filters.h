/* api/swarm/list_filters.h – `filters=` of the swarm's lists as the managers' List… requests have them, with dockerd's keys for each. Pure.
 *
 * @text NULL or "": no filters, as an empty message. Filters are in @arena. ERR_INVALID ("invalid filter 'x'"), ERR_LIMIT. */
#ifndef SKEP_API_SWARM_LIST_FILTERS_H
#define SKEP_API_SWARM_LIST_FILTERS_H

#include "api/filters.h"
#include "proto/swarmkit/control.pb-c.h"

int swarm_node_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListNodesRequest__Filters **out, struct error *err);
int swarm_secret_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListSecretsRequest__Filters **out, struct error *err);
int swarm_config_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListConfigsRequest__Filters **out, struct error *err);

/* service_ids and node_ids are what the client gave, names and beginnings of ids, too: the caller looks them up. Without a runtime: tasks
 * of containers. */
int swarm_task_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListTasksRequest__Filters **out, struct error *err);

/* Managers know no filter by mode: the caller asks swarm_service_has_mode() of each service with @all. Without a runtime: containers. */
int swarm_service_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListServicesRequest__Filters **out,
                          struct filters *all, struct error *err);
bool swarm_service_has_mode(const Docker__Swarmkit__V1__Service *service, const struct filters *all);

/* Docker matches networks itself, more loosely than the managers would: the caller lists all and asks swarm_network_matches() of each.
 * "dangling" is not looked at there: who uses a network is not in it. */
int swarm_network_filters(const char *text, struct arena *arena, struct filters *all, struct error *err);
bool swarm_network_matches(const Docker__Swarmkit__V1__Network *network, const struct filters *all);

#endif
