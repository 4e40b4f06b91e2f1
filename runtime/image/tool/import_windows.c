/* runtime/image/tool/import_windows.c – see import.h. vmcompute.dll's layer calls are the same on every build of Windows (hcs.md §1.4,
 * §5.3). */
#include "runtime/image/tool/import.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "runtime/image/chain.h"
#include "runtime/image/layout.h"
#include "runtime/image/lock.h"
#include "runtime/image/tool/import_tree_windows.h"
#include "runtime/image/tool/remove.h"
#include "runtime/image/tool/report.h"
#include "runtime/image/tool/tree_parts_windows.h"
#include "runtime/image/windows_layer.h"

#define SET_UP_FILE "set-up" /* beside layer.json: the base was set up */

struct driver_info {
    int flavour;
    const wchar_t *home;
};

struct layer_descriptor {
    GUID id;
    ULONG flags;
    const wchar_t *path;
};

struct vmcompute {
    HMODULE library;
    HRESULT(WINAPI *NameToGuid)(const wchar_t *name, GUID *guid);
    HRESULT(WINAPI *ProcessBaseImage)(const wchar_t *path);
    HRESULT(WINAPI *ProcessUtilityImage)(const wchar_t *path);
    HRESULT(WINAPI *ImportLayer)
    (const struct driver_info *info, const wchar_t *id, const wchar_t *folder, const struct layer_descriptor *layers, ULONG count);
};

static const struct driver_info filter_driver = {1, L""}; /* ids are whole paths */

struct import {
    struct task *task;
    struct vmcompute vm;
    char *parents[IMAGE_LAYERS_COUNT]; /* done already, the nearest first: filled from the end */
    size_t parent_count;
};

static int failed_with(struct error *err, HRESULT code, const char *what)
{
    return error_set_windows(err, HRESULT_FACILITY(code) == FACILITY_WIN32 ? (uint32_t)HRESULT_CODE(code) : (uint32_t)code, "%s", what);
}

/* False: this system has no containers. */
static bool load(struct vmcompute *vm)
{
    vm->library = LoadLibraryExW(L"vmcompute.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!vm->library)
        return false;
    FARPROC found[] = {GetProcAddress(vm->library, "NameToGuid"), GetProcAddress(vm->library, "ProcessBaseImage"),
                       GetProcAddress(vm->library, "ProcessUtilityImage"), GetProcAddress(vm->library, "ImportLayer")};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (!found[i])
            return false;
    memcpy(&vm->NameToGuid, &found[0], sizeof found[0]);
    memcpy(&vm->ProcessBaseImage, &found[1], sizeof found[1]);
    memcpy(&vm->ProcessUtilityImage, &found[2], sizeof found[2]);
    memcpy(&vm->ImportLayer, &found[3], sizeof found[3]);
    return true;
}

static int set_up_utility_vm(const struct import *import, const char *layer, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\UtilityVM", layer);
    cleanup_free wchar_t *wide = wide_from_utf8(path);
    HRESULT code = import->vm.ProcessUtilityImage(wide);
    return FAILED(code) ? failed_with(err, code, "set up the utility VM (ProcessUtilityImage)") : 0;
}

static int set_up_base(const struct import *import, const char *layer, const struct windows_layer_info *info, struct error *err)
{
    cleanup_free char *marker = mem_format("%s\\" SET_UP_FILE, layer);
    cleanup_free wchar_t *wide = wide_from_utf8(layer);
    if (file_exists(marker))
        return 0;
    HRESULT code = import->vm.ProcessBaseImage(wide);
    int failed = FAILED(code) ? failed_with(err, code, "set up the base layer (ProcessBaseImage)") : 0;
    if (failed == 0 && info->has_utility_vm)
        failed = set_up_utility_vm(import, layer, err);
    return failed < 0 ? failed : file_write(marker, bytes_of(NULL, 0), 0600, err);
}

static void free_descriptors(struct layer_descriptor *layers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)layers[i].path);
    free(layers);
}

/* The layers below, the nearest first, as HCS names them: by the last part of their paths. */
static int describe_parents(const struct import *import, char **parents, struct layer_descriptor **out, struct error *err)
{
    struct layer_descriptor *layers = mem_array(import->parent_count + 1, sizeof *layers);
    for (size_t i = 0; i < import->parent_count; i++) {
        wchar_t *path = wide_from_utf8(parents[i]), *name = wcsrchr(path, L'\\');
        layers[i].path = path;
        HRESULT code = import->vm.NameToGuid(name ? name + 1 : path, &layers[i].id);
        if (FAILED(code)) {
            free_descriptors(layers, import->parent_count);
            return failed_with(err, code, "name a layer (NameToGuid)");
        }
    }
    *out = layers;
    return 0;
}

