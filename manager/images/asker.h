/* manager/images/asker.h – how registries are asked what a name stands for: a table of functions, so that what asks needs no loop, process
 * or network, and runs in virtual time where another stands at the other end.
 *
 * daemon/image_asker.h is the way of the daemon. Asked are: the Docker API for `/distribution/{name}/json`, and a leader for what it writes
 * into the store (manager/images/part.h). */
#ifndef SKEP_MANAGER_IMAGES_ASKER_H
#define SKEP_MANAGER_IMAGES_ASKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* "" where the registry says nothing of it. */
struct image_answer_platform {
    const char *os, *architecture, *variant, *os_version;
};

/* What the name stands for: an index, or the manifest of one image. Everything is borrowed for the call. */
struct image_answer {
    const char *media_type, *digest;
    int64_t size_bytes;
    const struct image_answer_platform *platforms; /* of an index each entry's, in its order; of one image what its config says */
    size_t count;                                  /* at most IMAGE_INDEX_ENTRIES_COUNT */
};

/* Comes once, never from inside of start(). @err NULL: @answer is there. ERR_NOT_FOUND, ERR_UNAUTHENTICATED, ERR_PERMISSION: the registry
 * says so; ERR_UNAVAILABLE, ERR_DEADLINE, ERR_AGAIN: another try may help; others as of a pull. */
typedef void (*image_answer_cb)(void *ctx, const struct error *err, const struct image_answer *answer);

/* Zeroed: there is no way to any registry. */
struct image_asker {
    /* @reference as people write it; @registry_auth as in X-Registry-Auth, "" or NULL: anonymous; both copied. ERR_INVALID for a reference
     * that cannot be one, ERR_LIMIT. *call is good for cancel() only, until @on_done. */
    int (*start)(void *self, const char *reference, const char *registry_auth, image_answer_cb on_done, void *ctx, void **call,
                 struct error *err);
    void (*cancel)(void *self, void *call); /* @on_done is not called any more */
    void *self;
};

#endif
