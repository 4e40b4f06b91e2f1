#include <stddef.h>

#include "agent/image_source.h"

static int store_find(void *self, const char *reference, struct image *out, struct error *err)
{
    return image_find(self, reference, NULL, out, err);
}

static int store_pull(void *self, const char *reference, const char *registry_auth, image_progress_cb on_progress, image_pulled_cb on_done,
                      void *ctx, void **job, struct error *err)
{
    const struct image_pull_request request = {.reference = reference, .registry_auth = registry_auth};
    struct image_job *started = NULL;
    int result = image_pull(self, &request, on_progress, on_done, ctx, &started, err);
    *job = started;
    return result;
}

static void store_cancel(void *self, void *job)
{
    (void)self;
    image_job_cancel(job);
}

static int store_pin(void *self, const char *id, struct error *err)
{
    return image_pin(self, id, err);
}

static void store_unpin(void *self, const char *id)
{
    image_unpin(self, id);
}

static void store_hold(void *self, bool is_held)
{
    if (is_held)
        image_hold(self);
    else
        image_unhold(self);
}

struct image_source image_source_of_store(struct image_store *store)
{
    return (struct image_source){store_find, store_pull, store_cancel, store_pin, store_unpin, store_hold, store};
}
