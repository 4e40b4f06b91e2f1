/* api/swarm/json_plugin.h – the spec of a managed plugin, which Docker keeps packed in a task's generic runtime. Only shown: nodes of ours
 * run none. */
#ifndef SKEP_API_SWARM_JSON_PLUGIN_H
#define SKEP_API_SWARM_JSON_PLUGIN_H

#include <cjson/cJSON.h>

struct Google__Protobuf__Any;

/* NULL where there is no payload or it is malformed. */
cJSON *swarm_json_plugin(const struct Google__Protobuf__Any *payload);

#endif
