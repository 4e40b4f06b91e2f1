/* raft/log/segment_read.c – see segment_read.h. */
#include "raft/log/segment_read.h"

#include <stdlib.h>

#include "base/mem.h"

enum { WINDOW_SIZE = 1 * MIB };

static int read_header(struct raft_segment_reader *reader, struct error *err)
{
    uint8_t block[RAFT_SEGMENT_HEADER_SIZE_BYTES];
    size_t got = 0;
    uint64_t sequence;
    const char *name = strrchr(reader->path, '/');

    int failed = raft_disk_size(reader->disk, reader->file, reader->path, &reader->size_bytes, err);
    if (failed == 0)
        failed = raft_disk_read(reader->disk, reader->file, reader->path, block, sizeof block, 0, &got, err);
    if (failed < 0)
        return failed;
    if (got < sizeof block)
        return error_set(err, ERR_CORRUPT, "%s: shorter than a segment's header", reader->path);
    failed = raft_segment_header_read(block, &reader->header, err);
    if (failed < 0)
        return error_wrap(err, "%s", reader->path);
    if (raft_segment_name_parse(name ? name + 1 : reader->path, &sequence) && sequence != reader->header.place.sequence)
        return error_set(err, ERR_CORRUPT, "%s: holds another segment than its name says", reader->path);
    return 0;
}

int raft_segment_reader_open(struct raft_segment_reader *reader, const struct raft_disk *disk, const char *path, struct error *err)
{
    *reader = (struct raft_segment_reader){.disk = disk, .path = mem_string(path), .file = -1};
    int failed = raft_disk_open(disk, path, RAFT_DISK_READ, &reader->file, err);
    if (failed == 0)
        failed = read_header(reader, err);
    if (failed < 0) {
        raft_segment_reader_close(reader);
        return failed;
    }
    reader->offset = RAFT_SEGMENT_HEADER_SIZE_BYTES;
    reader->previous = reader->header.crc;
    return 0;
}

void raft_segment_reader_close(struct raft_segment_reader *reader)
{
    if (reader->disk)
        raft_disk_close(reader->disk, &reader->file);
    free(reader->path);
    free(reader->window);
    *reader = (struct raft_segment_reader){.file = -1};
}

/* @size bytes at @offset, which are inside the file: 1. 0: they are not. */
static int look(struct raft_segment_reader *reader, uint64_t offset, size_t size, const uint8_t **out, struct error *err)
{
    if (offset > reader->size_bytes || size > reader->size_bytes - offset)
        return 0;
    if (offset < reader->window_offset || offset + size > reader->window_offset + reader->window_size) {
        uint64_t left = reader->size_bytes - offset;
        size_t wanted = size > WINDOW_SIZE ? size : left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;
        if (wanted > reader->window_capacity) {
            reader->window = mem_resize(reader->window, wanted);
            reader->window_capacity = wanted;
        }
        reader->window_size = 0;
        int failed = raft_disk_read(reader->disk, reader->file, reader->path, reader->window, wanted, offset, &reader->window_size, err);
        if (failed < 0)
            return failed;
        reader->window_offset = offset;
        if (reader->window_size < size)
            return 0; /* it became shorter under our eyes */
    }
    *out = reader->window + (offset - reader->window_offset);
    return 1;
}

/* A whole record at @offset: 1; else 0. */
static int look_record(struct raft_segment_reader *reader, uint64_t offset, struct raft_record *record, struct bytes *payload,
                       struct error *err)
{
    const uint8_t *at;
    int got = look(reader, offset, RAFT_RECORD_HEADER_SIZE_BYTES, &at, err);
    if (got <= 0)
        return got;
    if (raft_record_parse(at, &reader->header.place, offset, record) != RAFT_RECORD_GOOD) {
        record->size = 0; /* no such size: nothing was checked for it */
        return 0;
    }
    got = look(reader, offset, RAFT_RECORD_HEADER_SIZE_BYTES + (size_t)record->size, &at, err);
    if (got <= 0)
        return got;
    *payload = bytes_of(at + RAFT_RECORD_HEADER_SIZE_BYTES, record->size);
    return raft_record_fits(record, *payload) ? 1 : 0;
}

int raft_segment_reader_next(struct raft_segment_reader *reader, struct raft_record *record, struct bytes *payload, struct error *err)
{
    int got = look_record(reader, reader->offset, record, payload, err);
    if (got <= 0)
        return got;
    if (reader->previous != 0 && record->previous != reader->previous)
        return 0; /* of another history of this file: no continuation of what we read */
    reader->offset += raft_record_span(record);
    reader->previous = record->crc;
    return 1;
}

void raft_segment_reader_skip_to(struct raft_segment_reader *reader, uint64_t offset)
{
    reader->offset = offset;
    reader->previous = 0;
}

static bool is_zero(const uint8_t *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* The first multiple of 8 from @offset on, where the eight bytes are not all zero; the end of the file if there is none. */
static int next_filled(struct raft_segment_reader *reader, uint64_t *offset, struct error *err)
{
    const uint8_t *at;
    while (*offset < reader->size_bytes) {
        uint64_t left = reader->size_bytes - *offset;
        size_t size = left < 4 * KIB ? (size_t)left : 4 * KIB, i = 0;
        int got = look(reader, *offset, size, &at, err);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        if (!is_zero(at, size)) {
            while (is_zero(at + i, size - i < 8 ? size - i : 8))
                i += 8;
            *offset += i;
            return 0;
        }
        *offset += size;
    }
    *offset = reader->size_bytes;
    return 0;
}

static void damaged(struct raft_segment_end *end, uint64_t evidence, const char *why)
{
    end->kind = RAFT_END_DAMAGED;
    end->evidence = evidence;
    end->why = why;
}

/* Look at all that is behind X: sets behind_bytes, next_good, and the kind by the records that are there. */
static int scan_behind(struct raft_segment_reader *reader, struct raft_segment_end *end, struct error *err)
{
    uint64_t at = end->offset, checked_bytes = 0;
    for (;;) {
        struct raft_record record = {0};
        struct bytes payload;
        int got = next_filled(reader, &at, err);
        if (got < 0)
            return got;
        if (at >= reader->size_bytes)
            return 0;
        got = look_record(reader, at, &record, &payload, err);
        if (got < 0)
            return got;
        end->behind_bytes = at + 8 - end->offset;
        if (got == 0) {
            checked_bytes += record.size;
            if (checked_bytes > RAFT_SCAN_SIZE_BYTES) {
                damaged(end, 0, "too much behind it that looks like records and is none");
                return 0;
            }
            at += 8;
            continue;
        }
        if (end->next_good == 0 && at > end->offset)
            end->next_good = at;
        if (record.flush_start > end->offset) {
            damaged(end, at, "a later flush follows it, so this had been synced and promised");
            return 0;
        }
        at += raft_record_span(&record);
        end->behind_bytes = at - end->offset;
    }
}

int raft_segment_reader_judge(struct raft_segment_reader *reader, struct raft_segment_end *end, struct error *err)
{
    *end = (struct raft_segment_end){.offset = reader->offset};
    int failed = scan_behind(reader, end, err);
    if (failed < 0)
        return failed;
    if (end->kind == RAFT_END_CLEAN && end->behind_bytes > 0)
        end->kind = RAFT_END_TORN;
    if (reader->size_bytes < reader->header.size_bytes)
        damaged(end, 0, "the file is shorter than it was made");
    else if (end->offset < reader->header.begun_end)
        damaged(end, 0, "it was written and synced with the segment's header");
    return 0;
}
