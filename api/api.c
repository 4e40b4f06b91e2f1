/* api/api.c – see api.h: the table of routes, and the life of the API. */
#include "api/api.h"

#include <stdlib.h>

#include "api/call.h"
#include "api/socket.h"
#include "api/swarm_call.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

/* The first that matches is taken. Source: Docker Engine API v1.41 to v1.50. */
static const struct route {
    const char *method, *pattern;
    api_handler handle;
} routes[] = {
    {"GET", "/_ping", docker_ping},
    {"HEAD", "/_ping", docker_ping},
    {"GET", "/version", docker_version},
    {"GET", "/info", docker_info},
    {"GET", "/events", docker_events},
    {"GET", "/system/df", docker_disk_usage},
    {"POST", "/swarm/join", docker_swarm_join},
    {"POST", "/swarm/leave", docker_swarm_leave},
    {"POST", "/swarm/init", docker_swarm_init},
    {"POST", "/swarm/unlock", docker_swarm_unlock},
    {"GET", "/containers/json", docker_containers_list},
    {"GET", "/containers/{id}/json", docker_container_inspect},
    {"GET", "/containers/{id}/logs", docker_container_logs},
    {"GET", "/containers/{id}/stats", docker_container_stats},
    {"POST", "/containers/create", docker_made_by_tasks},
    {"POST", "/containers/prune", docker_made_by_tasks},
    {"POST", "/containers/{id}/{action}", docker_made_by_tasks},
    {"DELETE", "/containers/{id}", docker_made_by_tasks},
    {"GET", "/containers/{id}/{what}", docker_unsupported},
    {"GET", "/images/json", docker_images_list},
    {"POST", "/images/load", docker_image_load},
    {"POST", "/images/create", docker_image_pull},
    {"POST", "/images/prune", docker_images_prune},
    {"GET", "/images/{name*}/json", docker_image_inspect},
    {"POST", "/images/{name*}/tag", docker_image_tag},
    {"POST", "/images/{name*}/push", docker_unsupported},
    {"GET", "/images/{name*}/history", docker_unsupported},
    {"DELETE", "/images/{name*}", docker_image_remove},
    {"GET", "/distribution/{name*}/json", docker_distribution_inspect},
    {"POST", "/build", docker_unsupported},
    {"POST", "/commit", docker_unsupported},
    {"POST", "/auth", docker_unsupported},
    {"GET", "/networks", docker_networks_list},
    {"POST", "/networks/create", docker_network_create},
    {"GET", "/networks/{id}", docker_network_inspect},
    {"DELETE", "/networks/{id}", docker_network_remove},
    {"GET", "/volumes", docker_volumes_list},
    {"POST", "/volumes/create", docker_unsupported},
    {"GET", "/volumes/{name}", docker_volume_inspect},
    {"GET", "/plugins", docker_plugins_list},
    {"GET", "/plugins/{name*}/json", docker_plugin_inspect},
};

/* Also answered where metrics are listened for, to whoever asks. */
static const struct route telemetry_routes[] = {
    {"GET", "/health", health_all},           {"HEAD", "/health", health_all},           {"GET", "/health/live", health_live},
    {"HEAD", "/health/live", health_live},    {"GET", "/health/ready", health_ready},    {"HEAD", "/health/ready", health_ready},
    {"GET", "/health/quorum", health_quorum}, {"HEAD", "/health/quorum", health_quorum}, {"GET", "/metrics", health_metrics},
    {"HEAD", "/metrics", health_metrics},
};

/* What only a manager answers. */
static const struct route manager_routes[] = {
    {"GET", "/swarm", docker_swarm_inspect},
    {"POST", "/swarm/update", docker_swarm_update},
    {"GET", "/swarm/unlockkey", docker_swarm_unlock_key},
    {"GET", "/nodes", docker_nodes_list},
    {"GET", "/nodes/{id}", docker_node_inspect},
    {"POST", "/nodes/{id}/update", docker_node_update},
    {"DELETE", "/nodes/{id}", docker_node_remove},
    {"GET", "/services", docker_services_list},
    {"GET", "/services/{id}", docker_service_inspect},
    {"GET", "/services/{id}/logs", docker_service_logs},
    {"POST", "/services/create", docker_service_create},
    {"POST", "/services/{id}/update", docker_service_update},
    {"DELETE", "/services/{id}", docker_service_remove},
    {"GET", "/tasks", docker_tasks_list},
    {"GET", "/tasks/{id}", docker_task_inspect},
    {"GET", "/tasks/{id}/logs", docker_task_logs},
    {"GET", "/secrets", docker_secrets_list},
    {"GET", "/secrets/{id}", docker_secret_inspect},
    {"POST", "/secrets/create", docker_secret_create},
    {"POST", "/secrets/{id}/update", docker_secret_update},
    {"DELETE", "/secrets/{id}", docker_secret_remove},
    {"GET", "/configs", docker_configs_list},
    {"GET", "/configs/{id}", docker_config_inspect},
    {"POST", "/configs/create", docker_config_create},
    {"POST", "/configs/{id}/update", docker_config_update},
    {"DELETE", "/configs/{id}", docker_config_remove},
};

/* Everything below these is the cluster's, whether there is an answer to it or not. */
static const char *const manager_paths[] = {"/nodes", "/services", "/tasks", "/secrets", "/configs"};

static bool is_managers(const char *path)
{
    for (size_t i = 0; i < sizeof manager_paths / sizeof *manager_paths; i++) {
        size_t length = strlen(manager_paths[i]);
        if (strncmp(path, manager_paths[i], length) == 0 && (path[length] == '/' || path[length] == '\0'))
            return true;
    }
    return false;
}

