/* tests/unit/runtime/image/tool/archives.h – tar archives built block by block, to be as odd as needed; and read by libarchive and pax.h
 * together, as unpack.c does. */
#ifndef SKEP_TESTS_UNIT_RUNTIME_IMAGE_TOOL_ARCHIVES_H
#define SKEP_TESTS_UNIT_RUNTIME_IMAGE_TOOL_ARCHIVES_H

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/image/tool/pax.h"

static inline void put_padding(struct buf *tar)
{
    static const char zeros[512];
    buf_append(tar, zeros, (512 - tar->size % 512) % 512);
}

/* A header without its content. */
static inline void put_header(struct buf *tar, const char *name, char type, uint64_t size, const char *link)
{
    uint8_t block[512] = {0};
    unsigned sum = 0;
    snprintf((char *)block, 100, "%s", name);
    snprintf((char *)block + 100, 8, "%07o", 0644);
    snprintf((char *)block + 124, 12, "%011llo", (unsigned long long)(size & 077777777777));
    snprintf((char *)block + 136, 12, "%011o", 1700000000);
    memset(block + 148, ' ', 8);
    block[156] = (uint8_t)type;
    if (link)
        snprintf((char *)block + 157, 100, "%s", link);
    memcpy(block + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof block; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
    buf_append(tar, block, sizeof block);
}

static inline void put_entry(struct buf *tar, const char *name, char type, const char *content, const char *link)
{
    put_header(tar, name, type, content ? strlen(content) : 0, link);
    buf_append_string(tar, content ? content : "");
    put_padding(tar);
}

/* One line of a pax header; its length counts itself. */
static inline void put_record(struct buf *text, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
    while (true) {
        char digits[24];
        size_t whole = rest + (size_t)snprintf(digits, sizeof digits, "%zu", length);
        if (whole == length)
            break;
        length = whole;
    }
    buf_append_format(text, "%zu %s=%s\n", length, key, value);
}

static inline void put_pax(struct buf *tar, char type, const struct buf *text)
{
    put_header(tar, "PaxHeaders/x", type, text->size, NULL);
    buf_append(tar, text->data, text->size);
    put_padding(tar);
}

static inline void put_end(struct buf *tar)
{
    static const char zeros[1024];
    buf_append(tar, zeros, sizeof zeros);
}

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
