/* api/swarm/json_task.h – tasks as Docker's JSON: /tasks, /tasks/{id}. Pure. */
#ifndef SKEP_API_SWARM_JSON_TASK_H
#define SKEP_API_SWARM_JSON_TASK_H

#include <cjson/cJSON.h>

#include "api/swarm/shape.h"
#include "proto/swarmkit/objects.pb-c.h"

cJSON *swarm_json_task(const Docker__Swarmkit__V1__Task *task, unsigned api_version);

/* "running" and so on, as Docker names the states; ended by NULL. */
extern const struct shape_name swarm_task_states[];

#endif
