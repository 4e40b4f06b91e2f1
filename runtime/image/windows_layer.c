/* runtime/image/windows_layer.c – see windows_layer.h. */
#include "runtime/image/windows_layer.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#define LAYER_FILE    "layer.json"
#define LAYER_VERSION 1

int windows_layer_read(const char *dir, struct windows_layer_info *out, struct error *err)
{
    cleanup_free char *path = mem_format("%s/" LAYER_FILE, dir);
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *json = NULL;
    int failed = file_read(path, 4 * KIB, &text, err);
    if (failed < 0)
        return failed;
    if (json_parse(buf_bytes(&text), 4 * KIB, &json, NULL) < 0)
        return error_set(err, ERR_CORRUPT, "%s is damaged", path);
    int64_t version = json_int(json, "version", 0);
    const char *kind = json_string(json, "kind", "");
    if (version != LAYER_VERSION)
        return error_set(err, ERR_VERSION, "%s has version %lld, this program knows %d", path, (long long)version, LAYER_VERSION);
    if (!text_equal(kind, "base") && !text_equal(kind, "child"))
        return error_set(err, ERR_CORRUPT, "%s: no such kind of layer: \"%.40s\"", path, kind);
    out->kind = text_equal(kind, "base") ? WINDOWS_LAYER_BASE : WINDOWS_LAYER_CHILD;
    out->has_utility_vm = json_bool(json, "utilityVM", false);
    return 0;
}

int windows_layer_write(const char *dir, const struct windows_layer_info *info, struct error *err)
{
    cleanup_free char *path = mem_format("%s/" LAYER_FILE, dir);
    cleanup_json cJSON *json = cJSON_CreateObject();
    json_add_int(json, "version", LAYER_VERSION);
    json_add_string(json, "kind", info->kind == WINDOWS_LAYER_BASE ? "base" : "child");
    cJSON_AddBoolToObject(json, "utilityVM", info->has_utility_vm);
    cleanup_free char *text = json_print(json);
    return file_write(path, bytes_of_string(text), 0600, err);
}

/* --- the lists ----------------------------------------------------------------------------------------------------------------------- */

int windows_layer_list_add(struct buf *list, const char *path, const char *target, struct error *err)
{
    cleanup_free char *line = mem_format("%s%s%s\n", path, target ? "\t" : "", target ? target : "");
    for (char *at = line; *at; at++)
        if (*at == '/')
            *at = '\\';
    if (list->size + strlen(line) > WINDOWS_LAYER_LIST_BYTES)
        return error_set(err, ERR_LIMIT, "the names of the layer's %s take more than %u bytes", target ? "hard links" : "whiteouts",
                         WINDOWS_LAYER_LIST_BYTES);
    buf_append_string(list, line);
    return 0;
}

int windows_layer_list_each(struct buf *list, int (*on_line)(void *ctx, const char *path, const char *target, struct error *err), void *ctx,
                            struct error *err)
{
    char *at = (char *)list->data, *end = at + list->size;
    while (at < end) {
        char *line = at, *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            return error_set(err, ERR_CORRUPT, "its last line is not whole");
        *line_end = '\0';
        at = line_end + 1;
        char *target = strchr(line, '\t');
        if (target)
            *target++ = '\0';
        int failed = on_line(ctx, line, target, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static int read_list(const char *dir, const char *name, struct buf *out, struct error *err)
{
    cleanup_free char *path = mem_format("%s/%s", dir, name);
    return file_exists(path) ? file_read(path, WINDOWS_LAYER_LIST_BYTES, out, err) : 0;
}

struct visit {
    const char *dir;
    int (*on_path)(void *ctx, const char *path, struct error *err);
    int (*on_link)(void *ctx, const char *path, const char *target, struct error *err);
    void *ctx;
};

static int visit_tombstone(void *ctx, const char *path, const char *target, struct error *err)
{
    const struct visit *visit = ctx;
    if (target)
        return error_set(err, ERR_CORRUPT, "%s/" WINDOWS_LAYER_TOMBSTONES " is damaged", visit->dir);
    return visit->on_path(visit->ctx, path, err);
}

static int visit_link(void *ctx, const char *path, const char *target, struct error *err)
{
    const struct visit *visit = ctx;
    if (!target)
        return error_set(err, ERR_CORRUPT, "%s/" WINDOWS_LAYER_LINKS " is damaged", visit->dir);
    return visit->on_link(visit->ctx, path, target, err);
}

int windows_layer_tombstones(const char *dir, int (*on_path)(void *ctx, const char *path, struct error *err), void *ctx, struct error *err)
{
    struct visit visit = {.dir = dir, .on_path = on_path, .ctx = ctx};
    cleanup_buf struct buf list = {0};
    int failed = read_list(dir, WINDOWS_LAYER_TOMBSTONES, &list, err);
    return failed < 0 ? failed : windows_layer_list_each(&list, visit_tombstone, &visit, err);
}

int windows_layer_links(const char *dir, int (*on_link)(void *ctx, const char *path, const char *target, struct error *err), void *ctx,
                        struct error *err)
{
    struct visit visit = {.dir = dir, .on_link = on_link, .ctx = ctx};
    cleanup_buf struct buf list = {0};
    int failed = read_list(dir, WINDOWS_LAYER_LINKS, &list, err);
    return failed < 0 ? failed : windows_layer_list_each(&list, visit_link, &visit, err);
}
