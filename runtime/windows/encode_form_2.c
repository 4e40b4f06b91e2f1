/* runtime/windows/encode_form_2.c – schema 2: ComputeSystem with a Container, on the host or hosted in a utility VM. hcs.md §3.1, §3.2,
 * §3.5.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/encode_parts.h"

enum { DOCUMENT_MINOR = 1 };

#define STOP_FOREVER "2147483647" /* the guest's own five seconds would cut a longer grace period short, hcs.md §8.4 */

void windows_add_version(cJSON *json)
{
    cJSON *version = cJSON_AddObjectToObject(json, "SchemaVersion");

    json_add_int(version, "Major", 2);
    json_add_int(version, "Minor", DOCUMENT_MINOR);
}

cJSON *windows_system_document(const struct document *d)
{
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "Owner", d->owner);
    windows_add_version(json);
    cJSON_AddBoolToObject(json, "ShouldTerminateOnLastHandleClosed", false);
    return json;
}

cJSON *windows_encode_layers(const struct windows_layer *layers, size_t count)
{
    cJSON *json = cJSON_CreateObject(), *list;

    windows_add_version(json);
    list = cJSON_AddArrayToObject(json, "Layers");
    for (size_t i = 0; i < count; i++) {
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "Id", layers[i].id);
        json_add_string(item, "Path", layers[i].path);
        cJSON_AddItemToArray(list, item);
    }
    return json;
}

static void add_storage(const struct document *d, const struct windows_place *place, bool is_hosted, cJSON *container)
{
    cJSON *storage = cJSON_AddObjectToObject(container, "Storage"), *qos = NULL;
    cleanup_json cJSON *layers = is_hosted ? NULL : windows_encode_layers(place->layers, place->layer_count);
    cleanup_free char *path = mem_format("%s\\", is_hosted ? "" : place->scratch_volume);

    cJSON_AddItemToObject(storage, "Layers", is_hosted ? windows_guest_layers(place) : cJSON_DetachItemFromObject(layers, "Layers"));
    json_add_string(storage, "Path", is_hosted ? WINDOWS_GUEST_ROOT : path);
    if (d->windows.iops_maximum > 0 || d->windows.bandwidth_maximum_bytes > 0)
        qos = cJSON_AddObjectToObject(storage, "QoS");
    if (d->windows.iops_maximum > 0)
        json_add_int(qos, "IopsMaximum", d->windows.iops_maximum);
    if (d->windows.bandwidth_maximum_bytes > 0)
        json_add_int(qos, "BandwidthMaximum", d->windows.bandwidth_maximum_bytes);
}

/* A hosted container sees what its VM sees. */
static void add_mounts(const struct document *d, const struct windows_place *place, bool is_hosted, cJSON *container)
{
    struct windows_directory directory;
    const char *host, *name;
    cJSON *list = NULL;

    for (size_t i = 0; windows_directory_at(d, place, i, &directory); i++) {
        cJSON *item = cJSON_CreateObject();
        list = list ? list : cJSON_AddArrayToObject(container, "MappedDirectories");
        cleanup_free char *path = is_hosted ? windows_guest_path(place, directory.host) : mem_string(directory.host);
        json_add_string(item, "HostPath", path);
        json_add_string(item, "ContainerPath", directory.container);
        if (directory.is_read_only)
            cJSON_AddBoolToObject(item, "ReadOnly", true);
        cJSON_AddItemToArray(list, item);
        windows_directory_deinit(&directory);
    }
    list = NULL;
    for (size_t i = 0; windows_pipe_next(d, &i, &host, &name);) {
        cJSON *item = cJSON_CreateObject();
        list = list ? list : cJSON_AddArrayToObject(container, "MappedPipes");
        cleanup_free char *path = is_hosted ? windows_guest_pipe(host) : mem_string(host);
        json_add_string(item, "HostPath", path);
        json_add_string(item, "ContainerPipeName", name);
        cJSON_AddItemToArray(list, item);
    }
}

