/* tests/emulated_hcs/vm.c – utility VMs: what they need to start, and what a container that is to be hosted in one must find there. Source:
 * hcs.md §3.3–§3.5, §4.5. */
#include "tests/emulated_hcs/vm.h"

#include <stdlib.h>
#include <string.h>

enum { FAILS_UNEXPECTEDLY = 0x106 };

/* --- who may read what --- */

/* Files that a VM was given access to, by its id, which may come to be later. */
static cJSON *grants;

bool vm_has(const cJSON *map, const char *key)
{
    return key && cJSON_GetObjectItemCaseSensitive(map, key) != NULL;
}

bool vm_path_exists(const char *path)
{
    WCHAR wide[MAX_PATH];

    return path && MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, MAX_PATH) > 0 && GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;
}

bool vm_may_read(const char *vm_id, const char *path)
{
    return vm_has(cJSON_GetObjectItemCaseSensitive(grants, vm_id), path);
}

bool vm_grant_call(struct request *r, struct answer *answer)
{
    const char *id = member(r->json, "id"), *path = member(r->json, "text");
    cJSON *files;

    if (strcmp(r->call, "grant-vm-access") != 0)
        return false;
    if (!id || !vm_path_exists(path)) {
        answer->code = FROM_WIN32(2);
        return true;
    }
    grants = grants ? grants : cJSON_CreateObject();
    files = cJSON_GetObjectItemCaseSensitive(grants, id);
    files = files ? files : cJSON_AddObjectToObject(grants, id);
    if (!vm_has(files, path))
        cJSON_AddTrueToObject(files, path);
    return true;
}

/* --- birth and end --- */

static cJSON **maps_of(struct vm *vm)
{
    return &vm->shares;
}
enum { MAP_COUNT = sizeof(struct vm) / sizeof(cJSON *) };

void vm_add(struct compute *s)
{
    const cJSON *machine = cJSON_GetObjectItemCaseSensitive(s->document, "VirtualMachine"), *share;

    if (!machine)
        return;
    s->vm = calloc(1, sizeof *s->vm);
    for (int i = 0; i < MAP_COUNT; i++)
        maps_of(s->vm)[i] = cJSON_CreateObject();
    machine = cJSON_GetObjectItem(cJSON_GetObjectItem(machine, "Devices"), "VirtualSmb");
    cJSON_ArrayForEach (share, cJSON_GetObjectItem(machine, "Shares"))
        cJSON_AddStringToObject(s->vm->shares, member(share, "Name"), member(share, "Path"));
    cJSON_AddStringToObject(s->vm->disks, "0", ""); /* its own */
}

void vm_remove(struct compute *s)
{
    for (struct compute *hosted = systems; hosted; hosted = hosted->next)
        if (hosted->host == s)
            hosted->host = NULL;
    if (!s->vm)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(grants, s->id);
    for (int i = 0; i < MAP_COUNT; i++)
        cJSON_Delete(maps_of(s->vm)[i]);
    free(s->vm);
}

/* A stop may remove what it stops. */
void vm_stop_hosted(struct compute *s)
{
    struct compute *hosted = s->vm ? systems : NULL;

    while (hosted) {
        if (hosted->host == s && hosted->state != STOPPED) {
            compute_stop(hosted, HCS(FAILS_UNEXPECTEDLY), "UnexpectedExit");
            hosted = systems;
        } else {
            hosted = hosted->next;
        }
    }
}

/* --- start --- */

static uint32_t check_disk(const char *id, const cJSON *disk, char **wrong)
{
    const char *path = member(disk, "Path");

    if (!vm_path_exists(path)) {
        *wrong = text_format("no file %s", path ? path : "");
        return FROM_WIN32(2);
    }
    if (!vm_may_read(id, path)) {
        *wrong = text_format("the virtual machine has no access to %s", path);
        return FROM_WIN32(5);
    }
    return 0;
}

uint32_t vm_check_start(const struct compute *s, char **wrong)
{
    const cJSON *machine = cJSON_GetObjectItem(s->document, "VirtualMachine"), *controller, *disk, *share;
    const cJSON *devices = cJSON_GetObjectItem(machine, "Devices");
    const cJSON *memory = cJSON_GetObjectItem(cJSON_GetObjectItem(machine, "ComputeTopology"), "Memory");
    uint32_t code = 0;

    if (!s->vm)
        return 0;
    if ((int64_t)member_number(memory, "SizeInMB") % 2 != 0 || !cJSON_GetObjectItem(machine, "GuestConnection")) {
        *wrong = text_of("an odd memory size, or no guest connection");
        return FROM_WIN32(0x57);
    }
    cJSON_ArrayForEach (controller, cJSON_GetObjectItem(devices, "Scsi"))
        cJSON_ArrayForEach (disk, cJSON_GetObjectItem(controller, "Attachments"))
            code = code ? code : check_disk(s->id, disk, wrong);
    cJSON_ArrayForEach (share, cJSON_GetObjectItem(cJSON_GetObjectItem(devices, "VirtualSmb"), "Shares"))
        if (!code && !vm_path_exists(member(share, "Path"))) {
            *wrong = text_format("no directory %s to boot from", member(share, "Path"));
            code = FROM_WIN32(3);
        }
    return code;
}

