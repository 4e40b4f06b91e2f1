/* runtime/image/tool/layer.h – the steps that pulling and loading share: a layer unpacked once, and an image put on the list. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_LAYER_H
#define SKEP_RUNTIME_IMAGE_TOOL_LAYER_H

#include "runtime/image/layout.h"
#include "runtime/image/lock.h"
#include "runtime/image/tool/task.h"

struct layer_source {
    const char *digest, *diff_id; /* of the blob, which is in the store, and of what is in it */
    const char *shown;            /* its id in progress lines */
    bool is_base;                 /* the lowest of its image */
    bool is_unpacked_here;        /* else only the diff id is checked: the image is for another system */
};

/* Unpack it unless the layer is there already; whoever else is at it is waited for. Errors are unpack_layer's, "layer sha256:…: …". */
int layer_unpack(struct task *task, const struct layer_source *source, struct error *err);

/* Has the image a form that can run here at all? On Windows, ERR_UNSUPPORTED for one without any layer. */
int layers_check(size_t count, bool is_unpacked_here, struct error *err);

/* Put it on the list. A name that meant another image of the same os and architecture moves, and that one stays listed without a name.
 * @was_there (may be NULL) tells whether this very line was there. */
int image_enlist(struct task *task, const struct image_record *record, bool *was_there, struct error *err);

/* A job's hold on the store: nothing is removed while it lasts. Sweeps what a crash left when nobody else is at work. */
int store_enter(struct task *task, struct image_lock *lock, struct error *err);

/* "sha256:a2abf6c4d29d…" as "a2abf6c4d29d". */
void short_id(const char *digest, char out[13]);

#endif
