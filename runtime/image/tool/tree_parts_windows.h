/* runtime/image/tool/tree_parts_windows.h – what tree_windows.c is made of: the tree's state, and the item that the last entry made. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_TREE_PARTS_WINDOWS_H
#define SKEP_RUNTIME_IMAGE_TOOL_TREE_PARTS_WINDOWS_H

#include <windows.h>

#include "runtime/image/tool/backup_file_windows.h"
#include "runtime/image/tool/tree.h"
#include "runtime/image/tool/windows_names.h"

#define PLACEHOLDER_SUFFIX ".$wcidirs$" /* beside a directory: its attributes and backup stream (hcs.md §5.3) */

#define SETTABLE_ATTRIBUTES                                                                                                                \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_TEMPORARY |         \
     FILE_ATTRIBUTE_OFFLINE | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED)

enum area { AREA_FILES, AREA_HIVES, AREA_UTILITY_VM };

struct item_times {
    LONGLONG created, accessed, written, changed; /* FILETIMEs; 0: not known */
    DWORD attributes;                             /* such as can be set */
};

struct directory {
    char *path;
    struct item_times times;
};

enum item_kind {
    ITEM_NONE,
    ITEM_FILE,             /* real, with its security; a symbolic link to a file too */
    ITEM_DIRECTORY,        /* likewise */
    ITEM_DIRECTORY_LINK,   /* likewise: a junction, or a symbolic link to a directory */
    ITEM_TRANSPORT,        /* a plain file with u32 attributes and a backup stream in it */
    ITEM_PLACEHOLDER,      /* the same beside a directory */
    ITEM_PLACEHOLDER_LINK, /* the same beside a directory that is a link */
    ITEM_PLAIN,            /* the content alone */
};

struct item {
    enum item_kind kind;
    char *name; /* the whole path in the archive; NULL: there is no item */
    HANDLE file;
    struct backup_file backup; /* of the real ones */
    struct item_times times;
    int64_t size, written; /* of the content or stream that is being written */
};

struct tree {
    bool is_base;
    char *path;
    HANDLE root, transport, utility_vm; /* the last two in a layer with parents; utility_vm once it is there */
    HANDLE parent;                      /* the directory the last entry was in; NULL at the top */
    uint32_t parent_id;                 /* among the names */
    unsigned parent_depth;
    char parent_path[LAYER_PATH_SIZE_BYTES];
    enum area area; /* that the parent is in */
    struct windows_names *names;
    struct item item;
    struct directory *directories; /* to be seen to at the end */
    size_t directory_count, directory_capacity;
    struct buf tombstones, links;
};

int fail(struct error *err, DWORD code, const struct layer_path *path, const char *what);

/* The directory on disk that the tree is in: at the top it depends on the area. */
HANDLE tree_place(const struct tree *tree);

/* What @path ("Files/a" or "Files\a") is in this layer; nothing is made. Below a file or link, that file or link. */
enum windows_name_kind tree_look(const struct tree *tree, const char *path);

/* Would one have to go through a file or link of this layer to get there? */
bool tree_is_behind(const struct tree *tree, const char *path);

/* Layers have files of others, access lists and all: that takes an administrator's privileges. ERR_PERMISSION. */
int tree_take_privileges(struct error *err);

/* To the disk. Where the volume cannot be opened, the system writes by itself within seconds. */
void tree_flush(const char *path);

struct item_times item_times_of(const struct tree_meta *meta, DWORD type);
int item_set_times(HANDLE file, const struct item_times *times, const struct layer_path *path, struct error *err);

/* Makes it where the tree is, with what @meta says. @item is closed. */
int item_begin(struct item *item, struct tree *tree, const struct layer_path *path, enum item_kind kind, const struct tree_meta *meta,
               struct error *err);
int item_put_link(struct item *item, const struct layer_path *path, const char *target, const struct tree_meta *meta, struct error *err);
int item_put_content(struct item *item, const struct layer_path *path, int64_t size, struct error *err);
int item_put_stream(struct item *item, const struct layer_path *path, const char *stream, int64_t size, struct error *err);
int item_write(struct item *item, struct bytes data, struct error *err);
int item_close(struct item *item, struct error *err); /* nothing when there is none; @err NULL: its failing does not matter */

#endif
