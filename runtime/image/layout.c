/* runtime/image/layout.c – see layout.h. */
#include "runtime/image/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/reference.h"
#include "runtime/image/spec.h"

#define ANNOTATION_NAME       "org.opencontainers.image.ref.name"
#define ANNOTATION_SERVED     "skep.image.served"
#define ANNOTATION_REPOSITORY "skep.image.repository"
#define ANNOTATION_CONFIG     "skep.image.config"

void image_records_deinit(struct image_records *records)
{
    arena_deinit(&records->arena);
    free(records->items);
    memset(records, 0, sizeof *records);
}

static const char *kept(struct arena *arena, const char *text)
{
    return arena_string(arena, text ? text : "");
}

void image_records_add(struct image_records *records, const struct image_record *record)
{
    if (records->count == records->capacity) {
        records->capacity = records->capacity ? records->capacity * 2 : 16;
        records->items = mem_resize(records->items, records->capacity * sizeof *records->items);
    }
    struct arena *arena = &records->arena;
    records->items[records->count++] = (struct image_record){
        .name = kept(arena, record->name),
        .served = kept(arena, record->served),
        .repository = kept(arena, record->repository),
        .manifest = kept(arena, record->manifest),
        .media_type = kept(arena, record->media_type),
        .manifest_size_bytes = record->manifest_size_bytes,
        .config = kept(arena, record->config),
        .platform = {kept(arena, record->platform.os), kept(arena, record->platform.architecture), kept(arena, record->platform.variant),
                     kept(arena, record->platform.os_version)},
    };
}

void image_records_drop(struct image_records *records, size_t at)
{
    memmove(&records->items[at], &records->items[at + 1], (records->count - at - 1) * sizeof *records->items);
    records->count--;
}

static int record_read(const cJSON *item, struct image_records *out, struct error *err)
{
    const cJSON *annotations = json_object(item, "annotations"), *platform = json_object(item, "platform");
    struct image_record record = {
        .name = json_string(annotations, ANNOTATION_NAME, ""),
        .served = json_string(annotations, ANNOTATION_SERVED, ""),
        .repository = json_string(annotations, ANNOTATION_REPOSITORY, ""),
        .manifest = json_string(item, "digest", ""),
        .media_type = json_string(item, "mediaType", ""),
        .manifest_size_bytes = json_int(item, "size", 0),
        .config = json_string(annotations, ANNOTATION_CONFIG, ""),
        .platform = {json_string(platform, "os", ""), json_string(platform, "architecture", ""), json_string(platform, "variant", ""),
                     json_string(platform, "os.version", "")},
    };
    if (!image_digest_is_valid(record.manifest) || !image_digest_is_valid(record.config))
        return error_set(err, ERR_CORRUPT, "a descriptor without digests");
    image_records_add(out, &record);
    return 0;
}

int image_records_read(const char *dir, struct image_records *out, struct error *err)
{
    cleanup_free char *path = mem_format("%s/index.json", dir);
    cleanup_buf struct buf text = {0};
    struct error local = {0};
    int failed = file_read(path, IMAGE_STORE_INDEX_SIZE_BYTES, &text, &local);
    if (failed == ERR_NOT_FOUND)
        return 0;
    if (failed < 0)
        return error_set(err, failed, "%s", local.message);
    cleanup_json cJSON *index = NULL;
    if (json_parse(buf_bytes(&text), IMAGE_STORE_INDEX_SIZE_BYTES, &index, &local) < 0)
        return error_set(err, ERR_CORRUPT, "%s: %s", path, local.message);
    const cJSON *item;
    cJSON_ArrayForEach (item, json_array(index, "manifests")) {
        failed = record_read(item, out, err);
        if (failed < 0)
            return error_wrap(err, "%s", path);
    }
    return 0;
}

static void add_unless_empty(cJSON *object, const char *key, const char *value)
{
    if (!text_empty(value))
        json_add_string(object, key, value);
}

static cJSON *record_json(const struct image_record *record)
{
    cJSON *item = cJSON_CreateObject();
    json_add_string(item, "mediaType", record->media_type);
    json_add_string(item, "digest", record->manifest);
    json_add_int(item, "size", record->manifest_size_bytes);
    cJSON *platform = cJSON_AddObjectToObject(item, "platform");
    json_add_string(platform, "architecture", record->platform.architecture);
    json_add_string(platform, "os", record->platform.os);
    add_unless_empty(platform, "os.version", record->platform.os_version);
    add_unless_empty(platform, "variant", record->platform.variant);
    cJSON *annotations = cJSON_AddObjectToObject(item, "annotations");
    add_unless_empty(annotations, ANNOTATION_NAME, record->name);
    add_unless_empty(annotations, ANNOTATION_SERVED, record->served);
    add_unless_empty(annotations, ANNOTATION_REPOSITORY, record->repository);
    json_add_string(annotations, ANNOTATION_CONFIG, record->config);
    return item;
}

