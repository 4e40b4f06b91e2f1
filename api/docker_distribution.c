/* api/docker_distribution.c – what a registry has under a name: `docker service create` asks it for the digest and the platforms that it
 * puts into the service's spec. */
#include "api/call.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/reference.h"

/* Lives in the call's arena, which it holds until it is answered or cancelled. */
struct asking {
    struct api_call *call;
    void *job;
};

static void finish(struct asking *asking)
{
    http_on_gone(asking->call->ex, NULL, NULL);
    call_release(asking->call);
}

static void on_gone(void *ctx, struct http_exchange *ex)
{
    struct asking *asking = ctx;
    const struct image_asker *registries = &asking->call->api->options.registries;
    (void)ex;
    registries->cancel(registries->self, asking->job);
    finish(asking);
}

static void add_known(cJSON *object, const char *key, const char *value)
{
    if (!text_empty(value))
        json_add_string(object, key, value);
}

static cJSON *json_distribution(const struct image_answer *answer)
{
    cJSON *json = cJSON_CreateObject(), *descriptor = cJSON_AddObjectToObject(json, "Descriptor");
    json_add_string(descriptor, "mediaType", answer->media_type);
    json_add_string(descriptor, "digest", answer->digest);
    json_add_int(descriptor, "size", answer->size_bytes);
    cJSON *list = cJSON_AddArrayToObject(json, "Platforms");
    for (size_t i = 0; i < answer->count; i++) {
        cJSON *platform = cJSON_CreateObject();
        json_add_string(platform, "architecture", answer->platforms[i].architecture);
        json_add_string(platform, "os", answer->platforms[i].os);
        add_known(platform, "os.version", answer->platforms[i].os_version);
        add_known(platform, "variant", answer->platforms[i].variant);
        cJSON_AddItemToArray(list, platform);
    }
    return json;
}

static void answered(void *ctx, const struct error *err, const struct image_answer *answer)
{
    struct asking *asking = ctx;
    if (err)
        call_error(asking->call, err);
    else
        call_json(asking->call, 200, json_distribution(answer));
    finish(asking);
}

/* An id of an image is no name that a registry knows: it says so in dockerd's words. */
static bool is_id(const char *name)
{
    return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

void docker_distribution_inspect(struct api_call *call)
{
    const struct image_asker *registries = &call->api->options.registries;
    const char *auth = http_request_header(call->ex, "X-Registry-Auth"), *name = call->params[0];
    struct asking *asking = arena_alloc(call->arena, sizeof *asking);
    struct error err;
    *asking = (struct asking){.call = call};
    if (is_id(name)) {
        call_fail(call, 500, "no manifest found for full image ID");
        return;
    }
    if (registries->start == NULL) {
        call_fail(call, 501, "this node asks no registries");
        return;
    }
    call_hold(call);
    http_on_gone(call->ex, on_gone, asking);
    if (registries->start(registries->self, name, auth, answered, asking, &asking->job, &err) == 0)
        return;
    call_error(call, &err);
    finish(asking);
}
