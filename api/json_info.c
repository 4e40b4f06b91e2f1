/* api/json_info.c – see json_info.h. Every member that docker 20.10 or 28 reads is there, also where this node has nothing to say. */
#include "api/json_info.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

const char *info_node_state(enum node_local_state state)
{
    switch (state) {
#define X(name, text)                                                                                                                      \
    case NODE_##name:                                                                                                                      \
        return text;
        NODE_LOCAL_STATES(X)
#undef X
    }
    return "error";
}

static void add_bools(cJSON *json, const char *const *keys, size_t count, bool value)
{
    for (size_t i = 0; i < count; i++)
        cJSON_AddBoolToObject(json, keys[i], value);
}

static cJSON *strings(const char *const *items, size_t count)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(items[i]));
    return list;
}

static void add_plugins(cJSON *json)
{
    static const char *const volume[] = {"local"}, *const network[] = {"bridge", "host", "null"}, *const log[] = {"json-file", "none"};
    cJSON *plugins = cJSON_AddObjectToObject(json, "Plugins");
    cJSON_AddItemToObject(plugins, "Volume", strings(volume, 1));
    cJSON_AddItemToObject(plugins, "Network", strings(network, 3));
    cJSON_AddNullToObject(plugins, "Authorization");
    cJSON_AddItemToObject(plugins, "Log", strings(log, 2));
}

static void add_counts(cJSON *json, const struct info_view *view)
{
    json_add_int(json, "Containers", (int64_t)(view->running + view->paused + view->stopped));
    json_add_int(json, "ContainersRunning", (int64_t)view->running);
    json_add_int(json, "ContainersPaused", (int64_t)view->paused);
    json_add_int(json, "ContainersStopped", (int64_t)view->stopped);
    json_add_int(json, "Images", (int64_t)view->images);
}

static void add_driver(cJSON *json, const struct hcs_host *hcs)
{
    json_add_string(json, "Driver", text_equal(hcs->os, "windows") ? "windowsfilter" : "overlay2");
    cJSON *status = cJSON_AddArrayToObject(json, "DriverStatus"), *pair = cJSON_CreateArray();
    cJSON_AddItemToArray(pair, cJSON_CreateString("Back end"));
    cJSON_AddItemToArray(pair, cJSON_CreateString(hcs->versions && *hcs->versions ? hcs->versions : hcs->back_end));
    cJSON_AddItemToArray(status, pair);
}

static void add_host(cJSON *json, const struct info_view *view)
{
    char now[TIME_RFC3339_SIZE];
    time_format_rfc3339(view->now_wall_ns, now);
    json_add_string(json, "SystemTime", now);
    json_add_string(json, "KernelVersion", view->host->kernel_version);
    json_add_string(json, "OperatingSystem", view->host->operating_system);
    json_add_string(json, "OSVersion", view->host->os_version);
    json_add_string(json, "OSType", view->hcs->os);
    json_add_string(json, "Architecture", view->host->machine);
    json_add_int(json, "NCPU", view->host->cpu_count);
    json_add_int(json, "MemTotal", (int64_t)view->host->memory_bytes);
    json_add_string(json, "Name", view->options->hostname);
    json_add_string(json, "DockerRootDir", view->options->state_dir ? view->options->state_dir : "");
}

static void add_registries(cJSON *json, const struct api_options *options)
{
    cJSON *config = cJSON_AddObjectToObject(json, "RegistryConfig");
    cJSON_AddNullToObject(config, "AllowNondistributableArtifactsCIDRs");
    cJSON_AddNullToObject(config, "AllowNondistributableArtifactsHostnames");
    cJSON *cidrs = cJSON_AddArrayToObject(config, "InsecureRegistryCIDRs"), *indexes = cJSON_AddObjectToObject(config, "IndexConfigs");
    cJSON_AddItemToArray(cidrs, cJSON_CreateString("127.0.0.0/8"));
    for (size_t i = 0; i < options->insecure_registry_count; i++) {
        const char *name = options->insecure_registries[i];
        if (strchr(name, '/')) {
            cJSON_AddItemToArray(cidrs, cJSON_CreateString(name));
            continue;
        }
        cJSON *entry = cJSON_AddObjectToObject(indexes, name);
        json_add_string(entry, "Name", name);
        cJSON_AddArrayToObject(entry, "Mirrors");
        cJSON_AddFalseToObject(entry, "Secure");
        cJSON_AddFalseToObject(entry, "Official");
    }
    cJSON_AddArrayToObject(config, "Mirrors");
    json_add_string(json, "IndexServerAddress", "https://index.docker.io/v1/");
}

