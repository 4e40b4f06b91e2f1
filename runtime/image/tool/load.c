/* runtime/image/tool/load.c – images from an archive: `docker save` of any version (manifest.json), or an OCI layout (index.json). Where an
 * archive is both, manifest.json is followed, as Docker does. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/platform.h"
#include "runtime/image/reference.h"
#include "runtime/image/spec.h"
#include "runtime/image/tool/import.h"
#include "runtime/image/tool/layer.h"
#include "runtime/image/tool/report.h"
#include "runtime/image/tool/spool.h"

#define INDEX_DEPTH_COUNT 3 /* index.json, an image's index, its manifest */

struct load {
    struct task *task;
    struct spool spool;
    struct arena arena;
    cJSON *images; /* of the result */
};

/* One image, from whichever kind of archive. */
struct found {
    struct spool_member *config;
    struct spool_member **layers; /* from the lowest */
    size_t layer_count;
    struct bytes manifest; /* as it stands in the archive; empty: to be made */
    struct image_spec spec;
};

static const char *layer_media_type(const struct spool_member *member)
{
    if (memcmp(member->magic, "\x1f\x8b", 2) == 0)
        return IMAGE_MEDIA_OCI_LAYER "+gzip";
    if (memcmp(member->magic, "\x28\xb5\x2f\xfd", 4) == 0)
        return IMAGE_MEDIA_OCI_LAYER "+zstd";
    return IMAGE_MEDIA_OCI_LAYER;
}

static void add_descriptor(cJSON *object, const char *type, const struct spool_member *member)
{
    json_add_string(object, "mediaType", type);
    json_add_string(object, "digest", member->digest);
    json_add_int(object, "size", (int64_t)member->size_bytes);
}

static char *make_manifest(const struct found *found)
{
    cleanup_json cJSON *manifest = cJSON_CreateObject();
    json_add_int(manifest, "schemaVersion", 2);
    json_add_string(manifest, "mediaType", IMAGE_MEDIA_OCI_MANIFEST);
    add_descriptor(cJSON_AddObjectToObject(manifest, "config"), IMAGE_MEDIA_OCI_CONFIG, found->config);
    cJSON *layers = cJSON_AddArrayToObject(manifest, "layers");
    for (size_t i = 0; i < found->layer_count; i++) {
        cJSON *layer = cJSON_CreateObject();
        add_descriptor(layer, layer_media_type(found->layers[i]), found->layers[i]);
        cJSON_AddItemToArray(layers, layer);
    }
    return json_print(manifest);
}

static int read_spec(struct load *load, struct found *found, struct error *err)
{
    cleanup_buf struct buf text = {0};
    int failed = spool_text(&load->spool, found->config->name, IMAGE_CONFIG_SIZE_BYTES, &text, err);
    if (failed == ERR_NOT_FOUND || (failed < 0 && blob_present(load->task->dir, found->config->digest))) {
        buf_clear(&text); /* two images of the archive share it, and the first took it along */
        failed = blob_read(load->task->dir, found->config->digest, IMAGE_CONFIG_SIZE_BYTES, &text, err);
    }
    if (failed == 0)
        failed = image_spec_parse(buf_bytes(&text), &load->arena, &found->spec, err);
    if (failed < 0)
        return failed;
    if (found->spec.diff_ids.count != found->layer_count)
        return error_set(err, ERR_INVALID, "image archive: %zu layers, and %zu in the image's config", found->layer_count,
                         found->spec.diff_ids.count);
    return 0;
}

static int take_layers(struct load *load, struct found *found, struct error *err)
{
    bool is_unpacked_here = text_equal(found->spec.os, image_platform_of_machine().os);
    int failed = layers_check(found->layer_count, is_unpacked_here, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < found->layer_count; i++) {
        char shown[13];
        struct spool_member *layer = found->layers[i];
        struct layer_source source = {.digest = layer->digest,
                                      .diff_id = found->spec.diff_ids.items[i],
                                      .shown = shown,
                                      .is_base = i == 0,
                                      .is_unpacked_here = is_unpacked_here};
        short_id(source.diff_id, shown);
        failed = spool_commit(load->task->dir, layer, err);
        if (failed == 0)
            failed = layer_unpack(load->task, &source, err);
        if (failed < 0)
            return failed;
    }
    failed = is_unpacked_here ? layers_import(load->task, &found->spec.diff_ids, err) : 0;
    return failed < 0 ? failed : spool_commit(load->task->dir, found->config, err);
}

