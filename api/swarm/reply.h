/* api/swarm/reply.h – what dockerd answers beside the objects themselves: who was made, warnings, and the managers' errors. Pure. */
#ifndef SKEP_API_SWARM_REPLY_H
#define SKEP_API_SWARM_REPLY_H

#include <cjson/cJSON.h>
#include <stddef.h>

/* {"ID":"…"} of /secrets/create and /configs/create. */
cJSON *swarm_json_created(const char *id);

/* {"ID":"…","Warnings":["…"]} of /services/create, the warnings only where there are any; and without an ID (NULL) of
 * /services/{id}/update, which has null for none. */
cJSON *swarm_json_service_reply(const char *id, char *const *warnings, size_t count);

/* {"Id":"…","Warning":""} of /networks/create. */
cJSON *swarm_json_network_created(const char *id);

/* A manager's gRPC status as dockerd passes it on: the HTTP status, and the message "rpc error: code = NotFound desc = …", freed with
 * free(). */
int swarm_http_status(int grpc_status);
char *swarm_rpc_message(int grpc_status, const char *description);

#endif