static void add_commit(cJSON *json, const char *key)
{
    cJSON *commit = cJSON_AddObjectToObject(json, key);
    json_add_string(commit, "ID", "");
    json_add_string(commit, "Expected", "");
}

static void add_runtimes(cJSON *json, const struct hcs_host *hcs)
{
    const char *name = text_equal(hcs->back_end, "linux") ? "crun" : hcs->back_end;
    json_add_string(cJSON_AddObjectToObject(cJSON_AddObjectToObject(json, "Runtimes"), name), "path", name);
    json_add_string(json, "DefaultRuntime", name);
    json_add_string(json, "InitBinary", "");
    add_commit(json, "ContainerdCommit");
    add_commit(json, "RuncCommit");
    add_commit(json, "InitCommit");
}

static void add_remote_managers(cJSON *swarm, const struct node_info *node)
{
    if (node->manager_count == 0 || node->state == NODE_LOCKED) {
        cJSON_AddNullToObject(swarm, "RemoteManagers");
        return;
    }
    cJSON *managers = cJSON_AddArrayToObject(swarm, "RemoteManagers");
    for (size_t i = 0; i < node->manager_count; i++) {
        cJSON *entry = cJSON_CreateObject();
        json_add_string(entry, "NodeID", node->managers[i].node_id);
        json_add_string(entry, "Addr", node->managers[i].addr);
        cJSON_AddItemToArray(managers, entry);
    }
}

/* dockerd's words: a majority of two is two. */
static void add_two_managers_warning(cJSON *swarm)
{
    static const char warning[] = "WARNING: Running Swarm in a two-manager configuration. This configuration provides\n"
                                  "         no fault tolerance, and poses a high risk to lose control over the cluster.\n"
                                  "         Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the\n"
                                  "         Swarm for fault-tolerance.";
    cJSON_AddItemToArray(cJSON_AddArrayToObject(swarm, "Warnings"), cJSON_CreateString(warning));
}

/* As dockerd, without the port that a manager's may have. */
static void add_node_address(cJSON *swarm, const char *address)
{
    cleanup_free char *host = NULL;
    uint16_t port;
    bool has_host = !text_empty(address) && text_parse_address(address, 1, &host, &port, NULL) == 0;
    json_add_string(swarm, "NodeAddr", has_host ? host : "");
}

static void add_swarm(cJSON *json, const struct node_info *node, const struct info_swarm *manager)
{
    cJSON *swarm = cJSON_AddObjectToObject(json, "Swarm");
    bool is_manager = manager && manager->is_manager;
    const char *error = is_manager && manager->error ? manager->error : node->error;
    json_add_string(swarm, "NodeID", node->node_id && node->state != NODE_LOCKED ? node->node_id : ""); /* as dockerd */
    add_node_address(swarm, node->node_addr);
    json_add_string(swarm, "LocalNodeState", info_node_state(node->state));
    cJSON_AddBoolToObject(swarm, "ControlAvailable", is_manager);
    json_add_string(swarm, "Error", error ? error : "");
    add_remote_managers(swarm, node);
    if (!is_manager)
        return;
    if (manager->nodes > 0)
        json_add_int(swarm, "Nodes", (int64_t)manager->nodes);
    if (manager->managers > 0)
        json_add_int(swarm, "Managers", (int64_t)manager->managers);
    if (manager->cluster)
        cJSON_AddItemReferenceToObject(swarm, "Cluster", manager->cluster);
    if (manager->managers == 2)
        add_two_managers_warning(swarm);
}

/* The isolations as labels too, in the design's words, so that `docker info` shows what constraints can ask for. */
static void add_labels(cJSON *json, const struct info_view *view)
{
    cJSON *labels = strings(view->options->labels, view->options->label_count);
    cJSON_AddItemToArray(labels,
                         cJSON_CreateString(view->hcs->offers_process ? "skep.isolation.process=true" : "skep.isolation.process=false"));
    cJSON_AddItemToArray(labels,
                         cJSON_CreateString(view->hcs->offers_hyperv ? "skep.isolation.hyperv=true" : "skep.isolation.hyperv=false"));
    cJSON_AddItemToObject(json, "Labels", labels);
}

static void add_warning(cJSON *warnings, const char *isolation, const char *missing)
{
    cleanup_free char *text = mem_format("WARNING: no %s isolation: %s", isolation, missing);
    cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
}