static void add_limits(const struct document *d, const struct windows_place *place, cJSON *container)
{
    struct windows_limits limits = windows_limits_of(d, place);
    cJSON *processor = NULL;

    if (limits.memory_mb > 0)
        json_add_int(cJSON_AddObjectToObject(container, "Memory"), "SizeInMB", limits.memory_mb);
    if (limits.processor_count || limits.processor_weight || limits.processor_maximum)
        processor = cJSON_AddObjectToObject(container, "Processor");
    if (limits.processor_count)
        json_add_int(processor, "Count", limits.processor_count);
    if (limits.processor_maximum)
        json_add_int(processor, "Maximum", limits.processor_maximum);
    if (limits.processor_weight)
        json_add_int(processor, "Weight", limits.processor_weight);
}

static void add_networking(const struct document *d, const struct windows_place *place, cJSON *container)
{
    cleanup_free char *search = windows_search_list(d);
    cJSON *networking;

    if (!place->namespace_id)
        return;
    networking = cJSON_AddObjectToObject(container, "Networking");
    if (place->allows_unqualified_dns)
        cJSON_AddBoolToObject(networking, "AllowUnqualifiedDnsQuery", true);
    json_add_string(networking, "DnsSearchList", search);
    json_add_string(networking, "Namespace", place->namespace_id);
}

cJSON *windows_registry_value(const char *key, const char *name, const char *type)
{
    cJSON *value = cJSON_CreateObject(), *where = cJSON_AddObjectToObject(value, "Key");

    json_add_string(where, "Hive", "System");
    json_add_string(where, "Name", key);
    json_add_string(value, "Name", name);
    json_add_string(value, "Type", type);
    return value;
}

cJSON *windows_add_registry(cJSON *json)
{
    return cJSON_AddArrayToObject(cJSON_AddObjectToObject(json, "RegistryChanges"), "AddValues");
}

static void add_container(const struct document *d, const struct windows_place *place, bool is_hosted, cJSON *json)
{
    cJSON *container = cJSON_AddObjectToObject(json, "Container");
    cJSON *stop = windows_registry_value("ControlSet001\\Control", "WaitToKillServiceTimeout", "String");

    if (d->hostname[0])
        json_add_string(cJSON_AddObjectToObject(container, "GuestOs"), "HostName", d->hostname);
    add_storage(d, place, is_hosted, container);
    add_mounts(d, place, is_hosted, container);
    if (!is_hosted) /* the utility VM's own size is a hosted one's limit */
        add_limits(d, place, container);
    add_networking(d, place, container);
    if (place->credential_guard)
        cJSON_AddItemToObject(container, "ContainerCredentialGuard", cJSON_Duplicate(place->credential_guard, true));
    json_add_string(stop, "StringValue", STOP_FOREVER);
    cJSON_AddItemToArray(windows_add_registry(container), stop);
}

int windows_encode_form_2(const struct document *d, const struct windows_place *place, cJSON **out, struct error *err)
{
    cJSON *json;

    if (place->isolation == ISOLATION_HYPERV)
        return error_set(err, ERR_UNSUPPORTED, "hyperv isolation in schema 2 takes a utility VM and a hosted system, not one document");
    if (!place->scratch_volume)
        return error_set(err, ERR_INVALID, "the container's scratch is not mounted");
    json = windows_system_document(d);
    add_container(d, place, false, json);
    *out = json;
    return 0;
}

int windows_encode_hosted(const struct document *d, const struct windows_place *place, const char *vm_id, cJSON **out, struct error *err)
{
    cJSON *json, *hosted;

    if (windows_check(d, place->schema, ISOLATION_HYPERV, err) < 0)
        return err->code;
    json = windows_system_document(d);
    json_add_string(json, "HostingSystemId", vm_id);
    hosted = cJSON_AddObjectToObject(json, "HostedSystem");
    windows_add_version(hosted);
    add_container(d, place, true, hosted);
    *out = json;
    return 0;
}
