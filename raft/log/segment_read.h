/* raft/log/segment_read.h – reads a segment record by record, and judges what comes behind the last good one.
 *
 * The rule. Let X be where the first record begins that is not good. Everything behind X is looked at, at every multiple of 8:
 *
 *   - only zeros: the log ends at X, cleanly.
 *   - a good record whose flush_start is beyond X: some flush began beyond X, so the one that covers X had been synced by then, and what
 *     was there had been promised to peers. X is damage. So it is when X lies before begun_end, or the file is shorter than it was made.
 *   - anything else: the remains of one flush, the last, whose sync never returned – parts of it may be there in any order. Nobody was told
 *     that it is stable. It is a torn tail, and is cut.
 *
 * What the rule cannot see: damage inside the very last flush, after it was synced, looks torn. A clean close leaves a flush of its own
 * behind it (the close record), so this is only so after a crash. A last segment that vanished as a whole is not missed either. */
#ifndef SKEP_RAFT_LOG_SEGMENT_READ_H
#define SKEP_RAFT_LOG_SEGMENT_READ_H

#include "raft/log/disk.h"
#include "raft/log/segment.h"

struct raft_segment_reader {
    const struct raft_disk *disk; /* borrowed */
    char *path;
    int file;
    struct raft_segment_header header;
    uint64_t size_bytes; /* of the file */
    uint64_t offset;     /* of the next record; at the end: where the good ones end */
    uint32_t previous;   /* crc of the record before */
    uint8_t *window;     /* a part of the file */
    uint64_t window_offset;
    size_t window_size, window_capacity;
};

/* Reads the header. ERR_CORRUPT, ERR_VERSION, ERR_IO, ERR_NOT_FOUND; on failure nothing is left to close. */
int raft_segment_reader_open(struct raft_segment_reader *reader, const struct raft_disk *disk, const char *path, struct error *err);
void raft_segment_reader_close(struct raft_segment_reader *reader); /* a zeroed one is fine */

/* 1: a good record, @payload borrowed until the next call. 0: there are no more. */
int raft_segment_reader_next(struct raft_segment_reader *reader, struct raft_record *record, struct bytes *payload, struct error *err);

struct raft_segment_end {
    enum raft_segment_end_kind { RAFT_END_CLEAN, RAFT_END_TORN, RAFT_END_DAMAGED } kind;
    uint64_t offset;       /* X */
    uint64_t behind_bytes; /* from X to the last byte that is not zero */
    uint64_t evidence;     /* DAMAGED: offset of the record that shows it; 0 where something else does */
    uint64_t next_good;    /* the next good record behind X, of whichever flush; 0: none */
    const char *why;       /* DAMAGED */
};

/* After raft_segment_reader_next() gave 0. */
int raft_segment_reader_judge(struct raft_segment_reader *reader, struct raft_segment_end *end, struct error *err);

/* Go on at @offset, whatever came before it: to see what is left behind damage. The chain is not checked there. */
void raft_segment_reader_skip_to(struct raft_segment_reader *reader, uint64_t offset);

#endif
