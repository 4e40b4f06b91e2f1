/* runtime/image/find.c – from a name or an id to an image, and the list of all. Reads index.json, configs and the layers' markers anew each
 * time: they are small, and another process may have changed them. */
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "runtime/image/chain.h"
#include "runtime/image/defaults.h"
#include "runtime/image/layout.h"
#include "runtime/image/lookup.h"
#include "runtime/image/platform.h"
#include "runtime/image/reference.h"
#include "runtime/image/spec.h"
#include "runtime/image/store.h"

void image_deinit(struct image *image)
{
    arena_deinit(&image->arena);
    memset(image, 0, sizeof *image);
}

/* A blob whose content is what its name says. */
static int blob_read(const char *dir, const char *digest, size_t max_bytes, struct buf *out, struct error *err)
{
    cleanup_free char *path = image_blob_path(dir, digest);
    int failed = file_read(path, max_bytes, out, err);
    if (failed < 0)
        return failed;
    uint8_t hash[SHA256_SIZE_BYTES];
    char hex[2 * SHA256_SIZE_BYTES + 1];
    sha256(buf_bytes(out), hash);
    encode_hex(bytes_of(hash, sizeof hash), hex);
    return strcmp(hex, digest + strlen("sha256:")) == 0 ? 0 : error_set(err, ERR_CORRUPT, "%s does not hold what its name says", path);
}

static void add_once(struct arena *arena, struct image_strings *list, const char **items, char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(items[i], text) == 0) {
            free(text);
            return;
        }
    items[list->count++] = arena_string(arena, text);
    list->items = items;
    free(text);
}

/* "docker.io/library/busybox:1" as "busybox:1". */
static char *familiar(const char *full)
{
    struct image_reference reference;
    return image_reference_parse(full, &reference, NULL) == 0 ? image_reference_familiar(&reference) : mem_string(full);
}

static char *familiar_digest(const struct image_record *record)
{
    cleanup_free char *full = mem_format("%s@%s", record->repository, record->served);
    return familiar(full);
}

static void fill_names(struct image *out, const struct image_records *records)
{
    const char **tags = arena_alloc(&out->arena, (records->count + 1) * sizeof *tags);
    const char **digests = arena_alloc(&out->arena, (records->count + 1) * sizeof *digests);
    for (size_t i = 0; i < records->count; i++) {
        const struct image_record *record = &records->items[i];
        if (strcmp(record->config, out->id) != 0)
            continue;
        if (*record->name && !strchr(record->name, '@'))
            add_once(&out->arena, &out->repo_tags, tags, familiar(record->name));
        if (*record->served && *record->repository)
            add_once(&out->arena, &out->repo_digests, digests, familiar_digest(record));
    }
}

