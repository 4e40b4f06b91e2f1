/* raft/log/segment.c – see segment.h. */
#include "raft/log/segment.h"

#include <inttypes.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "raft/log/wire.h"

enum { CHECKED_SIZE = 96 };
static const char magic[8] = {'S', 'K', 'E', 'P', 'R', 'A', 'F', 'T'};

static uint32_t header_crc(const uint8_t *bytes)
{
    return crc32c(crc32c(0, bytes, 12), bytes + 16, CHECKED_SIZE - 16);
}

void raft_segment_header_write(struct raft_segment_header *header, uint8_t out[RAFT_SEGMENT_HEADER_SIZE_BYTES])
{
    memset(out, 0, RAFT_SEGMENT_HEADER_SIZE_BYTES);
    memcpy(out, magic, sizeof magic);
    wire_put32(out + 8, RAFT_SEGMENT_VERSION);
    wire_put64(out + 16, header->place.sequence);
    wire_put64(out + 24, header->next_index);
    memcpy(out + 32, header->place.salt, RAFT_SALT_SIZE_BYTES);
    wire_put64(out + 48, header->size_bytes);
    wire_put64(out + 56, header->log_id);
    wire_put64(out + 64, header->previous_end);
    wire_put32(out + 72, header->previous_crc);
    wire_put64(out + 80, header->begun_end);
    header->crc = header_crc(out);
    wire_put32(out + 12, header->crc);
}

int raft_segment_header_read(const uint8_t in[RAFT_SEGMENT_HEADER_SIZE_BYTES], struct raft_segment_header *out, struct error *err)
{
    if (memcmp(in, magic, sizeof magic) != 0)
        return error_set(err, ERR_CORRUPT, "not a segment of a raft log");
    if (header_crc(in) != wire_get32(in + 12))
        return error_set(err, ERR_CORRUPT, "the header's checksum does not match");
    if (wire_get32(in + 8) != RAFT_SEGMENT_VERSION)
        return error_set(err, ERR_VERSION, "format %" PRIu32 " is not known here, only %d: a later Skep wrote it", wire_get32(in + 8),
                         RAFT_SEGMENT_VERSION);
    *out = (struct raft_segment_header){.place.sequence = wire_get64(in + 16),
                                        .next_index = wire_get64(in + 24),
                                        .size_bytes = wire_get64(in + 48),
                                        .log_id = wire_get64(in + 56),
                                        .previous_end = wire_get64(in + 64),
                                        .previous_crc = wire_get32(in + 72),
                                        .begun_end = wire_get64(in + 80),
                                        .crc = wire_get32(in + 12)};
    memcpy(out->place.salt, in + 32, RAFT_SALT_SIZE_BYTES);
    if (out->place.sequence == 0 || out->next_index == 0 || out->size_bytes < RAFT_SEGMENT_HEADER_SIZE_BYTES ||
        out->size_bytes > 2 * RAFT_SEGMENT_SIZE_MAX_BYTES || out->begun_end < RAFT_SEGMENT_HEADER_SIZE_BYTES ||
        out->begun_end > out->size_bytes)
        return error_set(err, ERR_CORRUPT, "the header is not one of ours");
    return 0;
}

char *raft_segment_path(const char *dir, uint64_t sequence)
{
    return mem_format("%s/%016" PRIx64 ".seg", dir, sequence);
}

bool raft_name_parse_hex(const char *text, size_t length, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = value;
    return true;
}

bool raft_segment_name_parse(const char *name, uint64_t *sequence)
{
    return strlen(name) == 20 && strcmp(name + 16, ".seg") == 0 && raft_name_parse_hex(name, 16, sequence);
}