int image_records_write(const char *dir, const struct image_records *records, struct error *err)
{
    cleanup_json cJSON *index = cJSON_CreateObject();
    json_add_int(index, "schemaVersion", 2);
    json_add_string(index, "mediaType", IMAGE_MEDIA_OCI_INDEX);
    cJSON *manifests = cJSON_AddArrayToObject(index, "manifests");
    for (size_t i = 0; i < records->count; i++)
        cJSON_AddItemToArray(manifests, record_json(&records->items[i]));
    cleanup_free char *text = json_print(index), *path = mem_format("%s/index.json", dir);
    if (strlen(text) > IMAGE_STORE_INDEX_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "the list of images would be larger than %d bytes: remove some", IMAGE_STORE_INDEX_SIZE_BYTES);
    return file_write(path, bytes_of_string(text), 0600, err);
}

static int layout_check(const char *path, struct error *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *layout = NULL;
    int failed = file_read(path, 4 * KIB, &text, err);
    if (failed == 0)
        failed = json_parse(buf_bytes(&text), 4 * KIB, &layout, err);
    if (failed < 0)
        return error_wrap(err, "image store: %s", path);
    const char *version = json_string(layout, "imageLayoutVersion", "");
    if (strcmp(version, IMAGE_LAYOUT_VERSION) != 0)
        return error_set(err, ERR_VERSION, "image store: %s has version \"%.40s\", this program knows %s", path, version,
                         IMAGE_LAYOUT_VERSION);
    return 0;
}

int image_layout_make(const char *dir, struct error *err)
{
    static const char *const parts[] = {"", "/blobs", "/blobs/sha256", "/layers", "/partial", "/tmp", "/locks"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cleanup_free char *path = mem_format("%s%s", dir, parts[i]);
        int failed = file_make_dirs(path, 0700, err);
        if (failed < 0)
            return error_wrap(err, "image store");
    }
    cleanup_free char *path = mem_format("%s/oci-layout", dir);
    if (file_exists(path))
        return layout_check(path, err);
    return file_write(path, bytes_of_string("{\"imageLayoutVersion\":\"" IMAGE_LAYOUT_VERSION "\"}"), 0600, err);
}

char *image_blob_path(const char *dir, const char *digest)
{
    return mem_format("%s/blobs/sha256/%s", dir, digest + strlen("sha256:"));
}

char *image_partial_path(const char *dir, const char *digest)
{
    return mem_format("%s/partial/%s", dir, digest + strlen("sha256:"));
}

void image_layer_name(const char *diff_id, char out[IMAGE_LAYER_NAME_SIZE_CHARS + 1])
{
    uint8_t first[8] = {0};
    decode_hex(diff_id + strlen("sha256:"), 2 * sizeof first, first, NULL);
    encode_base36(bytes_of(first, sizeof first), out, IMAGE_LAYER_NAME_SIZE_CHARS);
}

char *image_layer_path(const char *dir, const char *diff_id)
{
    char name[IMAGE_LAYER_NAME_SIZE_CHARS + 1];
    image_layer_name(diff_id, name);
    return mem_format("%s/layers/%s", dir, name);
}

char *image_layer_marker_path(const char *dir, const char *diff_id)
{
    cleanup_free char *path = image_layer_path(dir, diff_id);
    return mem_format("%s.json", path);
}

void image_use_lock_name(const char *id, char out[IMAGE_USE_LOCK_SIZE_CHARS])
{
    (void)snprintf(out, IMAGE_USE_LOCK_SIZE_CHARS, "use-%s", id + strlen("sha256:"));
}

bool image_layer_present(const char *dir, const char *diff_id, uint64_t *size_bytes)
{
    cleanup_free char *path = image_layer_path(dir, diff_id), *marker = image_layer_marker_path(dir, diff_id);
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *json = NULL;
    struct error ignored;
    if (file_read(marker, 4 * KIB, &text, &ignored) < 0 || json_parse(buf_bytes(&text), 4 * KIB, &json, &ignored) < 0)
        return false;
    if (strcmp(json_string(json, "diffID", ""), diff_id) != 0 || !file_exists(path))
        return false;
    if (size_bytes)
        *size_bytes = (uint64_t)json_int(json, "sizeBytes", 0);
    return true;
}
