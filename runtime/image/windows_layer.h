/* runtime/image/windows_layer.h – a layer of a Windows image as it is unpacked into the store, before Windows' own DLLs make of it what
 * containers run on (hcs.md §5.3, §5.4; runtime/image/tool/import.h). Pure but for reading files.
 *
 * The first layer of an image is its base; its tree is written straight, and only the set-up is missing. What lies above is left as a
 * transport tree: a layer's true form depends on the layers below it, and one diff id may lie above different ones. So a base is set up in
 * its place, and a layer with parents is imported once per chain of parents.
 *
 *     layers/<diff id>/layer.json          {"version":1,"kind":"base"|"child","utilityVM":true}
 *
 *     kind "base":
 *         Files\, Hives\, UtilityVM\Files\  with attributes, security descriptors, streams, links and times
 *         set-up                            once ProcessBaseImage(), and with utilityVM ProcessUtilityImage(UtilityVM), have been here
 *
 *     kind "child":
 *         transport\Files\, \Hives\        what ImportLayer() takes: a file is a u32 of attributes and a backup stream; beside a directory
 *                                           stands such a file "<directory>.$wcidirs$"; hives are plain
 *         utility-vm\Files\                the same form; nothing if utilityVM is false. No DLL takes it
 *         tombstones.txt, links.txt         read with the functions below; files that are not there are empty
 *
 *     layers/<chain id>/                    a child imported, in four steps:
 *         1. ImportLayer()
 *         2. with utilityVM, the nearest UtilityVM\Files of those below is cloned by hard links, but for what set-up changes, and written
 *            over
 *         3. tombstones are deleted; hard links are made, their targets in the layer itself or the nearest below
 *         4. with utilityVM, ProcessUtilityImage()
 *
 * Names are image_layer_name()'s, and each has its marker beside it (image.h). image_find() gives those that containers run on. What was
 * set up is removed by HcsDestroyLayer() only (runtime/image/tool/remove.h). */
#ifndef SKEP_RUNTIME_IMAGE_WINDOWS_LAYER_H
#define SKEP_RUNTIME_IMAGE_WINDOWS_LAYER_H

#include <stdbool.h>

#include "base/buf.h"

#define WINDOWS_LAYER_TRANSPORT  "transport"
#define WINDOWS_LAYER_UTILITY_VM "utility-vm"
#define WINDOWS_LAYER_TOMBSTONES "tombstones.txt"
#define WINDOWS_LAYER_LINKS      "links.txt"

/* What is said of an image that stands on nothing. */
#define WINDOWS_LAYER_NO_BASE                                                                                                              \
    "the image has no Windows base layer (no Files/Windows/System32 in its lowest layer): on Windows, an image cannot be built FROM "      \
    "scratch; "                                                                                                                            \
    "build it FROM a base image of Windows, like mcr.microsoft.com/windows/nanoserver"

enum windows_layer_kind { WINDOWS_LAYER_BASE, WINDOWS_LAYER_CHILD };

struct windows_layer_info {
    enum windows_layer_kind kind;
    bool has_utility_vm;
};

/* Of the layer in @dir. ERR_NOT_FOUND: it is none of Windows; ERR_CORRUPT, ERR_VERSION, ERR_IO. */
int windows_layer_read(const char *dir, struct windows_layer_info *out, struct error *err);
int windows_layer_write(const char *dir, const struct windows_layer_info *info, struct error *err);

/* Every path is relative to the layer's root: "Files\Windows\x". A callback's error ends it and is returned. */
int windows_layer_tombstones(const char *dir, int (*on_path)(void *ctx, const char *path, struct error *err), void *ctx, struct error *err);
int windows_layer_links(const char *dir, int (*on_link)(void *ctx, const char *path, const char *target, struct error *err), void *ctx,
                        struct error *err);

/* The lists' own form, a line each: "Files\x\n", "Files\x\tFiles\y\n". Neither a tab nor a line's end can be in a name of Windows.
 * ERR_LIMIT beyond WINDOWS_LAYER_LIST_BYTES. */
int windows_layer_list_add(struct buf *list, const char *path, const char *target, struct error *err); /* @target NULL: a tombstone */
/* Over the text of a list; @target is NULL in a list of tombstones. The text is changed. */
int windows_layer_list_each(struct buf *list, int (*on_line)(void *ctx, const char *path, const char *target, struct error *err), void *ctx,
                            struct error *err);

#endif
