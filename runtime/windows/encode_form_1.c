/* runtime/windows/encode_form_1.c – schema 1: ContainerConfig, for vmcompute.dll. Source: hcs.md §3.10. */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/windows/encode_parts.h"

static void add_layers(const struct windows_place *place, cJSON *json)
{
    cJSON *layers = cJSON_AddArrayToObject(json, "Layers");

    for (size_t i = 0; i < place->layer_count; i++) {
        cJSON *layer = cJSON_CreateObject();
        json_add_string(layer, "ID", place->layers[i].id);
        json_add_string(layer, "Path", place->layers[i].path);
        cJSON_AddItemToArray(layers, layer);
    }
}

static void add_positive(cJSON *json, const char *key, int64_t value)
{
    if (value > 0)
        json_add_int(json, key, value);
}

static void add_limits(const struct document *d, const struct windows_place *place, cJSON *json)
{
    struct windows_limits limits = windows_limits_of(d, place);

    add_positive(json, "ProcessorCount", limits.processor_count);
    add_positive(json, "ProcessorWeight", limits.processor_weight);
    add_positive(json, "ProcessorMaximum", limits.processor_maximum);
    add_positive(json, "MemoryMaximumInMB", limits.memory_mb);
    add_positive(json, "StorageIOPSMaximum", d->windows.iops_maximum);
    add_positive(json, "StorageBandwidthMaximum", d->windows.bandwidth_maximum_bytes);
}

static void add_mounts(const struct document *d, const struct windows_place *place, cJSON *json)
{
    struct windows_directory directory;
    const char *host, *name;
    cJSON *list = NULL;

    for (size_t i = 0; windows_directory_at(d, place, i, &directory); i++) {
        cJSON *item = cJSON_CreateObject();
        list = list ? list : cJSON_AddArrayToObject(json, "MappedDirectories");
        json_add_string(item, "HostPath", directory.host);
        json_add_string(item, "ContainerPath", directory.container);
        cJSON_AddBoolToObject(item, "ReadOnly", directory.is_read_only);
        json_add_int(item, "BandwidthMaximum", 0);
        json_add_int(item, "IOPSMaximum", 0);
        cJSON_AddBoolToObject(item, "CreateInUtilityVM", false);
        cJSON_AddItemToArray(list, item);
        windows_directory_deinit(&directory);
    }
    list = NULL;
    for (size_t i = 0; windows_pipe_next(d, &i, &host, &name);) {
        cJSON *item = cJSON_CreateObject();
        list = list ? list : cJSON_AddArrayToObject(json, "MappedPipes");
        json_add_string(item, "HostPath", host);
        json_add_string(item, "ContainerPipeName", name);
        cJSON_AddItemToArray(list, item);
    }
}

static void add_network(const struct document *d, const struct windows_place *place, cJSON *json)
{
    cleanup_free char *search = windows_search_list(d);

    if (place->endpoint_count == 0)
        return;
    cJSON *list = cJSON_AddArrayToObject(json, "EndpointList");
    for (size_t i = 0; i < place->endpoint_count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(place->endpoint_ids[i]));
    if (place->allows_unqualified_dns)
        cJSON_AddBoolToObject(json, "AllowUnqualifiedDNSQuery", true);
    json_add_string(json, "DNSSearchList", search);
}

static int add_root(const struct windows_place *place, cJSON *json, struct error *err)
{
    bool is_hyperv = place->isolation == ISOLATION_HYPERV;

    if (is_hyperv && !place->utility_vm_dir)
        return error_set(err, ERR_UNSUPPORTED,
                         "the image has no UtilityVM folder in any of its layers: it cannot run with hyperv isolation (pull it again)");
    if (!is_hyperv)
        json_add_string(json, "VolumePath", place->scratch_volume);
    json_add_string(json, "LayerFolderPath", place->scratch_dir);
    add_layers(place, json);
    cJSON_AddBoolToObject(json, "HvPartition", is_hyperv);
    if (is_hyperv)
        json_add_string(cJSON_AddObjectToObject(json, "HvRuntime"), "ImagePath", place->utility_vm_dir);
    return 0;
}

int windows_encode_form_1(const struct document *d, const struct windows_place *place, cJSON **out, struct error *err)
{
    cleanup_json cJSON *json = cJSON_CreateObject();

    json_add_string(json, "SystemType", "Container");
    json_add_string(json, "Name", place->id);
    json_add_string(json, "Owner", d->owner);
    if (add_root(place, json, err) < 0)
        return err->code;
    if (place->is_first_start)
        cJSON_AddBoolToObject(json, "IgnoreFlushesDuringBoot", true);
    if (d->hostname[0])
        json_add_string(json, "HostName", d->hostname);
    json_add_string(json, "Credentials", place->credential_spec);
    add_limits(d, place, json);
    add_mounts(d, place, json);
    add_network(d, place, json);
    *out = steal(&json);
    return 0;
}
