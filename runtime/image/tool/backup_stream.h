/* runtime/image/tool/backup_stream.h – a file of Windows with all that belongs to it, as one stream of bytes: what BackupRead() gives and
 * BackupWrite() takes (hcs.md §5.2). Pure.
 *
 *     u32 id, u32 attributes, u64 size, u32 bytes of the name; the name in UTF-16; the content
 *
 * once per part, all numbers little-endian. On import the parts come in this order: Security, EaData, ReparseData or Data, AlternateData.
 */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_BACKUP_STREAM_H
#define SKEP_RUNTIME_IMAGE_TOOL_BACKUP_STREAM_H

#include "runtime/image/tool/windows_meta.h"

#define BACKUP_HEADER_SIZE_BYTES 20
#define BACKUP_NAME_SIZE_BYTES   1024 /* ":" and 255 characters and ":$DATA" take 524 */

#define REPARSE_TAG_SYMLINK     0xA000000Cu
#define REPARSE_TAG_JUNCTION    0xA0000003u
#define REPARSE_DATA_SIZE_BYTES 16384 /* Windows takes no more in one file */

enum backup_id {
    BACKUP_PART_DATA = 1,
    BACKUP_PART_EA = 2,
    BACKUP_PART_SECURITY = 3,
    BACKUP_PART_ALTERNATE = 4,
    BACKUP_PART_LINK = 5,
    BACKUP_PART_PROPERTY = 6,
    BACKUP_PART_OBJECT_ID = 7,
    BACKUP_PART_REPARSE = 8,
    BACKUP_PART_SPARSE = 9,
    BACKUP_PART_TXFS = 10,
};

/* --- writing: each appends to @out; the content of Data and AlternateData is the caller's to write behind it -------------------------- */

void backup_put_security(struct buf *out, struct bytes descriptor);
void backup_put_eas(struct buf *out, const struct windows_ea *eas, size_t count); /* nothing for none */
void backup_put_data(struct buf *out, uint64_t size);

/* @name without colons. ERR_INVALID when it is no UTF-8 or too long. */
int backup_put_alternate(struct buf *out, const char *name, uint64_t size, struct error *err);

/* A symbolic link or junction to @target, which has '/' or '\' between its parts. ERR_INVALID: a junction that is not to an absolute path,
 * or a target that is too long. */
int backup_put_link(struct buf *out, const char *target, bool is_junction, struct error *err);

/* The body alone: a REPARSE_DATA_BUFFER. */
int reparse_encode(struct buf *out, const char *target, bool is_junction, struct error *err);
/* A chain of FILE_FULL_EA_INFORMATION. */
void eas_encode(struct buf *out, const struct windows_ea *eas, size_t count);

/* --- reading ------------------------------------------------------------------------------------------------------------------------ */

struct backup_part {
    uint32_t id, attributes;
    uint64_t size;
    struct bytes name; /* UTF-16LE; borrowed, for the call only */
};

/* Fed in pieces of any size, it calls back. A zeroed struct with the callbacks set is at the stream's begin; to be deinit'ed. */
struct backup_reader {
    int (*on_part)(void *ctx, const struct backup_part *part, struct error *err);
    int (*on_content)(void *ctx, struct bytes content, struct error *err);
    void *ctx;

    struct buf held; /* a header that is not whole yet */
    struct backup_part part;
    uint64_t left; /* of the part's content */
};

int backup_reader_feed(struct backup_reader *reader, struct bytes data, struct error *err); /* ERR_CORRUPT, or a callback's error */
int backup_reader_finish(const struct backup_reader *reader, struct error *err);            /* ERR_CORRUPT in the middle of a part */
void backup_reader_deinit(struct backup_reader *reader);

#endif
