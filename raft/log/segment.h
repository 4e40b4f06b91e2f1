/* raft/log/segment.h – a file of records: its name and its header. Pure.
 *
 * The header has the first 4096 bytes to itself, so that no write of a record touches its sector:
 *
 *     offset size
 *          0    8  "SKEPRAFT"
 *          8    4  version, 1
 *         12    4  crc            CRC-32C of bytes 0 to 12 and 16 to 96
 *         16    8  sequence       1, 2, 3 …: also the file's name, 16 hex digits and ".seg"
 *         24    8  next_index     of the entry that comes next: all before it are in earlier segments, or in the snapshot
 *         32   16  salt           random: binds the records to this file, and makes its key
 *         48    8  size           of the whole file, reserved when it was made
 *         56    8  log_id         random, the same in all segments of one log
 *         64    8  previous_end   where the records of the segment before end; 0 in the first
 *         72    4  previous_crc   crc of the last record there (of its header, if there is none)
 *         76    4  zero
 *         80    8  begun_end      where the records end that were written with the header
 *         88    8  zero, and so on to 4096
 *
 * A segment is made in a temporary file together with its first records – hard state, members, snapshot as they stand, so that the segments
 * before it can go – then synced and renamed. The one before was synced up to previous_end by then. */
#ifndef SKEP_RAFT_LOG_SEGMENT_H
#define SKEP_RAFT_LOG_SEGMENT_H

#include "raft/log/record.h"

enum { RAFT_SEGMENT_HEADER_SIZE_BYTES = 4096, RAFT_SEGMENT_VERSION = 1 };

struct raft_segment_header {
    struct raft_place place;
    uint64_t next_index, size_bytes, log_id, previous_end, begun_end;
    uint32_t previous_crc, crc;
};

void raft_segment_header_write(struct raft_segment_header *header, uint8_t out[RAFT_SEGMENT_HEADER_SIZE_BYTES]); /* sets header->crc */
/* ERR_CORRUPT, or ERR_VERSION for one that a later Skep made. */
int raft_segment_header_read(const uint8_t in[RAFT_SEGMENT_HEADER_SIZE_BYTES], struct raft_segment_header *out, struct error *err);

char *raft_segment_path(const char *dir, uint64_t sequence);              /* freed by the caller */
bool raft_segment_name_parse(const char *name, uint64_t *sequence);       /* false: not a segment's */
bool raft_name_parse_hex(const char *text, size_t length, uint64_t *out); /* exactly @length lower-case digits */

#endif
