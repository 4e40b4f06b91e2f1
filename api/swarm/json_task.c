/* api/swarm/json_task.c – see json_task.h. */
#include "api/swarm/json_task.h"

#include "api/swarm/json_common.h"

const struct shape_name swarm_task_states[] = {
    {"new", DOCKER__SWARMKIT__V1__TASK_STATE__NEW},
    {"pending", DOCKER__SWARMKIT__V1__TASK_STATE__PENDING},
    {"assigned", DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED},
    {"accepted", DOCKER__SWARMKIT__V1__TASK_STATE__ACCEPTED},
    {"preparing", DOCKER__SWARMKIT__V1__TASK_STATE__PREPARING},
    {"ready", DOCKER__SWARMKIT__V1__TASK_STATE__READY},
    {"starting", DOCKER__SWARMKIT__V1__TASK_STATE__STARTING},
    {"running", DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING},
    {"complete", DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE},
    {"shutdown", DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN},
    {"failed", DOCKER__SWARMKIT__V1__TASK_STATE__FAILED},
    {"rejected", DOCKER__SWARMKIT__V1__TASK_STATE__REJECTED},
    {"remove", DOCKER__SWARMKIT__V1__TASK_STATE__REMOVE},
    {"orphaned", DOCKER__SWARMKIT__V1__TASK_STATE__ORPHANED},
    {0},
};

static const struct shape_member container_status[] = {
    {.json = "ContainerID", .field = "container_id", .flags = SHAPE_ALWAYS},
    {.json = "PID", .field = "pid", .flags = SHAPE_ALWAYS},
    {.json = "ExitCode", .field = "exit_code", .flags = SHAPE_ALWAYS},
    {0},
};

static const struct shape_member port_status[] = {{.json = "Ports", .field = "ports", .shape = swarm_port}, {0}};

static const struct shape_member status[] = {
    {.json = "Timestamp", .field = "timestamp", .flags = SHAPE_ALWAYS | SHAPE_ONLY_WRITTEN},
    {.json = "State", .field = "state", .names = swarm_task_states},
    {.json = "Message", .field = "message"},
    {.json = "Err", .field = "err"},
    {.json = "ContainerStatus", .field = "container", .shape = container_status},
    {.json = "PortStatus", .field = "port_status", .flags = SHAPE_ALWAYS, .shape = port_status},
    {0},
};

static const struct shape_member network_attachment[] = {
    {.json = "Network", .field = "network", .flags = SHAPE_ALWAYS, .shape = swarm_network},
    {.json = "Addresses", .field = "addresses"},
    {0},
};

static const struct shape_member volume_attachment[] = {
    {.json = "ID", .field = "id"},
    {.json = "Source", .field = "source"},
    {.json = "Target", .field = "target"},
    {0},
};

static const struct shape_member task_shape[] = {
    {.json = "ID", .field = "id", .flags = SHAPE_ALWAYS},
    {.field = "meta", .flags = SHAPE_INLINE, .shape = swarm_meta},
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.json = "Spec", .field = "spec", .flags = SHAPE_ALWAYS, .shape = swarm_task_spec},
    {.json = "ServiceID", .field = "service_id"},
    {.json = "Slot", .field = "slot"},
    {.json = "NodeID", .field = "node_id"},
    {.json = "Status", .field = "status", .flags = SHAPE_ALWAYS, .shape = status},
    {.json = "DesiredState", .field = "desired_state", .names = swarm_task_states},
    {.json = "NetworksAttachments", .field = "networks", .shape = network_attachment},
    {.json = "GenericResources", .field = "assigned_generic_resources", .shape = swarm_generic_resource},
    {.json = "JobIteration", .field = "job_iteration", .since = 41, .shape = swarm_version},
    {.json = "Volumes", .field = "volumes", .flags = SHAPE_NULL, .since = 42, .shape = volume_attachment},
    {0},
};

cJSON *swarm_json_task(const Docker__Swarmkit__V1__Task *task, unsigned api_version)
{
    return shape_write(task_shape, &task->base, api_version);
}
