/* runtime/image/tool/tree.h – a layer's directory being filled from hostile names: nothing done here can touch anything outside it.
 *
 * Every parent directory is opened by the kernel's own rule that the layer's root is "/" (openat2 with RESOLVE_IN_ROOT): a link of an
 * earlier entry that points to "/etc" or "../../etc" leads to the layer's etc. The last part of a name is never followed. What a later
 * entry replaces is removed first, as by Docker: the last one wins.
 *
 * The result has overlayfs' form: a whiteout is a character device 0:0, an opaque directory has trusted.overlay.opaque=y. Kept: owner, mode
 * with setuid, setgid and sticky bits, mtime, hard links, holes, security.capability and user.* attributes. Left out without a word: other
 * attributes (labels of another host's security module mean nothing here, and trusted.overlay.* would speak to overlayfs in our name).
 *
 * On Windows (tree_windows.c) the layer is left as runtime/image/windows_layer.h says. There a name is looked up among those that the layer
 * made before anything is opened, part for part, each relative to the directory before, and no link is followed; what Windows cannot hold
 * is refused (windows_names.h). "file:stream" right behind its file is an alternate data stream. Kept: what windows_meta.h has.
 *
 * Device nodes: under /dev they are left out, for a container always gets a /dev of its own. Elsewhere the harmless ones that every
 * container has anyway (null, zero, full, random, urandom, tty, console, ptmx) are made; any other is refused. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_TREE_H
#define SKEP_RUNTIME_IMAGE_TOOL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/image/tool/path.h"
#include "runtime/image/tool/windows_meta.h"

struct tree;

struct tree_attribute {
    const char *name;
    const void *value;
    size_t size;
};

struct tree_meta {
    uint32_t mode; /* permission bits with setuid, setgid, sticky */
    int64_t uid, gid;
    int64_t mtime_s;
    long mtime_ns;
    const struct tree_attribute *attributes;
    size_t attribute_count;
    const struct windows_meta *windows; /* NULL where tree_wants_windows_meta is false */
};

enum tree_node_kind { TREE_FIFO, TREE_CHARACTER, TREE_BLOCK };

extern const bool tree_wants_windows_meta;

/* @path exists and is empty. @is_base: the layer has no others below it. */
int tree_open(const char *path, bool is_base, struct tree **out, struct error *err);

/* Sets the directories' times and writes everything to disk. The tree is to be closed all the same. */
int tree_finish(struct tree *tree, struct error *err);
void tree_close(struct tree *tree);

/* All: ERR_INVALID naming the entry, ERR_NO_SPACE, ERR_PERMISSION (owners and nodes need root), ERR_IO. Missing parents are made, root's,
 * 0755. */
int tree_directory(struct tree *tree, const struct layer_path *path, const struct tree_meta *meta, struct error *err);
int tree_symlink(struct tree *tree, const struct layer_path *path, const char *target, const struct tree_meta *meta, struct error *err);
int tree_hard_link(struct tree *tree, const struct layer_path *path, const struct layer_path *target, struct error *err);
int tree_node(struct tree *tree, const struct layer_path *path, enum tree_node_kind kind, unsigned device_major, unsigned device_minor,
              const struct tree_meta *meta, struct error *err);
int tree_whiteout(struct tree *tree, const struct layer_path *path, struct error *err);
int tree_opaque(struct tree *tree, const struct layer_path *path, struct error *err); /* of the directory path->parent */

/* One file at a time: begin, any number of writes, end. What is not written of @size_bytes is a hole. @meta is borrowed until the end. */
int tree_file_begin(struct tree *tree, const struct layer_path *path, int64_t size_bytes, const struct tree_meta *meta, struct error *err);
int tree_file_write(struct tree *tree, const void *data, size_t size, int64_t offset, struct error *err);
int tree_file_end(struct tree *tree, struct error *err);

#endif
