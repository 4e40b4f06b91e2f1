/* raft/log/record.c – see record.h. */
#include "raft/log/record.h"

#include <assert.h>

#include "base/crc32c.h"
#include "raft/log/wire.h"

enum { AT_CRC = 0, AT_SIZE = 4, AT_PAYLOAD_CRC = 8, AT_PREVIOUS = 12, AT_KEY = 16, AT_TYPE = 20, AT_FLUSH = 24, AT_NONCE = 32 };
enum { BOUND_SIZE = 25 };

const char *raft_record_type_name(int type)
{
    static const char *const names[] = {
#define X(name, number, text) [number] = (text),
        RAFT_RECORD_TYPES(X)
#undef X
    };
    return type > 0 && (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

size_t raft_record_begin(struct buf *out, enum raft_record_type type, uint32_t key_id)
{
    size_t start = out->size;
    uint8_t header[RAFT_RECORD_HEADER_SIZE_BYTES] = {0};

    assert(start % RAFT_RECORD_ALIGN_BYTES == 0);
    header[AT_TYPE] = (uint8_t)type;
    wire_put32(header + AT_KEY, key_id);
    buf_append(out, header, sizeof header);
    return start;
}

void raft_record_end(struct buf *out, size_t start)
{
    static const uint8_t zeros[RAFT_TAG_SIZE_BYTES + RAFT_RECORD_ALIGN_BYTES];
    size_t size = out->size - start - RAFT_RECORD_HEADER_SIZE_BYTES, more = raft_record_key(out->data + start) ? RAFT_TAG_SIZE_BYTES : 0;

    assert(size > 0 && size + more <= RAFT_RECORD_SIZE_BYTES);
    size += more;
    wire_put32(out->data + start + AT_SIZE, (uint32_t)size);
    more += (RAFT_RECORD_ALIGN_BYTES - size % RAFT_RECORD_ALIGN_BYTES) % RAFT_RECORD_ALIGN_BYTES;
    buf_append(out, zeros, more);
}

uint64_t raft_record_span_at(const uint8_t *record)
{
    struct raft_record header = {.size = wire_get32(record + AT_SIZE)};
    return raft_record_span(&header);
}

uint32_t raft_record_key(const uint8_t *record)
{
    return wire_get32(record + AT_KEY);
}

static uint32_t header_crc(const uint8_t *header, const struct raft_place *place, uint64_t offset)
{
    uint8_t where[RAFT_SALT_SIZE_BYTES + 16];
    memcpy(where, place->salt, RAFT_SALT_SIZE_BYTES);
    wire_put64(where + RAFT_SALT_SIZE_BYTES, place->sequence);
    wire_put64(where + RAFT_SALT_SIZE_BYTES + 8, offset);
    return crc32c(crc32c(0, where, sizeof where), header + 4, RAFT_RECORD_HEADER_SIZE_BYTES - 4);
}

/* What the tag covers beside the payload; the salt is in the key. */
static struct bytes bind(uint8_t out[BOUND_SIZE], uint64_t sequence, uint64_t offset, uint32_t size, uint32_t key_id, uint8_t type)
{
    wire_put64(out, sequence);
    wire_put64(out + 8, offset);
    wire_put32(out + 16, size);
    wire_put32(out + 20, key_id);
    out[24] = type;
    return bytes_of(out, BOUND_SIZE);
}

uint32_t raft_record_seal(uint8_t *record, const struct raft_record_seal *how)
{
    uint32_t size = wire_get32(record + AT_SIZE), key_id = raft_record_key(record);
    uint8_t *payload = record + RAFT_RECORD_HEADER_SIZE_BYTES, bound[BOUND_SIZE];

    if (key_id) {
        assert(how->sealer->key_id == key_id);
        random_fill(how->random, record + AT_NONCE, RAFT_NONCE_SIZE_BYTES);
        raft_seal(how->sealer, record + AT_NONCE, bind(bound, how->place->sequence, how->offset, size, key_id, record[AT_TYPE]), payload,
                  size - RAFT_TAG_SIZE_BYTES);
    }
    wire_put32(record + AT_PAYLOAD_CRC, crc32c(0, payload, size));
    wire_put32(record + AT_PREVIOUS, how->previous);
    wire_put64(record + AT_FLUSH, how->flush_start);
    uint32_t crc = header_crc(record, how->place, how->offset);
    wire_put32(record + AT_CRC, crc);
    return crc;
}

enum raft_record_kind raft_record_parse(const uint8_t header[RAFT_RECORD_HEADER_SIZE_BYTES], const struct raft_place *place,
                                        uint64_t offset, struct raft_record *out)
{
    static const uint8_t zeros[RAFT_RECORD_HEADER_SIZE_BYTES];

    *out = (struct raft_record){.crc = wire_get32(header + AT_CRC),
                                .size = wire_get32(header + AT_SIZE),
                                .payload_crc = wire_get32(header + AT_PAYLOAD_CRC),
                                .previous = wire_get32(header + AT_PREVIOUS),
                                .key_id = wire_get32(header + AT_KEY),
                                .type = header[AT_TYPE],
                                .flush_start = wire_get64(header + AT_FLUSH),
                                .offset = offset};
    memcpy(out->nonce, header + AT_NONCE, RAFT_NONCE_SIZE_BYTES);
    if (out->size == 0)
        return memcmp(header, zeros, sizeof zeros) == 0 ? RAFT_RECORD_END : RAFT_RECORD_BAD;
    if (out->size > RAFT_RECORD_SIZE_BYTES || out->flush_start > offset || header_crc(header, place, offset) != out->crc)
        return RAFT_RECORD_BAD;
    return RAFT_RECORD_GOOD;
}

bool raft_record_fits(const struct raft_record *record, struct bytes payload)
{
    return payload.size == record->size && crc32c(0, payload.data, payload.size) == record->payload_crc;
}

int raft_record_plain(const struct raft_record *record, const struct raft_place *place, struct bytes payload, struct raft_sealer *sealer,
                      const struct raft_keys *keys, const char *where, struct buf *plain, struct bytes *out, struct error *err)
{
    uint8_t bound[BOUND_SIZE];

    if (record->key_id == 0) {
        *out = payload;
        return 0;
    }
    int failed = raft_sealer_use(sealer, keys, record->key_id, place->salt, where, err);
    if (failed < 0)
        return failed;
    buf_clear(plain);
    buf_reserve(plain, payload.size + 1);
    if (!raft_unseal(sealer, record->nonce, bind(bound, place->sequence, record->offset, record->size, record->key_id, record->type),
                     payload, plain->data))
        return raft_seal_refused(record->key_id, where, record->offset, err);
    plain->size = payload.size - RAFT_TAG_SIZE_BYTES;
    *out = buf_bytes(plain);
    return 0;
}
