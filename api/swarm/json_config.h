/* api/swarm/json_config.h – configs as Docker's JSON: /configs, /configs/{id}, /configs/create, /configs/{id}/update. Pure. */
#ifndef SKEP_API_SWARM_JSON_CONFIG_H
#define SKEP_API_SWARM_JSON_CONFIG_H

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/objects.pb-c.h"

/* With its data, in base64. */
cJSON *swarm_json_config(const Docker__Swarmkit__V1__Config *config, unsigned api_version);

/* A ConfigSpec, its data out of base64. ERR_INVALID. */
int swarm_read_config_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__ConfigSpec **out,
                           struct error *err);

#endif