void vm_show_guest(const struct compute *s, bool is_old, cJSON *properties)
{
    cJSON *info, *versions, *capabilities;

    if (!s->vm)
        return;
    info = cJSON_AddObjectToObject(properties, "GuestConnectionInfo");
    versions = cJSON_AddArrayToObject(info, "SupportedSchemaVersions");
    cJSON_AddItemToArray(versions, cJSON_Parse("{\"Major\":1,\"Minor\":0}"));
    if (!is_old)
        cJSON_AddItemToArray(versions, cJSON_Parse("{\"Major\":2,\"Minor\":1}"));
    cJSON_AddNumberToObject(info, "ProtocolVersion", 4);
    capabilities = cJSON_AddObjectToObject(info, "GuestDefinedCapabilities");
    cJSON_AddTrueToObject(capabilities, "NamespaceAddRequestSupported");
    cJSON_AddTrueToObject(capabilities, "SignalProcessSupported");
}

/* --- a container that is to be hosted --- */

const char *vm_share(const struct vm *vm, const char *path)
{
    size_t length = strlen(GUEST_SHARES);

    return path && strncmp(path, GUEST_SHARES, length) == 0 ? member(vm->shares, path + length) : NULL;
}

static char *check_storage(const struct vm *vm, const cJSON *container)
{
    const cJSON *storage = cJSON_GetObjectItem(container, "Storage");
    const char *root = member(storage, "Path");
    const cJSON *layers = root ? cJSON_GetObjectItemCaseSensitive(vm->roots, root) : NULL;

    if (!layers)
        return text_format("no layers lie over %s in the virtual machine", root ? root : "");
    if (!cJSON_Compare(layers, cJSON_GetObjectItem(storage, "Layers"), true))
        return text_format("the layers over %s are others", root);
    return NULL;
}

static char *check_mounts(const struct vm *vm, const cJSON *container)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, cJSON_GetObjectItem(container, "MappedDirectories"))
        if (!vm_share(vm, member(item, "HostPath")))
            return text_format("the virtual machine has no share %s", member(item, "HostPath"));
    cJSON_ArrayForEach (item, cJSON_GetObjectItem(container, "MappedPipes")) {
        const char *path = member(item, "HostPath");
        bool is_below = path && strncmp(path, GUEST_PIPES, strlen(GUEST_PIPES)) == 0;
        char *pipe = text_format("\\\\.\\pipe\\%s", is_below ? path + strlen(GUEST_PIPES) : "");
        bool is_there = is_below && vm_has(vm->pipes, pipe);
        free(pipe);
        if (!is_there)
            return text_format("the virtual machine has no pipe %s", path);
    }
    return NULL;
}

static char *check_network(const struct vm *vm, const cJSON *container)
{
    const char *space = member(cJSON_GetObjectItem(container, "Networking"), "Namespace");

    if (!space)
        return NULL;
    if (!vm_has(vm->spaces, space))
        return text_format("the guest has no namespace %s", space);
    return cJSON_GetArraySize(vm->adapters) > 0 ? NULL : text_of("the virtual machine has no network adapter");
}

uint32_t vm_check_hosted(const cJSON *document, struct compute **host, char **wrong)
{
    const cJSON *container = cJSON_GetObjectItem(cJSON_GetObjectItem(document, "HostedSystem"), "Container");
    const char *id = member(document, "HostingSystemId");

    if (!id)
        return 0;
    *host = compute_find(id);
    if (!*host || !(*host)->vm || (*host)->state != RUNNING) {
        *wrong = text_format("no virtual machine %s runs", id);
        return *host ? HCS(0x105) : HCS(0x10E);
    }
    *wrong = check_storage((*host)->vm, container);
    *wrong = *wrong ? *wrong : check_mounts((*host)->vm, container);
    *wrong = *wrong ? *wrong : check_network((*host)->vm, container);
    return *wrong ? FROM_WIN32(3) : 0;
}

/* --- a VM that fails --- */

struct end {
    uv_timer_t timer;
    char *id;
    bool is_guest_only;
};

static void on_end_closed(uv_handle_t *handle)
{
    struct end *end = (struct end *)handle;

    free(end->id);
    free(end);
}

static void on_end(uv_timer_t *timer)
{
    struct end *end = (struct end *)timer;
    struct compute *s = compute_find(end->id);

    if (s && end->is_guest_only)
        emit_guest_lost(s);
    else if (s)
        compute_stop(s, HCS(FAILS_UNEXPECTEDLY), "UnexpectedExit");
    uv_close((uv_handle_t *)timer, on_end_closed);
}

void vm_end_later(struct compute *s, bool is_guest_only, unsigned ms)
{
    struct end *end = calloc(1, sizeof *end);

    end->id = text_of(s->host ? s->host->id : s->id);
    end->is_guest_only = is_guest_only;
    uv_timer_init(server_loop, &end->timer);
    uv_timer_start(&end->timer, on_end, ms, 0);
}
