/* runtime/image/tool/layer.c – see layer.h. */
#include "runtime/image/tool/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "runtime/image/reference.h"
#include "runtime/image/tool/remove.h"
#include "runtime/image/tool/report.h"
#include "runtime/image/tool/tree.h"
#include "runtime/image/tool/unpack.h"
#include "runtime/image/windows_layer.h"

void short_id(const char *digest, char out[13])
{
    snprintf(out, 13, "%.12s", digest + strlen("sha256:"));
}

struct progress {
    struct task *task;
    const char *shown;
    uint64_t last_ns;
};

static int on_progress(void *ctx, uint64_t current, uint64_t total, struct error *err)
{
    struct progress *progress = ctx;
    report_progress(progress->shown, "Extracting", current, total, &progress->last_ns);
    return atomic_load(&progress->task->is_canceled) ? error_set(err, ERR_CANCELED, "given up") : 0;
}

static int write_marker(const char *dir, const char *diff_id, uint64_t size_bytes, struct error *err)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    json_add_string(json, "diffID", diff_id);
    json_add_int(json, "sizeBytes", (int64_t)size_bytes);
    cleanup_free char *text = json_print(json), *path = image_layer_marker_path(dir, diff_id);
    return file_write(path, bytes_of_string(text), 0600, err);
}

/* A directory without its marker is what a crash between the two left; a marker of another layer would need two diff ids that share 64
 * bits. */
static int clear_place(const char *dir, const char *diff_id, struct error *err)
{
    cleanup_free char *marker = image_layer_marker_path(dir, diff_id), *path = image_layer_path(dir, diff_id);
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *json = NULL;
    if (file_exists(path) && file_read(marker, 4 * KIB, &text, NULL) == 0 && json_parse(buf_bytes(&text), 4 * KIB, &json, NULL) == 0 &&
        strcmp(json_string(json, "diffID", diff_id), diff_id) != 0)
        return error_set(err, ERR_EXISTS, "layer %s: its short name is taken by layer %.80s", diff_id, json_string(json, "diffID", ""));
    int failed = file_remove(marker, err);
    return failed < 0 ? failed : layer_remove(path, err);
}

/* tmp/<random>, where the layer grows. */
static int make_place(const char *dir, char **out, struct error *err)
{
    struct random random = random_system();
    uint8_t bytes[8];
    char hex[2 * sizeof bytes + 1];
    random_fill(&random, bytes, sizeof bytes);
    encode_hex(bytes_of(bytes, sizeof bytes), hex);
    *out = mem_format("%s/tmp/%s", dir, hex);
    return file_make_dirs(*out, 0755, err);
}

static int unpack_into_place(struct task *task, struct unpack *unpack, struct error *err)
{
    cleanup_free char *place = NULL, *path = image_layer_path(task->dir, unpack->diff_id);
    int failed = clear_place(task->dir, unpack->diff_id, err);
    if (failed == 0)
        failed = make_place(task->dir, &place, err);
    if (failed < 0)
        return failed;
    unpack->directory = place;
    failed = unpack_layer(unpack, err);
    if (failed == 0)
        failed = file_rename(place, path, err);
    if (failed == 0)
        return write_marker(task->dir, unpack->diff_id, unpack->size_bytes, err);
    layer_remove(place, NULL);
    return failed;
}

/* A base and what lies above one are left in two forms. */
static int check_kind(const struct task *task, const struct layer_source *source, struct error *err)
{
    cleanup_free char *path = image_layer_path(task->dir, source->diff_id);
    struct windows_layer_info info;
    if (!tree_wants_windows_meta)
        return 0;
    int failed = windows_layer_read(path, &info, err);
    if (failed == 0 && (info.kind == WINDOWS_LAYER_BASE) != source->is_base)
        return error_set(err, ERR_EXISTS, "it is the base layer of one image and lies above another layer in a second one");
    return failed;
}

