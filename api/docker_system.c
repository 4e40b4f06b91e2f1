/* api/docker_system.c – who this node is: _ping, version, disk usage. */
#include <stdlib.h>

#include "api/json_container.h"
#include "api/json_image.h"
#include "api/json_info.h"
#include "api/swarm_call.h"

void docker_ping(struct api_call *call)
{
    struct node_info info;
    call->api->options.node.info(call->api->options.node.node, &info);
    http_answer_header(call->ex, "Builder-Version", "1");
    const char *active = swarm_is_manager(call->api) ? "active/manager" : "active/worker";
    http_answer_header(call->ex, "Swarm", info.state == NODE_ACTIVE ? active : info_node_state(info.state));
    http_answer_header(call->ex, "Cache-Control", "no-cache, no-store, must-revalidate");
    http_answer_header(call->ex, "Pragma", "no-cache");
    http_answer_string(call->ex, 200, "text/plain; charset=utf-8", "OK");
}

void docker_version(struct api_call *call)
{
    struct hcs_host host;
    hcs_probe(call->api->options.hcs, &host);
    call_json(call, 200, json_version(&call->api->host, &host));
}

static void free_images(const struct api *api, struct image *images, size_t count)
{
    for (size_t i = 0; i < count; i++)
        api->options.images.deinit(&images[i]);
    free(images);
}

static void disk_usage_ready(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    struct api_call *call = ctx;
    const struct api_options *options = &call->api->options;
    struct image *images = NULL;
    size_t image_count = 0;
    struct error list_err;
    if (err || options->images.list(options->images.store, &images, &image_count, &list_err) < 0) {
        call_error(call, err ? err : &list_err);
        call_release(call);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    int64_t total = 0;
    cJSON *list = cJSON_AddArrayToObject(json, "Images"), *containers = cJSON_AddArrayToObject(json, "Containers");
    for (size_t i = 0; i < image_count; i++) {
        cJSON_AddItemToArray(list, json_image_summary(&images[i], call->version));
        total += (int64_t)images[i].size_bytes;
    }
    for (size_t i = 0; i < count; i++) {
        const struct container_view view = {.system = &systems[i], .now_wall_ns = clock_wall_ns(&options->clock)};
        cJSON_AddItemToArray(containers, json_container_summary(&view));
    }
    json_add_int(json, "LayersSize", total);
    cJSON_AddArrayToObject(json, "Volumes");
    cJSON_AddArrayToObject(json, "BuildCache");
    call_json(call, 200, json);
    free_images(call->api, images, image_count);
    call_release(call);
}

void docker_disk_usage(struct api_call *call)
{
    call_hold(call);
    hcs_system_enumerate(call->api->options.hcs, NULL, disk_usage_ready, call);
}
