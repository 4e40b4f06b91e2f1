/* api/swarm/json_task_spec.c – what a service's tasks are, as Docker's JSON: see json_common.h.
 *
 * Docker has the limit of processes among the limits of resources, SwarmKit in the container's spec: hooks carry it from one to the other.
 */
#include "api/swarm/json_common.h"
#include "api/swarm/json_plugin.h"
#include "base/json.h"
#include "base/text.h"
#include "proto/swarmkit/specs.pb-c.h"

typedef Docker__Swarmkit__V1__TaskSpec TaskSpec;

/* --- resources --- */

static const struct shape_member limits[] = {
    {.json = "NanoCPUs", .field = "nano_cpus"},
    {.json = "MemoryBytes", .field = "memory_bytes"},
    {0},
};

static const struct shape_member requirements[] = {
    {.json = "Limits", .field = "limits", .shape = limits},
    {.json = "Reservations", .field = "reservations", .shape = swarm_resources},
    {.json = "SwapBytes", .field = "swap_bytes", .since = 52},
    {.json = "MemorySwappiness", .field = "memory_swappiness", .since = 52},
    {0},
};

static cJSON *object_in(cJSON *object, const char *name)
{
    cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, name);
    return inner ? inner : cJSON_AddObjectToObject(object, name);
}

static void write_pids(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const TaskSpec *task = (const TaskSpec *)message;
    (void)api_version;
    if (task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER && task->container && task->container->pidslimit != 0)
        json_add_int(object_in(object_in(object, "Resources"), "Limits"), "Pids", task->container->pidslimit);
}

static int read_pids(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    TaskSpec *task = (TaskSpec *)message;
    int64_t pids = 0;
    int rc = shape_get_i64(source, "Pids", &pids, err);
    if (rc == 0 && task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER)
        task->container->pidslimit = pids;
    return rc;
}

static const struct shape_member pids_in_limits[] = {{.read = read_pids}, {0}};
static const struct shape_member pids_in_resources[] = {{.json = "Limits", .shape = pids_in_limits}, {0}};

/* --- restart, placement, networks --- */

static const struct shape_name conditions[] = {
    {"none", DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__NONE},
    {"on-failure", DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ON_FAILURE},
    {"any", DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY},
    {0},
};

static const struct shape_member restart_policy[] = {
    {.json = "Condition",
     .field = "condition",
     .names = conditions,
     .fallback = DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY},
    {.json = "Delay", .field = "delay"},
    {.json = "MaxAttempts", .field = "max_attempts", .flags = SHAPE_ALWAYS},
    {.json = "Window", .field = "window"},
    {0},
};

static const struct shape_member spread[] = {
    {.json = "SpreadDescriptor", .field = "spread_descriptor", .flags = SHAPE_ALWAYS},
    {0},
};

static int check_preference(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    if (((Docker__Swarmkit__V1__PlacementPreference *)message)->preference_case !=
        DOCKER__SWARMKIT__V1__PLACEMENT_PREFERENCE__PREFERENCE__NOT_SET)
        return 0;
    return shape_refuse(source, "Spread", err, ERR_INVALID, "needed: there is no other preference");
}

static bool is_spread(const ProtobufCMessage *message)
{
    return ((const Docker__Swarmkit__V1__PlacementPreference *)message)->preference_case ==
           DOCKER__SWARMKIT__V1__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD;
}

static const struct shape_member preference[] = {
    {.json = "Spread", .field = "spread", .shape = spread},
    {.read = check_preference},
    {0},
};

static const struct shape_member placement[] = {
    {.json = "Constraints", .field = "constraints"},
    {.json = "Preferences", .field = "preferences", .shape = preference, .wanted = is_spread},
    {.json = "MaxReplicas", .field = "max_replicas", .since = 40},
    {.json = "Platforms", .field = "platforms", .shape = swarm_platform},
    {0},
};

const struct shape_member swarm_network_attachment_config[] = {
    {.json = "Target", .field = "target"},
    {.json = "Aliases", .field = "aliases"},
    {.json = "DriverOpts", .field = "driver_attachment_opts"},
    {0},
};

/* --- what runs --- */

static const struct shape_member attachment[] = {
    {.json = "ContainerID", .field = "container_id", .flags = SHAPE_ALWAYS},
    {0},
};

static void write_plugin(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const TaskSpec *task = (const TaskSpec *)message;
    (void)api_version;
    if (task->runtime_case != DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC || task->generic == NULL)
        return;
    cJSON *plugin = text_equal(task->generic->kind, "plugin") ? swarm_json_plugin(task->generic->payload) : NULL;
    if (plugin)
        cJSON_AddItemToObject(object, "PluginSpec", plugin);
}

/* A task's own spec says only what is not a container. */
static void write_task_runtime(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    (void)api_version;
    if (((const TaskSpec *)message)->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_ATTACHMENT)
        json_add_string(object, "Runtime", "attachment");
}

static void write_service_runtime(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const TaskSpec *task = (const TaskSpec *)message;
    switch (task->runtime_case) {
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER:
        json_add_string(object, "Runtime", "container");
        break;
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC:
        if (task->generic)
            cJSON_AddItemToObject(object, "Runtime", shape_text(task->generic->kind));
        break;
    default:
        write_task_runtime(message, api_version, object);
    }
}

/* Of the runtimes that Docker knows, a person can ask for containers only: plugins are of its experimental daemons, attachments its own. */
static int check_runtime(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    char quoted[SHAPE_QUOTE_SIZE];
    const cJSON *runtime = shape_get(source, "Runtime");
    const char *name = runtime == NULL ? "" : cJSON_IsString(runtime) ? runtime->valuestring : NULL;
    if (name == NULL)
        return shape_refuse(source, "Runtime", err, ERR_INVALID, "not a text");
    if (*name != '\0' && strcmp(name, "container") != 0)
        return shape_refuse(source, "Runtime", err, ERR_INVALID, "unsupported runtime \"%s\": only containers run here",
                            shape_quote(name, quoted));
    if (((TaskSpec *)message)->runtime_case != DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER)
        return shape_refuse(source, "ContainerSpec", err, ERR_INVALID, "needed");
    return 0;
}

/* Pids follow the container: they are read into it. */
static const struct shape_member task_members[] = {
    {.json = "ContainerSpec", .field = "container", .shape = swarm_container_spec},
    {.write = write_plugin},
    {.json = "NetworkAttachmentSpec", .field = "attachment", .flags = SHAPE_ONLY_WRITTEN, .shape = attachment},
    {.json = "Resources", .field = "resources", .shape = requirements},
    {.json = "Resources", .flags = SHAPE_ONLY_READ, .since = 41, .shape = pids_in_resources},
    {.since = 41, .write = write_pids},
    {.json = "RestartPolicy", .field = "restart", .shape = restart_policy},
    {.json = "Placement", .field = "placement", .shape = placement},
    {.json = "Networks", .field = "networks", .shape = swarm_network_attachment_config},
    {.json = "LogDriver", .field = "log_driver", .shape = swarm_driver},
    {.json = "ForceUpdate", .field = "force_update", .flags = SHAPE_ALWAYS},
    {0},
};

const struct shape_member swarm_task_spec[] = {
    {.shape = task_members},
    {.write = write_task_runtime},
    {0},
};

const struct shape_member swarm_service_task_spec[] = {
    {.shape = task_members},
    {.write = write_service_runtime, .read = check_runtime},
    {0},
};
