/* api/call.h – one call of the API: a request whose version, query and path are understood, and the usual ways to answer it.
 *
 * Private to the room: the docker_*.c files, one per resource, and api.c which routes to them. */
#ifndef SKEP_API_CALL_H
#define SKEP_API_CALL_H

#include "api/api.h"
#include "api/filters.h"
#include "api/host_facts.h"
#include "api/http_exchange.h"
#include "api/http_server.h"
#include "api/http_text.h"
#include "api/router.h"
#include "base/json.h"

#define API_ROOM "api"

struct api_events;

struct api {
    struct api_options options; /* its strings are in @arena */
    struct arena arena;
    struct http_server *http, *metrics_http; /* NULL: nobody listens for metrics */
    struct api_host_facts host;
    struct api_events *events;
    struct hcs_listener hcs_listener;
    unsigned holds; /* one until it is closed, and one for each call that waits for an answer of another room */
};

struct api_call {
    struct api *api;
    struct http_exchange *ex;
    struct arena *arena; /* the exchange's */
    int version;         /* the minor of 1.NN that the client asked for */
    struct http_query query;
    const char *params[ROUTER_PARAMS_COUNT];
};

typedef void (*api_handler)(struct api_call *call);

/* The call lives as long as its exchange; who answers later holds it, and the API with it. */
void call_hold(struct api_call *call);
void call_release(struct api_call *call);

const char *call_query(const struct api_call *call, const char *key); /* NULL when not given */
bool call_flag(const struct api_call *call, const char *key);

void call_json(struct api_call *call, int status, cJSON *json); /* taken */
void call_fail(struct api_call *call, int status, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));
void call_error(struct api_call *call, const struct error *err); /* with the HTTP status of its code */

/* Read the body as one JSON document; answers 400 or 413 itself. @on_json's document is borrowed; NULL for an empty body. */
void call_read_json(struct api_call *call, void (*on_json)(struct api_call *call, const cJSON *json));

/* Look a container up by id, name or the start of an id; answers 404 or 400 itself. The call is held meanwhile. */
void call_find_container(struct api_call *call, const char *name,
                         void (*on_found)(struct api_call *call, const struct hcs_properties *system));

void api_release(struct api *api);
void api_on_request(void *ctx, struct http_exchange *ex); /* ctx: struct api; what every connection is given */

/* The handlers, by file. */
void docker_ping(struct api_call *call); /* docker_system.c */
void docker_version(struct api_call *call);
void docker_disk_usage(struct api_call *call);
void docker_info(struct api_call *call);       /* docker_info.c */
void docker_swarm_join(struct api_call *call); /* docker_swarm.c */
void docker_swarm_leave(struct api_call *call);
void docker_manager_only(struct api_call *call);
void docker_no_manager_here(struct api_call *call);
void docker_swarm_init(struct api_call *call); /* docker_cluster.c */
void docker_swarm_inspect(struct api_call *call);
void docker_swarm_update(struct api_call *call);
void docker_swarm_unlock_key(struct api_call *call);
void docker_swarm_unlock(struct api_call *call);
void docker_nodes_list(struct api_call *call); /* docker_nodes.c */
void docker_node_inspect(struct api_call *call);
void docker_node_update(struct api_call *call);
void docker_node_remove(struct api_call *call);
void docker_services_list(struct api_call *call); /* docker_services.c */
void docker_service_inspect(struct api_call *call);
void docker_service_remove(struct api_call *call);
void docker_service_logs(struct api_call *call); /* docker_service_logs.c */
void docker_task_logs(struct api_call *call);
void docker_service_create(struct api_call *call); /* docker_service_spec.c */
void docker_service_update(struct api_call *call);
void docker_tasks_list(struct api_call *call); /* docker_tasks.c */
void docker_task_inspect(struct api_call *call);
void docker_secrets_list(struct api_call *call); /* docker_secrets.c */
void docker_secret_inspect(struct api_call *call);
void docker_secret_create(struct api_call *call);
void docker_secret_update(struct api_call *call);
void docker_secret_remove(struct api_call *call);
void docker_configs_list(struct api_call *call);
void docker_config_inspect(struct api_call *call);
void docker_config_create(struct api_call *call);
void docker_config_update(struct api_call *call);
void docker_config_remove(struct api_call *call);
void docker_networks_list(struct api_call *call); /* docker_networks.c */
void docker_network_inspect(struct api_call *call);
void docker_network_create(struct api_call *call);
void docker_network_remove(struct api_call *call);
void docker_containers_list(struct api_call *call); /* docker_containers.c */
void docker_container_inspect(struct api_call *call);
void docker_made_by_tasks(struct api_call *call);
void docker_container_logs(struct api_call *call);  /* docker_logs.c */
void docker_container_stats(struct api_call *call); /* docker_stats.c */
void docker_images_list(struct api_call *call);     /* docker_images.c */
void docker_image_inspect(struct api_call *call);
void docker_image_remove(struct api_call *call);
void docker_image_tag(struct api_call *call);
void docker_images_prune(struct api_call *call);
void docker_distribution_inspect(struct api_call *call); /* docker_distribution.c */
void docker_image_pull(struct api_call *call);           /* docker_image_jobs.c */
void docker_image_load(struct api_call *call);
void docker_events(struct api_call *call);       /* docker_events.c */
void docker_volumes_list(struct api_call *call); /* docker_absent.c: what a docker command asks about and there is none of */
void docker_volume_inspect(struct api_call *call);
void docker_plugins_list(struct api_call *call);
void docker_plugin_inspect(struct api_call *call);
void docker_unsupported(struct api_call *call);
void health_all(struct api_call *call); /* health.c */
void health_live(struct api_call *call);
void health_ready(struct api_call *call);
void health_quorum(struct api_call *call);
void health_metrics(struct api_call *call);

struct api_events *api_events_new(struct api *api);
void api_events_free(struct api_events *events);
unsigned api_events_watcher_count(const struct api_events *events);
void api_events_from_hcs(void *ctx, const struct hcs_event *event); /* ctx: struct api */

#endif
