/* api/provider.h – the node and the images as the API sees them: tables of functions with the very signatures of agent/node.h and
 * runtime/image/image.h, so that the API links without those rooms. Containers need none: `struct hcs` is such a table itself. */
#ifndef SKEP_API_PROVIDER_H
#define SKEP_API_PROVIDER_H

#include "agent/node.h"
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

/* The real rooms (wire_node.c, wire_images.c). */
struct api_node api_node_wire(struct node *node);
struct api_images api_images_wire(struct image_store *store);

#endif
