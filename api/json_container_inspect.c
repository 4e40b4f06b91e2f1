/* api/json_container_inspect.c – see json_container.h: /containers/{id}/json, with every member that the docker command or a template of
 * its users reads. */
#include <inttypes.h>
#include <stdio.h>

#include "api/json_container.h"
#include "api/json_container_parts.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* Go's zero time for what has not happened yet. */
static void add_instant(cJSON *json, const char *key, int64_t wall_ns)
{
    char text[TIME_RFC3339_SIZE];
    if (wall_ns == 0) {
        json_add_string(json, key, "0001-01-01T00:00:00Z");
        return;
    }
    time_format_rfc3339(wall_ns, text);
    json_add_string(json, key, text);
}

static void add_state(cJSON *json, const struct container_view *view)
{
    const struct hcs_properties *system = view->system;
    cJSON *state = cJSON_AddObjectToObject(json, "State");
    json_add_string(state, "Status", container_status(system));
    cJSON_AddBoolToObject(state, "Running", system->state == HCS_RUNNING || system->state == HCS_PAUSED);
    cJSON_AddBoolToObject(state, "Paused", system->state == HCS_PAUSED);
    cJSON_AddFalseToObject(state, "Restarting");
    cJSON_AddBoolToObject(state, "OOMKilled", system->is_oom_killed);
    cJSON_AddFalseToObject(state, "Dead");
    json_add_int(state, "Pid", system->state == HCS_STOPPED ? 0 : system->pid);
    json_add_int(state, "ExitCode", system->state == HCS_STOPPED ? system->exit_code : 0);
    json_add_string(state, "Error", system->error ? system->error : "");
    add_instant(state, "StartedAt", system->started_wall_ns);
    add_instant(state, "FinishedAt", system->finished_wall_ns);
    if (!text_empty(view->health)) {
        cJSON *health = cJSON_AddObjectToObject(state, "Health");
        json_add_string(health, "Status", view->health);
        json_add_int(health, "FailingStreak", 0);
        cJSON_AddArrayToObject(health, "Log");
    }
}

static void add_copy(cJSON *json, const char *key, const cJSON *value)
{
    if (value)
        cJSON_AddItemToObject(json, key, cJSON_Duplicate(value, true));
    else
        cJSON_AddNullToObject(json, key);
}

/* What no task of a swarm can ask for, as dockerd shows it where nobody has: a client may read any of it. */
static const char unset_host_config[] =
    "{\"Binds\":null,\"BlkioDeviceReadBps\":null,\"BlkioDeviceReadIOps\":null,\"BlkioDeviceWriteBps\":null,"
    "\"BlkioDeviceWriteIOps\":null,\"BlkioWeight\":0,\"BlkioWeightDevice\":null,\"Cgroup\":\"\","
    "\"ConsoleSize\":[0,0],\"ContainerIDFile\":\"\",\"CpuCount\":0,\"CpuPercent\":0,\"CpuPeriod\":0,"
    "\"CpuQuota\":0,\"CpuRealtimePeriod\":0,\"CpuRealtimeRuntime\":0,\"CpuShares\":0,\"CpusetCpus\":\"\","
    "\"CpusetMems\":\"\",\"DeviceCgroupRules\":null,\"DeviceRequests\":null,\"Devices\":null,"
    "\"IOMaximumBandwidth\":0,\"IOMaximumIOps\":0,\"KernelMemory\":0,\"KernelMemoryTCP\":0,\"Links\":null,"
    "\"MemorySwappiness\":null,\"PidMode\":\"\",\"PortBindings\":{},\"PublishAllPorts\":false,"
    "\"SecurityOpt\":null,\"UTSMode\":\"\",\"UsernsMode\":\"\",\"VolumeDriver\":\"\",\"VolumesFrom\":null}";

/* No second address and no IPv6 here. */
static const char unset_network_settings[] =
    "{\"EndpointID\":\"\",\"GlobalIPv6Address\":\"\",\"GlobalIPv6PrefixLen\":0,\"HairpinMode\":false,"
    "\"IPv6Gateway\":\"\",\"LinkLocalIPv6Address\":\"\",\"LinkLocalIPv6PrefixLen\":0,"
    "\"SecondaryIPAddresses\":null,\"SecondaryIPv6Addresses\":null}";

