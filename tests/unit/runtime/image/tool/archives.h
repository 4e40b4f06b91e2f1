/* tests/unit/runtime/image/tool/archives.h – tar archives, read by libarchive and pax.h together, as unpack.c does. */
#ifndef SKEP_TESTS_UNIT_RUNTIME_IMAGE_TOOL_ARCHIVES_H
#define SKEP_TESTS_UNIT_RUNTIME_IMAGE_TOOL_ARCHIVES_H

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/image/tool/pax.h"
#include "tests/unit/runtime/image/tool/tar.h"

struct both {
    struct bytes tar;
    size_t at, piece;
    struct pax *pax;
    struct error failure;
};

static inline la_ssize_t both_read(struct archive *archive, void *ctx, const void **block)
{
    struct both *both = ctx;
    size_t size = both->tar.size - both->at < both->piece ? both->tar.size - both->at : both->piece;
    *block = both->tar.data + both->at;
    both->at += size;
    if (pax_feed(both->pax, bytes_of(*block, size), &both->failure) == 0)
        return (la_ssize_t)size;
    archive_set_error(archive, EIO, "%s", both->failure.message);
    return -1;
}

/* Every entry that both agree on. What libarchive cannot read is ERR_CORRUPT. */
static inline int read_both(struct bytes tar, size_t piece,
                            int (*on_entry)(void *ctx, struct archive_entry *entry, const struct windows_meta *meta, struct error *err),
                            void *ctx, struct error *err)
{
    struct both both = {.tar = tar, .piece = piece, .pax = pax_new()};
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    const struct windows_meta *meta;
    int failed = 0, got = ARCHIVE_FATAL;
    archive_read_support_format_tar(archive);
    archive_read_support_format_empty(archive);
    if (archive_read_open(archive, &both, NULL, both_read, NULL) == ARCHIVE_OK)
        while (failed == 0 && (got = archive_read_next_header(archive, &entry)) >= ARCHIVE_WARN && got != ARCHIVE_EOF) {
            failed = pax_take(both.pax, (uint64_t)archive_read_header_position(archive), &meta, err);
            if (failed == 0)
                failed = on_entry(ctx, entry, meta, err);
        }
    if (failed == 0 && both.failure.code != 0)
        failed = (*err = both.failure).code;
    if (failed == 0)
        failed =
            got == ARCHIVE_EOF ? pax_finish(both.pax, err) : error_set(err, ERR_CORRUPT, "libarchive: %s", archive_error_string(archive));
    archive_read_free(archive);
    pax_free(both.pax);
    return failed;
}

#endif
