/* api/swarm/json_service.c – see json_service.h. */
#include "api/swarm/json_service.h"

#include "api/swarm/json_common.h"

typedef Docker__Swarmkit__V1__ServiceSpec ServiceSpec;

/* --- mode --- */

static const struct shape_member replicated[] = {
    {.json = "Replicas", .field = "replicas", .flags = SHAPE_ALWAYS, .absent = 1},
    {0},
};

static int default_completions(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    Docker__Swarmkit__V1__ReplicatedJob *job = (Docker__Swarmkit__V1__ReplicatedJob *)message;
    (void)err;
    if (shape_get(source, "TotalCompletions") == NULL)
        job->total_completions = job->max_concurrent;
    return 0;
}

static const struct shape_member replicated_job[] = {
    {.json = "MaxConcurrent", .field = "max_concurrent", .flags = SHAPE_ALWAYS, .absent = 1},
    {.json = "TotalCompletions", .field = "total_completions", .flags = SHAPE_ALWAYS},
    {.read = default_completions},
    {0},
};

static int default_mode(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    ServiceSpec *spec = (ServiceSpec *)message;
    (void)err;
    if (spec->mode_case != DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE__NOT_SET)
        return 0;
    spec->mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    spec->replicated = shape_new(&docker__swarmkit__v1__replicated_service__descriptor, source->arena);
    spec->replicated->replicas = 1;
    return 0;
}

static const struct shape_member mode[] = {
    {.json = "Replicated", .field = "replicated", .shape = replicated},
    {.json = "Global", .field = "global", .shape = swarm_nothing},
    {.json = "ReplicatedJob", .field = "replicated_job", .since = 41, .shape = replicated_job},
    {.json = "GlobalJob", .field = "global_job", .since = 41, .shape = swarm_nothing},
    {.read = default_mode},
    {0},
};

/* --- updates --- */

static const struct shape_name failure_actions[] = {
    {"pause", DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__PAUSE},
    {"continue", DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__CONTINUE},
    {"rollback", DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__ROLLBACK},
    {0},
};

static const struct shape_name orders[] = {
    {"stop-first", DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__STOP_FIRST},
    {"start-first", DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__START_FIRST},
    {0},
};

static const struct shape_member update_config[] = {
    {.json = "Parallelism", .field = "parallelism", .flags = SHAPE_ALWAYS},
    {.json = "Delay", .field = "delay", .flags = SHAPE_OMIT_ZERO | SHAPE_MADE},
    {.json = "FailureAction", .field = "failure_action", .names = failure_actions},
    {.json = "Monitor", .field = "monitor", .flags = SHAPE_OMIT_ZERO},
    {.json = "MaxFailureRatio", .field = "max_failure_ratio", .flags = SHAPE_ALWAYS},
    {.json = "Order", .field = "order", .flags = SHAPE_ALWAYS, .names = orders},
    {0},
};

const struct shape_name swarm_update_states[] = {
    {"updating", DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__UPDATING},
    {"paused", DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__PAUSED},
    {"completed", DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__COMPLETED},
    {"rollback_started", DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_STARTED},
    {"rollback_paused", DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_PAUSED},
    {"rollback_completed", DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_COMPLETED},
    {0},
};

static const struct shape_member update_status[] = {
    {.json = "State", .field = "state", .names = swarm_update_states},
    {.json = "StartedAt", .field = "started_at", .flags = SHAPE_ONLY_WRITTEN},
    {.json = "CompletedAt", .field = "completed_at", .flags = SHAPE_ONLY_WRITTEN},
    {.json = "Message", .field = "message"},
    {0},
};

/* --- endpoint --- */

static const struct shape_name resolution_modes[] = {
    {"vip", DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__RESOLUTION_MODE__VIP},
    {"dnsrr", DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__RESOLUTION_MODE__DNSRR},
    {0},
};

static const struct shape_member endpoint_spec[] = {
    {.json = "Mode", .field = "mode", .names = resolution_modes},
    {.json = "Ports", .field = "ports", .shape = swarm_port},
    {0},
};

static const struct shape_member virtual_ip[] = {
    {.json = "NetworkID", .field = "network_id"},
    {.json = "Addr", .field = "addr"},
    {0},
};

static const struct shape_member endpoint[] = {
    {.json = "Spec", .field = "spec", .flags = SHAPE_BARE, .shape = endpoint_spec},
    {.json = "Ports", .field = "ports", .shape = swarm_port},
    {.json = "VirtualIPs", .field = "virtual_ips", .shape = virtual_ip},
    {0},
};

/* --- the whole --- */

static const struct shape_member service_spec[] = {
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.json = "TaskTemplate", .field = "task", .flags = SHAPE_ALWAYS | SHAPE_MADE, .shape = swarm_service_task_spec},
    {.json = "Mode", .shape = mode},
    {.json = "UpdateConfig", .field = "update", .shape = update_config},
    {.json = "RollbackConfig", .field = "rollback", .shape = update_config},
    {.json = "Networks", .field = "networks", .shape = swarm_network_attachment_config},
    {.json = "EndpointSpec", .field = "endpoint", .shape = endpoint_spec},
    {0},
};

static const struct shape_member job_status[] = {
    {.json = "JobIteration", .field = "job_iteration", .flags = SHAPE_ALWAYS, .shape = swarm_version},
    {.json = "LastExecution", .field = "last_execution", .flags = SHAPE_ALWAYS | SHAPE_ONLY_WRITTEN},
    {0},
};

static const struct shape_member service_shape[] = {
    {.json = "ID", .field = "id", .flags = SHAPE_ALWAYS},
    {.field = "meta", .flags = SHAPE_INLINE, .shape = swarm_meta},
    {.json = "Spec", .field = "spec", .flags = SHAPE_ALWAYS, .shape = service_spec},
    {.json = "PreviousSpec", .field = "previous_spec", .shape = service_spec},
    {.json = "Endpoint", .field = "endpoint", .flags = SHAPE_ALWAYS, .shape = endpoint},
    {.json = "UpdateStatus", .field = "update_status", .shape = update_status},
    {.json = "JobStatus", .field = "job_status", .since = 41, .shape = job_status},
    {0},
};

static const struct shape_member service_status[] = {
    {.json = "RunningTasks", .field = "running_tasks", .flags = SHAPE_ALWAYS},
    {.json = "DesiredTasks", .field = "desired_tasks", .flags = SHAPE_ALWAYS},
    {.json = "CompletedTasks", .field = "completed_tasks", .flags = SHAPE_ALWAYS},
    {0},
};

cJSON *swarm_json_service(const Docker__Swarmkit__V1__Service *service, unsigned api_version,
                          const Docker__Swarmkit__V1__ListServiceStatusesResponse__ServiceStatus *status)
{
    cJSON *json = shape_write(service_shape, &service->base, api_version);
    if (status)
        cJSON_AddItemToObject(json, "ServiceStatus", shape_write(service_status, &status->base, api_version));
    return json;
}

int swarm_read_service_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__ServiceSpec **out,
                            struct error *err)
{
    ServiceSpec *spec = shape_new(&docker__swarmkit__v1__service_spec__descriptor, arena);
    int rc = shape_read(service_spec, json, "Spec", api_version, arena, &spec->base, err);
    if (rc == 0)
        *out = spec;
    return rc;
}