static void add_result(struct load *load, const char *name, const char *id)
{
    cJSON *image = cJSON_CreateObject();
    json_add_string(image, "name", name);
    json_add_string(image, "id", id);
    cJSON_AddItemToArray(load->images, image);
    if (*name)
        report_stream("Loaded image: %s", name);
    else
        report_stream("Loaded image ID: %s", id);
}

/* @name "": none. One that is no valid name is an error: an archive must not smuggle in what nobody could remove again. */
static int enlist(struct load *load, const struct found *found, const char *name, const char *manifest, size_t manifest_size,
                  const char *media_type, struct error *err)
{
    struct image_reference reference;
    cleanup_free char *full = NULL, *shown = NULL;
    if (*name) {
        int failed = image_reference_parse(name, &reference, err);
        if (failed < 0)
            return error_wrap(err, "image archive");
        full = image_reference_full(&reference);
        shown = image_reference_familiar(&reference);
    }
    struct image_record record = {.name = full,
                                  .manifest = manifest,
                                  .media_type = media_type,
                                  .manifest_size_bytes = (int64_t)manifest_size,
                                  .config = found->config->digest,
                                  .platform = {found->spec.os, found->spec.architecture, found->spec.variant, found->spec.os_version}};
    if (!full)
        record.name = "";
    record.served = record.repository = "";
    int failed = image_enlist(load->task, &record, NULL, err);
    if (failed == 0)
        add_result(load, shown ? shown : "", found->config->digest);
    return failed;
}

static int take_image(struct load *load, struct found *found, const struct image_strings *names, struct error *err)
{
    char digest[IMAGE_DIGEST_SIZE_CHARS + 1];
    struct image_document document = {.media_type = IMAGE_MEDIA_OCI_MANIFEST};
    int failed = read_spec(load, found, err);
    if (failed < 0)
        return failed;
    cleanup_free char *made = found->manifest.size ? NULL : make_manifest(found);
    struct bytes manifest = made ? bytes_of_string(made) : found->manifest;
    failed = take_layers(load, found, err);
    if (failed == 0)
        failed = image_document_parse(manifest, &load->arena, &document, err);
    if (failed == 0)
        failed = blob_put(load->task->dir, manifest, digest, err);
    if (failed == 0 && names->count == 0)
        failed = enlist(load, found, "", digest, manifest.size, document.media_type, err);
    for (size_t i = 0; failed == 0 && i < names->count; i++)
        failed = enlist(load, found, names->items[i], digest, manifest.size, document.media_type, err);
    return failed;
}

/* --- docker save --------------------------------------------------------------------------------------------------------------------- */

static int member_named(struct load *load, const char *name, struct spool_member **out, struct error *err)
{
    *out = spool_find(&load->spool, name);
    return *out ? 0 : error_set(err, ERR_INVALID, "image archive: manifest.json names \"%.200s\", which is not in it", name);
}

static struct image_strings tags_of(struct load *load, const cJSON *item)
{
    const cJSON *list = json_array(item, "RepoTags"), *tag;
    const char **items = arena_alloc(&load->arena, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof *items);
    size_t count = 0;
    cJSON_ArrayForEach (tag, list)
        if (cJSON_IsString(tag))
            items[count++] = arena_string(&load->arena, tag->valuestring);
    return (struct image_strings){items, count};
}

static int load_saved(struct load *load, const cJSON *item, struct error *err)
{
    const cJSON *layers = json_array(item, "Layers"), *layer;
    struct found found = {.layer_count = (size_t)cJSON_GetArraySize(layers)};
    struct image_strings tags = tags_of(load, item);
    size_t i = 0;
    if (found.layer_count > IMAGE_LAYERS_COUNT)
        return error_set(err, ERR_LIMIT, "image archive: %zu layers: more than %d", found.layer_count, IMAGE_LAYERS_COUNT);
    found.layers = arena_alloc(&load->arena, (found.layer_count + 1) * sizeof(struct spool_member *));
    int failed = member_named(load, json_string(item, "Config", ""), &found.config, err);
    cJSON_ArrayForEach (layer, layers) {
        if (failed == 0)
            failed = member_named(load, cJSON_IsString(layer) ? layer->valuestring : "", &found.layers[i++], err);
    }
    return failed < 0 ? failed : take_image(load, &found, &tags, err);
}

static int load_all_saved(struct load *load, struct error *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *list = NULL;
    const cJSON *item;
    int failed = spool_text(&load->spool, "manifest.json", IMAGE_MANIFEST_SIZE_BYTES, &text, err);
    if (failed == 0 && (json_parse(buf_bytes(&text), IMAGE_MANIFEST_SIZE_BYTES, &list, err) < 0 || !cJSON_IsArray(list)))
        return error_set(err, ERR_INVALID, "image archive: manifest.json is not a JSON list");
    cJSON_ArrayForEach (item, list) {
        if (failed == 0)
            failed = load_saved(load, item, err);
    }
    return failed;
}

