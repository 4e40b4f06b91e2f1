/* runtime/image/store.h – what the files of this room share about an open store. Not for other rooms. */
#ifndef SKEP_RUNTIME_IMAGE_STORE_H
#define SKEP_RUNTIME_IMAGE_STORE_H

#include "runtime/image/image.h"
#include "runtime/image/lock.h"

struct image_pinned {
    char *id;
    size_t count;
    struct image_lock lock;
};

struct image_store {
    uv_loop_t *loop;
    struct arena arena; /* the options' strings */
    const char *dir, *tool_path, *certs_dir;
    struct image_platform host;
    struct image_strings insecure_registries;
    struct image_lock daemon_lock;
    struct image_pinned *pins;
    size_t pin_count, hold_count;
    struct image_work *works;              /* every job not yet over, oldest first */
    size_t running_count, resolving_count; /* tools at work, and those of them that only ask a registry */
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* Called by the jobs when the last one is over, and by close when there is none. */
void image_store_closed(struct image_store *store);

/* Kills every job. image_store_closed() is called once none is left. */
void image_jobs_end(struct image_store *store);

#endif
