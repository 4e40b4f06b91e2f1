/* api/json_image.c – see json_image.h. */
#include "api/json_image.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/time.h"

static void add_strings(cJSON *json, const char *key, const struct image_strings *strings)
{
    cJSON *list = cJSON_AddArrayToObject(json, key);
    for (size_t i = 0; i < strings->count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(strings->items[i]));
}

static void add_names(cJSON *json, const struct image *image, int version)
{
    add_strings(json, "RepoTags", &image->repo_tags);
    add_strings(json, "RepoDigests", &image->repo_digests);
    if (version >= 43)
        return;
    if (image->repo_tags.count == 0)
        cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(json, "RepoTags"), cJSON_CreateString("<none>:<none>"));
    if (image->repo_digests.count == 0)
        cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(json, "RepoDigests"), cJSON_CreateString("<none>@<none>"));
}

static int64_t created_seconds(const struct image *image)
{
    struct error ignored;
    int64_t wall_ns;
    if (text_empty(image->created) || time_parse(image->created, &wall_ns, &ignored) < 0)
        return 0;
    return wall_ns / (int64_t)NS_PER_S;
}

static int64_t size_of(const struct image *image)
{
    return image->size_bytes > INT64_MAX ? INT64_MAX : (int64_t)image->size_bytes;
}

cJSON *json_image_summary(const struct image *image, int version)
{
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "Id", image->id);
    json_add_string(json, "ParentId", "");
    add_names(json, image, version);
    json_add_int(json, "Created", created_seconds(image));
    json_add_int(json, "Size", size_of(image));
    json_add_int(json, "SharedSize", -1);
    if (version < 44)
        json_add_int(json, "VirtualSize", size_of(image));
    cJSON *labels = cJSON_AddObjectToObject(json, "Labels");
    for (size_t i = 0; i < image->config.label_count; i++)
        json_add_string(labels, image->config.labels[i].key, image->config.labels[i].value);
    json_add_int(json, "Containers", -1);
    return json;
}

static void add_copy(cJSON *json, const char *key, const cJSON *value)
{
    if (value)
        cJSON_AddItemToObject(json, key, cJSON_Duplicate(value, true));
    else
        cJSON_AddNullToObject(json, key);
}

/* OCI's config members are Docker's: those that are not there are shown as Docker shows them. */
static void add_config(cJSON *json, const cJSON *config)
{
    static const char *const members[] = {"Env",     "Cmd",          "Entrypoint",  "Volumes", "Labels",
                                          "OnBuild", "ExposedPorts", "Healthcheck", "Shell"};
    cJSON *out = cJSON_AddObjectToObject(json, "Config");
    json_add_string(out, "User", json_string(config, "User", ""));
    json_add_string(out, "WorkingDir", json_string(config, "WorkingDir", ""));
    json_add_string(out, "StopSignal", json_string(config, "StopSignal", NULL));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const cJSON *value = cJSON_IsObject(config) ? cJSON_GetObjectItemCaseSensitive(config, members[i]) : NULL;
        if (value || i < 6) /* the first six always stand there */
            add_copy(out, members[i], value);
    }
}

cJSON *json_image_inspect(const struct image *image, int version)
{
    cleanup_json cJSON *document = NULL;
    struct error ignored;
    if (image->config_json && json_parse(bytes_of_string(image->config_json), IMAGE_CONFIG_SIZE_BYTES, &document, &ignored) < 0)
        document = NULL;
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "Id", image->id);
    add_names(json, image, version >= 43 ? version : 43); /* never "<none>" here */
    json_add_string(json, "Parent", "");
    json_add_string(json, "Comment", json_string(document, "comment", ""));
    json_add_string(json, "Created", text_empty(image->created) ? "0001-01-01T00:00:00Z" : image->created);
    json_add_string(json, "DockerVersion", json_string(document, "docker_version", ""));
    json_add_string(json, "Author", json_string(document, "author", ""));
    add_config(json, json_object(document, "config"));
    json_add_string(json, "Architecture", image->architecture);
    if (!text_empty(image->variant))
        json_add_string(json, "Variant", image->variant);
    json_add_string(json, "Os", image->os);
    if (!text_empty(image->os_version))
        json_add_string(json, "OsVersion", image->os_version);
    json_add_int(json, "Size", size_of(image));
    if (version < 44)
        json_add_int(json, "VirtualSize", size_of(image));
    cJSON *driver = cJSON_AddObjectToObject(json, "GraphDriver");
    json_add_string(driver, "Name", "overlay2");
    cJSON_AddObjectToObject(driver, "Data");
    cJSON *root = cJSON_AddObjectToObject(json, "RootFS");
    json_add_string(root, "Type", "layers");
    add_copy(root, "Layers", json_array(json_object(document, "rootfs"), "diff_ids"));
    json_add_string(cJSON_AddObjectToObject(json, "Metadata"), "LastTagTime", "0001-01-01T00:00:00Z");
    return json;
}