/* --- OCI layout ---------------------------------------------------------------------------------------------------------------------- */

static int member_of_digest(struct load *load, const char *digest, struct spool_member **out, struct error *err)
{
    cleanup_free char *name = mem_format("blobs/sha256/%s", digest + strlen("sha256:"));
    *out = spool_find(&load->spool, name);
    if (!*out)
        return error_set(err, ERR_INVALID, "image archive: it lacks the blob %s", digest);
    if (strcmp((*out)->digest, digest) != 0)
        return error_set(err, ERR_CORRUPT, "image archive: wrong digest: the blob %s is %s", digest, (*out)->digest);
    return 0;
}

static int load_manifest(struct load *load, struct bytes text, const struct image_document *document, const char *name, struct error *err)
{
    struct found found = {.layer_count = document->count, .manifest = text};
    struct image_strings names = {&name, name ? 1 : 0};
    found.layers = arena_alloc(&load->arena, (found.layer_count + 1) * sizeof(struct spool_member *));
    int failed = member_of_digest(load, document->config.digest, &found.config, err);
    for (size_t i = 0; failed == 0 && i < document->count; i++)
        failed = member_of_digest(load, document->items[i].digest, &found.layers[i], err);
    return failed < 0 ? failed : take_image(load, &found, &names, err);
}

static int load_descriptor(struct load *load, const struct image_descriptor *descriptor, const char *name, unsigned depth,
                           struct error *err)
{
    cleanup_buf struct buf text = {0};
    struct image_document document = {0};
    struct spool_member *member = NULL;
    if (depth > INDEX_DEPTH_COUNT)
        return error_set(err, ERR_INVALID, "image archive: indexes within indexes");
    int failed = member_of_digest(load, descriptor->digest, &member, err);
    if (failed == 0)
        failed = file_read(member->path, IMAGE_MANIFEST_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_document_parse(buf_bytes(&text), &load->arena, &document, err);
    if (failed < 0)
        return failed;
    if (document.kind == IMAGE_DOCUMENT_MANIFEST)
        return load_manifest(load, buf_bytes(&text), &document, name, err);
    const struct image_descriptor *chosen;
    failed = image_index_choose(&document, &load->task->platform, &chosen, err);
    return failed < 0 ? failed : load_descriptor(load, chosen, name, depth + 1, err);
}

/* A bare tag ("latest") names nothing by itself. */
static const char *usable_name(const struct image_descriptor *descriptor)
{
    return descriptor->name && strpbrk(descriptor->name, "/:") ? descriptor->name : NULL;
}

static int load_layout(struct load *load, struct error *err)
{
    cleanup_buf struct buf text = {0};
    struct image_document index;
    int failed = spool_text(&load->spool, "index.json", IMAGE_MANIFEST_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_document_parse(buf_bytes(&text), &load->arena, &index, err);
    if (failed == 0 && index.kind != IMAGE_DOCUMENT_INDEX)
        failed = error_set(err, ERR_INVALID, "image archive: index.json is no index");
    for (size_t i = 0; failed == 0 && i < index.count; i++)
        if (index.items[i].is_image)
            failed = load_descriptor(load, &index.items[i], usable_name(&index.items[i]), 1, err);
    return failed;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------------- */

static int load_spooled(struct load *load, struct error *err)
{
    int failed = spool_read(load->task, &load->spool, err);
    if (failed < 0)
        return failed;
    if (spool_find(&load->spool, "manifest.json"))
        failed = load_all_saved(load, err);
    else if (spool_find(&load->spool, "index.json"))
        failed = load_layout(load, err);
    else
        return error_set(err, ERR_INVALID, "not an image archive: it has neither manifest.json nor index.json");
    if (failed == 0 && cJSON_GetArraySize(load->images) == 0)
        return error_set(err, ERR_INVALID, "image archive: no image is in it");
    return failed;
}

int image_task_load(struct task *task, struct error *err)
{
    cleanup_image_lock struct image_lock lock = {0};
    struct load load = {.task = task};
    int failed = store_enter(task, &lock, err);
    if (failed < 0)
        return failed;
    load.images = cJSON_CreateArray();
    failed = load_spooled(&load, err);
    spool_deinit(&load.spool);
    arena_deinit(&load.arena);
    if (failed < 0) {
        cJSON_Delete(load.images);
        return failed;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "images", load.images);
    report_result(result);
    return 0;
}
