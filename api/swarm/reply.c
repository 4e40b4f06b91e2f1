/* api/swarm/reply.c – see reply.h. */
#include "api/swarm/reply.h"

#include "api/swarm/shape.h"
#include "base/mem.h"

cJSON *swarm_json_created(const char *id)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "ID", shape_text(id));
    return json;
}

cJSON *swarm_json_service_reply(const char *id, char *const *warnings, size_t count)
{
    cJSON *json = id ? swarm_json_created(id) : cJSON_CreateObject();
    if (count > 0)
        cJSON_AddItemToObject(json, "Warnings", shape_texts(warnings, count));
    else if (id == NULL)
        cJSON_AddNullToObject(json, "Warnings");
    return json;
}

cJSON *swarm_json_network_created(const char *id)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "Id", shape_text(id));
    cJSON_AddStringToObject(json, "Warning", "");
    return json;
}

/* gRPC's codes by number: its name, and dockerd's HTTP status for it. */
static const struct {
    const char *name;
    int http_status;
} statuses[] = {
    {"OK", 200},       {"Canceled", 500},        {"Unknown", 500},          {"InvalidArgument", 400},   {"DeadlineExceeded", 500},
    {"NotFound", 404}, {"AlreadyExists", 409},   {"PermissionDenied", 403}, {"ResourceExhausted", 500}, {"FailedPrecondition", 400},
    {"Aborted", 500},  {"OutOfRange", 400},      {"Unimplemented", 501},    {"Internal", 500},          {"Unavailable", 503},
    {"DataLoss", 500}, {"Unauthenticated", 401},
};

static size_t index_of(int grpc_status)
{
    return grpc_status < 0 || (size_t)grpc_status >= sizeof statuses / sizeof *statuses ? 2 : (size_t)grpc_status;
}

int swarm_http_status(int grpc_status)
{
    return statuses[index_of(grpc_status)].http_status;
}

char *swarm_rpc_message(int grpc_status, const char *description)
{
    return mem_format("rpc error: code = %s desc = %s", statuses[index_of(grpc_status)].name, description);
}
