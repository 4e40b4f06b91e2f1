/* runtime/image/tool/keep.h – what the store must keep for the images on its list, and the removal of all else. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_KEEP_H
#define SKEP_RUNTIME_IMAGE_TOOL_KEEP_H

#include "runtime/image/layout.h"
#include "runtime/image/tool/task.h"

/* Removes every blob and layer that no image of @records needs, partial downloads older than IMAGE_PARTIAL_AGE_S, and locks nobody uses.
 * The caller holds the gc lock exclusively. An image that cannot be read any more keeps nothing; it is reported. @freed_bytes is added to.
 */
int store_collect(struct task *task, const struct image_records *records, uint64_t *freed_bytes, struct error *err);

#endif
