/* runtime/windows/encode_vm.c – schema 2: the utility VM in which a container with hyperv isolation runs. hcs.md §3.3, §3.4. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/encode_parts.h"

enum { VM_MEMORY_MB = 1024, VM_PROCESSORS = 2, VM_MAPPING_MB = 1024 };

#define VM_ACCESS "D:P(A;;FA;;;SY)(A;;FA;;;BA)"

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
        json_add_int(processor, "Limit", limits.processor_maximum * WINDOWS_VM_LIMIT_PER_MAXIMUM);
    if (limits.processor_weight)
        json_add_int(processor, "Weight", limits.processor_weight);
}

static void add_os_share(const struct windows_place *place, cJSON *devices)
{
    cJSON *smb = cJSON_AddObjectToObject(devices, "VirtualSmb");
    cleanup_free char *path = mem_format("%s\\Files", place->utility_vm_dir);
    struct windows_share os = {.name = "os", .path = path, .kind = WINDOWS_SHARE_LAYER};

    json_add_int(smb, "DirectFileMappingInMB", VM_MAPPING_MB);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(smb, "Shares"), windows_share_settings(&os));
}

/* The service by which a container in the VM reaches its credential guard on the host. */
static void add_credential_service(const struct windows_place *place, cJSON *socket)
{
    const char *id = json_string(place->credential_socket, "ServiceId", "");

    if (id[0])
        cJSON_AddItemToObject(cJSON_AddObjectToObject(socket, "ServiceTable"), id,
                              cJSON_Duplicate(json_object(place->credential_socket, "ServiceConfig"), true));
}

static void add_devices(const struct windows_place *place, const char *scratch_vhdx, cJSON *vm)
{
    cJSON *devices = cJSON_AddObjectToObject(vm, "Devices");
    cJSON *controller = cJSON_AddObjectToObject(cJSON_AddObjectToObject(devices, "Scsi"), WINDOWS_VM_CONTROLLER);
    cJSON *socket = cJSON_AddObjectToObject(cJSON_AddObjectToObject(devices, "HvSocket"), "HvSocketConfig");

    cJSON_AddItemToObject(cJSON_AddObjectToObject(controller, "Attachments"), "0", windows_disk_settings(scratch_vhdx));
    json_add_string(socket, "DefaultBindSecurityDescriptor", VM_ACCESS);
    add_credential_service(place, socket);
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
    json = windows_system_document(d);
    vm = cJSON_AddObjectToObject(json, "VirtualMachine");
    cJSON_AddBoolToObject(vm, "StopOnReset", true);
    add_boot(vm);
    add_topology(d, place, vm);
    value = windows_registry_value("CurrentControlSet\\Services\\gns", "EnableCompartmentNamespace", "DWord");
    json_add_int(value, "DWordValue", 1);
    cJSON_AddItemToArray(windows_add_registry(vm), value);
    add_devices(place, scratch_vhdx, vm);
    cJSON_AddObjectToObject(vm, "GuestConnection"); /* there: HCS itself talks to the guest, and start waits for it */
    *out = json;
    return 0;
}

/* --- its limits while it runs --- */

cJSON *windows_encode_vm_update(const cJSON *asked)
{
    bool is_memory = strcmp(json_string(asked, "ResourcePath", ""), "Container/Memory/SizeInMB") == 0;
    int64_t value = json_int(asked, "Settings", 0);
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "ResourcePath",
                    is_memory ? "VirtualMachine/ComputeTopology/Memory/SizeInMB" : "VirtualMachine/ComputeTopology/Processor/Limits");
    json_add_string(json, "RequestType", "Update");
    if (is_memory)
        json_add_int(json, "Settings", value + value % 2);
    else
        json_add_int(cJSON_AddObjectToObject(json, "Settings"), "Limit", value * WINDOWS_VM_LIMIT_PER_MAXIMUM);
    return json;
}
