/* agent/image_source.h – where the worker gets images from: the six things it asks of an image store, as a table of functions, so that a
 * simulation runs without one.
 *
 * image_source_of_store() is the real one. image_source_emulated() answers for every name with an image without content: what goes with
 * runtime/emulated/. */
#ifndef SKEP_AGENT_IMAGE_SOURCE_H
#define SKEP_AGENT_IMAGE_SOURCE_H

#include "base/error.h"
#include "runtime/image/image.h"

struct image_source {
    /* As image_find() with the host's platform. */
    int (*find)(void *self, const char *reference, struct image *out, struct error *err);
    /* As image_pull() for the host's platform: @on_done exactly once, never from inside this call, unless it is cancelled. */
    int (*pull)(void *self, const char *reference, const char *registry_auth, image_progress_cb on_progress, image_pulled_cb on_done,
                void *ctx, void **job, struct error *err);
    void (*cancel)(void *self, void *job);
    int (*pin)(void *self, const char *id, struct error *err); /* as image_pin(): an image with a container is not collected */
    void (*unpin)(void *self, const char *id);
    void (*hold)(void *self, bool is_held); /* as image_hold() and image_unhold() */
    void *self;
};

struct image_source image_source_of_store(struct image_store *store); /* borrowed */
struct image_source image_source_emulated(void);

#endif
