/* runtime/image/lock.h – locks between processes, as files in the store's locks/. They end with whoever holds them, also by SIGKILL.
 *
 *     daemon        held exclusively by the skepd that owns the store
 *     gc            held shared by every job, exclusively by what removes content
 *     index         held exclusively while index.json is read, changed and written
 *     pins          held shared while an image is pinned, exclusively from looking who is pinned to having written index.json without it
 *     use-<digest>  held shared by the daemon while that image is pinned
 *     <digest>      held exclusively while that blob or layer is fetched or unpacked: the second asker finds it done
 */
#ifndef SKEP_RUNTIME_IMAGE_LOCK_H
#define SKEP_RUNTIME_IMAGE_LOCK_H

#include <stdbool.h>

#include "base/error.h"

struct image_lock {
    int fd; /* only meaningful while held */
    bool is_held;
};

enum image_lock_kind { IMAGE_LOCK_SHARED, IMAGE_LOCK_EXCLUSIVE };

/* Waits when @wait, else ERR_AGAIN while someone else holds it. A file that was removed meanwhile is no lock: it is made anew. Taking a
 * held lock again changes its kind. ERR_IO, ERR_PERMISSION. */
int image_lock_take(struct image_lock *lock, const char *dir, const char *name, enum image_lock_kind kind, bool wait, struct error *err);
void image_lock_drop(struct image_lock *lock); /* nothing when not held */
#define cleanup_image_lock __attribute__((cleanup(image_lock_drop)))

#endif
