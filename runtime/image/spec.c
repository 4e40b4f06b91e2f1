/* runtime/image/spec.c – see spec.h. */
#include "runtime/image/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/platform.h"
#include "runtime/image/reference.h"

/* A member that may be missing or null, but not of another type. */
static int member(const cJSON *object, const char *key, int type, const cJSON **out, struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    *out = NULL;
    if (item == NULL || cJSON_IsNull(item))
        return 0;
    if ((item->type & 0xff) != type)
        return error_set(err, ERR_INVALID, "\"%s\" is not %s", key,
                         type == cJSON_Array    ? "a list"
                         : type == cJSON_Object ? "an object"
                                                : "a string");
    *out = item;
    return 0;
}

static int string_member(const cJSON *object, const char *key, struct arena *arena, const char **out, struct error *err)
{
    const cJSON *item;
    int failed = member(object, key, cJSON_String, &item, err);
    *out = arena_string(arena, item ? item->valuestring : "");
    return failed;
}

static int strings_of(const cJSON *list, const char *key, struct arena *arena, struct image_strings *out, struct error *err)
{
    size_t count = (size_t)cJSON_GetArraySize(list), i = 0;
    const char **items = arena_alloc(arena, (count + 1) * sizeof *items);
    const cJSON *item;
    cJSON_ArrayForEach (item, list) {
        if (!cJSON_IsString(item))
            return error_set(err, ERR_INVALID, "\"%s\" holds something that is not a string", key);
        items[i++] = arena_string(arena, item->valuestring);
    }
    *out = (struct image_strings){items, count};
    return 0;
}

static int strings_member(const cJSON *object, const char *key, struct arena *arena, struct image_strings *out, struct error *err)
{
    const cJSON *list;
    int failed = member(object, key, cJSON_Array, &list, err);
    return failed < 0 ? failed : strings_of(list, key, arena, out, err);
}

/* {"80/tcp":{}} as a list of its keys. */
static int keys_member(const cJSON *object, const char *key, struct arena *arena, struct image_strings *out, struct error *err)
{
    const cJSON *map, *item;
    int failed = member(object, key, cJSON_Object, &map, err);
    if (failed < 0)
        return failed;
    size_t count = (size_t)cJSON_GetArraySize(map), i = 0;
    const char **items = arena_alloc(arena, (count + 1) * sizeof *items);
    cJSON_ArrayForEach (item, map)
        items[i++] = arena_string(arena, item->string);
    *out = (struct image_strings){items, count};
    return 0;
}

static int labels_member(const cJSON *object, struct arena *arena, struct image_config *out, struct error *err)
{
    const cJSON *map, *item;
    int failed = member(object, "Labels", cJSON_Object, &map, err);
    if (failed < 0)
        return failed;
    struct image_label *labels = arena_alloc(arena, ((size_t)cJSON_GetArraySize(map) + 1) * sizeof *labels);
    cJSON_ArrayForEach (item, map) {
        if (!cJSON_IsString(item))
            return error_set(err, ERR_INVALID, "a label is not a string");
        labels[out->label_count++] = (struct image_label){arena_string(arena, item->string), arena_string(arena, item->valuestring)};
    }
    out->labels = labels;
    return 0;
}

static int64_t not_negative(int64_t value)
{
    return value < 0 ? 0 : value;
}

static int healthcheck_member(const cJSON *object, struct arena *arena, struct image_healthcheck *out, struct error *err)
{
    const cJSON *health;
    int failed = member(object, "Healthcheck", cJSON_Object, &health, err);
    if (failed < 0 || health == NULL)
        return failed;
    out->interval_ns = not_negative(json_int(health, "Interval", 0));
    out->timeout_ns = not_negative(json_int(health, "Timeout", 0));
    out->start_period_ns = not_negative(json_int(health, "StartPeriod", 0));
    out->start_interval_ns = not_negative(json_int(health, "StartInterval", 0));
    out->retries = not_negative(json_int(health, "Retries", 0));
    return strings_member(health, "Test", arena, &out->test, err);
}

