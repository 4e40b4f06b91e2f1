/* base/cleanup.h – release at the end of a scope, without ladders of goto.
 *
 *     cleanup_free char *path = mem_format("%s/node", dir);
 *     ...
 *     return steal(&path);        // ownership leaves by an explicit steal
 *
 * A room that owns a type adds its own attribute next to that type's _free. */
#ifndef SKEP_BASE_CLEANUP_H
#define SKEP_BASE_CLEANUP_H

#include <stddef.h>

struct cJSON;

void cleanup_free_fn(void *pointer_to_pointer);
void cleanup_json_fn(struct cJSON **json);

#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_json __attribute__((cleanup(cleanup_json_fn)))
#define cleanup_buf  __attribute__((cleanup(buf_deinit))) /* for struct buf, with base/buf.h */

static inline void *steal_fn(void *pointer_to_pointer)
{
    void **place = pointer_to_pointer, *taken = *place;
    *place = NULL;
    return taken;
}
#define steal(place) ((__typeof__(*(place)))steal_fn(place))

#endif
