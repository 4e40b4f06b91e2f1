/* A backup stream read in pieces: the parts never hold more than they say, and the same is read whatever the pieces. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/image/tool/backup_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t parts, bytes, left;
};

static int on_part(void *ctx, const struct backup_part *part, struct error *err)
{
    struct seen *seen = ctx;
    (void)err;
    if (seen->left != 0 || part->name.size > BACKUP_NAME_SIZE_BYTES || part->id < BACKUP_PART_DATA || part->id > BACKUP_PART_TXFS)
        abort();
    seen->parts++;
    seen->left = part->size;
    return 0;
}

static int on_content(void *ctx, struct bytes content, struct error *err)
{
    struct seen *seen = ctx;
    (void)err;
    if (content.size == 0 || content.size > seen->left)
        abort();
    seen->left -= content.size;
    seen->bytes += content.size;
    return 0;
}

static int read_in_pieces(struct bytes data, size_t piece, struct seen *seen)
{
    struct error err = {0};
    struct backup_reader reader = {.on_part = on_part, .on_content = on_content, .ctx = seen};
    int failed = 0;
    for (size_t at = 0; failed == 0 && at < data.size; at += piece)
        failed = backup_reader_feed(&reader, bytes_of(data.data + at, piece < data.size - at ? piece : data.size - at), &err);
    if (failed == 0)
        failed = backup_reader_finish(&reader, &err);
    backup_reader_deinit(&reader);
    return failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0}, pieces = {0};
    int first = read_in_pieces(bytes_of(data, size), size ? size : 1, &whole), second = read_in_pieces(bytes_of(data, size), 3, &pieces);
    if (first != second || whole.parts != pieces.parts || whole.bytes != pieces.bytes)
        abort();
    return 0;
}
