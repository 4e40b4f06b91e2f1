/* runtime/image/tool/import_tree_windows.h – what is done to an imported layer that no DLL of Windows does: tombstones, hard links, and the
 * utility VM's files (hcs.md §5.3). Every path is walked part for part, and no link is followed, for layers below may have some. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_IMPORT_TREE_WINDOWS_H
#define SKEP_RUNTIME_IMAGE_TOOL_IMPORT_TREE_WINDOWS_H

#include <stddef.h>

#include "base/error.h"

struct import_tree {
    const char *dest;           /* the imported layer */
    const char *source;         /* what the tool left: transport and lists */
    const char *const *parents; /* the layers below, the nearest first */
    size_t parent_count;
};

int import_tombstones(const struct import_tree *tree, struct error *err);
int import_links(const struct import_tree *tree, struct error *err);
int import_utility_vm(const struct import_tree *tree, struct error *err);

#endif
