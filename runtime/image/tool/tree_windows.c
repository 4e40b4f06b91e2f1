/* runtime/image/tool/tree_windows.c – see tree.h; what is left where is in runtime/image/windows_layer.h.
 *
 * An item is the file or directory that the last entry made. It stays open until the next entry, for that may be a stream of it. */
#include "runtime/image/tool/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "base/text.h"
#include "runtime/image/tool/nt_file_windows.h"
#include "runtime/image/tool/tree_parts_windows.h"
#include "runtime/image/windows_layer.h"

const bool tree_wants_windows_meta = true;

static int refuse(struct error *err, const struct layer_path *path, const char *why)
{
    return error_set(err, ERR_INVALID, "entry \"%s%s%s\": %s", path->parent, *path->parent ? "/" : "", path->name, why);
}

static char *whole_name(const struct layer_path *path)
{
    return mem_format("%s%s%s", path->parent, *path->parent && *path->name ? "/" : "", path->name);
}

/* --- opening and closing ------------------------------------------------------------------------------------------------------------- */

static int open_root(struct tree *tree, const char *path, struct error *err)
{
    cleanup_free wchar_t *wide = wide_path(path);
    tree->root = CreateFileW(wide, FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | SYNCHRONIZE,
                             FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                             FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (tree->root == INVALID_HANDLE_VALUE)
        return error_set_windows(err, GetLastError(), "open %s", path);
    if (tree->is_base)
        return 0;
    DWORD code = nt_open(tree->root, WINDOWS_LAYER_TRANSPORT, NT_DIRECTORY, false, &tree->transport);
    if (code == ERROR_SUCCESS)
        return 0;
    tree->transport = NULL;
    return error_set_windows(err, code, "make %s\\" WINDOWS_LAYER_TRANSPORT, path);
}

int tree_open(const char *path, bool is_base, struct tree **out, struct error *err)
{
    struct tree *tree = mem_alloc(sizeof *tree);
    tree->is_base = is_base;
    tree->path = mem_string(path);
    tree->names = windows_names_new(nt_upper_case);
    int failed = tree_take_privileges(err);
    if (failed == 0)
        failed = open_root(tree, path, err);
    if (failed < 0)
        tree_close(tree);
    else
        *out = tree;
    return failed;
}

static void close_handle(HANDLE *handle)
{
    if (*handle && *handle != INVALID_HANDLE_VALUE)
        CloseHandle(*handle);
    *handle = NULL;
}

void tree_close(struct tree *tree)
{
    if (!tree)
        return;
    item_close(&tree->item, NULL);
    close_handle(&tree->parent);
    close_handle(&tree->transport);
    close_handle(&tree->utility_vm);
    close_handle(&tree->root);
    for (size_t i = 0; i < tree->directory_count; i++)
        free(tree->directories[i].path);
    free(tree->directories);
    windows_names_free(tree->names);
    buf_deinit(&tree->tombstones);
    buf_deinit(&tree->links);
    free(tree->path);
    free(tree);
}

/* --- finding the place --------------------------------------------------------------------------------------------------------------- */

/* The tree of the utility VM, in a layer with parents, begins below a directory of its own. */
static int make_utility_vm(struct tree *tree, const struct layer_path *path, struct error *err)
{
    if (tree->is_base || tree->utility_vm)
        return 0;
    DWORD code = nt_open(tree->root, WINDOWS_LAYER_UTILITY_VM, NT_DIRECTORY, false, &tree->utility_vm);
    if (code == ERROR_SUCCESS)
        return 0;
    tree->utility_vm = NULL;
    return fail(err, code, path, "make its directory");
}

/* Where the first part of a path leads: what lies beside Files, Hives and UtilityVM is none of a Windows layer. */
static int enter_area(struct tree *tree, const char *part, const struct layer_path *path, struct error *err)
{
    static const char *const areas[] = {[AREA_FILES] = "Files", [AREA_HIVES] = "Hives", [AREA_UTILITY_VM] = "UtilityVM"};
    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
        if (strcmp(part, areas[i]) == 0) {
            tree->area = (enum area)i;
            return tree->area == AREA_UTILITY_VM ? make_utility_vm(tree, path, err) : 0;
        }
    return refuse(err, path, "it is not below Files, Hives or UtilityVM, as everything in a layer of a Windows image must be");
}

static int check_part(const struct tree *tree, unsigned depth, const char *part, const struct layer_path *path, struct error *err)
{
    if (windows_name_check(part, err) < 0)
        return error_wrap(err, "entry \"%s%s%s\"", path->parent, *path->parent ? "/" : "", path->name);
    if (depth == 1 && tree->area == AREA_UTILITY_VM && strcmp(part, "Files") != 0)
        return refuse(err, path, "below UtilityVM there is only Files");
    if (!tree->is_base && text_ends(part, PLACEHOLDER_SUFFIX))
        return refuse(err, path, "\"" PLACEHOLDER_SUFFIX "\" is a name that Windows' import of layers keeps for itself");
    return 0;
}

static int note(struct tree *tree, const char *part, enum windows_name_kind kind, uint32_t *id, enum windows_name_kind *was,
                const struct layer_path *path, struct error *err)
{
    if (windows_names_enter(tree->names, tree->parent_id, part, kind, id, was, err) == 0)
        return 0;
    return error_wrap(err, "entry \"%s%s%s\"", path->parent, *path->parent ? "/" : "", path->name);
}

/* Is this directory nothing of its own on disk? UtilityVM of a layer with parents is utility-vm itself. */
static bool is_only_a_name(const struct tree *tree, unsigned depth)
{
    return depth == 0 && !tree->is_base && tree->area == AREA_UTILITY_VM;
}

/* One part down from where the tree is. */
static int descend(struct tree *tree, const char *part, const struct layer_path *path, struct error *err)
{
    enum windows_name_kind was;
    HANDLE next = NULL;
    uint32_t id;
    int failed = check_part(tree, tree->parent_depth, part, path, err);
    if (failed == 0 && tree->parent_depth == 0)
        failed = enter_area(tree, part, path, err);
    if (failed == 0)
        failed = note(tree, part, WINDOWS_NAME_DIRECTORY, &id, &was, path, err);
    if (failed < 0)
        return failed;
    if (!is_only_a_name(tree, tree->parent_depth)) {
        DWORD code = nt_open(tree_place(tree), part, NT_DIRECTORY, false, &next);
        if (code != ERROR_SUCCESS)
            return fail(err, code, path, "open its directory");
    }
    close_handle(&tree->parent);
    tree->parent = next;
    tree->parent_id = id;
    tree->parent_depth++;
    return 0;
}

static void leave(struct tree *tree)
{
    close_handle(&tree->parent);
    tree->parent_id = WINDOWS_NAMES_ROOT;
    tree->parent_depth = 0;
    tree->parent_path[0] = '\0';
}

/* Opens the directory that @path lies in, and makes what is missing of it. */
static int enter(struct tree *tree, const struct layer_path *path, struct error *err)
{
    char part[LAYER_PATH_SIZE_BYTES];
    if (strcmp(tree->parent_path, path->parent) == 0)
        return 0;
    leave(tree);
    for (const char *at = path->parent; *at;) {
        size_t length = strcspn(at, "/");
        snprintf(part, sizeof part, "%.*s", (int)length, at);
        int failed = descend(tree, part, path, err);
        if (failed < 0) {
            leave(tree);
            return failed;
        }
        at += length + (at[length] == '/');
    }
    snprintf(tree->parent_path, sizeof tree->parent_path, "%s", path->parent);
    return 0;
}

/* Closes the last item, opens the parent of a new one and checks its name. */
static int begin_entry(struct tree *tree, const struct layer_path *path, struct error *err)
{
    int failed = item_close(&tree->item, err);
    if (failed == 0)
        failed = enter(tree, path, err);
    return failed < 0 ? failed : check_part(tree, tree->parent_depth, path->name, path, err);
}

/* Notes a file or link, and that it is new: no layer has one twice. Only directories are at the top. */
static int note_new(struct tree *tree, const struct layer_path *path, enum windows_name_kind kind, struct error *err)
{
    enum windows_name_kind was;
    uint32_t id;
    if (tree->parent_depth == 0 || (tree->parent_depth == 1 && tree->area == AREA_UTILITY_VM))
        return refuse(err, path, "only the directories Files, Hives and UtilityVM/Files can be there");
    int failed = note(tree, path->name, kind, &id, &was, path, err);
    return failed < 0 || was == WINDOWS_NAME_NONE ? failed : refuse(err, path, "the layer has it twice");
}

/* --- entries ------------------------------------------------------------------------------------------------------------------------- */

static void remember_directory(struct tree *tree, const struct layer_path *path, struct item_times times)
{
    if (tree->directory_count == tree->directory_capacity) {
        tree->directory_capacity = tree->directory_capacity ? tree->directory_capacity * 2 : 64;
        tree->directories = mem_resize(tree->directories, tree->directory_capacity * sizeof *tree->directories);
    }
    tree->directories[tree->directory_count++] = (struct directory){whole_name(path), times};
}

/* Notes the directory, and makes it where what describes it lies beside it. @is_done: there is nothing to describe. */
static int make_directory(struct tree *tree, const struct layer_path *path, bool *is_done, struct error *err)
{
    enum windows_name_kind was;
    uint32_t id;
    HANDLE made;
    int failed = note(tree, path->name, WINDOWS_NAME_DIRECTORY, &id, &was, path, err);
    *is_done = is_only_a_name(tree, tree->parent_depth);
    if (failed < 0 || tree->is_base || *is_done)
        return failed;
    DWORD code = nt_open(tree_place(tree), path->name, NT_DIRECTORY, false, &made);
    if (code != ERROR_SUCCESS)
        return fail(err, code, path, "make a directory");
    CloseHandle(made);
    *is_done = tree->area == AREA_HIVES;
    return 0;
}

int tree_directory(struct tree *tree, const struct layer_path *path, const struct tree_meta *meta, struct error *err)
{
    bool is_done = true;
    if (*path->name == '\0') /* the root is no one's */
        return item_close(&tree->item, err);
    int failed = begin_entry(tree, path, err);
    if (failed == 0 && tree->parent_depth == 0)
        failed = enter_area(tree, path->name, path, err);
    if (failed == 0)
        failed = make_directory(tree, path, &is_done, err);
    if (failed < 0 || is_done)
        return failed;
    if (tree->is_base)
        remember_directory(tree, path, item_times_of(meta, WINDOWS_ATTRIBUTE_DIRECTORY));
    return item_begin(&tree->item, tree, path, tree->is_base ? ITEM_DIRECTORY : ITEM_PLACEHOLDER, meta, err);
}

int tree_symlink(struct tree *tree, const struct layer_path *path, const char *target, const struct tree_meta *meta, struct error *err)
{
    int failed = begin_entry(tree, path, err);
    if (failed == 0 && tree->area == AREA_HIVES)
        failed = refuse(err, path, "a link among the hives");
    if (failed == 0)
        failed = note_new(tree, path, WINDOWS_NAME_LINK, err);
    if (failed < 0)
        return failed;
    bool is_directory = meta->windows->has_attributes && meta->windows->attributes & WINDOWS_ATTRIBUTE_DIRECTORY;
    enum item_kind kind =
        tree->is_base ? (is_directory ? ITEM_DIRECTORY_LINK : ITEM_FILE) : (is_directory ? ITEM_PLACEHOLDER_LINK : ITEM_TRANSPORT);
    if (kind == ITEM_PLACEHOLDER_LINK)
        remember_directory(tree, path, item_times_of(meta, WINDOWS_ATTRIBUTE_DIRECTORY));
    failed = item_begin(&tree->item, tree, path, kind, meta, err);
    return failed < 0 ? failed : item_put_link(&tree->item, path, target, meta, err);
}

static int link_straight(struct tree *tree, const struct layer_path *path, const struct layer_path *target, struct error *err)
{
    HANDLE file;
    int failed = enter(tree, target, err);
    if (failed < 0)
        return failed;
    DWORD code = nt_open(tree->parent, target->name, NT_FILE, false, &file);
    if (code != ERROR_SUCCESS)
        return fail(err, code, path, "open what it is a hard link to");
    failed = enter(tree, path, err);
    code = failed == 0 ? nt_link(file, tree->parent, path->name) : ERROR_SUCCESS;
    CloseHandle(file);
    return code != ERROR_SUCCESS ? fail(err, code, path, "make a hard link") : failed;
}

/* In a layer with parents the target may be in any of them: whoever imports the layer makes the link. */
int tree_hard_link(struct tree *tree, const struct layer_path *path, const struct layer_path *target, struct error *err)
{
    cleanup_free char *name = whole_name(path), *target_name = whole_name(target);
    int failed = begin_entry(tree, path, err);
    if (failed == 0 && (!text_starts(target_name, "Files/") && !text_starts(target_name, "UtilityVM/Files/")))
        failed = refuse(err, path, "a hard link to something that is not below Files or UtilityVM/Files");
    if (failed == 0 && tree->area == AREA_HIVES)
        failed = refuse(err, path, "a hard link among the hives");
    enum windows_name_kind kind = tree_look(tree, target_name);
    bool may_be_below = !tree->is_base && kind == WINDOWS_NAME_NONE;
    if (failed == 0 && (tree_is_behind(tree, target_name) || (kind != WINDOWS_NAME_FILE && !may_be_below)))
        failed = refuse(err, path, "a hard link to what is no file of this layer");
    for (const char *part = target_name; failed == 0 && *part;) {
        cleanup_free char *one = mem_string_n(part, strcspn(part, "/"));
        failed = windows_name_check(one, err);
        part += strlen(one) + (part[strlen(one)] == '/');
    }
    if (failed == 0)
        failed = note_new(tree, path, WINDOWS_NAME_FILE, err);
    if (failed < 0)
        return failed;
    return tree->is_base ? link_straight(tree, path, target, err) : windows_layer_list_add(&tree->links, name, target_name, err);
}

int tree_node(struct tree *tree, const struct layer_path *path, enum tree_node_kind kind, unsigned device_major, unsigned device_minor,
              const struct tree_meta *meta, struct error *err)
{
    (void)tree, (void)kind, (void)device_major, (void)device_minor, (void)meta;
    return refuse(err, path, "a device or pipe has no place in a Windows layer");
}

int tree_whiteout(struct tree *tree, const struct layer_path *path, struct error *err)
{
    cleanup_free char *name = whole_name(path);
    int failed = item_close(&tree->item, err);
    if (failed < 0)
        return failed;
    if (tree->is_base)
        return refuse(err, path, "a whiteout in a base layer, which has nothing below it");
    if (!text_starts(name, "Files/") && !text_starts(name, "UtilityVM/Files/"))
        return refuse(err, path, "a whiteout of something that is not below Files or UtilityVM/Files");
    for (const char *part = name; *part;) {
        cleanup_free char *one = mem_string_n(part, strcspn(part, "/"));
        if (windows_name_check(one, err) < 0)
            return error_wrap(err, "a whiteout");
        part += strlen(one) + (part[strlen(one)] == '/');
    }
    if (text_starts(name, "UtilityVM/")) {
        failed = make_utility_vm(tree, path, err);
        if (failed < 0)
            return failed;
    }
    return windows_layer_list_add(&tree->tombstones, name, NULL, err);
}

int tree_opaque(struct tree *tree, const struct layer_path *path, struct error *err)
{
    (void)tree;
    return refuse(err, path, "a whiteout of a whole directory's content, which Windows' layers do not know");
}

/* --- files and streams --------------------------------------------------------------------------------------------------------------- */

static int begin_stream(struct tree *tree, const struct layer_path *path, int64_t size_bytes, struct error *err)
{
    cleanup_free char *name = whole_name(path);
    char *stream = strrchr(name, '/') ? strchr(strrchr(name, '/'), ':') : strchr(name, ':');
    *stream++ = '\0';
    if (!tree->item.name || strcmp(tree->item.name, name) != 0)
        return refuse(err, path, "a stream that does not come right behind its file");
    if (*stream == '\0' || strpbrk(stream, ":\\"))
        return refuse(err, path, "a stream whose name cannot be");
    return item_put_stream(&tree->item, path, stream, size_bytes, err);
}

int tree_file_begin(struct tree *tree, const struct layer_path *path, int64_t size_bytes, const struct tree_meta *meta, struct error *err)
{
    if (strchr(path->name, ':'))
        return begin_stream(tree, path, size_bytes, err);
    int failed = begin_entry(tree, path, err);
    if (failed == 0)
        failed = note_new(tree, path, WINDOWS_NAME_FILE, err);
    if (failed < 0)
        return failed;
    enum item_kind kind = tree->is_base ? ITEM_FILE : tree->area == AREA_HIVES ? ITEM_PLAIN : ITEM_TRANSPORT;
    failed = item_begin(&tree->item, tree, path, kind, meta, err);
    return failed < 0 ? failed : item_put_content(&tree->item, path, size_bytes, err);
}

int tree_file_write(struct tree *tree, const void *data, size_t size, int64_t offset, struct error *err)
{
    struct item *item = &tree->item;
    if (offset != item->written || (int64_t)size > item->size - item->written)
        return error_set(err, ERR_INVALID, "entry \"%s\": a file with holes, which Windows' layers do not have", item->name);
    item->written += (int64_t)size;
    return item_write(item, bytes_of(data, size), err);
}

int tree_file_end(struct tree *tree, struct error *err)
{
    struct item *item = &tree->item;
    if (item->written == item->size)
        return 0;
    return error_set(err, ERR_INVALID, "entry \"%s\": a file with holes, which Windows' layers do not have", item->name);
}

/* --- the end ------------------------------------------------------------------------------------------------------------------------- */

/* A name that this layer has made is not gone: the file is there instead of the one below. A directory would show what is below it. */
struct tombstones {
    const struct tree *tree;
    struct buf kept;
};

static int keep_tombstone(void *ctx, const char *path, const char *target, struct error *err)
{
    struct tombstones *tombstones = ctx;
    enum windows_name_kind kind = tree_look(tombstones->tree, path);
    (void)target;
    if (tree_is_behind(tombstones->tree, path))
        return error_set(err, ERR_INVALID, "entry \"%s\": a whiteout below a file or link of the same layer", path);
    if (kind == WINDOWS_NAME_DIRECTORY)
        return error_set(err, ERR_INVALID, "entry \"%s\": a directory that is both made and removed in one layer", path);
    return kind == WINDOWS_NAME_NONE ? windows_layer_list_add(&tombstones->kept, path, NULL, err) : 0;
}

static int write_list(const struct tree *tree, const char *name, const struct buf *list, struct error *err)
{
    cleanup_free char *path = mem_format("%s/%s", tree->path, name);
    return list->size == 0 ? 0 : file_write(path, buf_bytes(list), 0600, err);
}

static int write_lists(struct tree *tree, struct error *err)
{
    struct tombstones tombstones = {.tree = tree};
    int failed = windows_layer_list_each(&tree->tombstones, keep_tombstone, &tombstones, err);
    if (failed == 0)
        failed = write_list(tree, WINDOWS_LAYER_TOMBSTONES, &tombstones.kept, err);
    if (failed == 0)
        failed = write_list(tree, WINDOWS_LAYER_LINKS, &tree->links, err);
    buf_deinit(&tombstones.kept);
    return failed;
}

/* A base's directories get their times, which each entry in them changed; of a layer with parents, directories that are links, which had to
 * be missing until now so that nothing could be put behind them, are made. */
static int finish_directories(struct tree *tree, struct error *err)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < tree->directory_count; i++) {
        const struct directory *directory = &tree->directories[i];
        struct layer_path path;
        HANDLE handle;
        failed = layer_path_parse_target(directory->path, &path, err);
        if (failed == 0)
            failed = enter(tree, &path, err);
        if (failed < 0)
            return failed;
        DWORD code = nt_open(tree_place(tree), path.name, tree->is_base ? NT_DIRECTORY : NT_NEW_DIRECTORY, false, &handle);
        if (code != ERROR_SUCCESS)
            return fail(err, code, &path, "open it");
        failed = tree->is_base ? item_set_times(handle, &directory->times, &path, err) : 0;
        CloseHandle(handle);
    }
    return failed;
}

int tree_finish(struct tree *tree, struct error *err)
{
    bool has_utility_vm = tree->is_base ? tree_look(tree, "UtilityVM/Files") == WINDOWS_NAME_DIRECTORY : tree->utility_vm != NULL;
    struct windows_layer_info info = {tree->is_base ? WINDOWS_LAYER_BASE : WINDOWS_LAYER_CHILD, has_utility_vm};
    int failed = item_close(&tree->item, err);
    if (failed == 0 && tree->is_base && tree_look(tree, "Files/Windows/System32") != WINDOWS_NAME_DIRECTORY)
        failed = error_set(err, ERR_UNSUPPORTED, "%s", WINDOWS_LAYER_NO_BASE);
    if (failed == 0)
        failed = finish_directories(tree, err);
    if (failed == 0)
        failed = write_lists(tree, err);
    if (failed == 0)
        failed = windows_layer_write(tree->path, &info, err);
    if (failed == 0)
        tree_flush(tree->path);
    close_handle(&tree->parent);
    return failed;
}
