/* runtime/image/tool/unpack.h – one packed layer into one directory, with its diff id checked. libarchive reads; what is done with each
 * entry is decided here and in tree.h.
 *
 * Limits, each named in the message when it is passed: unpacked bytes, files' sizes taken together (holes included), entries, and unpacked
 * against packed beyond the first 256 MiB. Extended attributes count as bytes.
 *
 * Known, but for Windows' layers, whose names pax.h reads: libarchive composes names that a pax header gives in decomposed UTF-8 ("e" and
 * an accent become one character). */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_UNPACK_H
#define SKEP_RUNTIME_IMAGE_TOOL_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "runtime/image/reference.h"

struct unpack {
    const char *blob;      /* path of the packed layer: plain, gzip, zstd or xz */
    const char *directory; /* exists and is empty */
    const char *diff_id;   /* what the unpacked archive must hash to; NULL: not checked */
    uint64_t max_bytes;    /* 0: IMAGE_LAYER_UNPACKED_BYTES */
    uint64_t max_entries;  /* 0: IMAGE_LAYER_ENTRIES_COUNT */
    uint64_t ratio_from;   /* 0: IMAGE_LAYER_RATIO_FROM_BYTES */
    bool is_base;          /* the lowest layer of its image; Windows' have another form */
    bool is_dry;           /* only hash and check the limits: for what this system cannot unpack */
    int (*on_progress)(void *ctx, uint64_t current, uint64_t total, struct error *err); /* packed bytes; < 0 ends it; may be NULL */
    void *ctx;

    /* What it was, after success. */
    char found_diff_id[IMAGE_DIGEST_SIZE_CHARS + 1];
    uint64_t size_bytes; /* of the files */
    uint64_t entries;
};

/* ERR_CORRUPT (truncated, damaged, wrong diff id), ERR_LIMIT, ERR_INVALID (an entry that is refused), ERR_NO_SPACE, ERR_PERMISSION, ERR_IO,
 * ERR_UNSUPPORTED. After a failure the directory holds what came before. */
int unpack_layer(struct unpack *unpack, struct error *err);

#endif
