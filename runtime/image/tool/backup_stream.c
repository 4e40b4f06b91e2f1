/* runtime/image/tool/backup_stream.c – see backup_stream.h. */
#include "runtime/image/tool/backup_stream.h"

#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/tool/utf16.h"

enum { NAME_SIZE_AT = 16, SYMLINK_IS_RELATIVE = 1, EA_ALIGNMENT = 4 };

static void put_16(struct buf *out, uint32_t value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    buf_append(out, bytes, sizeof bytes);
}

static void put_32(struct buf *out, uint32_t value)
{
    put_16(out, value & 0xFFFF);
    put_16(out, value >> 16);
}

static uint32_t get_32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_header(struct buf *out, enum backup_id id, uint64_t size, struct bytes name)
{
    put_32(out, id);
    put_32(out, 0);
    put_32(out, (uint32_t)size);
    put_32(out, (uint32_t)(size >> 32));
    put_32(out, (uint32_t)name.size);
    if (name.size > 0)
        buf_append(out, name.data, name.size);
}

static void put_part(struct buf *out, enum backup_id id, const struct buf *content)
{
    put_header(out, id, content->size, bytes_of(NULL, 0));
    buf_append(out, content->data, content->size);
}

void backup_put_security(struct buf *out, struct bytes descriptor)
{
    put_header(out, BACKUP_PART_SECURITY, descriptor.size, bytes_of(NULL, 0));
    buf_append(out, descriptor.data, descriptor.size);
}

void backup_put_data(struct buf *out, uint64_t size)
{
    put_header(out, BACKUP_PART_DATA, size, bytes_of(NULL, 0));
}

int backup_put_alternate(struct buf *out, const char *name, uint64_t size, struct error *err)
{
    cleanup_buf struct buf wide = {0};
    cleanup_free char *whole = mem_format(":%s:$DATA", name);
    int failed = utf16_append(&wide, whole, err);
    if (failed == 0 && wide.size > BACKUP_NAME_SIZE_BYTES)
        failed = error_set(err, ERR_INVALID, "the name of the stream \"%.100s\" is too long", name);
    if (failed == 0)
        put_header(out, BACKUP_PART_ALTERNATE, size, buf_bytes(&wide));
    return failed;
}

/* --- extended attributes ------------------------------------------------------------------------------------------------------------- */

void eas_encode(struct buf *out, const struct windows_ea *eas, size_t count)
{
    static const uint8_t zeros[EA_ALIGNMENT];
    for (size_t i = 0; i < count; i++) {
        size_t name_size = strlen(eas[i].name), size = 8 + name_size + 1 + eas[i].value.size;
        size_t padding = (EA_ALIGNMENT - size % EA_ALIGNMENT) % EA_ALIGNMENT;
        bool is_last = i + 1 == count;
        put_32(out, is_last ? 0 : (uint32_t)(size + padding));
        put_16(out, (uint32_t)name_size << 8); /* no flags, then the length of the name */
        put_16(out, (uint32_t)eas[i].value.size);
        buf_append(out, eas[i].name, name_size + 1);
        buf_append(out, eas[i].value.data, eas[i].value.size);
        if (!is_last)
            buf_append(out, zeros, padding);
    }
}

void backup_put_eas(struct buf *out, const struct windows_ea *eas, size_t count)
{
    cleanup_buf struct buf content = {0};
    if (count == 0)
        return;
    eas_encode(&content, eas, count);
    put_part(out, BACKUP_PART_EA, &content);
}

/* --- links --------------------------------------------------------------------------------------------------------------------------- */

static bool has_drive(const char *target)
{
    return ((target[0] >= 'A' && target[0] <= 'Z') || (target[0] >= 'a' && target[0] <= 'z')) && target[1] == ':';
}

/* The name as the kernel knows it: "\??\C:\x" for "C:\x", "\??\UNC\host\x" for "\\host\x", "\??\Volume{…}" for "\\?\Volume{…}". NULL for a
 * relative one. Freed by the caller. */
static char *kernel_name(const char *target)
{
    if (text_starts(target, "\\\\?\\") || text_starts(target, "\\??\\"))
        return mem_format("\\??\\%s", target + 4);
    if (text_starts(target, "\\\\"))
        return mem_format("\\??\\UNC\\%s", target + 2);
    return has_drive(target) ? mem_format("\\??\\%s", target) : NULL;
}