static int config_member(const cJSON *document, struct arena *arena, struct image_config *out, struct error *err)
{
    const cJSON *config;
    int failed = member(document, "config", cJSON_Object, &config, err);
    const struct {
        const char *key;
        struct image_strings *to;
    } lists[] = {{"Entrypoint", &out->entrypoint}, {"Cmd", &out->cmd}, {"Env", &out->env}, {"Shell", &out->shell}};
    const struct {
        const char *key;
        const char **to;
    } strings[] = {{"WorkingDir", &out->working_dir}, {"User", &out->user}, {"StopSignal", &out->stop_signal}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists && failed == 0; i++)
        failed = strings_member(config, lists[i].key, arena, lists[i].to, err);
    for (size_t i = 0; i < sizeof strings / sizeof *strings && failed == 0; i++)
        failed = string_member(config, strings[i].key, arena, strings[i].to, err);
    if (failed == 0)
        failed = keys_member(config, "ExposedPorts", arena, &out->exposed_ports, err);
    if (failed == 0)
        failed = keys_member(config, "Volumes", arena, &out->volumes, err);
    if (failed == 0)
        failed = labels_member(config, arena, out, err);
    out->is_args_escaped = json_bool(config, "ArgsEscaped", false);
    return failed < 0 ? failed : healthcheck_member(config, arena, &out->healthcheck, err);
}

static int diff_ids_member(const cJSON *document, struct arena *arena, struct image_strings *out, struct error *err)
{
    const cJSON *rootfs;
    int failed = member(document, "rootfs", cJSON_Object, &rootfs, err);
    if (failed == 0)
        failed = strings_member(rootfs, "diff_ids", arena, out, err);
    if (failed < 0)
        return failed;
    if (out->count > IMAGE_LAYERS_COUNT)
        return error_set(err, ERR_LIMIT, "%zu layers: more than %d", out->count, IMAGE_LAYERS_COUNT);
    for (size_t i = 0; i < out->count; i++)
        if (!image_digest_is_valid(out->items[i]))
            return error_set(err, ERR_INVALID, "\"diff_ids\" holds something that is not a sha256 digest");
    return 0;
}

static int spec_read(const cJSON *document, struct arena *arena, struct image_spec *out, struct error *err)
{
    if (!cJSON_IsObject(document))
        return error_set(err, ERR_INVALID, "not a JSON object");
    const struct {
        const char *key;
        const char **to;
    } strings[] = {{"os", &out->os},
                   {"architecture", &out->architecture},
                   {"variant", &out->variant},
                   {"os.version", &out->os_version},
                   {"created", &out->created}};
    int failed = 0;
    for (size_t i = 0; i < sizeof strings / sizeof *strings && failed == 0; i++)
        failed = string_member(document, strings[i].key, arena, strings[i].to, err);
    if (failed == 0 && *out->os == '\0')
        out->os = "linux";
    if (failed == 0)
        failed = config_member(document, arena, &out->config, err);
    return failed < 0 ? failed : diff_ids_member(document, arena, &out->diff_ids, err);
}

int image_spec_parse(struct bytes text, struct arena *arena, struct image_spec *out, struct error *err)
{
    cleanup_json cJSON *document = NULL;
    memset(out, 0, sizeof *out);
    int failed = json_parse(text, IMAGE_CONFIG_SIZE_BYTES, &document, err);
    if (failed == 0)
        failed = spec_read(document, arena, out, err);
    return failed < 0 ? error_wrap(err, "image config") : 0;
}

static int platform_member(const cJSON *object, struct arena *arena, struct image_platform *out, struct error *err)
{
    const cJSON *platform;
    int failed = member(object, "platform", cJSON_Object, &platform, err);
    if (failed == 0)
        failed = string_member(platform, "os", arena, &out->os, err);
    if (failed == 0)
        failed = string_member(platform, "architecture", arena, &out->architecture, err);
    if (failed == 0)
        failed = string_member(platform, "variant", arena, &out->variant, err);
    return failed < 0 ? failed : string_member(platform, "os.version", arena, &out->os_version, err);
}

static int descriptor_read(const cJSON *object, struct arena *arena, struct image_descriptor *out, struct error *err)
{
    if (!cJSON_IsObject(object))
        return error_set(err, ERR_INVALID, "a descriptor is missing or not an object");
    int failed = string_member(object, "mediaType", arena, &out->media_type, err);
    if (failed == 0)
        failed = string_member(object, "digest", arena, &out->digest, err);
    if (failed == 0)
        failed = strings_member(object, "urls", arena, &out->urls, err);
    if (failed == 0)
        failed = platform_member(object, arena, &out->platform, err);
    if (failed < 0)
        return failed;
    if (!image_digest_is_valid(out->digest))
        return error_set(err, ERR_INVALID, "not a sha256 digest: %.80s", out->digest);
    out->size_bytes = json_int(object, "size", -1);
    if (out->size_bytes < 0)
        return error_set(err, ERR_INVALID, "%s has no size", out->digest);
    const cJSON *annotations = json_object(object, "annotations");
    const char *name =
        json_string(annotations, "io.containerd.image.name", json_string(annotations, "org.opencontainers.image.ref.name", NULL));
    out->name = arena_string(arena, name);
    out->is_foreign = strstr(out->media_type, ".foreign.") || strstr(out->media_type, ".nondistributable.");
    out->is_image = !json_string(annotations, "vnd.docker.reference.type", NULL) && !text_equal(out->platform.os, "unknown");
    return 0;
}