/* An image of another system is kept packed: its size is that of its blobs. */
static int fill_packed(const char *dir, const struct image_record *record, struct image *out, struct error *err)
{
    cleanup_buf struct buf text = {0};
    struct image_document manifest;
    int failed = blob_read(dir, record->manifest, IMAGE_MANIFEST_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_document_parse(buf_bytes(&text), &out->arena, &manifest, err);
    for (size_t i = 0; failed == 0 && i < manifest.count; i++)
        out->size_bytes += (uint64_t)manifest.items[i].size_bytes;
    return failed;
}

/* Where the layer lies. One that was not imported, because the host has not what takes for it, is named as it was unpacked: HCS will say
 * what it lacks. */
static char *path_of_layer(const char *dir, const char *diff_id, struct image_chain *chain)
{
    image_chain_add(chain, diff_id);
    bool is_chained = !image_layers_stand_alone() && image_layer_present(dir, chain->id, NULL);
    return image_layer_path(dir, is_chained ? chain->id : diff_id);
}

static int fill_layers(const char *dir, const struct image_record *record, const struct image_strings *diff_ids, struct image *out,
                       struct error *err)
{
    bool is_unpacked = text_equal(out->os, image_platform_of_machine().os);
    struct image_layer *layers = arena_alloc(&out->arena, (diff_ids->count + 1) * sizeof *layers);
    struct image_chain chain = {""};
    out->layers = layers;
    out->layer_count = diff_ids->count;
    for (size_t i = 0; i < diff_ids->count; i++) {
        struct image_layer *layer = &layers[diff_ids->count - 1 - i];
        uint64_t size_bytes = 0;
        layer->id = diff_ids->items[i];
        if (!is_unpacked)
            continue;
        if (!image_layer_present(dir, layer->id, &size_bytes))
            return error_set(err, ERR_NOT_FOUND, "layer %s is not there: pull or load the image again", layer->id);
        cleanup_free char *path = path_of_layer(dir, layer->id, &chain);
        layer->path = arena_string(&out->arena, path);
        out->size_bytes += size_bytes;
    }
    return is_unpacked ? 0 : fill_packed(dir, record, out, err);
}

static int fill(const char *dir, const struct image_record *record, const struct image_records *records, struct image *out,
                struct error *err)
{
    cleanup_buf struct buf text = {0};
    struct image_spec spec;
    memset(out, 0, sizeof *out);
    int failed = blob_read(dir, record->config, IMAGE_CONFIG_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_spec_parse(buf_bytes(&text), &out->arena, &spec, err);
    if (failed == 0) {
        out->id = arena_string(&out->arena, record->config);
        out->manifest = arena_string(&out->arena, record->manifest);
        out->os = spec.os;
        out->architecture = spec.architecture;
        out->variant = spec.variant;
        out->os_version = spec.os_version;
        out->created = spec.created;
        out->config = spec.config;
        out->config_json = arena_string_n(&out->arena, (const char *)text.data, text.size);
        fill_names(out, records);
        failed = fill_layers(dir, record, &spec.diff_ids, out, err);
    }
    if (failed < 0)
        image_deinit(out);
    return failed;
}

/* The record of that name which suits best; -1 when the name is not here. With @must_fit -1 also when it is here for others only. */
static int find_by_name(const struct image_records *records, const char *text, const struct image_platform *want, bool must_fit)
{
    struct image_reference reference;
    if (image_reference_parse(text, &reference, NULL) < 0)
        return -1;
    cleanup_free char *full = image_reference_full(&reference);
    int best = -1, any = -1;
    for (size_t i = 0; i < records->count; i++) {
        if (!image_record_is_named(&records->items[i], &reference, full))
            continue;
        struct image_platform pair[2] = {records->items[best < 0 ? (int)i : best].platform, records->items[i].platform};
        if (any < 0)
            any = (int)i;
        if (best < 0 ? image_platform_fits(&pair[1], want) : image_platform_choose(pair, 2, want) == 1)
            best = (int)i;
    }
    return best >= 0 || must_fit ? best : any;
}

int image_find(struct image_store *store, const char *reference, const struct image_platform *platform, struct image *out,
               struct error *err)
{
    cleanup_image_records struct image_records records = {0};
    memset(out, 0, sizeof *out);
    if (text_empty(reference) || strlen(reference) > IMAGE_NAME_SIZE_CHARS)
        return error_set(err, ERR_INVALID, "invalid reference format: a name has 1 to %d characters", IMAGE_NAME_SIZE_CHARS);
    int failed = image_records_read(store->dir, &records, err);
    if (failed < 0)
        return failed;
    int at = find_by_name(&records, reference, platform ? platform : &store->host, platform != NULL);
    if (at < 0)
        failed = image_records_find_id(&records, reference, &at, err);
    if (failed < 0)
        return failed;
    if (at < 0 || (platform && !image_platform_fits(&records.items[at].platform, platform)))
        return image_not_found(reference, platform, err);
    failed = fill(store->dir, &records.items[at], &records, out, err);
    return failed < 0 ? error_wrap(err, "image %.300s", reference) : 0;
}

static int newest_first(const void *a, const void *b)
{
    int64_t time_a = 0, time_b = 0;
    time_parse(((const struct image *)a)->created, &time_a, NULL);
    time_parse(((const struct image *)b)->created, &time_b, NULL);
    return time_a < time_b ? 1 : time_a > time_b ? -1 : 0;
}

static bool is_listed(const struct image *images, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(images[i].id, id) == 0)
            return true;
    return false;
}

int image_list(struct image_store *store, struct image **out, size_t *count, struct error *err)
{
    cleanup_image_records struct image_records records = {0};
    int failed = image_records_read(store->dir, &records, err);
    if (failed < 0)
        return failed;
    struct image *images = mem_array(records.count + 1, sizeof *images);
    size_t found = 0;
    for (size_t i = 0; i < records.count; i++) {
        struct error local = {0};
        if (is_listed(images, found, records.items[i].config))
            continue;
        if (fill(store->dir, &records.items[i], &records, &images[found], &local) == 0)
            found++;
        else
            log_warn("images", "image %s is left out of the list: %s", records.items[i].config, local.message);
    }
    qsort(images, found, sizeof *images, newest_first);
    *out = images;
    *count = found;
    return 0;
}
