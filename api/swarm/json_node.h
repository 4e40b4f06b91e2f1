/* api/swarm/json_node.h – a swarm's nodes as Docker's JSON: /nodes, /nodes/{id}, /nodes/{id}/update. Pure. */
#ifndef SKEP_API_SWARM_JSON_NODE_H
#define SKEP_API_SWARM_JSON_NODE_H

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/objects.pb-c.h"

/* @api_version here and everywhere in this room: the minor of 1.NN that the client asked for. What is returned is taken by the caller, and
 * for printing: its numbers are raw texts, which keep all their digits. */
cJSON *swarm_json_node(const Docker__Swarmkit__V1__Node *node, unsigned api_version);

/* A NodeSpec: Name, Labels, Role, Availability. What Docker's JSON does not have – the membership – is @current's (NULL: accepted).
 * @out lives in @arena, as everywhere in this room. ERR_INVALID names the member. */
int swarm_read_node_spec(const cJSON *json, unsigned api_version, const Docker__Swarmkit__V1__NodeSpec *current, struct arena *arena,
                         Docker__Swarmkit__V1__NodeSpec **out, struct error *err);

#endif
