/* api/api.h – the Docker Engine API of this node over HTTP/1.1 on local sockets.
 *
 * Answers what the stock `docker` command asks of a worker: who the node is, its swarm membership, its containers, images and events. On a
 * manager also what it asks of the swarm: nodes, services, tasks, secrets, configs, networks, and the swarm itself.
 * Versions 1.API_VERSION_MIN to 1.API_VERSION_MAX. One loop, no threads. Source of shapes: Docker Engine API v1.41 and v1.50. */
#ifndef SKEP_API_API_H
#define SKEP_API_API_H

#include <uv.h>

#include "api/provider.h"
#include "base/clock.h"
#include "base/random.h"
#include "runtime/hcs.h"

#define API_VERSION_MIN 24 /* 1.24: what dockerd 28 still takes */
#define API_VERSION_MAX 50 /* 1.50: docker 28.2 */

struct api;

struct api_options {
    uv_loop_t *loop; /* borrowed */
    struct clock clock;
    struct random random;          /* for made-up names of services; unset: the system's */
    struct api_node node;          /* api_node_wire(node) */
    struct api_images images;      /* api_images_wire(store) */
    struct image_asker registries; /* for /distribution; zeroed: no registry is asked */
    struct api_swarm swarm;        /* all NULL: this node can only be a worker */
    struct api_telemetry telemetry;
    struct hcs *hcs;               /* borrowed; every system in it is shown as a container */
    const char *state_dir;         /* copied; `docker info` shows it as Docker Root Dir */
    const char *hostname;          /* copied; NULL: the system's */
    const char *default_isolation; /* copied; "process" or "hyperv" */
    const char *const *labels;     /* "k=v", copied */
    size_t label_count;
    const char *const *insecure_registries; /* copied, for `docker info` */
    size_t insecure_registry_count;
    bool is_debug;
    /* "starting", "healthy" or "unhealthy", or "none" or NULL for a container without health checks. May be NULL. */
    const char *(*health)(void *self, const char *container_id);
    void *health_self;
};

struct api *api_new(const struct api_options *options);

/* Listen at "unix:///run/skep.sock" (socket.h); up to API_LISTENERS_COUNT times. The socket has mode 0660; its group is @group (NULL: the
 * process' own). A socket file that no one listens at is replaced; ERR_EXISTS when someone does. ERR_INVALID for another kind of address,
 * ERR_NOT_FOUND for the group, ERR_PERMISSION, ERR_IO. */
int api_listen(struct api *api, const char *address, const char *group, struct error *err);

/* Answer /metrics and /health, and nothing else, at "127.0.0.1:9323": as http_server_listen_tcp(). Nobody is asked who they are. */
int api_listen_metrics(struct api *api, const char *address, struct error *err);

void api_set_labels(struct api *api, const char *const *labels, size_t count); /* copied */

/* Something happened that `docker events` shows. What containers and images do the API sees itself; this is for the rest (the node). */
struct api_event_attribute {
    const char *key, *value;
};
struct api_event {
    const char *type, *action, *id; /* "node", "update", its id; copied */
    const struct api_event_attribute *attributes;
    size_t attribute_count;
};
void api_publish(struct api *api, const struct api_event *event);

/* The same of what changed in the cluster, as this node's manager sees it. */
struct store_commit;
void api_publish_commit(struct api *api, const struct store_commit *commit);

/* Stop listening, break off what is under way, close all. @on_closed comes when nothing of it is on the loop any
 * more. Node, images and hcs must live until this returns; answers that they still owe (canceled ones, if they go now) may come later. */
void api_free(struct api *api, void (*on_closed)(void *ctx), void *ctx);

#endif
