/* runtime/image/tool/manage.c – the store's list: tag, remove, garbage collection, list, verify. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/layout.h"
#include "runtime/image/lock.h"
#include "runtime/image/lookup.h"
#include "runtime/image/platform.h"
#include "runtime/image/reference.h"
#include "runtime/image/spec.h"
#include "runtime/image/tool/blob.h"
#include "runtime/image/tool/keep.h"
#include "runtime/image/tool/layer.h"
#include "runtime/image/tool/report.h"
#include "runtime/image/tool/unpack.h"

/* The list, with the right to change it. */
struct listing {
    struct image_lock lock, pins;
    struct image_records records;
};

static int listing_open(struct task *task, struct listing *listing, struct error *err)
{
    int failed = image_layout_make(task->dir, err);
    if (failed == 0)
        failed = image_lock_take(&listing->lock, task->dir, "index", IMAGE_LOCK_EXCLUSIVE, true, err);
    return failed < 0 ? failed : image_records_read(task->dir, &listing->records, err);
}

/* With the right to drop images as well. */
static int listing_open_to_drop(struct task *task, struct listing *listing, struct error *err)
{
    int failed = image_layout_make(task->dir, err);
    if (failed == 0)
        failed = image_lock_take(&listing->pins, task->dir, "pins", IMAGE_LOCK_EXCLUSIVE, true, err);
    return failed < 0 ? failed : listing_open(task, listing, err);
}

static void listing_close(struct listing *listing)
{
    image_records_deinit(&listing->records);
    image_lock_drop(&listing->pins);
    image_lock_drop(&listing->lock);
}

/* What is removed by hand under a running daemon could be what its containers use: it alone knows. */
static int check_daemon(struct task *task, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    if (task->is_daemons)
        return 0;
    int failed = image_lock_take(&lock, task->dir, "daemon", IMAGE_LOCK_EXCLUSIVE, false, err);
    return failed == ERR_AGAIN
               ? error_set(err, ERR_PRECONDITION, "a running skepd uses this store: ask it (`skep rmi`, `skep image prune`)")
               : failed;
}

/* Holds true until the listing is closed: nobody pins an image meanwhile. */
static bool is_in_use(const struct task *task, const char *id)
{
    cleanup_image_lock struct image_lock lock = {0};
    char name[IMAGE_USE_LOCK_SIZE_CHARS];
    struct error ignored;
    for (size_t i = 0; i < task->in_use.count; i++)
        if (strcmp(task->in_use.items[i], id) == 0)
            return true;
    image_use_lock_name(id, name);
    return image_lock_take(&lock, task->dir, name, IMAGE_LOCK_EXCLUSIVE, false, &ignored) < 0;
}

/* What a reference means: one line by its name, or an image by its id. */
struct meaning {
    size_t at;
    bool by_name;
};

static int find_meaning(const struct image_records *records, const char *text, struct meaning *out, struct error *err)
{
    struct image_reference reference;
    if (image_reference_parse(text, &reference, NULL) == 0) {
        cleanup_free char *full = image_reference_full(&reference);
        for (size_t i = 0; i < records->count; i++)
            if (image_record_is_named(&records->items[i], &reference, full)) {
                *out = (struct meaning){i, true};
                return 0;
            }
    }
    int at;
    int failed = image_records_find_id(records, text, &at, err);
    if (failed == 0 && at < 0)
        failed = image_not_found(text, NULL, err);
    if (failed == 0)
        *out = (struct meaning){(size_t)at, false};
    return failed;
}

static char *shown_name(const struct image_record *record)
{
    struct image_reference reference;
    return image_reference_parse(record->name, &reference, NULL) == 0 ? image_reference_familiar(&reference) : mem_string(record->name);
}

/* --- tag ----------------------------------------------------------------------------------------------------------------------------- */

int image_task_tag(struct task *task, struct error *err)
{
    struct listing listing = {0};
    struct image_reference reference;
    struct meaning meaning;
    struct image_record record = {0};
    int failed = image_reference_parse(task->name, &reference, err);
    if (failed == 0 && reference.digest[0])
        failed = error_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
    if (failed < 0)
        return failed;
    cleanup_free char *full = image_reference_full(&reference);
    failed = listing_open(task, &listing, err);
    if (failed == 0)
        failed = find_meaning(&listing.records, task->reference, &meaning, err);
    if (failed == 0) {
        record = listing.records.items[meaning.at];
        record.name = full;
        record.served = record.repository = "";
        image_lock_drop(&listing.lock); /* image_enlist takes it itself */
        failed = image_enlist(task, &record, NULL, err);
    }
    if (failed == 0) {
        cJSON *result = cJSON_CreateObject();
        json_add_string(result, "id", record.config);
        report_result(result);
    }
    listing_close(&listing);
    return failed;
}

