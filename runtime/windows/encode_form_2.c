/* runtime/windows/encode_form_2.c – schema 2: ComputeSystem with a Container, a VirtualMachine, or a HostedSystem. hcs.md §3.1–§3.5. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/encode_parts.h"

enum { DOCUMENT_MINOR = 1, VM_MEMORY_MB = 1024, VM_PROCESSORS = 2, VM_MAPPING_MB = 1024 };

#define VM_CONTROLLER "df6d0690-79e5-55b6-a5ec-c1e2f77f580a" /* the first SCSI controller's name, hcs.md §3.4 */
#define VM_ACCESS     "D:P(A;;FA;;;SY)(A;;FA;;;BA)"
#define STOP_FOREVER  "2147483647" /* the guest's own five seconds would cut a longer grace period short, hcs.md §8.4 */

static void add_version(cJSON *json)
{
    cJSON *version = cJSON_AddObjectToObject(json, "SchemaVersion");

    json_add_int(version, "Major", 2);
    json_add_int(version, "Minor", DOCUMENT_MINOR);
}

static cJSON *system_new(const struct document *d)
{
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "Owner", d->owner);
    add_version(json);
    cJSON_AddBoolToObject(json, "ShouldTerminateOnLastHandleClosed", false);
    return json;
}

cJSON *windows_encode_layers(const struct windows_layer *layers, size_t count)
{
    cJSON *json = cJSON_CreateObject(), *list;

    add_version(json);
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
    cleanup_json cJSON *layers = windows_encode_layers(place->layers, place->layer_count);
    cleanup_free char *path = mem_format("%s%s", place->scratch_volume ? place->scratch_volume : "", is_hosted ? "" : "\\");

    cJSON_AddItemToObject(storage, "Layers", cJSON_DetachItemFromObject(layers, "Layers"));
    json_add_string(storage, "Path", path);
    if (d->windows.iops_maximum > 0 || d->windows.bandwidth_maximum_bytes > 0)
        qos = cJSON_AddObjectToObject(storage, "QoS");
    if (d->windows.iops_maximum > 0)
        json_add_int(qos, "IopsMaximum", d->windows.iops_maximum);
    if (d->windows.bandwidth_maximum_bytes > 0)
        json_add_int(qos, "BandwidthMaximum", d->windows.bandwidth_maximum_bytes);
}