static api_handler match(struct api_call *call, const char *path, const struct route *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(call->ex->method, table[i].method) == 0 && router_match(table[i].pattern, path, call->arena, call->params))
            return table[i].handle;
    return NULL;
}

static api_handler find_telemetry(struct api_call *call, const char *path)
{
    if (call->api->options.telemetry.metrics == NULL)
        return NULL;
    return match(call, path, telemetry_routes, sizeof telemetry_routes / sizeof *telemetry_routes);
}

static api_handler find_handler(struct api_call *call, const char *path)
{
    api_handler handle = match(call, path, routes, sizeof routes / sizeof *routes);
    if (handle == NULL)
        handle = find_telemetry(call, path);
    if (handle)
        return handle;
    handle = match(call, path, manager_routes, sizeof manager_routes / sizeof *manager_routes);
    if ((handle || is_managers(path)) && !swarm_is_manager(call->api))
        return docker_manager_only;
    return handle;
}

static void add_headers(struct api *api, struct http_exchange *ex)
{
    struct hcs_host host;
    hcs_probe(api->options.hcs, &host);
    http_answer_header(ex, "Api-Version", arena_format(&ex->arena, "1.%d", API_VERSION_MAX));
    http_answer_header(ex, "Docker-Experimental", "false");
    http_answer_header(ex, "Ostype", host.os);
    http_answer_header(ex, "Server", arena_format(&ex->arena, "Skep/" SKEP_VERSION " (%s)", host.os));
}

void api_on_request(void *ctx, struct http_exchange *ex)
{
    struct api *api = ctx;
    struct error err;
    const char *path;
    struct api_call *call = arena_alloc(&ex->arena, sizeof *call);
    *call = (struct api_call){.api = api, .ex = ex, .arena = &ex->arena};
    add_headers(api, ex);
    if (router_version(ex->path, API_VERSION_MIN, API_VERSION_MAX, &call->version, &path, &err) < 0 ||
        http_query_parse(call->arena, ex->query, &call->query, &err) < 0) {
        call_error(call, &err);
        return;
    }
    api_handler handle = find_handler(call, path);
    if (handle)
        handle(call);
    else
        call_fail(call, 404, "page not found");
}

static void on_metrics_request(void *ctx, struct http_exchange *ex)
{
    struct api_call *call = arena_alloc(&ex->arena, sizeof *call);
    *call = (struct api_call){.api = ctx, .ex = ex, .arena = &ex->arena, .version = API_VERSION_MAX};
    api_handler handle = find_telemetry(call, ex->path);
    if (handle)
        handle(call);
    else
        call_fail(call, 404, "there are /metrics, /health, /health/live, /health/ready and /health/quorum here");
}

static const char **copy_strings(struct arena *arena, const char *const *strings, size_t count)
{
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_string(arena, strings[i]);
    return copy;
}

struct api *api_new(const struct api_options *options)
{
    struct api *api = mem_alloc(sizeof *api);
    struct api_options *own = &api->options;
    api->holds = 1;
    *own = *options;
    if (own->random.fill == NULL)
        own->random = random_system();
    api_host_facts_read(&api->host);
    own->state_dir = arena_string(&api->arena, options->state_dir);
    own->hostname = arena_string(&api->arena, options->hostname ? options->hostname : api->host.hostname);
    own->default_isolation = arena_string(&api->arena, options->default_isolation);
    own->labels = copy_strings(&api->arena, options->labels, options->label_count);
    own->insecure_registries = copy_strings(&api->arena, options->insecure_registries, options->insecure_registry_count);
    api->events = api_events_new(api);
    api->http = http_server_new(options->loop, &options->clock, api_on_request, api);
    api->hcs_listener = (struct hcs_listener){.on_event = api_events_from_hcs, .ctx = api};
    hcs_subscribe(own->hcs, &api->hcs_listener);
    return api;
}

void api_set_labels(struct api *api, const char *const *labels, size_t count)
{
    api->options.labels = copy_strings(&api->arena, labels, count); /* the old ones stay in the arena: they are few, and reloads are rare */
    api->options.label_count = count;
}

int api_listen(struct api *api, const char *address, const char *group, struct error *err)
{
    cleanup_free char *path = socket_path(address, err);
    return path ? http_server_listen(api->http, path, group, err) : err->code;
}

int api_listen_metrics(struct api *api, const char *address, struct error *err)
{
    if (api->metrics_http == NULL)
        api->metrics_http = http_server_new(api->options.loop, &api->options.clock, on_metrics_request, api);
    return http_server_listen_tcp(api->metrics_http, address, err);
}

void api_release(struct api *api)
{
    if (--api->holds > 0)
        return;
    api_events_free(api->events);
    arena_deinit(&api->arena);
    free(api);
}

struct closing {
    struct api *api;
    unsigned open_count; /* servers */
    void (*on_closed)(void *ctx);
    void *ctx;
};

static void http_closed(void *ctx)
{
    struct closing closing = *(struct closing *)ctx;
    if (--((struct closing *)ctx)->open_count > 0)
        return;
    free(ctx);
    api_release(closing.api);
    if (closing.on_closed)
        closing.on_closed(closing.ctx);
}

void api_free(struct api *api, void (*on_closed)(void *ctx), void *ctx)
{
    struct closing *closing = mem_alloc(sizeof *closing);
    *closing = (struct closing){api, api->metrics_http ? 2 : 1, on_closed, ctx};
    hcs_unsubscribe(api->options.hcs, &api->hcs_listener);
    if (api->metrics_http)
        http_server_free(api->metrics_http, http_closed, closing);
    http_server_free(api->http, http_closed, closing);
}
