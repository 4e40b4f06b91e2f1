/* api/docker_images.c – listing, inspecting, naming and removing images. */
#include <stdlib.h>

#include "api/call.h"
#include "api/json_image.h"
#include "base/mem.h"
#include "base/text.h"

/* --- the list --- */

static const char *const known_filters[] = {"dangling", "label", "reference", NULL};

static bool label_matches(const void *subject, const char *value)
{
    const struct image_config *config = &((const struct image *)subject)->config;
    for (size_t i = 0; i < config->label_count; i++) {
        size_t length = strlen(config->labels[i].key);
        if (strncmp(value, config->labels[i].key, length) != 0)
            continue;
        if (value[length] == '\0' || (value[length] == '=' && strcmp(value + length + 1, config->labels[i].value) == 0))
            return true;
    }
    return false;
}

/* "debian" and "debian:*" both mean "debian:12"; the tag begins behind the last ':' that no '/' follows. */
static bool reference_matches(const void *subject, const char *value)
{
    const struct image_strings *tags = &((const struct image *)subject)->repo_tags;
    for (size_t i = 0; i < tags->count; i++) {
        const char *colon = strrchr(tags->items[i], ':');
        size_t length = colon && strchr(colon, '/') == NULL ? (size_t)(colon - tags->items[i]) : strlen(tags->items[i]);
        cleanup_free char *repository = mem_string_n(tags->items[i], length);
        if (filters_match_glob(value, tags->items[i]) || filters_match_glob(value, repository))
            return true;
    }
    return false;
}

static bool dangling_matches(const void *subject, const char *value)
{
    return (((const struct image *)subject)->repo_tags.count == 0) == (text_equal(value, "true") || text_equal(value, "1"));
}

static void answer_list(struct api_call *call, const struct filters *filters, const struct image *images, size_t count)
{
    cJSON *json = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        if (filters_allow(filters, "label", label_matches, &images[i]) &&
            filters_allow(filters, "reference", reference_matches, &images[i]) &&
            filters_allow(filters, "dangling", dangling_matches, &images[i]))
            cJSON_AddItemToArray(json, json_image_summary(&images[i], call->version));
    call_json(call, 200, json);
}

void docker_images_list(struct api_call *call)
{
    const struct api_images *provider = &call->api->options.images;
    struct error err;
    struct filters filters;
    struct image *images;
    size_t count;
    if (filters_parse(call_query(call, "filters"), known_filters, call->arena, &filters, &err) < 0 ||
        provider->list(provider->store, &images, &count, &err) < 0) {
        call_error(call, &err);
        return;
    }
    answer_list(call, &filters, images, count);
    for (size_t i = 0; i < count; i++)
        provider->deinit(&images[i]);
    free(images);
}

void docker_image_inspect(struct api_call *call)
{
    const struct api_images *provider = &call->api->options.images;
    struct error err;
    struct image image = {0};
    if (provider->find(provider->store, call->params[0], NULL, &image, &err) < 0) {
        call_error(call, &err);
        return;
    }
    call_json(call, 200, json_image_inspect(&image, call->version));
    provider->deinit(&image);
}

/* --- removing and naming --- */

static void publish_removed(struct api *api, const cJSON *result)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, result) {
        const char *untagged = json_string(entry, "Untagged", NULL), *deleted = json_string(entry, "Deleted", NULL);
        const char *name = untagged ? untagged : deleted;
        if (name == NULL)
            continue;
        const struct api_event_attribute attribute = {"name", name};
        api_publish(api, &(struct api_event){"image", untagged ? "untag" : "delete", name, &attribute, 1});
    }
}

static void removed(void *ctx, const struct error *err, const cJSON *result)
{
    struct api_call *call = ctx;
    if (err) {
        call_error(call, err);
    } else {
        publish_removed(call->api, result);
        call_json(call, 200, cJSON_Duplicate(result, true));
    }
    call_release(call);
}

void docker_image_remove(struct api_call *call)
{
    const struct api_images *provider = &call->api->options.images;
    struct error err;
    struct image_job *job;
    call_hold(call);
    if (provider->remove(provider->store, call->params[0], call_flag(call, "force"), removed, call, &job, &err) == 0)
        return;
    call_error(call, &err);
    call_release(call);
}

static void tagged(void *ctx, const struct error *err, const cJSON *result)
{
    struct api_call *call = ctx;
    (void)result;
    if (err)
        call_error(call, err);
    else
        http_answer(call->ex, 201, NULL, bytes_of(NULL, 0));
    call_release(call);
}

void docker_image_tag(struct api_call *call)
{
    const struct api_images *provider = &call->api->options.images;
    const char *repo = call_query(call, "repo"), *tag = call_query(call, "tag");
    struct error err;
    struct image_job *job;
    if (text_empty(repo)) {
        call_fail(call, 400, "repo is missing: the new name of the image");
        return;
    }
    const char *name = text_empty(tag) ? repo : arena_format(call->arena, "%s:%s", repo, tag);
    call_hold(call);
    if (provider->tag(provider->store, call->params[0], name, tagged, call, &job, &err) == 0)
        return;
    call_error(call, &err);
    call_release(call);
}

/* --- pruning --- */

static void pruned(void *ctx, const struct error *err, const cJSON *result)
{
    struct api_call *call = ctx;
    const cJSON *id;
    if (err) {
        call_error(call, err);
        call_release(call);
        return;
    }
    cJSON *json = cJSON_CreateObject(), *list = cJSON_CreateArray();
    cJSON_ArrayForEach (id, json_array(result, "deleted")) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToObject(entry, "Deleted", cJSON_Duplicate(id, false));
        cJSON_AddItemToArray(list, entry);
    }
    publish_removed(call->api, list);
    cJSON_AddItemToObject(json, "ImagesDeleted", cJSON_GetArraySize(list) > 0 ? list : cJSON_CreateNull());
    if (cJSON_GetArraySize(list) == 0)
        cJSON_Delete(list);
    json_add_int(json, "SpaceReclaimed", json_int(result, "reclaimedBytes", 0));
    call_json(call, 200, json);
    call_release(call);
}

/* Docker's default is the images without a name; dangling=false asks for all that no container uses. */
void docker_images_prune(struct api_call *call)
{
    static const char *const known[] = {"dangling", NULL};
    const struct api_images *provider = &call->api->options.images;
    struct error err;
    struct filters filters;
    struct image_job *job;
    if (filters_parse(call_query(call, "filters"), known, call->arena, &filters, &err) < 0) {
        call_error(call, &err);
        return;
    }
    bool takes_all = filters_have(&filters, "dangling") &&
                     (filters_allow_exactly(&filters, "dangling", "false") || filters_allow_exactly(&filters, "dangling", "0"));
    call_hold(call);
    if (provider->gc(provider->store, takes_all ? IMAGE_GC_UNUSED : IMAGE_GC_NAMELESS, pruned, call, &job, &err) == 0)
        return;
    call_error(call, &err);
    call_release(call);
}
