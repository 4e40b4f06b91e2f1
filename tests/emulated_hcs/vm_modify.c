/* tests/emulated_hcs/vm_modify.c – requests to change a running system: each member known, each thing there before what builds on it.
 * Source: hcs.md §3.7, §4.5, §7.4. */
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/tables.h"
#include "tests/emulated_hcs/vm.h"

enum { INVALID = 0x57, EXISTS = 0xB7, NO_PATH = 3, NO_ACCESS = 5, NO_FILE = 2, NOT_FOUND = 0x490, NOT_SUPPORTED = 0x32 };

/* --- shapes --- */

static const char *const request_shape[] = {"o", "",
                                            "s", "ResourcePath",
                                            "s", "RequestType",
                                            "*", "Settings",
                                            "o", "GuestRequest",
                                            "s", "GuestRequest.ResourceType",
                                            "s", "GuestRequest.RequestType",
                                            "*", "GuestRequest.Settings",
                                            NULL};
static const char *const share_shape[] = {"o", "",
                                          "s", "Name",
                                          "s", "Path",
                                          "o", "Options",
                                          "b", "Options.ReadOnly",
                                          "b", "Options.ShareRead",
                                          "b", "Options.CacheIo",
                                          "b", "Options.PseudoOplocks",
                                          "b", "Options.TakeBackupPrivilege",
                                          NULL};
static const char *const disk_shape[] = {"o", "", "s", "Type", "s", "Path", "b", "ReadOnly", NULL};
static const char *const mount_shape[] = {"o", "", "s", "ContainerPath", "n", "Lun", NULL};
static const char *const layers_shape[] = {
    "o", "", "s", "ContainerRootPath", "a", "Layers", "o", "Layers[]", "s", "Layers[].Id", "s", "Layers[].Path", NULL};
static const char *const space_shape[] = {"o", "",
                                          "s", "ID",
                                          "n", "NamespaceId",
                                          "s", "Type",
                                          "a", "Resources",
                                          "*", "Resources[]",
                                          "o", "SchemaVersion",
                                          "n", "SchemaVersion.Major",
                                          "n", "SchemaVersion.Minor",
                                          NULL};
static const char *const network_shape[] = {"o", "", "s", "AdapterId", "s", "RequestType", "*", "Settings", NULL};
static const char *const endpoint_shape[] = {"o", "",
                                             "s", "ID",
                                             "s", "Name",
                                             "s", "VirtualNetwork",
                                             "s", "VirtualNetworkName",
                                             "a", "Policies",
                                             "*", "Policies[]",
                                             "s", "MacAddress",
                                             "s", "IPAddress",
                                             "n", "PrefixLength",
                                             "s", "GatewayAddress",
                                             "s", "DNSSuffix",
                                             "s", "DNSServerList",
                                             "b", "EnableInternalDNS",
                                             "b", "DisableICC",
                                             "n", "EncapOverhead",
                                             NULL};
static const char *const adapter_shape[] = {"o", "", "s", "EndpointId", "s", "MacAddress", NULL};
static const char *const limits_shape[] = {"o", "", "n", "Limit", "n", "Weight", NULL};
static const char *const number_shape[] = {"n", "", NULL};
static const char *const processor_shape[] = {"o", "", "n", "Count", "n", "Maximum", "n", "Weight", NULL};

struct change {
    struct compute *system;
    const cJSON *settings, *guest; /* of the host's part; of the guest's, NULL: none */
    const char *type, *rest;       /* "Add"; what follows the path's known part */
    char **wrong;
};

static uint32_t fail(const struct change *c, unsigned code, char *why)
{
    *c->wrong = why;
    return FROM_WIN32(code);
}

static uint32_t fits(const struct change *c, const cJSON *json, const char *const *shape)
{
    *c->wrong = json ? shape_check(json, shape) : text_of("no settings");
    return *c->wrong ? HCS(0x10D) : 0;
}

/* --- to the guest --- */

static uint32_t mount_disk(const struct change *c)
{
    const char *path = member(c->guest, "ContainerPath");
    char *lun = text_format("%d", (int)member_number(c->guest, "Lun"));
    bool is_there = vm_has(c->system->vm->disks, lun) && strcmp(lun, "0") != 0;

    if (is_there && path && !vm_has(c->system->vm->mounts, path))
        cJSON_AddStringToObject(c->system->vm->mounts, path, lun);
    else
        is_there = false;
    free(lun);
    return is_there ? 0 : fail(c, NOT_FOUND, text_of("no such disk to mount, or something is mounted there"));
}

