/* runtime/image/lookup.h – which line of the store's list someone means: by a name, a digest, or an id or its start. */
#ifndef SKEP_RUNTIME_IMAGE_LOOKUP_H
#define SKEP_RUNTIME_IMAGE_LOOKUP_H

#include "runtime/image/layout.h"
#include "runtime/image/reference.h"

/* Does @reference, whose full form is @full, name this line? With a digest: the one that a registry serves, or the manifest's. */
bool image_record_is_named(const struct image_record *record, const struct image_reference *reference, const char *full);

/* By the id or its start, or the whole digest of a manifest or index; -1 in @at: nothing is. ERR_INVALID when several images start so. */
int image_records_find_id(const struct image_records *records, const char *text, int *at, struct error *err);

/* Docker's words for it, as ERR_NOT_FOUND; @platform may be NULL. */
int image_not_found(const char *reference, const struct image_platform *platform, struct error *err);

#endif