static int descriptors_read(const cJSON *list, size_t limit, const char *what, struct arena *arena, struct image_document *out,
                            struct error *err)
{
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count > limit)
        return error_set(err, ERR_LIMIT, "%zu %s: more than %zu", count, what, limit);
    out->items = arena_alloc(arena, (count + 1) * sizeof *out->items);
    const cJSON *item;
    cJSON_ArrayForEach (item, list) {
        int failed = descriptor_read(item, arena, &out->items[out->count++], err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static int document_read(const cJSON *document, struct arena *arena, struct image_document *out, struct error *err)
{
    if (!cJSON_IsObject(document))
        return error_set(err, ERR_INVALID, "not a JSON object");
    int failed = string_member(document, "mediaType", arena, &out->media_type, err);
    if (failed < 0)
        return failed;
    const cJSON *manifests = json_array(document, "manifests"), *layers = json_array(document, "layers");
    if (json_int(document, "schemaVersion", 2) == 1 || json_array(document, "fsLayers"))
        return error_set(err, ERR_UNSUPPORTED, "Docker's manifest schema 1, given up since 2017: push the image again with a newer client");
    if (manifests && (layers || json_object(document, "config")))
        return error_set(err, ERR_INVALID, "it is an index and a manifest at once");
    if (manifests) {
        out->kind = IMAGE_DOCUMENT_INDEX;
        if (strstr(out->media_type, ".manifest.v"))
            return error_set(err, ERR_INVALID, "it calls itself a manifest and is an index");
        if (*out->media_type == '\0')
            out->media_type = IMAGE_MEDIA_OCI_INDEX;
        return descriptors_read(manifests, IMAGE_INDEX_ENTRIES_COUNT, "manifests", arena, out, err);
    }
    if (!layers)
        return error_set(err, ERR_INVALID, "it has neither manifests nor layers");
    out->kind = IMAGE_DOCUMENT_MANIFEST;
    if (strstr(out->media_type, ".index.") || strstr(out->media_type, ".list."))
        return error_set(err, ERR_INVALID, "it calls itself an index and is a manifest");
    if (*out->media_type == '\0')
        out->media_type = IMAGE_MEDIA_OCI_MANIFEST;
    failed = descriptor_read(json_object(document, "config"), arena, &out->config, err);
    return failed < 0 ? failed : descriptors_read(layers, IMAGE_LAYERS_COUNT, "layers", arena, out, err);
}

int image_document_parse(struct bytes text, struct arena *arena, struct image_document *out, struct error *err)
{
    cleanup_json cJSON *document = NULL;
    memset(out, 0, sizeof *out);
    int failed = json_parse(text, IMAGE_MANIFEST_SIZE_BYTES, &document, err);
    if (failed == 0)
        failed = document_read(document, arena, out, err);
    return failed < 0 ? error_wrap(err, "image manifest") : 0;
}

/* The platforms of an index, each once, for the message. */
static void describe(const struct image_document *index, struct buf *out)
{
    for (size_t i = 0; i < index->count && out->size < 600; i++) {
        if (!index->items[i].is_image)
            continue;
        cleanup_free char *text = image_platform_text(&index->items[i].platform);
        if (out->size > 0 && strstr((const char *)out->data, text))
            continue;
        buf_append_format(out, "%s%s", out->size > 0 ? ", " : "", text);
    }
    if (out->size == 0)
        buf_append_string(out, "none");
}

int image_index_choose(const struct image_document *index, const struct image_platform *want, const struct image_descriptor **out,
                       struct error *err)
{
    const struct image_descriptor *best = NULL;
    for (size_t i = 0; i < index->count; i++) {
        const struct image_descriptor *item = &index->items[i];
        if (!item->is_image)
            continue;
        struct image_platform pair[2] = {best ? best->platform : item->platform, item->platform};
        if (image_platform_choose(pair, 2, want) == 1 || (!best && image_platform_fits(&item->platform, want)))
            best = item;
    }
    if (best) {
        *out = best;
        return 0;
    }
    cleanup_buf struct buf has = {0};
    describe(index, &has);
    cleanup_free char *wanted = image_platform_text(want);
    return error_set(err, ERR_NOT_FOUND, "no image for %s in this index: it has %s", wanted, (const char *)has.data);
}
