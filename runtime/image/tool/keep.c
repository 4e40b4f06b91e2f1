/* runtime/image/tool/keep.c – see keep.h. */
#include "runtime/image/tool/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/chain.h"
#include "runtime/image/lock.h"
#include "runtime/image/reference.h"
#include "runtime/image/spec.h"
#include "runtime/image/tool/blob.h"
#include "runtime/image/tool/remove.h"

struct needed {
    char *name; /* a blob's hex digest, or a layer's short name */
    UT_hash_handle hh;
};

static void need(struct needed **set, const char *name)
{
    struct needed *found;
    HASH_FIND_STR(*set, name, found);
    if (found)
        return;
    found = mem_alloc(sizeof *found);
    found->name = mem_string(name);
    HASH_ADD_KEYPTR(hh, *set, found->name, strlen(found->name), found);
}

static bool is_needed(struct needed *set, const char *name)
{
    struct needed *found;
    HASH_FIND_STR(set, name, found);
    return found != NULL;
}

static void set_free(struct needed **set)
{
    struct needed *each, *next;
    HASH_ITER (hh, *set, each, next) {
        HASH_DEL(*set, each);
        free(each->name);
        free(each);
    }
}

static void need_blob(struct needed **set, const char *digest)
{
    need(set, digest + strlen("sha256:"));
}

static int need_manifest(struct task *task, const struct image_record *record, struct needed **set, struct error *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_arena struct arena arena = {0};
    struct image_document document;
    int failed = blob_read(task->dir, record->manifest, IMAGE_MANIFEST_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_document_parse(buf_bytes(&text), &arena, &document, err);
    for (size_t i = 0; failed == 0 && i < document.count; i++)
        need_blob(set, document.items[i].digest);
    return failed;
}

static int need_config(struct task *task, const struct image_record *record, struct needed **set, struct error *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_arena struct arena arena = {0};
    struct image_spec spec;
    char name[IMAGE_LAYER_NAME_SIZE_CHARS + 1];
    struct image_chain chain = {""};
    int failed = blob_read(task->dir, record->config, IMAGE_CONFIG_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_spec_parse(buf_bytes(&text), &arena, &spec, err);
    for (size_t i = 0; failed == 0 && i < spec.diff_ids.count; i++) {
        image_layer_name(spec.diff_ids.items[i], name);
        need(set, name);
        image_chain_add(&chain, spec.diff_ids.items[i]);
        image_layer_name(chain.id, name);
        need(set, name);
    }
    return failed;
}

static void need_image(struct task *task, const struct image_record *record, struct needed **set)
{
    struct error err = {0};
    need_blob(set, record->manifest);
    need_blob(set, record->config);
    if (image_digest_is_valid(record->served))
        need_blob(set, record->served);
    if (need_manifest(task, record, set, &err) < 0 || need_config(task, record, set, &err) < 0)
        fprintf(stderr, "skep-image: image %s is damaged, pull or load it again: %s\n", record->config, err.message);
}

static uint64_t size_of(const char *path, int64_t *mtime_s)
{
    uv_fs_t req;
    uint64_t size = uv_fs_lstat(NULL, &req, path, NULL) == 0 ? req.statbuf.st_size : 0;
    *mtime_s = (int64_t)req.statbuf.st_mtim.tv_sec;
    uv_fs_req_cleanup(&req);
    return size;
}

struct sweep {
    struct task *task;
    struct needed *needed;
    uint64_t *freed_bytes;
};

typedef int (*sweep_cb)(struct sweep *sweep, const char *name, const char *path, struct error *err);

static int each_entry(struct sweep *sweep, const char *folder, sweep_cb visit, struct error *err)
{
    cleanup_free char *dir = mem_format("%s/%s", sweep->task->dir, folder);
    uv_fs_t req;
    uv_dirent_t entry;
    int result = uv_fs_scandir(NULL, &req, dir, 0, NULL);
    if (result < 0)
        error_set_uv(err, result, "read %s", dir);
    else
        result = 0;
    while (result == 0 && uv_fs_scandir_next(&req, &entry) != UV_EOF) {
        cleanup_free char *path = mem_format("%s/%s", dir, entry.name);
        result = visit(sweep, entry.name, path, err);
    }
    uv_fs_req_cleanup(&req);
    return result < 0 ? err->code : 0;
}

static int visit_blob(struct sweep *sweep, const char *name, const char *path, struct error *err)
{
    int64_t ignored;
    if (is_needed(sweep->needed, name))
        return 0;
    *sweep->freed_bytes += size_of(path, &ignored);
    return file_remove(path, err);
}

/* The marker goes first: without it the directory counts for nothing. */
static int visit_marker(struct sweep *sweep, const char *name, const char *path, struct error *err)
{
    cleanup_free char *layer = mem_string(name);
    size_t length = strlen(layer);
    if (!text_ends(layer, ".json"))
        return 0;
    layer[length - strlen(".json")] = '\0';
    if (is_needed(sweep->needed, layer))
        return 0;
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *marker = NULL;
    if (file_read(path, 4 * KIB, &text, NULL) == 0 && json_parse(buf_bytes(&text), 4 * KIB, &marker, NULL) == 0)
        *sweep->freed_bytes += (uint64_t)json_int(marker, "sizeBytes", 0);
    return file_remove(path, err);
}

static int visit_layer(struct sweep *sweep, const char *name, const char *path, struct error *err)
{
    return text_ends(name, ".json") || is_needed(sweep->needed, name) ? 0 : layer_remove(path, err);
}

static int visit_partial(struct sweep *sweep, const char *name, const char *path, struct error *err)
{
    (void)name;
    int64_t mtime_s = 0;
    struct clock clock = clock_system();
    uint64_t size = size_of(path, &mtime_s);
    if (clock_wall_ns(&clock) / (int64_t)NS_PER_S - mtime_s < IMAGE_PARTIAL_AGE_S)
        return 0;
    *sweep->freed_bytes += size;
    return file_remove(path, err);
}

/* Nobody else is at work, so nobody holds or waits for these, but for the pins. */
static int visit_lock(struct sweep *sweep, const char *name, const char *path, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    struct error ignored;
    static const char *const lasting[] = {"daemon", "gc", "index", "pins"};
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        if (strcmp(name, lasting[i]) == 0)
            return 0;
    if (text_starts(name, "use-") && image_lock_take(&lock, sweep->task->dir, name, IMAGE_LOCK_EXCLUSIVE, false, &ignored) < 0)
        return 0;
    return file_remove(path, err);
}

int store_collect(struct task *task, const struct image_records *records, uint64_t *freed_bytes, struct error *err)
{
    struct sweep sweep = {.task = task, .freed_bytes = freed_bytes};
    static const struct {
        const char *folder;
        sweep_cb visit;
    } steps[] = {
        {"layers", visit_marker}, {"layers", visit_layer}, {"blobs/sha256", visit_blob}, {"partial", visit_partial}, {"locks", visit_lock}};
    for (size_t i = 0; i < records->count; i++)
        need_image(task, &records->items[i], &sweep.needed);
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < sizeof steps / sizeof *steps; i++)
        failed = each_entry(&sweep, steps[i].folder, steps[i].visit, err);
    set_free(&sweep.needed);
    return failed;
}
