/* api/docker_info.c – /info: what the node knows of itself, and on a manager what the swarm says. */
#include <stdlib.h>

#include "api/json_info.h"
#include "api/swarm/json_cluster.h"
#include "api/swarm/reply.h"
#include "api/swarm_call.h"
#include "base/mem.h"

/* Lives in the call's arena. */
struct info {
    struct api_call *call;
    struct info_swarm swarm;
};

static size_t count_images(const struct api *api)
{
    struct error ignored;
    struct image *images;
    size_t count;
    if (api->options.images.list(api->options.images.store, &images, &count, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        api->options.images.deinit(&images[i]);
    free(images);
    return count;
}

static void count_systems(struct info_view *view, const struct hcs_properties *systems, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        view->running += systems[i].state == HCS_RUNNING;
        view->paused += systems[i].state == HCS_PAUSED;
        view->stopped += systems[i].state == HCS_STOPPED || systems[i].state == HCS_CREATED;
    }
}

static void finish(struct info *info)
{
    struct api_call *call = info->call;
    cJSON_Delete(info->swarm.cluster);
    call_release(call);
}

static void systems_ready(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    struct info *info = ctx;
    struct api *api = info->call->api;
    struct node_info node;
    struct hcs_host host;
    struct info_view view = {.options = &api->options, .host = &api->host, .hcs = &host, .node = &node, .swarm = &info->swarm};
    if (err) {
        call_error(info->call, err);
        finish(info);
        return;
    }
    count_systems(&view, systems, count);
    view.images = count_images(api);
    view.event_watchers = api_events_watcher_count(api->events);
    view.now_wall_ns = clock_wall_ns(&api->options.clock);
    hcs_probe(api->options.hcs, &host);
    api->options.node.info(api->options.node.node, &node);
    call_json(info->call, 200, json_info(&view));
    finish(info);
}

static void show(struct info *info)
{
    call_hold(info->call);
    hcs_system_enumerate(info->call->api->options.hcs, NULL, systems_ready, info);
}

/* --- a manager's part: what cannot be had just now is said in the answer, and fails nothing --- */

static void set_error(struct swarm_call *sc, const struct control_answer *answer)
{
    struct info *info = sc->own;
    cleanup_free char *text = swarm_rpc_message(answer->grpc_status, answer->err->message);
    info->swarm.error = arena_string(sc->arena, text);
}

static void clusters_listed(struct swarm_call *sc, const struct control_answer *answer)
{
    struct info *info = sc->own;
    const Docker__Swarmkit__V1__ListClustersResponse *response = (const void *)answer->response;
    if (response == NULL)
        set_error(sc, answer);
    else if (response->n_clusters > 0)
        info->swarm.cluster = swarm_json_cluster_info(response->clusters[0], sc->version);
    show(info);
    swarm_end(sc);
}

static void nodes_listed(struct swarm_call *sc, const struct control_answer *answer)
{
    struct info *info = sc->own;
    const Docker__Swarmkit__V1__ListNodesResponse *response = (const void *)answer->response;
    if (response == NULL)
        set_error(sc, answer);
    for (size_t i = 0; response && i < response->n_nodes; i++) {
        info->swarm.nodes++;
        info->swarm.managers += response->nodes[i]->manager_status != NULL;
    }
    swarm_try(sc, METHOD_Control_ListClusters, swarm_request(sc, METHOD_Control_ListClusters), clusters_listed);
}

void docker_info(struct api_call *call)
{
    struct info *info = arena_alloc(call->arena, sizeof *info);
    info->call = call;
    if (!swarm_is_manager(call->api)) {
        show(info);
        return;
    }
    struct swarm_call *sc = swarm_call_new(call);
    sc->own = info;
    info->swarm.is_manager = true;
    swarm_try(sc, METHOD_Control_ListNodes, swarm_request(sc, METHOD_Control_ListNodes), nodes_listed);
}
