/* runtime/windows/encode_guest.c – schema 2: what a utility VM is given for the container in it, and how that looks from inside. hcs.md
 * §3.4, §3.7. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/encode_parts.h"

#define GUEST_SHARES "\\\\?\\VMSMB\\VSMB-{dcc079ae-60ba-4d07-847c-3493609c0870}\\" /* Windows' own name for them, hcs.md §3.4 */

/* --- shares --- */

static const struct windows_share *find_share(const struct windows_share *shares, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(shares[i].path, path) == 0)
            return &shares[i];
    return NULL;
}

/* HCS refuses a second share of one directory: a layer stays one, a directory becomes writable for whoever writes. */
static void add_share(struct windows_share *shares, size_t *count, const char *path, enum windows_share_kind kind, struct arena *arena)
{
    struct windows_share *same = (struct windows_share *)(uintptr_t)find_share(shares, *count, path);

    if (same) {
        if (same->kind == WINDOWS_SHARE_READ_ONLY)
            same->kind = kind;
        return;
    }
    shares[*count] =
        (struct windows_share){.name = arena_format(arena, "s%zx", *count + 1), .path = arena_string(arena, path), .kind = kind};
    (*count)++;
}

void windows_shares_of(const struct document *d, const struct windows_place *place, struct arena *arena, const struct windows_share **out,
                       size_t *count)
{
    size_t most = place->layer_count + d->mount_count + d->file_count + 1;
    struct windows_share *shares = arena_alloc(arena, most * sizeof *shares);
    struct windows_directory directory;

    *count = 0;
    for (size_t i = 0; i < place->layer_count; i++)
        add_share(shares, count, place->layers[i].path, WINDOWS_SHARE_LAYER, arena);
    for (size_t i = 0; windows_directory_at(d, place, i, &directory); i++) {
        add_share(shares, count, directory.host, directory.is_read_only ? WINDOWS_SHARE_READ_ONLY : WINDOWS_SHARE_WRITABLE, arena);
        windows_directory_deinit(&directory);
    }
    *out = shares;
}

cJSON *windows_share_settings(const struct windows_share *share)
{
    static const char *const options[] = {"ReadOnly", "ShareRead", "CacheIo", "PseudoOplocks", "TakeBackupPrivilege"};
    size_t count = share->kind == WINDOWS_SHARE_LAYER ? 5 : share->kind == WINDOWS_SHARE_READ_ONLY ? 4 : 0;
    cJSON *json = cJSON_CreateObject(), *flags = NULL;

    json_add_string(json, "Name", share->name);
    json_add_string(json, "Path", share->path);
    if (count > 0)
        flags = cJSON_AddObjectToObject(json, "Options");
    for (size_t i = 0; i < count; i++)
        cJSON_AddBoolToObject(flags, options[i], true);
    return json;
}

char *windows_guest_path(const struct windows_place *place, const char *host)
{
    const struct windows_share *share = find_share(place->shares, place->share_count, host);

    return mem_format("%s%s", GUEST_SHARES, share ? share->name : "");
}

char *windows_guest_pipe(const char *host)
{
    return mem_format("%sIPC$\\%s", GUEST_SHARES, host + sizeof WINDOWS_PIPE_PREFIX - 1);
}

cJSON *windows_guest_layers(const struct windows_place *place)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < place->layer_count; i++) {
        cleanup_free char *path = windows_guest_path(place, place->layers[i].path);
        cJSON *layer = cJSON_CreateObject();
        json_add_string(layer, "Id", place->layers[i].id);
        json_add_string(layer, "Path", path);
        cJSON_AddItemToArray(list, layer);
    }
    return list;
}

/* --- requests --- */

static cJSON *to_host(const char *path, cJSON *settings)
{
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "ResourcePath", path);
    json_add_string(json, "RequestType", "Add");
    if (settings)
        cJSON_AddItemToObject(json, "Settings", settings);
    return json;
}

/* The guest's part, alone or beside the host's. */
static cJSON *add_guest(cJSON *json, const char *type, cJSON *settings)
{
    cJSON *guest = cJSON_AddObjectToObject(json, "GuestRequest");

    json_add_string(guest, "ResourceType", type);
    json_add_string(guest, "RequestType", "Add");
    cJSON_AddItemToObject(guest, "Settings", settings);
    return json;
}

cJSON *windows_encode_share(const struct windows_share *share)
{
    return to_host("VirtualMachine/Devices/VirtualSmb/Shares", windows_share_settings(share));
}

cJSON *windows_disk_settings(const char *path)
{
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "Type", "VirtualDisk");
    json_add_string(json, "Path", path);
    return json;
}

cJSON *windows_encode_scratch(const char *scratch_vhdx)
{
    cleanup_free char *path =
        mem_format("VirtualMachine/Devices/Scsi/%s/Attachments/%d", WINDOWS_VM_CONTROLLER, WINDOWS_CONTAINER_SCRATCH_LUN);
    cJSON *mount = cJSON_CreateObject();

    json_add_string(mount, "ContainerPath", WINDOWS_GUEST_ROOT);
    json_add_int(mount, "Lun", WINDOWS_CONTAINER_SCRATCH_LUN);
    return add_guest(to_host(path, windows_disk_settings(scratch_vhdx)), "MappedVirtualDisk", mount);
}

cJSON *windows_encode_combined_layers(const struct windows_place *place)
{
    cJSON *settings = cJSON_CreateObject();

    json_add_string(settings, "ContainerRootPath", WINDOWS_GUEST_ROOT);
    cJSON_AddItemToObject(settings, "Layers", windows_guest_layers(place));
    return add_guest(cJSON_CreateObject(), "CombinedLayers", settings);
}

cJSON *windows_encode_guest_namespace(const cJSON *document)
{
    return add_guest(cJSON_CreateObject(), "NetworkNamespace", cJSON_Duplicate(document, true));
}

static cJSON *network_settings(const char *adapter, const char *type)
{
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "AdapterId", adapter);
    json_add_string(json, "RequestType", type);
    return json;
}

/* HNS tells more of an endpoint than the guest's schema has. */
cJSON *windows_encode_guest_endpoint(const char *adapter, const cJSON *hns)
{
    static const char *const members[] = {
        "ID",           "Name",           "VirtualNetwork", "VirtualNetworkName", "Policies",          "MacAddress", "IPAddress",
        "PrefixLength", "GatewayAddress", "DNSSuffix",      "DNSServerList",      "EnableInternalDNS", "DisableICC", "EncapOverhead"};
    cJSON *settings = network_settings(adapter, "PreAdd"), *endpoint = cJSON_AddObjectToObject(settings, "Settings");

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(hns, members[i]);
        if (member && !cJSON_IsNull(member) && (!cJSON_IsString(member) || member->valuestring[0]))
            cJSON_AddItemToObject(endpoint, members[i], cJSON_Duplicate(member, true));
    }
    return add_guest(cJSON_CreateObject(), "Network", settings);
}

cJSON *windows_encode_adapter(const char *adapter, const char *endpoint_id, const char *mac)
{
    cleanup_free char *path = mem_format("VirtualMachine/Devices/NetworkAdapters/%s", adapter);
    cJSON *settings = cJSON_CreateObject();

    json_add_string(settings, "EndpointId", endpoint_id);
    if (mac[0])
        json_add_string(settings, "MacAddress", mac);
    return add_guest(to_host(path, settings), "Network", network_settings(adapter, "Add"));
}

cJSON *windows_encode_vm_pipe(const char *host_path)
{
    cleanup_free char *path = mem_format("VirtualMachine/Devices/MappedPipes/%s", host_path);

    return to_host(path, NULL);
}
