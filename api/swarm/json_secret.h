/* api/swarm/json_secret.h – secrets as Docker's JSON: /secrets, /secrets/{id}, /secrets/create, /secrets/{id}/update. Pure. */
#ifndef SKEP_API_SWARM_JSON_SECRET_H
#define SKEP_API_SWARM_JSON_SECRET_H

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/objects.pb-c.h"

/* Never with its data, even if the message has it. */
cJSON *swarm_json_secret(const Docker__Swarmkit__V1__Secret *secret, unsigned api_version);

/* A SecretSpec, its data out of base64. message_wipe() @out before the arena goes, and swarm_body_free() the JSON. A template's driver is
 * refused in versions before 1.37, as dockerd does. ERR_INVALID. */
int swarm_read_secret_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__SecretSpec **out,
                           struct error *err);

#endif