/* --- remove -------------------------------------------------------------------------------------------------------------------------- */

static void add_line(cJSON *list, const char *key, const char *value)
{
    cJSON *item = cJSON_CreateObject();
    json_add_string(item, key, value);
    cJSON_AddItemToArray(list, item);
    report_status(NULL, "%s: %s", key, value);
}

static size_t lines_of(const struct image_records *records, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++)
        count += strcmp(records->items[i].config, id) == 0;
    return count;
}

/* Takes the name of line @at. The last line of an image that is in use stays, without a name. */
static void untag(struct task *task, struct image_records *records, size_t at, cJSON *result)
{
    struct image_record *record = &records->items[at];
    const char *id = record->config;
    bool is_last = lines_of(records, id) == 1;
    if (*record->name) {
        cleanup_free char *shown = shown_name(record);
        add_line(result, "Untagged", shown);
    }
    if (is_last && is_in_use(task, id)) {
        record->name = "";
        return;
    }
    image_records_drop(records, at);
    if (is_last)
        add_line(result, "Deleted", id);
}

static int check_removable(struct task *task, const struct image_records *records, const struct meaning *meaning, struct error *err)
{
    const char *id = records->items[meaning->at].config;
    size_t lines = lines_of(records, id);
    if (task->force)
        return 0;
    if (is_in_use(task, id) && (!meaning->by_name || lines == 1))
        return error_set(err, ERR_PRECONDITION, "conflict: unable to remove %.300s (must force): a container uses its image %.12s",
                         task->reference, id + strlen("sha256:"));
    if (!meaning->by_name && lines > 1)
        return error_set(err, ERR_PRECONDITION, "conflict: unable to delete %.12s (must be forced): image is referenced by several names",
                         id + strlen("sha256:"));
    return 0;
}

static int remove_lines(struct task *task, struct image_records *records, cJSON *result, struct error *err)
{
    struct meaning meaning = {0};
    int failed = find_meaning(records, task->reference, &meaning, err);
    if (failed == 0)
        failed = check_removable(task, records, &meaning, err);
    if (failed < 0)
        return failed;
    if (meaning.by_name) {
        untag(task, records, meaning.at, result);
        return image_records_write(task->dir, records, err);
    }
    cleanup_free char *id = mem_string(records->items[meaning.at].config);
    for (size_t i = records->count; i-- > 0;)
        if (strcmp(records->items[i].config, id) == 0)
            untag(task, records, i, result);
    return image_records_write(task->dir, records, err);
}

/* What the list no longer needs goes at once when nobody is at work, else with the next collection. */
static int collect_if_idle(struct task *task, uint64_t *freed_bytes, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    cleanup_image_records struct image_records records = {0};
    int failed = image_lock_take(&lock, task->dir, "gc", IMAGE_LOCK_EXCLUSIVE, false, err);
    if (failed == 0)
        failed = image_records_read(task->dir, &records, err);
    return failed < 0 ? failed : store_collect(task, &records, freed_bytes, err);
}

int image_task_remove(struct task *task, struct error *err)
{
    struct listing listing = {0};
    int failed = check_daemon(task, err);
    if (failed < 0)
        return failed;
    cJSON *result = cJSON_CreateArray();
    failed = listing_open_to_drop(task, &listing, err);
    if (failed == 0)
        failed = remove_lines(task, &listing.records, result, err);
    listing_close(&listing);
    if (failed == 0) {
        uint64_t freed = 0;
        failed = collect_if_idle(task, &freed, err);
        failed = failed == ERR_AGAIN ? 0 : failed;
    }
    if (failed < 0)
        cJSON_Delete(result);
    else
        report_result(result);
    return failed;
}

/* --- collect ------------------------------------------------------------------------------------------------------------------------- */

static void drop_unused(struct task *task, struct image_records *records, cJSON *deleted)
{
    for (size_t i = records->count; i-- > 0;) {
        const struct image_record *record = &records->items[i];
        bool is_kept = *record->name ? !task->all : task->superseded && !*record->repository;
        if (is_kept || is_in_use(task, record->config))
            continue;
        if (lines_of(records, record->config) == 1)
            cJSON_AddItemToArray(deleted, cJSON_CreateString(record->config));
        image_records_drop(records, i);
    }
}

