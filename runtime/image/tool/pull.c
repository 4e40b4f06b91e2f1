/* runtime/image/tool/pull.c – an image from a registry: manifest, config, then its layers, up to IMAGE_LAYERS_PARALLEL_COUNT at a time,
 * each unpacked by the thread that fetched it while others still fetch. The list gets its line last, so that what is listed is whole. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/platform.h"
#include "runtime/image/tool/blob.h"
#include "runtime/image/tool/import.h"
#include "runtime/image/tool/layer.h"
#include "runtime/image/tool/registry.h"
#include "runtime/image/tool/report.h"

struct pull {
    struct task *task;
    struct image_reference reference;
    struct registry *registry;
    struct arena arena;
    char served[IMAGE_DIGEST_SIZE_CHARS + 1];   /* of what the name stands for: the index, or the manifest */
    char manifest[IMAGE_DIGEST_SIZE_CHARS + 1]; /* of the platform's manifest */
    size_t manifest_size;
    struct image_document document;
    struct image_spec spec;
    bool is_unpacked_here;

    uv_mutex_t lock; /* for the two below */
    size_t next_layer;
    struct error failure;
};

/* --- manifest and config ------------------------------------------------------------------------------------------------------------- */

static int take_manifest(struct pull *pull, struct http *http, const char *which, char digest[IMAGE_DIGEST_SIZE_CHARS + 1],
                         struct error *err)
{
    cleanup_buf struct buf text = {0};
    int failed = registry_manifest(pull->registry, http, which, &text, err);
    if (failed == 0)
        failed = image_document_parse(buf_bytes(&text), &pull->arena, &pull->document, err);
    pull->manifest_size = text.size;
    return failed < 0 ? failed : blob_put(pull->task->dir, buf_bytes(&text), digest, err);
}

static int choose(struct pull *pull, struct http *http, struct error *err)
{
    const struct image_descriptor *chosen;
    const char *which = pull->reference.digest[0] ? pull->reference.digest : pull->reference.tag;
    int failed = take_manifest(pull, http, which, pull->served, err);
    if (failed < 0)
        return failed;
    report_status(which, "Pulling from %s", pull->reference.path);
    memcpy(pull->manifest, pull->served, sizeof pull->manifest);
    if (pull->document.kind == IMAGE_DOCUMENT_MANIFEST)
        return 0;
    failed = image_index_choose(&pull->document, &pull->task->platform, &chosen, err);
    if (failed == 0)
        failed = take_manifest(pull, http, chosen->digest, pull->manifest, err);
    if (failed == 0 && pull->document.kind != IMAGE_DOCUMENT_MANIFEST)
        failed = error_set(err, ERR_UNSUPPORTED, "the index holds another index for this platform");
    return failed;
}

/* The config has the last word on what the image is for. */
static int check_platform(const struct pull *pull, struct error *err)
{
    const struct image_spec *spec = &pull->spec;
    struct image_platform have = {spec->os, spec->architecture, spec->variant, spec->os_version};
    if (image_platform_fits(&have, &pull->task->platform))
        return 0;
    cleanup_free char *wanted = image_platform_text(&pull->task->platform), *got = image_platform_text(&have);
    return error_set(err, ERR_NOT_FOUND, "no image for %s under this name: it is for %s", wanted, got);
}

/* Fetch under the blob's lock; whoever comes second finds it. @shown as for registry_blob(). */
static int take_blob(struct pull *pull, struct http *http, const struct image_descriptor *blob, const char *shown, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    int failed = image_lock_take(&lock, pull->task->dir, blob->digest + strlen("sha256:"), IMAGE_LOCK_EXCLUSIVE, true, err);
    if (failed < 0 || blob_present(pull->task->dir, blob->digest))
        return failed;
    return registry_blob(pull->registry, http, blob, shown, err);
}