static int import_transport(const struct import *import, char **parents, const char *dest, const char *source, struct error *err)
{
    struct layer_descriptor *layers = NULL;
    cleanup_free char *transport = mem_format("%s\\" WINDOWS_LAYER_TRANSPORT, source);
    cleanup_free wchar_t *wide_dest = wide_from_utf8(dest), *wide_transport = wide_from_utf8(transport);
    int failed = describe_parents(import, parents, &layers, err);
    if (failed < 0)
        return failed;
    HRESULT code = import->vm.ImportLayer(&filter_driver, wide_dest, wide_transport, layers, (ULONG)import->parent_count);
    free_descriptors(layers, import->parent_count);
    return FAILED(code) ? failed_with(err, code, "import it (ImportLayer)") : 0;
}

static int import_child(const struct import *import, char **parents, const char *dest, const char *source,
                        const struct windows_layer_info *info, struct error *err)
{
    struct import_tree tree = {
        .dest = dest, .source = source, .parents = (const char *const *)parents, .parent_count = import->parent_count};
    int failed = import_transport(import, parents, dest, source, err);
    if (failed == 0 && info->has_utility_vm)
        failed = import_utility_vm(&tree, err);
    if (failed == 0)
        failed = import_tombstones(&tree, err);
    if (failed == 0)
        failed = import_links(&tree, err);
    return failed == 0 && info->has_utility_vm ? set_up_utility_vm(import, dest, err) : failed;
}

static int write_marker(const char *dir, const char *chain_id, struct error *err)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    json_add_string(json, "diffID", chain_id);
    json_add_int(json, "sizeBytes", 0); /* counted where it was unpacked */
    cleanup_free char *text = json_print(json), *path = image_layer_marker_path(dir, chain_id);
    return file_write(path, bytes_of_string(text), 0600, err);
}

/* In Windows' own spelling, for its DLLs. */
static char *layer_path(const struct import *import, const char *id)
{
    char *path = image_layer_path(import->task->dir, id);
    for (char *at = path; *at; at++)
        if (*at == '/')
            *at = '\\';
    return path;
}

/* What a crash left of an earlier try is removed first. */
static int import_chained(struct import *import, char **parents, const char *source, const char *chain_id,
                          const struct windows_layer_info *info, struct error *err)
{
    cleanup_free char *dest = layer_path(import, chain_id);
    if (image_layer_present(import->task->dir, chain_id, NULL))
        return 0;
    int failed = layer_remove(dest, err);
    if (failed == 0)
        failed = file_make_dirs(dest, 0755, err);
    if (failed == 0)
        failed = import_child(import, parents, dest, source, info, err);
    if (failed == 0)
        return write_marker(import->task->dir, chain_id, err);
    layer_remove(dest, NULL);
    return failed;
}

static int import_one(struct import *import, const char *diff_id, struct image_chain *chain, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    struct windows_layer_info info;
    char **parents = &import->parents[IMAGE_LAYERS_COUNT - import->parent_count];
    bool is_base = chain->id[0] == '\0';
    image_chain_add(chain, diff_id);
    cleanup_free char *source = layer_path(import, diff_id), *name = mem_format("layer-%s", chain->id + strlen("sha256:"));
    int failed = image_lock_take(&lock, import->task->dir, name, IMAGE_LOCK_EXCLUSIVE, true, err);
    if (failed == 0)
        failed = windows_layer_read(source, &info, err);
    if (failed == 0 && (info.kind == WINDOWS_LAYER_BASE) != is_base)
        failed = error_set(err, ERR_EXISTS, "it is the base layer of one image and lies above another layer in a second one");
    if (failed < 0)
        return failed;
    failed = is_base ? set_up_base(import, source, &info, err) : import_chained(import, parents, source, chain->id, &info, err);
    if (failed == 0) {
        import->parent_count++;
        import->parents[IMAGE_LAYERS_COUNT - import->parent_count] = layer_path(import, chain->id);
    }
    return failed;
}

int layers_import(struct task *task, const struct image_strings *diff_ids, struct error *err)
{
    struct import import = {.task = task};
    struct image_chain chain = {""};
    int failed = 0;
    if (!load(&import.vm)) {
        report_status(NULL, "The layers are not imported: this host has no vmcompute.dll (the feature \"Containers\" is not installed)");
        return 0;
    }
    failed = tree_take_privileges(err);
    for (size_t i = 0; failed == 0 && i < diff_ids->count; i++) {
        failed = import_one(&import, diff_ids->items[i], &chain, err);
        if (failed < 0)
            failed = error_wrap(err, "import layer %s", diff_ids->items[i]);
    }
    for (size_t i = 0; i < import.parent_count; i++)
        free(import.parents[IMAGE_LAYERS_COUNT - 1 - i]);
    return failed;
}
