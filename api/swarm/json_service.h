/* api/swarm/json_service.h – services as Docker's JSON: /services, /services/{id}, /services/create, /services/{id}/update. Pure. */
#ifndef SKEP_API_SWARM_JSON_SERVICE_H
#define SKEP_API_SWARM_JSON_SERVICE_H

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/control.pb-c.h"
#include "proto/swarmkit/objects.pb-c.h"

/* @status: what `status=true` asks for; NULL: not shown. */
cJSON *swarm_json_service(const Docker__Swarmkit__V1__Service *service, unsigned api_version,
                          const Docker__Swarmkit__V1__ListServiceStatusesResponse__ServiceStatus *status);

/* A ServiceSpec, with Docker's defaults where the JSON says nothing: one replica, restart on any end, a job's completions.
 *
 * Left to the caller: a name where annotations.name is "" (made_name.h), networks by their ids where targets are names, and
 * pull_options (registry_auth.h). What clients of @api_version do not know is left out, as dockerd does.
 * ERR_INVALID, ERR_LIMIT; the message names the place: "Spec.TaskTemplate.ContainerSpec.Mounts[2].Target: not a text". */
int swarm_read_service_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__ServiceSpec **out,
                            struct error *err);

#endif