static int put_names(struct buf *out, const char *substitute, const char *shown, bool is_junction, bool is_relative, struct error *err)
{
    cleanup_buf struct buf names = {0};
    int failed = utf16_append(&names, substitute, err);
    size_t substitute_size = names.size;
    if (is_junction) /* whose two names end with zeros */
        put_16(&names, 0);
    size_t shown_at = names.size;
    if (failed == 0)
        failed = utf16_append(&names, shown, err);
    size_t shown_size = names.size - shown_at;
    if (is_junction)
        put_16(&names, 0);
    size_t head = is_junction ? 8 : 12;
    if (failed == 0 && 8 + head + names.size > REPARSE_DATA_SIZE_BYTES)
        failed = error_set(err, ERR_INVALID, "a link to a path that is too long: %.100s", shown);
    if (failed < 0)
        return failed;
    put_32(out, is_junction ? REPARSE_TAG_JUNCTION : REPARSE_TAG_SYMLINK);
    put_16(out, (uint32_t)(head + names.size));
    put_16(out, 0);
    put_16(out, 0);
    put_16(out, (uint32_t)substitute_size);
    put_16(out, (uint32_t)shown_at);
    put_16(out, (uint32_t)shown_size);
    if (!is_junction)
        put_32(out, is_relative ? SYMLINK_IS_RELATIVE : 0);
    buf_append(out, names.data, names.size);
    return 0;
}

int reparse_encode(struct buf *out, const char *target, bool is_junction, struct error *err)
{
    cleanup_free char *shown = mem_string(target);
    for (char *at = shown; *at; at++)
        if (*at == '/')
            *at = '\\';
    cleanup_free char *absolute = kernel_name(shown);
    if (*shown == '\0')
        return error_set(err, ERR_INVALID, "a link to nothing");
    if (is_junction && !absolute)
        return error_set(err, ERR_INVALID, "a junction must lead to an absolute path, not to %.200s", shown);
    return put_names(out, absolute ? absolute : shown, shown, is_junction, !absolute, err);
}

int backup_put_link(struct buf *out, const char *target, bool is_junction, struct error *err)
{
    cleanup_buf struct buf content = {0};
    int failed = reparse_encode(&content, target, is_junction, err);
    if (failed == 0)
        put_part(out, BACKUP_PART_REPARSE, &content);
    return failed;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------- */

static int take_part(struct backup_reader *reader, struct error *err)
{
    const uint8_t *at = reader->held.data;
    reader->part = (struct backup_part){
        .id = get_32(at),
        .attributes = get_32(at + 4),
        .size = (uint64_t)get_32(at + 12) << 32 | get_32(at + 8),
        .name = bytes_of(at + BACKUP_HEADER_SIZE_BYTES, reader->held.size - BACKUP_HEADER_SIZE_BYTES),
    };
    if (reader->part.id < BACKUP_PART_DATA || reader->part.id > BACKUP_PART_TXFS)
        return error_set(err, ERR_CORRUPT, "backup stream: a part of unknown kind %u", reader->part.id);
    if (reader->part.size > INT64_MAX)
        return error_set(err, ERR_CORRUPT, "backup stream: a part of a negative size");
    reader->left = reader->part.size;
    int failed = reader->on_part(reader->ctx, &reader->part, err);
    reader->part.name = bytes_of(NULL, 0);
    buf_clear(&reader->held);
    return failed;
}

/* How long the header is, as far as is known. */
static int header_size(const struct backup_reader *reader, size_t *size, struct error *err)
{
    *size = BACKUP_HEADER_SIZE_BYTES;
    if (reader->held.size < BACKUP_HEADER_SIZE_BYTES)
        return 0;
    uint32_t name_size = get_32(reader->held.data + NAME_SIZE_AT);
    if (name_size > BACKUP_NAME_SIZE_BYTES || name_size % 2 != 0)
        return error_set(err, ERR_CORRUPT, "backup stream: a name of %u bytes", name_size);
    *size += name_size;
    return 0;
}

static int hold(struct backup_reader *reader, struct bytes *data, struct error *err)
{
    size_t goal;
    int failed = header_size(reader, &goal, err);
    if (failed < 0)
        return failed;
    size_t missing = goal - reader->held.size, part = data->size < missing ? data->size : missing;
    buf_append(&reader->held, data->data, part);
    *data = bytes_of(data->data + part, data->size - part);
    failed = header_size(reader, &goal, err);
    return failed < 0 || reader->held.size < goal ? failed : take_part(reader, err);
}

int backup_reader_feed(struct backup_reader *reader, struct bytes data, struct error *err)
{
    int failed = 0;
    while (failed == 0 && data.size > 0) {
        if (reader->left == 0) {
            failed = hold(reader, &data, err);
            continue;
        }
        size_t part = data.size < reader->left ? data.size : (size_t)reader->left;
        reader->left -= part;
        failed = reader->on_content(reader->ctx, bytes_of(data.data, part), err);
        data = bytes_of(data.data + part, data.size - part);
    }
    return failed;
}

int backup_reader_finish(const struct backup_reader *reader, struct error *err)
{
    return reader->left > 0 || reader->held.size > 0 ? error_set(err, ERR_CORRUPT, "backup stream: it ends in the middle of a part") : 0;
}

void backup_reader_deinit(struct backup_reader *reader)
{
    buf_deinit(&reader->held);
}