static uint32_t combine_layers(const struct change *c)
{
    const char *root = member(c->guest, "ContainerRootPath");
    const cJSON *layers = cJSON_GetObjectItem(c->guest, "Layers"), *layer;

    if (!vm_has(c->system->vm->mounts, root) || vm_has(c->system->vm->roots, root))
        return fail(c, NO_PATH, text_format("no scratch is mounted at %s", root ? root : ""));
    cJSON_ArrayForEach (layer, layers)
        if (!vm_share(c->system->vm, member(layer, "Path")))
            return fail(c, NO_PATH, text_format("the layer %s is not shared into the virtual machine", member(layer, "Path")));
    if (cJSON_GetArraySize(layers) == 0)
        return fail(c, INVALID, text_of("no layers"));
    cJSON_AddItemToObject(c->system->vm->roots, root, cJSON_Duplicate(layers, true));
    return 0;
}

static uint32_t add_space(const struct change *c)
{
    const char *id = member(c->guest, "ID");

    if (!table_find("namespace", id) || vm_has(c->system->vm->spaces, id))
        return fail(c, NOT_FOUND, text_format("no namespace %s, or the guest has it", id ? id : ""));
    cJSON_AddTrueToObject(c->system->vm->spaces, id);
    return 0;
}

/* An endpoint is announced in a namespace that the guest has; then its adapter comes. */
static uint32_t announce(const struct change *c)
{
    const cJSON *settings = cJSON_GetObjectItem(c->guest, "Settings");
    const char *adapter = member(c->guest, "AdapterId"), *id = member(settings, "ID");
    const struct object *endpoint = table_find("endpoint", id);
    uint32_t code = fits(c, settings, endpoint_shape);

    if (code)
        return code;
    if (!adapter || !endpoint || !vm_has(c->system->vm->spaces, endpoint->space))
        return fail(c, NOT_FOUND, text_format("no endpoint %s in a namespace that the guest has", id ? id : ""));
    cJSON_AddStringToObject(c->system->vm->announced, adapter, id);
    return 0;
}

static uint32_t change_network(const struct change *c)
{
    const char *type = member(c->guest, "RequestType"), *adapter = member(c->guest, "AdapterId");

    if (type && strcmp(type, "PreAdd") == 0)
        return announce(c);
    if (!type || strcmp(type, "Add") != 0 || !vm_has(c->system->vm->adapters, adapter))
        return fail(c, NOT_FOUND, text_of("no such adapter to tell the guest of"));
    return 0;
}

static const struct guest_kind {
    const char *type;
    const char *const *shape;
    uint32_t (*apply)(const struct change *c);
} guest_kinds[] = {{"MappedVirtualDisk", mount_shape, mount_disk},
                   {"CombinedLayers", layers_shape, combine_layers},
                   {"NetworkNamespace", space_shape, add_space},
                   {"Network", network_shape, change_network}};

static uint32_t change_guest(struct change *c, const cJSON *guest)
{
    const char *type = member(guest, "ResourceType"), *request = member(guest, "RequestType");
    uint32_t code;

    c->guest = cJSON_GetObjectItem(guest, "Settings");
    for (size_t i = 0; type && i < sizeof guest_kinds / sizeof guest_kinds[0]; i++) {
        const struct guest_kind *kind = &guest_kinds[i];
        if (strcmp(type, kind->type) != 0)
            continue;
        code = fits(c, c->guest, kind->shape);
        if (!code && (!request || strcmp(request, "Add") != 0))
            return fail(c, NOT_SUPPORTED, text_of("the emulated guest only adds"));
        return code ? code : kind->apply(c);
    }
    return fail(c, NOT_SUPPORTED, text_format("the guest does not know %s", type ? type : ""));
}

/* --- to the host --- */

static bool has_path(const cJSON *map, const char *path)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, map)
        if (cJSON_IsString(item) && _stricmp(item->valuestring, path) == 0)
            return true;
    return false;
}

static uint32_t add_share(const struct change *c)
{
    const char *name = member(c->settings, "Name"), *path = member(c->settings, "Path");

    if (!name || !vm_path_exists(path))
        return fail(c, NO_PATH, text_format("no directory %s to share", path ? path : ""));
    if (vm_has(c->system->vm->shares, name) || has_path(c->system->vm->shares, path))
        return fail(c, EXISTS, text_format("%s is shared already", path));
    cJSON_AddStringToObject(c->system->vm->shares, name, path);
    return 0;
}