int image_task_gc(struct task *task, struct error *err)
{
    struct listing listing = {0};
    cleanup_image_lock struct image_lock lock = {0};
    uint64_t freed = 0;
    int failed = check_daemon(task, err);
    if (failed == 0)
        failed = image_layout_make(task->dir, err);
    if (failed == 0 && image_lock_take(&lock, task->dir, "gc", IMAGE_LOCK_EXCLUSIVE, task->waits, err) < 0)
        failed = err->code == ERR_AGAIN ? error_set(err, ERR_AGAIN, "images are being pulled or loaded: collect later") : err->code;
    if (failed < 0)
        return failed;
    cJSON *deleted = cJSON_CreateArray();
    failed = listing_open_to_drop(task, &listing, err);
    if (failed == 0) {
        drop_unused(task, &listing.records, deleted);
        failed = image_records_write(task->dir, &listing.records, err);
    }
    image_lock_drop(&listing.pins);
    if (failed == 0)
        failed = store_collect(task, &listing.records, &freed, err);
    listing_close(&listing);
    if (failed < 0) {
        cJSON_Delete(deleted);
        return failed;
    }
    report_status(NULL, "Total reclaimed space: %" PRIu64 " bytes", freed);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "deleted", deleted);
    json_add_int(result, "reclaimedBytes", (int64_t)freed);
    report_result(result);
    return 0;
}

/* --- list and verify ----------------------------------------------------------------------------------------------------------------- */

int image_task_list(struct task *task, struct error *err)
{
    cleanup_image_records struct image_records records = {0};
    int failed = image_records_read(task->dir, &records, err);
    if (failed < 0)
        return failed;
    report_status(NULL, "%-50s %-14s %s", "NAME", "ID", "PLATFORM");
    for (size_t i = 0; i < records.count; i++) {
        cleanup_free char *shown = *records.items[i].name ? shown_name(&records.items[i]) : mem_string("<none>");
        report_status(NULL, "%-50s %-14.12s %s/%s", shown, records.items[i].config + strlen("sha256:"), records.items[i].platform.os,
                      records.items[i].platform.architecture);
    }
    report_result(cJSON_CreateObject());
    return 0;
}

static int verify_layer(struct task *task, const char *digest, const char *diff_id, const char *os, struct error *err)
{
    cleanup_free char *path = image_blob_path(task->dir, digest);
    struct unpack unpack = {.blob = path, .diff_id = diff_id, .is_dry = true};
    struct blob_writer writer;
    char found[IMAGE_DIGEST_SIZE_CHARS + 1];
    if (!file_exists(path))
        return error_set(err, ERR_CORRUPT, "the blob %s is missing", digest);
    int failed = blob_writer_open(&writer, path, true, err);
    if (failed < 0)
        return failed;
    blob_writer_digest(&writer, found);
    blob_writer_close(&writer);
    if (strcmp(found, digest) != 0)
        return error_set(err, ERR_CORRUPT, "the blob %s is %s", digest, found);
    failed = unpack_layer(&unpack, err);
    if (failed == 0 && text_equal(os, image_platform_of_machine().os) && !image_layer_present(task->dir, diff_id, NULL))
        return error_set(err, ERR_CORRUPT, "the layer %s is not unpacked", diff_id);
    return failed;
}

static int verify_image(struct task *task, const struct image_record *record, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buf struct buf manifest = {0}, config = {0};
    struct image_document document;
    struct image_spec spec;
    int failed = blob_read(task->dir, record->manifest, IMAGE_MANIFEST_SIZE_BYTES, &manifest, err);
    if (failed == 0)
        failed = blob_read(task->dir, record->config, IMAGE_CONFIG_SIZE_BYTES, &config, err);
    if (failed == 0)
        failed = image_document_parse(buf_bytes(&manifest), &arena, &document, err);
    if (failed == 0)
        failed = image_spec_parse(buf_bytes(&config), &arena, &spec, err);
    if (failed == 0 && (document.kind != IMAGE_DOCUMENT_MANIFEST || document.count != spec.diff_ids.count))
        failed = error_set(err, ERR_CORRUPT, "manifest and config do not fit");
    for (size_t i = 0; failed == 0 && i < document.count; i++)
        failed = verify_layer(task, document.items[i].digest, spec.diff_ids.items[i], spec.os, err);
    return failed;
}

int image_task_verify(struct task *task, struct error *err)
{
    cleanup_image_records struct image_records records = {0};
    size_t damaged = 0;
    int failed = image_records_read(task->dir, &records, err);
    for (size_t i = 0; failed == 0 && i < records.count; i++) {
        struct error why = {0};
        cleanup_free char *shown = *records.items[i].name ? shown_name(&records.items[i]) : mem_string(records.items[i].config);
        if (verify_image(task, &records.items[i], &why) == 0) {
            report_status(NULL, "%s: whole", shown);
            continue;
        }
        report_status(NULL, "%s: damaged: %s", shown, why.message);
        damaged++;
    }
    if (failed == 0 && damaged > 0)
        return error_set(err, ERR_CORRUPT, "%zu of %zu images are damaged: pull or load them again", damaged, records.count);
    if (failed == 0)
        report_result(cJSON_CreateObject());
    return failed;
}