static cJSON *add_defaults(cJSON *json, const char *key, const char *defaults)
{
    cJSON *object = cJSON_Parse(defaults);
    cJSON_AddItemToObject(json, key, object);
    return object;
}

static void add_host_config(cJSON *json, const struct hcs_properties *system)
{
    const cJSON *skep = json_object(system->document, "Skep"), *linux_ = json_object(skep, "Linux");
    const char *isolation = json_string(skep, "Isolation", "");
    cJSON *host = add_defaults(json, "HostConfig", unset_host_config), *log = cJSON_AddObjectToObject(host, "LogConfig");
    json_add_string(log, "Type", json_string(json_object(skep, "Log"), "Driver", "json-file"));
    cJSON_AddObjectToObject(log, "Config");
    json_add_string(host, "NetworkMode", container_network_mode(system));
    cJSON *restart = cJSON_AddObjectToObject(host, "RestartPolicy");
    json_add_string(restart, "Name", "no"); /* the swarm makes a new task instead */
    json_add_int(restart, "MaximumRetryCount", 0);
    cJSON_AddFalseToObject(host, "AutoRemove");
    cJSON_AddFalseToObject(host, "Privileged");
    cJSON_AddBoolToObject(host, "ReadonlyRootfs", json_bool(linux_, "ReadOnlyRoot", false));
    cJSON_AddBoolToObject(host, "Init", json_bool(linux_, "Init", false));
    add_copy(host, "CapAdd", json_array(linux_, "CapabilitiesAdd"));
    add_copy(host, "CapDrop", json_array(linux_, "CapabilitiesDrop"));
    json_add_int(host, "Memory", json_int(linux_, "MemoryBytes", 0));
    json_add_int(host, "MemorySwap", json_int(linux_, "MemorySwapBytes", 0));
    json_add_int(host, "NanoCpus", json_int(linux_, "CpuNano", 0));
    json_add_int(host, "PidsLimit", json_int(linux_, "PidsLimit", 0));
    json_add_int(host, "ShmSize", json_int(linux_, "ShmSizeBytes", 0));
    json_add_int(host, "OomScoreAdj", json_int(linux_, "OomScoreAdj", 0));
    json_add_string(host, "Isolation", isolation);
    json_add_string(host, "Runtime", text_equal(isolation, "hyperv") ? "qemu" : "crun");
}

/* {"K":"V"} as ["K=V"]. */
static void add_environment(cJSON *config, const cJSON *environment)
{
    const cJSON *item;
    cJSON *list = cJSON_AddArrayToObject(config, "Env");
    cJSON_ArrayForEach (item, environment) {
        cleanup_free char *text = mem_format("%s=%s", item->string, cJSON_IsString(item) ? item->valuestring : "");
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }
}

static void add_config(cJSON *json, const struct hcs_properties *system)
{
    const cJSON *skep = json_object(system->document, "Skep"), *process = json_object(skep, "Process");
    const cJSON *guest = json_object(json_object(system->document, "Container"), "GuestOs");
    cJSON *config = cJSON_AddObjectToObject(json, "Config");
    cleanup_free char *short_id = mem_string_n(system->id, strlen(system->id) < 12 ? strlen(system->id) : 12);
    json_add_string(config, "Hostname", json_string(guest, "HostName", short_id));
    json_add_string(config, "Domainname", "");
    json_add_string(config, "User", json_string(process, "User", ""));
    cJSON_AddFalseToObject(config, "AttachStdin");
    cJSON_AddFalseToObject(config, "AttachStdout");
    cJSON_AddFalseToObject(config, "AttachStderr");
    cJSON_AddBoolToObject(config, "Tty", json_bool(process, "EmulateConsole", false));
    cJSON_AddBoolToObject(config, "OpenStdin", json_bool(process, "CreateStdInPipe", false));
    cJSON_AddFalseToObject(config, "StdinOnce");
    add_environment(config, json_object(process, "Environment"));
    add_copy(config, "Cmd", json_array(process, "CommandArgs"));
    json_add_string(config, "Image", container_image(system));
    cJSON_AddNullToObject(config, "Volumes");
    json_add_string(config, "WorkingDir", json_string(process, "WorkingDirectory", ""));
    cJSON_AddNullToObject(config, "Entrypoint");
    cJSON_AddNullToObject(config, "OnBuild");
    cJSON_AddItemToObject(config, "Labels", json_container_labels_copy(system));
    json_add_string(config, "StopSignal", json_string(skep, "StopSignal", "SIGTERM"));
}