static void add_warnings(cJSON *json, const struct hcs_host *hcs)
{
    cJSON *warnings = cJSON_AddArrayToObject(json, "Warnings");
    if (!hcs->offers_process && !text_empty(hcs->process_missing))
        add_warning(warnings, "process", hcs->process_missing);
    if (text_equal(hcs->back_end, "emulated"))
        cJSON_AddItemToArray(warnings, cJSON_CreateString("WARNING: the runtime is emulated: containers are pretended"));
}

cJSON *json_info(const struct info_view *view)
{
    static const char *const yes[] = {"MemoryLimit",    "SwapLimit",         "CpuCfsPeriod",   "CpuCfsQuota",      "CPUShares",
                                      "CPUSet",         "PidsLimit",         "IPv4Forwarding", "BridgeNfIptables", "BridgeNfIp6tables",
                                      "OomKillDisable", "LiveRestoreEnabled"};
    static const char *const no[] = {"KernelMemory", "KernelMemoryTCP", "ExperimentalBuild"};
    static const char *const security[] = {"name=seccomp,profile=builtin"};
    cJSON *json = cJSON_CreateObject();
    bool is_windows = text_equal(view->hcs->os, "windows");
    json_add_string(json, "ID", view->node->node_id ? view->node->node_id : "");
    add_counts(json, view);
    add_driver(json, view->hcs);
    add_plugins(json);
    add_bools(json, yes, sizeof yes / sizeof *yes, true);
    add_bools(json, no, sizeof no / sizeof *no, false);
    cJSON_AddBoolToObject(json, "Debug", view->options->is_debug);
    json_add_int(json, "NFd", 0);
    json_add_int(json, "NGoroutines", 0);
    json_add_int(json, "NEventsListener", view->event_watchers);
    json_add_string(json, "LoggingDriver", "json-file");
    json_add_string(json, "CgroupDriver", is_windows ? "" : "cgroupfs");
    if (!is_windows)
        json_add_string(json, "CgroupVersion", view->host->cgroup_version);
    add_host(json, view);
    add_registries(json, view->options);
    cJSON_AddNullToObject(json, "GenericResources");
    json_add_string(json, "HttpProxy", "");
    json_add_string(json, "HttpsProxy", "");
    json_add_string(json, "NoProxy", "");
    add_labels(json, view);
    json_add_string(json, "ServerVersion", SKEP_VERSION "+skep");
    add_runtimes(json, view->hcs);
    add_swarm(json, view->node, view->swarm);
    json_add_string(json, "Isolation", is_windows ? view->options->default_isolation : "");
    cJSON_AddItemToObject(json, "SecurityOptions", strings(security, is_windows ? 0 : 1));
    cJSON_AddNullToObject(json, "CDISpecDirs");
    add_warnings(json, view->hcs);
    return json;
}

cJSON *json_version(const struct api_host_facts *host, const struct hcs_host *hcs)
{
    char newest[16], oldest[16];
    cJSON *json = cJSON_CreateObject(), *engine = cJSON_CreateObject();
    snprintf(newest, sizeof newest, "1.%d", API_VERSION_MAX);
    snprintf(oldest, sizeof oldest, "1.%d", API_VERSION_MIN);
    const struct api_event_attribute members[] = {{"ApiVersion", newest},
                                                  {"MinAPIVersion", oldest},
                                                  {"GitCommit", ""},
                                                  {"GoVersion", "none (C17)"},
                                                  {"Os", hcs->os},
                                                  {"Arch", hcs->architecture},
                                                  {"KernelVersion", host->kernel_version},
                                                  {"BuildTime", ""}};
    json_add_string(cJSON_AddObjectToObject(json, "Platform"), "Name", "Skep");
    cJSON *components = cJSON_AddArrayToObject(json, "Components");
    json_add_string(engine, "Name", "Engine");
    json_add_string(engine, "Version", SKEP_VERSION "+skep");
    cJSON *details = cJSON_AddObjectToObject(engine, "Details");
    json_add_string(details, "Experimental", "false");
    cJSON_AddItemToArray(components, engine);
    json_add_string(json, "Version", SKEP_VERSION "+skep");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_add_string(details, members[i].key, members[i].value);
        json_add_string(json, members[i].key, members[i].value);
    }
    if (!text_empty(hcs->versions)) {
        cJSON *runtime = cJSON_CreateObject();
        json_add_string(runtime, "Name", "Runtime");
        json_add_string(runtime, "Version", hcs->versions);
        cJSON_AddItemToArray(components, runtime);
    }
    return json;
}
