/* runtime/windows/layers.c – a container's scratch over its image's layers, through vmcompute.dll's layer calls. hcs.md §5.
 *
 * An image's layers are folders that were imported before. Process isolation mounts the scratch on this host; hyperv isolation leaves that
 * to HCS, which does it in the virtual machine. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"
#include "runtime/windows/links.h"

enum { MOUNT_TRIES = 5, MOUNT_RETRY_MS = 100, DESTROY_TRIES = 10, DESTROY_RETRY_MS = 200 };

static const struct windows_driver_info driver = {1, L""}; /* the filter driver; ids are whole paths */

static const char *last_element(const char *path)
{
    const char *last = path;

    for (; *path; path++)
        if ((*path == '\\' || *path == '/') && path[1])
            last = path + 1;
    return last;
}

static int need(const struct windows_system *s, struct error *err)
{
    const struct windows_vmcompute *vm = &s->host->api.vm;
    const struct {
        const void *function;
        const char *name;
    } all[] = {
        {(const void *)(uintptr_t)vm->NameToGuid, "NameToGuid"},
        {(const void *)(uintptr_t)vm->CreateSandboxLayer, "CreateSandboxLayer"},
        {(const void *)(uintptr_t)vm->ActivateLayer, "ActivateLayer"},
        {(const void *)(uintptr_t)vm->PrepareLayer, "PrepareLayer"},
        {(const void *)(uintptr_t)vm->GetLayerMountPath, "GetLayerMountPath"},
        {(const void *)(uintptr_t)vm->DestroyLayer, "DestroyLayer"},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (windows_api_need(all[i].function, "vmcompute.dll", all[i].name, "mount a container's layers", err) < 0)
            return err->code;
    return 0;
}

/* HCS and its shares take Windows' own spelling. */
static const char *with_backslashes(struct arena *arena, const char *path)
{
    char *copy = arena_string(arena, path);

    for (char *c = copy; *c; c++)
        if (*c == '/')
            *c = '\\';
    return copy;
}

int windows_layers_read(struct windows_system *s, struct arena *arena, struct windows_layer **out, size_t *count, struct error *err)
{
    const struct document_strings *paths = &s->document.layers;
    struct windows_layer *layers = arena_alloc(arena, (paths->count + 1) * sizeof *layers);

    for (size_t i = 0; i < paths->count; i++) {
        cleanup_free WCHAR *name = wide_from_utf8(last_element(paths->items[i]));
        char text[37];
        GUID guid;
        HRESULT code = s->host->api.vm.NameToGuid(name, &guid);
        if (FAILED(code))
            return windows_error(err, "name a layer", (uint32_t)code, NULL);
        windows_guid_text(&guid, text);
        layers[i] = (struct windows_layer){arena_string(arena, text), with_backslashes(arena, paths->items[i])};
    }
    *out = layers;
    *count = paths->count;
    return 0;
}

/* The chain as vmcompute takes it, the nearest first. */
struct chain {
    struct windows_layer_descriptor *items;
    ULONG count;
};

static void chain_deinit(struct chain *chain)
{
    for (ULONG i = 0; i < chain->count; i++)
        free((void *)(uintptr_t)chain->items[i].path);
    free(chain->items);
}

static int read_chain(struct windows_system *s, struct chain *out, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct windows_layer *layers = NULL;
    size_t count = 0;

    if (need(s, err) < 0 || windows_layers_read(s, &arena, &layers, &count, err) < 0)
        return err->code;
    out->items = mem_array(count + 1, sizeof *out->items);
    for (; out->count < count; out->count++) {
        windows_guid_parse(layers[out->count].id, &out->items[out->count].id);
        out->items[out->count].path = wide_from_utf8(layers[out->count].path);
    }
    return 0;
}

int windows_layers_create_scratch(struct windows_system *s, struct error *err)
{
    const struct windows_vmcompute *vm = &s->host->api.vm;
    cleanup_free WCHAR *scratch = wide_from_utf8(s->scratch_dir);
    struct chain chain = {0};
    HRESULT code;

    if (read_chain(s, &chain, err) < 0)
        return err->code;
    code = vm->CreateSandboxLayer(&driver, scratch, NULL, chain.items, chain.count);
    if (SUCCEEDED(code) && s->document.windows.storage_size_bytes > 0 && vm->ExpandSandboxSize)
        code = vm->ExpandSandboxSize(&driver, scratch, (UINT64)s->document.windows.storage_size_bytes);
    chain_deinit(&chain);
    return FAILED(code) ? windows_error(err, "create the container's scratch", (uint32_t)code, NULL) : 0;
}

/* Right after an attach the disk may not be there yet: that and nothing else is tried again. */
static HRESULT activate_and_prepare(struct windows_system *s, const WCHAR *scratch, const struct chain *chain)
{
    const struct windows_vmcompute *vm = &s->host->api.vm;
    HRESULT code = E_FAIL;

    for (int tries = 0; tries < MOUNT_TRIES; tries++) {
        code = vm->ActivateLayer(&driver, scratch);
        if (SUCCEEDED(code))
            code = vm->PrepareLayer(&driver, scratch, chain->items, chain->count);
        if (SUCCEEDED(code))
            return code;
        vm->DeactivateLayer(&driver, scratch);
        if (!windows_is_no_device((uint32_t)code))
            return code;
        Sleep(MOUNT_RETRY_MS);
    }
    return code;
}

static int read_mount_path(struct windows_system *s, const WCHAR *scratch, char **volume, struct error *err)
{
    SIZE_T chars = 0;
    HRESULT code = s->host->api.vm.GetLayerMountPath(&driver, scratch, &chars, NULL);
    cleanup_free WCHAR *path = mem_array(chars + 1, sizeof *path);

    if (SUCCEEDED(code))
        code = s->host->api.vm.GetLayerMountPath(&driver, scratch, &chars, path);
    if (FAILED(code))
        return windows_error(err, "find the container's volume", (uint32_t)code, NULL);
    *volume = utf8_from_wide(path);
    return 0;
}

static void unmount(struct windows_system *s)
{
    const struct windows_vmcompute *vm = &s->host->api.vm;
    cleanup_free WCHAR *scratch = wide_from_utf8(s->scratch_dir);

    if (!vm->UnprepareLayer || !vm->DeactivateLayer || !file_exists(s->scratch_dir))
        return;
    uv_mutex_lock(&s->host->layer_lock);
    vm->UnprepareLayer(&driver, scratch); /* both are always tried */
    vm->DeactivateLayer(&driver, scratch);
    uv_mutex_unlock(&s->host->layer_lock);
}

static int mount(struct windows_system *s, char **volume, struct error *err)
{
    cleanup_free WCHAR *scratch = wide_from_utf8(s->scratch_dir);
    struct chain chain = {0};
    HRESULT code;

    if (read_chain(s, &chain, err) < 0)
        return err->code;
    uv_mutex_lock(&s->host->layer_lock);
    code = activate_and_prepare(s, scratch, &chain);
    uv_mutex_unlock(&s->host->layer_lock);
    chain_deinit(&chain);
    if (FAILED(code))
        return windows_error(err, "mount the container's layers", (uint32_t)code, NULL);
    if (read_mount_path(s, scratch, volume, err) == 0)
        return 0;
    unmount(s);
    return err->code;
}

int windows_layers_mount(struct windows_system *s, char **volume, struct error *err)
{
    if (s->isolation != ISOLATION_PROCESS && s->document.file_count == 0)
        return 0;
    if (mount(s, volume, err) < 0)
        return err->code;
    if (windows_links_make(&s->document, *volume, err) < 0 || s->isolation != ISOLATION_PROCESS)
        unmount(s);
    return err->code;
}

void windows_layers_unmount(struct windows_system *s)
{
    if (s->isolation == ISOLATION_PROCESS)
        unmount(s);
}

/* Antivirus and search hold a volume for a moment: tried again for two seconds (hcs.md §9.12). */
int windows_layers_destroy(struct windows_system *s, struct error *err)
{
    cleanup_free WCHAR *scratch = wide_from_utf8(s->scratch_dir);
    HRESULT code = S_OK;

    if (!file_exists(s->scratch_dir))
        return 0;
    if (need(s, err) < 0)
        return err->code;
    for (int tries = 0; tries < DESTROY_TRIES; tries++) {
        code = s->host->api.vm.DestroyLayer(&driver, scratch);
        if (SUCCEEDED(code) || !file_exists(s->scratch_dir))
            return 0;
        windows_layers_unmount(s);
        Sleep(DESTROY_RETRY_MS);
    }
    return windows_error(err, "remove the container's scratch", (uint32_t)code, NULL);
}