static void add_mounts(const struct document *d, const struct windows_place *place, cJSON *container)
{
    struct windows_directory directory;
    const char *host, *name;
    cJSON *list = NULL;

    for (size_t i = 0; windows_directory_at(d, place, i, &directory); i++) {
        cJSON *item = cJSON_CreateObject();
        list = list ? list : cJSON_AddArrayToObject(container, "MappedDirectories");
        json_add_string(item, "HostPath", directory.host);
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
        json_add_string(item, "HostPath", host);
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

static cJSON *registry_value(const char *key, const char *name, const char *type)
{
    cJSON *value = cJSON_CreateObject(), *where = cJSON_AddObjectToObject(value, "Key");

    json_add_string(where, "Hive", "System");
    json_add_string(where, "Name", key);
    json_add_string(value, "Name", name);
    json_add_string(value, "Type", type);
    return value;
}

static cJSON *add_registry(cJSON *json)
{
    return cJSON_AddArrayToObject(cJSON_AddObjectToObject(json, "RegistryChanges"), "AddValues");
}

static void add_container(const struct document *d, const struct windows_place *place, bool is_hosted, cJSON *json)
{
    cJSON *container = cJSON_AddObjectToObject(json, "Container");
    cJSON *stop = registry_value("ControlSet001\\Control", "WaitToKillServiceTimeout", "String");

    if (d->hostname[0])
        json_add_string(cJSON_AddObjectToObject(container, "GuestOs"), "HostName", d->hostname);
    add_storage(d, place, is_hosted, container);
    add_mounts(d, place, container);
    if (!is_hosted) /* the utility VM's own size is a hosted one's limit */
        add_limits(d, place, container);
    add_networking(d, place, container);
    if (place->credential_guard)
        cJSON_AddItemToObject(container, "ContainerCredentialGuard", cJSON_Duplicate(place->credential_guard, true));
    json_add_string(stop, "StringValue", STOP_FOREVER);
    cJSON_AddItemToArray(add_registry(container), stop);
}

int windows_encode_form_2(const struct document *d, const struct windows_place *place, cJSON **out, struct error *err)
{
    cJSON *json;

    if (place->isolation == ISOLATION_HYPERV)
        return error_set(err, ERR_UNSUPPORTED, "hyperv isolation in schema 2 takes a utility VM and a hosted system, not one document");
    if (!place->scratch_volume)
        return error_set(err, ERR_INVALID, "the container's scratch is not mounted");
    json = system_new(d);
    add_container(d, place, false, json);
    *out = json;
    return 0;
}

int windows_encode_hosted(const struct document *d, const struct windows_place *place, const char *vm_id, cJSON **out, struct error *err)
{
    cJSON *json, *hosted;

    if (windows_check(d, place->schema, ISOLATION_HYPERV, err) < 0)
        return err->code;
    json = system_new(d);
    json_add_string(json, "HostingSystemId", vm_id);
    hosted = cJSON_AddObjectToObject(json, "HostedSystem");
    add_version(hosted);
    add_container(d, place, true, hosted);
    *out = json;
    return 0;
}

/* --- the utility VM --- */

static void add_topology(const struct document *d, const struct windows_place *place, cJSON *vm)
{
    cJSON *topology = cJSON_AddObjectToObject(vm, "ComputeTopology"), *memory = cJSON_AddObjectToObject(topology, "Memory");
    cJSON *processor = cJSON_AddObjectToObject(topology, "Processor");
    struct windows_limits limits = windows_limits_of(d, place);
    int64_t size = limits.memory_mb ? limits.memory_mb : VM_MEMORY_MB, count = limits.processor_count;

    if (count == 0)
        count = place->processor_count == 1 ? 1 : VM_PROCESSORS;
    json_add_int(memory, "SizeInMB", size + size % 2); /* an even number, hcs.md §3.3 */
    cJSON_AddBoolToObject(memory, "AllowOvercommit", true);
    cJSON_AddBoolToObject(memory, "EnableHotHint", true);
    json_add_int(processor, "Count", count);
    if (limits.processor_maximum)
        json_add_int(processor, "Limit", limits.processor_maximum);
    if (limits.processor_weight)
        json_add_int(processor, "Weight", limits.processor_weight);
}

static void add_os_share(const struct windows_place *place, cJSON *devices)
{
    static const char *const options[] = {"ReadOnly", "ShareRead", "CacheIo", "PseudoOplocks", "TakeBackupPrivilege"};
    cJSON *smb = cJSON_AddObjectToObject(devices, "VirtualSmb"), *share = cJSON_CreateObject(), *flags;
    cleanup_free char *path = mem_format("%s\\Files", place->utility_vm_dir);

    json_add_int(smb, "DirectFileMappingInMB", VM_MAPPING_MB);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(smb, "Shares"), share);
    json_add_string(share, "Name", "os");
    json_add_string(share, "Path", path);
    flags = cJSON_AddObjectToObject(share, "Options");
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        cJSON_AddBoolToObject(flags, options[i], true);
}

static void add_devices(const struct windows_place *place, const char *scratch_vhdx, cJSON *vm)
{
    cJSON *devices = cJSON_AddObjectToObject(vm, "Devices"), *disk = cJSON_CreateObject();
    cJSON *controller = cJSON_AddObjectToObject(cJSON_AddObjectToObject(devices, "Scsi"), VM_CONTROLLER);
    cJSON *socket = cJSON_AddObjectToObject(cJSON_AddObjectToObject(devices, "HvSocket"), "HvSocketConfig");

    json_add_string(disk, "Type", "VirtualDisk");
    json_add_string(disk, "Path", scratch_vhdx);
    cJSON_AddItemToObject(cJSON_AddObjectToObject(controller, "Attachments"), "0", disk);
    json_add_string(socket, "DefaultBindSecurityDescriptor", VM_ACCESS);
    add_os_share(place, devices);
}

static void add_boot(cJSON *vm)
{
    cJSON *chipset = cJSON_AddObjectToObject(vm, "Chipset");
    cJSON *boot = cJSON_AddObjectToObject(cJSON_AddObjectToObject(chipset, "Uefi"), "BootThis");

    json_add_string(boot, "DeviceType", "VmbFs");
    json_add_string(boot, "DevicePath", "\\EFI\\Microsoft\\Boot\\bootmgfw.efi");
}

int windows_encode_utility_vm(const struct document *d, const struct windows_place *place, const char *scratch_vhdx, cJSON **out,
                              struct error *err)
{
    cJSON *json, *vm, *value;

    if (windows_check(d, place->schema, ISOLATION_HYPERV, err) < 0)
        return err->code;
    if (!place->utility_vm_dir)
        return error_set(err, ERR_UNSUPPORTED,
                         "the image has no UtilityVM folder in any of its layers: it cannot run with hyperv isolation (pull it again)");
    json = system_new(d);
    vm = cJSON_AddObjectToObject(json, "VirtualMachine");
    cJSON_AddBoolToObject(vm, "StopOnReset", true);
    add_boot(vm);
    add_topology(d, place, vm);
    value = registry_value("CurrentControlSet\\Services\\gns", "EnableCompartmentNamespace", "DWord");
    json_add_int(value, "DWordValue", 1);
    cJSON_AddItemToArray(add_registry(vm), value);
    add_devices(place, scratch_vhdx, vm);
    cJSON_AddObjectToObject(vm, "GuestConnection"); /* there: HCS itself talks to the guest, and start waits for it */
    *out = json;
    return 0;
}
