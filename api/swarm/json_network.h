/* api/swarm/json_network.h – the swarm's networks as Docker's JSON: /networks, /networks/{id}, /networks/create. Pure. */
#ifndef SKEP_API_SWARM_JSON_NETWORK_H
#define SKEP_API_SWARM_JSON_NETWORK_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/objects.pb-c.h"

/* As `docker network ls` and `docker network inspect` show one that this node has no part in. */
cJSON *swarm_json_network(const Docker__Swarmkit__V1__Network *network, unsigned api_version);

/* The routing mesh's, also as managers of long ago marked it. */
bool swarm_network_is_ingress(const Docker__Swarmkit__V1__Network *network);

/* A stand-in for a network of the nodes' own, such as "host": Docker lists the nodes' own instead. */
bool swarm_network_is_predefined(const Docker__Swarmkit__V1__Network *network);

/* The request for a new one. Its Driver and Scope are the caller's to judge. */
int swarm_read_network_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__NetworkSpec **out,
                            struct error *err);

#endif