static uint32_t add_disk(const struct change *c)
{
    static const char controller[] = "df6d0690-79e5-55b6-a5ec-c1e2f77f580a/Attachments/";
    const char *path = member(c->settings, "Path"), *lun = c->rest + sizeof controller - 1;

    if (strncmp(c->rest, controller, sizeof controller - 1) != 0 || vm_has(c->system->vm->disks, lun))
        return fail(c, INVALID, text_format("no place %s for a disk", c->rest));
    if (!vm_path_exists(path))
        return fail(c, NO_FILE, text_format("no file %s", path ? path : ""));
    if (!vm_may_read(c->system->id, path))
        return fail(c, NO_ACCESS, text_format("the virtual machine has no access to %s", path));
    cJSON_AddStringToObject(c->system->vm->disks, lun, path);
    return 0;
}

static uint32_t add_adapter(const struct change *c)
{
    const char *id = member(c->settings, "EndpointId"), *announced = member(c->system->vm->announced, c->rest);

    if (!id || !announced || strcmp(id, announced) != 0)
        return fail(c, NOT_FOUND, text_of("the guest was not told of this adapter before"));
    cJSON_AddStringToObject(c->system->vm->adapters, c->rest, id);
    return 0;
}

static uint32_t add_pipe(const struct change *c)
{
    if (strncmp(c->rest, "\\\\.\\pipe\\", 9) != 0 || vm_has(c->system->vm->pipes, c->rest))
        return fail(c, INVALID, text_format("no pipe %s, or it is there already", c->rest));
    cJSON_AddTrueToObject(c->system->vm->pipes, c->rest);
    return 0;
}

static uint32_t set_memory(const struct change *c)
{
    return (int64_t)c->settings->valuedouble % 2 == 0 ? 0 : fail(c, INVALID, text_of("an odd memory size"));
}

static uint32_t set_limits(const struct change *c)
{
    return member_number(c->settings, "Limit") <= 100000 ? 0 : fail(c, INVALID, text_of("a limit above 100000"));
}

static uint32_t nothing(const struct change *c)
{
    (void)c;
    return 0;
}

static const struct host_kind {
    const char *path, *type;
    bool is_vm, is_prefix;
    const char *const *shape; /* NULL: no settings */
    uint32_t (*apply)(const struct change *c);
} host_kinds[] = {{"VirtualMachine/Devices/VirtualSmb/Shares", "Add", true, false, share_shape, add_share},
                  {"VirtualMachine/Devices/Scsi/", "Add", true, true, disk_shape, add_disk},
                  {"VirtualMachine/Devices/NetworkAdapters/", "Add", true, true, adapter_shape, add_adapter},
                  {"VirtualMachine/Devices/MappedPipes/", "Add", true, true, NULL, add_pipe},
                  {"VirtualMachine/ComputeTopology/Memory/SizeInMB", "Update", true, false, number_shape, set_memory},
                  {"VirtualMachine/ComputeTopology/Processor/Limits", "Update", true, false, limits_shape, set_limits},
                  {"Container/Memory/SizeInMB", "Update", false, false, number_shape, nothing},
                  {"Container/Processor", "Update", false, false, processor_shape, nothing}};

static uint32_t change_host(struct change *c, const char *path)
{
    for (size_t i = 0; i < sizeof host_kinds / sizeof host_kinds[0]; i++) {
        const struct host_kind *kind = &host_kinds[i];
        size_t length = strlen(kind->path);
        uint32_t code = 0;
        if (strncmp(path, kind->path, length) != 0 || (path[length] != '\0') != kind->is_prefix || (c->system->vm != NULL) != kind->is_vm)
            continue;
        c->rest = path + length;
        if (!c->type || strcmp(c->type, kind->type) != 0)
            return fail(c, NOT_SUPPORTED, text_format("%s cannot be asked of %s", c->type ? c->type : "nothing", path));
        if (!kind->shape && c->settings)
            return fail(c, INVALID, text_format("%s takes no settings", path));
        if (kind->shape)
            code = fits(c, c->settings, kind->shape);
        return code ? code : kind->apply(c);
    }
    return fail(c, NOT_SUPPORTED, text_format("%s cannot be changed here", path));
}

/* The host's part first: what it attaches the guest then finds. */
uint32_t vm_modify(struct compute *s, const cJSON *request, char **wrong)
{
    const char *path = member(request, "ResourcePath");
    const cJSON *guest = cJSON_GetObjectItemCaseSensitive(request, "GuestRequest");
    struct change c = {.system = s,
                       .settings = cJSON_GetObjectItemCaseSensitive(request, "Settings"),
                       .type = member(request, "RequestType"),
                       .wrong = wrong};
    uint32_t code = fits(&c, request, request_shape);

    if (code)
        return code;
    if ((!path && (!guest || c.settings || c.type)) || (guest && !s->vm))
        return fail(&c, INVALID, text_of("neither a path nor a guest's request, or no guest"));
    if (path)
        code = change_host(&c, path);
    return code || !guest ? code : change_guest(&c, guest);
}