int layer_unpack(struct task *task, const struct layer_source *source, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    const char *digest = source->digest, *diff_id = source->diff_id;
    cleanup_free char *blob = image_blob_path(task->dir, digest), *name = mem_format("layer-%s", diff_id + strlen("sha256:"));
    struct progress progress = {.task = task, .shown = source->shown};
    struct unpack unpack = {.blob = blob,
                            .diff_id = diff_id,
                            .is_base = source->is_base,
                            .is_dry = !source->is_unpacked_here,
                            .on_progress = on_progress,
                            .ctx = &progress};
    if (!source->is_unpacked_here)
        return unpack_layer(&unpack, err) < 0 ? error_wrap(err, "layer %s", digest) : 0;
    int failed = image_lock_take(&lock, task->dir, name, IMAGE_LOCK_EXCLUSIVE, true, err);
    if (failed < 0)
        return failed;
    failed = image_layer_present(task->dir, diff_id, NULL) ? check_kind(task, source, err) : unpack_into_place(task, &unpack, err);
    return failed < 0 ? error_wrap(err, "layer %s", digest) : 0;
}

int layers_check(size_t count, bool is_unpacked_here, struct error *err)
{
    return is_unpacked_here && tree_wants_windows_meta && count == 0 ? error_set(err, ERR_UNSUPPORTED, "%s", WINDOWS_LAYER_NO_BASE) : 0;
}

/* --- the list ------------------------------------------------------------------------------------------------------------------------ */

static bool is_same_platform(const struct image_record *a, const struct image_record *b)
{
    return text_equal(a->platform.os, b->platform.os) && text_equal(a->platform.architecture, b->platform.architecture);
}

static bool is_same_line(const struct image_record *a, const struct image_record *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->config, b->config) == 0 && strcmp(a->manifest, b->manifest) == 0 &&
           strcmp(a->served, b->served) == 0;
}

/* Takes the name from whoever has it. One that has other names simply loses the line; one that has none keeps it without a name. */
static void free_name(struct image_records *records, const struct image_record *record)
{
    for (size_t i = 0; i < records->count; i++) {
        struct image_record *other = &records->items[i];
        if (strcmp(other->name, record->name) != 0 || !is_same_platform(other, record))
            continue;
        bool has_another = strcmp(other->config, record->config) == 0;
        for (size_t k = 0; k < records->count && !has_another; k++)
            has_another = k != i && strcmp(records->items[k].config, other->config) == 0;
        if (has_another)
            image_records_drop(records, i--);
        else
            other->name = "";
    }
}

/* The new line takes the place of nameless ones of the same image. */
static void drop_nameless(struct image_records *records, const struct image_record *record)
{
    for (size_t i = 0; i < records->count; i++)
        if (!*records->items[i].name && strcmp(records->items[i].config, record->config) == 0)
            image_records_drop(records, i--);
}

int image_enlist(struct task *task, const struct image_record *record, bool *was_there, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    cleanup_image_records struct image_records records = {0};
    int failed = image_lock_take(&lock, task->dir, "index", IMAGE_LOCK_EXCLUSIVE, true, err);
    if (failed == 0)
        failed = image_records_read(task->dir, &records, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < records.count; i++)
        if (is_same_line(&records.items[i], record)) {
            if (was_there)
                *was_there = true;
            return 0;
        }
    if (*record->name) {
        free_name(&records, record);
        drop_nameless(&records, record);
    } else {
        for (size_t i = 0; i < records.count; i++)
            if (strcmp(records.items[i].config, record->config) == 0)
                return 0;
    }
    image_records_add(&records, record);
    return image_records_write(task->dir, &records, err);
}

/* --- the hold on the store ----------------------------------------------------------------------------------------------------------- */

static void sweep(const char *dir)
{
    cleanup_free char *tmp = mem_format("%s/tmp", dir);
    uv_fs_t req;
    uv_dirent_t entry;
    if (uv_fs_scandir(NULL, &req, tmp, 0, NULL) > 0)
        while (uv_fs_scandir_next(&req, &entry) != UV_EOF) {
            cleanup_free char *path = mem_format("%s/%s", tmp, entry.name);
            struct error err = {0};
            if (layer_remove(path, &err) < 0)
                fprintf(stderr, "skep-image: %s\n", err.message);
        }
    uv_fs_req_cleanup(&req);
}

int store_enter(struct task *task, struct image_lock *lock, struct error *err)
{
    int failed = image_layout_make(task->dir, err);
    if (failed < 0)
        return failed;
    if (image_lock_take(lock, task->dir, "gc", IMAGE_LOCK_EXCLUSIVE, false, NULL) == 0)
        sweep(task->dir);
    return image_lock_take(lock, task->dir, "gc", IMAGE_LOCK_SHARED, true, err);
}
