/* raft/log/record.h – one record of a segment: a header of 48 bytes, a payload, zeros up to a multiple of 8. Pure.
 *
 *     offset size
 *          0    4  crc          CRC-32C of the segment's salt and sequence, the record's offset in it, and bytes 4 to 48 here
 *          4    4  size         of the payload as it lies here (with the tag where encrypted); 0: no record, the log ends
 *          8    4  payload_crc  CRC-32C of those bytes
 *         12    4  previous     crc of the record before; of the segment's header for the first
 *         16    4  key_id       0: not encrypted
 *         20    1  type
 *         21    3  zero
 *         24    8  flush_start  offset of the first record that was written with the same flush
 *         32   12  nonce        zero where not encrypted
 *         44    4  zero
 *
 * Because a record is bound to its segment and its place, one left over from an earlier life of the same blocks, or copied elsewhere, is no
 * record. Because it names the one before, two histories of one segment do not mix. Because it names where its flush began, a reader
 * knows what had been synced by then: everything before flush_start. segment_read.h makes its rule of that. */
#ifndef SKEP_RAFT_LOG_RECORD_H
#define SKEP_RAFT_LOG_RECORD_H

#include "base/random.h"
#include "raft/log/seal.h"

#define RAFT_RECORD_TYPES(X)                                                                                                               \
    X(ENTRIES, 1, "entries")                                                                                                               \
    X(HARD_STATE, 2, "hard state")                                                                                                         \
    X(MEMBERS, 3, "members")                                                                                                               \
    X(SNAPSHOT, 4, "snapshot")                                                                                                             \
    X(CLOSE, 5, "close")

enum raft_record_type {
#define X(name, number, text) RAFT_RECORD_##name = (number),
    RAFT_RECORD_TYPES(X)
#undef X
};

const char *raft_record_type_name(int type); /* "unknown" for one not in the list */

enum { RAFT_RECORD_HEADER_SIZE_BYTES = 48, RAFT_RECORD_ALIGN_BYTES = 8 };

/* Which segment: what records are bound to. */
struct raft_place {
    uint64_t sequence;
    uint8_t salt[RAFT_SALT_SIZE_BYTES];
};

struct raft_record {
    uint32_t crc, size, payload_crc, previous, key_id;
    uint8_t type;
    uint64_t flush_start, offset;
    uint8_t nonce[RAFT_NONCE_SIZE_BYTES];
};

static inline uint64_t raft_record_span(const struct raft_record *record)
{
    uint64_t size = RAFT_RECORD_HEADER_SIZE_BYTES + (uint64_t)record->size;
    return (size + RAFT_RECORD_ALIGN_BYTES - 1) / RAFT_RECORD_ALIGN_BYTES * RAFT_RECORD_ALIGN_BYTES;
}

/* --- writing: begin, append the payload to @out, end; then seal once its place is known --- */

size_t raft_record_begin(struct buf *out, enum raft_record_type type, uint32_t key_id); /* what end wants */
void raft_record_end(struct buf *out, size_t start);
uint64_t raft_record_span_at(const uint8_t *record); /* of one that was ended */

struct raft_record_seal {
    const struct raft_place *place;
    uint64_t offset, flush_start;
    uint32_t previous;
    struct raft_sealer *sealer; /* of the record's key; unused where that is 0 */
    const struct random *random;
};
uint32_t raft_record_seal(uint8_t *record, const struct raft_record_seal *how); /* its crc */
uint32_t raft_record_key(const uint8_t *record);

/* --- reading --- */

enum raft_record_kind {
    RAFT_RECORD_END,  /* zeros */
    RAFT_RECORD_BAD,  /* anything else that is no record of this place */
    RAFT_RECORD_GOOD, /* a header of ours; the payload is still to be checked. Its type may be of a later version */
};
enum raft_record_kind raft_record_parse(const uint8_t header[RAFT_RECORD_HEADER_SIZE_BYTES], const struct raft_place *place,
                                        uint64_t offset, struct raft_record *out);
bool raft_record_fits(const struct raft_record *record, struct bytes payload); /* the payload is the one that was written */

/* @payload decrypted into @plain, or as it is where it is not encrypted: @out. ERR_PERMISSION, see seal.h. */
int raft_record_plain(const struct raft_record *record, const struct raft_place *place, struct bytes payload, struct raft_sealer *sealer,
                      const struct raft_keys *keys, const char *where, struct buf *plain, struct bytes *out, struct error *err);

#endif