static void add_network_settings(cJSON *json, const struct hcs_properties *system)
{
    const struct hcs_endpoint *endpoint = &system->endpoint;
    cJSON *settings = add_defaults(json, "NetworkSettings", unset_network_settings), *ports = cJSON_AddObjectToObject(settings, "Ports");
    for (size_t i = 0; i < system->port_count; i++) {
        char key[32], host_port[8];
        snprintf(key, sizeof key, "%u/%s", system->ports[i].target_port, system->ports[i].protocol);
        snprintf(host_port, sizeof host_port, "%u", system->ports[i].published_port);
        cJSON *list = cJSON_GetObjectItemCaseSensitive(ports, key), *entry = cJSON_CreateObject();
        if (list == NULL)
            list = cJSON_AddArrayToObject(ports, key);
        json_add_string(entry, "HostIp", "0.0.0.0");
        json_add_string(entry, "HostPort", host_port);
        cJSON_AddItemToArray(list, entry);
    }
    json_add_string(settings, "Bridge", "");
    json_add_string(settings, "SandboxID", "");
    json_add_string(settings, "SandboxKey", "");
    json_add_string(settings, "Gateway", endpoint->gateway ? endpoint->gateway : "");
    json_add_string(settings, "IPAddress", endpoint->ip ? endpoint->ip : "");
    json_add_int(settings, "IPPrefixLen", endpoint->prefix_bits);
    json_add_string(settings, "MacAddress", endpoint->mac ? endpoint->mac : "");
    cJSON_AddItemToObject(settings, "Networks", json_container_networks(system));
}

static void add_command(cJSON *json, const struct hcs_properties *system)
{
    const cJSON *args = json_array(json_object(json_object(system->document, "Skep"), "Process"), "CommandArgs"), *word;
    cJSON *rest = cJSON_CreateArray();
    bool is_first = true;
    cJSON_ArrayForEach (word, args) {
        if (is_first)
            json_add_string(json, "Path", cJSON_IsString(word) ? word->valuestring : "");
        else
            cJSON_AddItemToArray(rest, cJSON_Duplicate(word, true));
        is_first = false;
    }
    if (is_first)
        json_add_string(json, "Path", "");
    cJSON_AddItemToObject(json, "Args", rest);
}

cJSON *json_container_inspect(const struct container_view *view)
{
    const struct hcs_properties *system = view->system;
    cJSON *json = cJSON_CreateObject();
    cleanup_free char *name = mem_format("/%s", system->name ? system->name : system->id);
    json_add_string(json, "Id", system->id);
    add_instant(json, "Created", system->created_wall_ns);
    add_command(json, system);
    add_state(json, view);
    json_add_string(json, "Image", container_image_id(system));
    json_add_string(json, "ResolvConfPath", "");
    json_add_string(json, "HostnamePath", "");
    json_add_string(json, "HostsPath", "");
    json_add_string(json, "LogPath", system->log_path ? system->log_path : "");
    json_add_string(json, "Name", name);
    json_add_int(json, "RestartCount", 0);
    json_add_string(json, "Driver", "overlay2");
    json_add_string(json, "Platform", view->os);
    json_add_string(json, "MountLabel", "");
    json_add_string(json, "ProcessLabel", "");
    json_add_string(json, "AppArmorProfile", "");
    cJSON_AddNullToObject(json, "ExecIDs");
    add_host_config(json, system);
    cJSON *driver = cJSON_AddObjectToObject(json, "GraphDriver");
    json_add_string(driver, "Name", "overlay2");
    cJSON_AddObjectToObject(driver, "Data");
    cJSON_AddItemToObject(json, "Mounts", json_container_mounts(system));
    add_config(json, system);
    add_network_settings(json, system);
    return json;
}
