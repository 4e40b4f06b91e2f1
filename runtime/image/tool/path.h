/* runtime/image/tool/path.h – names inside a layer's archive, before anything is done with them. Pure.
 *
 * A name is always taken from the layer's root: a leading '/' is dropped, as Docker does, because some builders write one. A ".." anywhere
 * is refused: no builder needs it. What remains cannot leave the root by itself; that no link leads out is tree.h's part. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_PATH_H
#define SKEP_RUNTIME_IMAGE_TOOL_PATH_H

#include "base/error.h"

#define LAYER_PATH_SIZE_BYTES 4096 /* Linux' PATH_MAX */
#define LAYER_NAME_SIZE_BYTES                                                                                                              \
    1535 /* one part of it: on Windows, 255 characters and a stream's name; Linux refuses more than 255 bytes itself */

enum layer_name_kind {
    LAYER_NAME_PLAIN,
    LAYER_NAME_WHITEOUT, /* ".wh.x": x of the layers below is gone */
    LAYER_NAME_OPAQUE,   /* ".wh..wh..opq": everything below in this directory is gone */
    LAYER_NAME_IGNORED,  /* other ".wh..wh.…": notes that AUFS kept for itself */
};

struct layer_path {
    char parent[LAYER_PATH_SIZE_BYTES];   /* "" for the root, else "usr/bin": no '/' at either end */
    char name[LAYER_NAME_SIZE_BYTES + 1]; /* the last part, without ".wh." for a whiteout; "" for the root itself */
    enum layer_name_kind kind;
};

/* ERR_INVALID, naming the entry and what is wrong with it. */
int layer_path_parse(const char *text, struct layer_path *out, struct error *err);

/* The same for a hard link's target: no whiteout meaning. */
int layer_path_parse_target(const char *text, struct layer_path *out, struct error *err);

#endif
