/* api/provider.h – the node, the images and the swarm as the API sees them: tables of functions, so that the API links without those rooms.
 * The node's and the images' have the very signatures of agent/node.h and runtime/image/image.h. Containers need none: `struct hcs` is such
 * a table itself. */
#ifndef SKEP_API_PROVIDER_H
#define SKEP_API_PROVIDER_H

#include "agent/node.h"
#include "base/metrics.h"
#include "manager/control/control.h"
#include "manager/images/asker.h"
#include "manager/logs/broker.h"
#include "runtime/image/image.h"

struct api_node {
    struct node *node; /* borrowed */
    void (*info)(const struct node *node, struct node_info *out);
    int (*join)(struct node *node, const struct node_join_request *request, node_phase_cb on_phase, node_done_cb on_done, void *ctx,
                struct error *err);
    void (*join_abandon)(struct node *node, void *ctx);
    int (*leave)(struct node *node, bool force, node_done_cb on_done, void *ctx, struct error *err);
};

struct api_images {
    struct image_store *store; /* borrowed */
    int (*find)(struct image_store *store, const char *reference, const struct image_platform *platform, struct image *out,
                struct error *err);
    int (*list)(struct image_store *store, struct image **out, size_t *count, struct error *err);
    int (*pull)(struct image_store *store, const struct image_pull_request *request, image_progress_cb on_progress, image_pulled_cb on_done,
                void *ctx, struct image_job **out, struct error *err);
    int (*load)(struct image_store *store, const char *path, image_progress_cb on_progress, image_done_cb on_done, void *ctx,
                struct image_job **out, struct error *err);
    size_t (*load_write)(struct image_job *job, struct bytes piece, void (*on_drained)(void *ctx));
    void (*load_end)(struct image_job *job);
    int (*remove)(struct image_store *store, const char *reference, bool force, image_done_cb on_done, void *ctx, struct image_job **out,
                  struct error *err);
    int (*tag)(struct image_store *store, const char *reference, const char *new_name, image_done_cb on_done, void *ctx,
               struct image_job **out, struct error *err);
    int (*gc)(struct image_store *store, enum image_gc_scope scope, image_done_cb on_done, void *ctx, struct image_job **out,
              struct error *err);
    void (*cancel)(struct image_job *job);
    void (*deinit)(struct image *image);
};

/* POST /swarm/init. Texts are NULL or "" where not given; borrowed until init() returns. */
struct api_init_request {
    const char *listen_addr, *advertise_addr, *data_path_addr;
    uint32_t data_path_port;          /* 0: the default */
    const char *const *address_pools; /* CIDRs; none: the default */
    size_t address_pool_count;
    uint32_t subnet_size; /* in bits; 0: the default */
    bool force_new_cluster, autolock;
    int availability; /* Docker__Swarmkit__V1__NodeSpec__Availability */
    /* What the new cluster is to have; NULL, and what is zero in it: the defaults. The API itself updates the cluster with it once init is
     * done, so that only what cannot wait so long is taken from here (the CA). */
    const Docker__Swarmkit__V1__ClusterSpec *spec;
};

typedef void api_init_done(void *ctx, const char *node_id, const struct error *err);
typedef void api_unlock_done(void *ctx, const struct error *err);
typedef void api_unlock_key_done(void *ctx, const char *key_text, const struct error *err);

/* A manager in this daemon. All NULL where the node can only be a worker. What takes a `done` answers it once, at once or later, unless it
 * was abandoned or the function itself failed. */
struct api_swarm {
    void *self;
    bool (*is_manager)(void *self); /* a manager runs here; it may have no leader just now */
    /* Any method of Control, here or at the leader. @request is copied where it is kept; the answer is borrowed until @done returns.
     * Without a leader: ERR_UNAVAILABLE. */
    void (*call)(void *self, enum method_id method, const ProtobufCMessage *request, control_done_fn *done, void *ctx);
    void (*abandon)(void *self, void *ctx); /* no answer of call(), init(), unlock() and unlock_key() for @ctx any more */
    /* Begin a swarm with this node as its manager. ERR_EXISTS: it is in one already. */
    int (*init)(void *self, const struct api_init_request *request, api_init_done *done, void *ctx, struct error *err);
    /* Asked where the node's state is NODE_LOCKED. @key is borrowed until it is answered. ERR_INVALID: no key at all; ERR_TRUST: not the
     * right one. */
    int (*unlock)(void *self, const char *key, api_unlock_done *done, void *ctx, struct error *err);
    /* "SWMKEY-1-…"; "" where managers are not locked. A secret. */
    void (*unlock_key)(void *self, api_unlock_key_done *done, void *ctx);
    /* What tasks print, here or at the leader: as log_broker_subscribe(). *logs until the reader's end() or logs_close(). */
    int (*logs_open)(void *self, const Docker__Swarmkit__V1__SubscribeLogsRequest *request, const struct log_reader *reader, void **logs,
                     struct error *err);
    void (*logs_writable)(void *self, void *logs); /* the reader has room again; its end() may come inside */
    void (*logs_close)(void *self, void *logs);
};

/* How this daemon is. Texts are words for a person, "" where there is no trouble; borrowed until the loop goes on. */
struct api_health {
    const char *state, *role; /* of the node: "active", "manager" */
    bool is_ready;            /* it does what it is for: a worker is in session, a manager also takes part */
    bool has_quorum;          /* the managers can decide, as far as this node can tell */
    const char *ready_trouble, *quorum_trouble;
};

/* For /health and /metrics. Both are needed, or both NULL: then there are no such paths. */
struct api_telemetry {
    void (*health)(void *self, struct api_health *out);
    void (*metrics)(void *self, struct metrics *metrics);
    void *self;
};

/* The real rooms (wire_node.c, wire_images.c). */
struct api_node api_node_wire(struct node *node);
struct api_images api_images_wire(struct image_store *store);

#endif
