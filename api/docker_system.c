/* api/docker_system.c – who this node is: _ping, version, info, disk usage. */
#include <stdlib.h>

#include "api/call.h"
#include "api/json_container.h"
#include "api/json_image.h"
#include "api/json_info.h"

void docker_ping(struct api_call *call)
{
    struct node_info info;
    call->api->options.node.info(call->api->options.node.node, &info);
    http_answer_header(call->ex, "Builder-Version", "1");
    http_answer_header(call->ex, "Swarm", info.state == NODE_ACTIVE ? "active/worker" : info_node_state(info.state));
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

static void count_images(const struct api *api, size_t *count)
{
    struct error ignored;
    struct image *images;
    if (api->options.images.list(api->options.images.store, &images, count, &ignored) < 0)
        *count = 0;
    else
        free_images(api, images, *count);
}

static void info_ready(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    struct api_call *call = ctx;
    struct api *api = call->api;
    struct node_info node;
    struct hcs_host host;
    struct info_view view = {.options = &api->options, .host = &api->host, .hcs = &host, .node = &node};
    if (err) {
        call_error(call, err);
        call_release(call);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        view.running += systems[i].state == HCS_RUNNING;
        view.paused += systems[i].state == HCS_PAUSED;
        view.stopped += systems[i].state == HCS_STOPPED || systems[i].state == HCS_CREATED;
    }
    count_images(api, &view.images);
    view.event_watchers = api_events_watcher_count(api->events);
    view.now_wall_ns = clock_wall_ns(&api->options.clock);
    hcs_probe(api->options.hcs, &host);
    api->options.node.info(api->options.node.node, &node);
    call_json(call, 200, json_info(&view));
    call_release(call);
}

void docker_info(struct api_call *call)
{
    call_hold(call);
    hcs_system_enumerate(call->api->options.hcs, NULL, info_ready, call);
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