static int take_config(struct pull *pull, struct http *http, struct error *err)
{
    cleanup_buf struct buf text = {0};
    const struct image_descriptor *config = &pull->document.config;
    if (config->size_bytes > (int64_t)IMAGE_CONFIG_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "the image's config has %lld bytes: more than %u", (long long)config->size_bytes,
                         IMAGE_CONFIG_SIZE_BYTES);
    int failed = take_blob(pull, http, config, NULL, err);
    if (failed == 0)
        failed = blob_read(pull->task->dir, config->digest, IMAGE_CONFIG_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_spec_parse(buf_bytes(&text), &pull->arena, &pull->spec, err);
    if (failed < 0)
        return failed;
    if (pull->spec.diff_ids.count != pull->document.count)
        return error_set(err, ERR_INVALID, "the manifest has %zu layers, the image's config %zu", pull->document.count,
                         pull->spec.diff_ids.count);
    pull->is_unpacked_here = text_equal(pull->spec.os, image_platform_of_machine().os);
    failed = check_platform(pull, err);
    return failed < 0 ? failed : layers_check(pull->document.count, pull->is_unpacked_here, err);
}

/* --- layers -------------------------------------------------------------------------------------------------------------------------- */

static int take_layer(struct pull *pull, struct http *http, size_t at, struct error *err)
{
    const struct image_descriptor *layer = &pull->document.items[at];
    const char *diff_id = pull->spec.diff_ids.items[at];
    char shown[13];
    short_id(layer->digest, shown);
    bool is_fetched = blob_present(pull->task->dir, layer->digest);
    if (is_fetched && (!pull->is_unpacked_here || image_layer_present(pull->task->dir, diff_id, NULL))) {
        report_status(shown, "Already exists");
        return 0;
    }
    int failed = is_fetched ? 0 : take_blob(pull, http, layer, shown, err);
    if (failed < 0)
        return failed;
    report_status(shown, "Download complete");
    struct layer_source source = {
        .digest = layer->digest, .diff_id = diff_id, .shown = shown, .is_base = at == 0, .is_unpacked_here = pull->is_unpacked_here};
    failed = layer_unpack(pull->task, &source, err);
    if (failed == 0)
        report_status(shown, "Pull complete");
    return failed;
}

static bool next_layer(struct pull *pull, size_t *at)
{
    uv_mutex_lock(&pull->lock);
    bool has_one = pull->next_layer < pull->document.count && pull->failure.code == 0;
    *at = has_one ? pull->next_layer++ : 0;
    uv_mutex_unlock(&pull->lock);
    return has_one;
}

/* The first failure counts; the others are told to stop, and what they say of that does not matter. */
static void fail(struct pull *pull, const struct error *err)
{
    uv_mutex_lock(&pull->lock);
    if (pull->failure.code == 0)
        pull->failure = *err;
    uv_mutex_unlock(&pull->lock);
    atomic_store(&pull->task->is_canceled, true);
}

static void work(void *ctx)
{
    struct pull *pull = ctx;
    struct error err = {0};
    struct http *http = NULL;
    size_t at;
    if (http_new(&http, &err) < 0) {
        fail(pull, &err);
        return;
    }
    while (next_layer(pull, &at))
        if (take_layer(pull, http, at, &err) < 0)
            fail(pull, &err);
    http_free(http);
}

static int take_layers(struct pull *pull, struct error *err)
{
    uv_thread_t threads[IMAGE_LAYERS_PARALLEL_COUNT];
    size_t count = 0, wanted = pull->document.count < IMAGE_LAYERS_PARALLEL_COUNT ? pull->document.count : IMAGE_LAYERS_PARALLEL_COUNT;
    for (size_t i = 0; i < pull->document.count; i++) {
        char shown[13];
        short_id(pull->document.items[i].digest, shown);
        report_status(shown, "Pulling fs layer");
    }
    while (count < wanted && uv_thread_create(&threads[count], work, pull) == 0)
        count++;
    if (count == 0)
        work(pull);
    for (size_t i = 0; i < count; i++)
        uv_thread_join(&threads[i]);
    if (pull->failure.code == 0)
        return 0;
    *err = pull->failure;
    return err->code;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------------- */

static int enlist(struct pull *pull, bool *was_there, struct error *err)
{
    cleanup_free char *name = image_reference_full(&pull->reference);
    cleanup_free char *repository = mem_format("%s/%s", pull->reference.domain, pull->reference.path);
    struct image_record record = {.name = name,
                                  .served = pull->served,
                                  .repository = repository,
                                  .manifest = pull->manifest,
                                  .media_type = pull->document.media_type,
                                  .manifest_size_bytes = (int64_t)pull->manifest_size,
                                  .config = pull->document.config.digest,
                                  .platform = {pull->spec.os, pull->spec.architecture, pull->spec.variant, pull->spec.os_version}};
    return image_enlist(pull->task, &record, was_there, err);
}

static int pull_with(struct pull *pull, struct http *http, struct error *err)
{
    bool was_there = false;
    cleanup_free char *shown = image_reference_familiar(&pull->reference);
    int failed = registry_open(pull->task, &pull->reference, http, &pull->registry, err);
    if (failed == 0)
        failed = choose(pull, http, err);
    if (failed == 0)
        failed = take_config(pull, http, err);
    if (failed == 0)
        failed = take_layers(pull, err);
    if (failed == 0 && pull->is_unpacked_here)
        failed = layers_import(pull->task, &pull->spec.diff_ids, err);
    if (failed == 0)
        failed = enlist(pull, &was_there, err);
    if (failed < 0)
        return failed;
    report_status(NULL, "Digest: %s", pull->served);
    report_status(NULL, "Status: %s %s", was_there ? "Image is up to date for" : "Downloaded newer image for", shown);
    cJSON *result = cJSON_CreateObject();
    json_add_string(result, "id", pull->document.config.digest);
    json_add_string(result, "digest", pull->served);
    report_result(result);
    return 0;
}

int image_task_pull(struct task *task, struct error *err)
{
    struct pull pull = {.task = task};
    cleanup_image_lock struct image_lock lock = {0};
    struct http *http = NULL;
    int failed = image_reference_parse(task->reference, &pull.reference, err);
    if (failed == 0)
        failed = store_enter(task, &lock, err);
    if (failed == 0)
        failed = http_new(&http, err);
    if (failed < 0)
        return failed;
    uv_mutex_init(&pull.lock);
    failed = pull_with(&pull, http, err);
    registry_close(pull.registry);
    http_free(http);
    uv_mutex_destroy(&pull.lock);
    arena_deinit(&pull.arena);
    return failed;
}
