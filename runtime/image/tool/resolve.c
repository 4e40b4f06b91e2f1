/* runtime/image/tool/resolve.c – what a name stands for at its registry, and for which platforms there is an image under it. Nothing is
 * kept: of an index only the index is fetched, of a single image its manifest and its config. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/platform.h"
#include "runtime/image/tool/blob.h"
#include "runtime/image/tool/registry.h"
#include "runtime/image/tool/report.h"

struct resolving {
    struct task *task;
    struct image_reference reference;
    struct registry *registry;
    struct http *http;
    struct arena arena;
    char digest[IMAGE_DIGEST_SIZE_CHARS + 1];
    size_t size_bytes;
    struct image_document document;
    cJSON *platforms;
};

static void add_platform(struct resolving *resolving, const struct image_platform *platform)
{
    cleanup_free char *shown = image_platform_text(platform);
    report_status(NULL, "Platform: %s", shown);
    cJSON *item = cJSON_CreateObject();
    json_add_string(item, "os", platform->os);
    json_add_string(item, "architecture", platform->architecture);
    json_add_string(item, "variant", platform->variant);
    json_add_string(item, "osVersion", platform->os_version);
    cJSON_AddItemToArray(resolving->platforms, item);
}

static int take_config(struct resolving *resolving, struct error *err)
{
    cleanup_buf struct buf text = {0};
    struct image_spec spec;
    int failed = registry_config(resolving->registry, resolving->http, resolving->document.config.digest, &text, err);
    if (failed == 0)
        failed = image_spec_parse(buf_bytes(&text), &resolving->arena, &spec, err);
    if (failed == 0)
        add_platform(resolving, &(struct image_platform){spec.os, spec.architecture, spec.variant, spec.os_version});
    return failed;
}

static int take_document(struct resolving *resolving, struct error *err)
{
    cleanup_buf struct buf text = {0};
    const char *which = resolving->reference.digest[0] ? resolving->reference.digest : resolving->reference.tag;
    int failed = registry_manifest(resolving->registry, resolving->http, which, &text, err);
    if (failed == 0)
        failed = image_document_parse(buf_bytes(&text), &resolving->arena, &resolving->document, err);
    if (failed < 0)
        return failed;
    blob_digest_of(buf_bytes(&text), resolving->digest);
    resolving->size_bytes = text.size;
    return 0;
}

/* The entry of an attestation says that it is for "unknown": that is for whoever reads to pass over. */
static int take_platforms(struct resolving *resolving, struct error *err)
{
    const struct image_document *document = &resolving->document;
    if (document->kind == IMAGE_DOCUMENT_MANIFEST)
        return take_config(resolving, err);
    for (size_t i = 0; i < document->count; i++)
        if (!text_empty(document->items[i].platform.os) || !text_empty(document->items[i].platform.architecture))
            add_platform(resolving, &document->items[i].platform);
    return 0;
}

static int resolve_with(struct resolving *resolving, struct error *err)
{
    int failed = registry_open(resolving->task, &resolving->reference, resolving->http, &resolving->registry, err);
    if (failed == 0)
        failed = take_document(resolving, err);
    if (failed == 0)
        failed = take_platforms(resolving, err);
    if (failed < 0)
        return failed;
    report_status(NULL, "Digest: %s", resolving->digest);
    cJSON *result = cJSON_CreateObject();
    json_add_string(result, "mediaType", resolving->document.media_type);
    json_add_string(result, "digest", resolving->digest);
    json_add_int(result, "size", (int64_t)resolving->size_bytes);
    cJSON_AddItemToObject(result, "platforms", steal(&resolving->platforms));
    report_result(result);
    return 0;
}

int image_task_resolve(struct task *task, struct error *err)
{
    struct resolving resolving = {.task = task};
    int failed = image_reference_parse(task->reference, &resolving.reference, err);
    if (failed == 0)
        failed = http_new(&resolving.http, err);
    if (failed < 0)
        return failed;
    resolving.platforms = cJSON_CreateArray();
    failed = resolve_with(&resolving, err);
    cJSON_Delete(resolving.platforms);
    registry_close(resolving.registry);
    http_free(resolving.http);
    arena_deinit(&resolving.arena);
    return failed;
}
