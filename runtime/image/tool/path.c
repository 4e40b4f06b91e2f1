/* runtime/image/tool/path.c – see path.h. */
#include "runtime/image/tool/path.h"

#include <string.h>

#include "base/text.h"

#define WHITEOUT      ".wh."
#define WHITEOUT_META ".wh..wh."
#define OPAQUE        ".wh..wh..opq"

static int refuse(struct error *err, const char *text, const char *why)
{
    return error_set(err, ERR_INVALID, "entry \"%.200s\": %s", text, why);
}

/* Appends one part to the parent. */
static int descend(struct layer_path *out, const char *text, struct error *err)
{
    size_t have = strlen(out->parent), more = strlen(out->name);
    if (have + 1 + more + 1 > sizeof out->parent)
        return refuse(err, text, "the path is too long");
    if (have > 0)
        out->parent[have++] = '/';
    memcpy(out->parent + have, out->name, more + 1);
    return 0;
}

int layer_path_parse_target(const char *text, struct layer_path *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    for (const char *part = text; *part;) {
        size_t length = strcspn(part, "/");
        const char *next = part + length + (part[length] == '/');
        bool is_empty = length == 0 || (length == 1 && part[0] == '.');
        if (length == 2 && part[0] == '.' && part[1] == '.')
            return refuse(err, text, "\"..\" would lead out of the layer");
        if (length > LAYER_NAME_SIZE_BYTES)
            return refuse(err, text, "a part of the path is too long");
        if (!is_empty) {
            if (out->name[0]) {
                int failed = descend(out, text, err);
                if (failed < 0)
                    return failed;
            }
            memcpy(out->name, part, length);
            out->name[length] = '\0';
        }
        part = next;
    }
    return 0;
}

int layer_path_parse(const char *text, struct layer_path *out, struct error *err)
{
    int failed = layer_path_parse_target(text, out, err);
    if (failed < 0 || !text_starts(out->name, WHITEOUT))
        return failed;
    if (strcmp(out->name, OPAQUE) == 0) {
        out->kind = LAYER_NAME_OPAQUE;
        return 0;
    }
    if (text_starts(out->name, WHITEOUT_META)) {
        out->kind = LAYER_NAME_IGNORED;
        return 0;
    }
    const char *hidden = out->name + strlen(WHITEOUT);
    if (*hidden == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return refuse(err, text, "a whiteout of nothing");
    out->kind = LAYER_NAME_WHITEOUT;
    memmove(out->name, hidden, strlen(hidden) + 1);
    return 0;
}
