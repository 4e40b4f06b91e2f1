/* raft/log/snapshot_inside.h – what the two sides of a snapshot file share. */
#ifndef SKEP_RAFT_LOG_SNAPSHOT_INSIDE_H
#define SKEP_RAFT_LOG_SNAPSHOT_INSIDE_H

#include "raft/log/snapshot.h"

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_HEADER_FIXED_SIZE = 64,
    SNAPSHOT_HEADER_MAX_SIZE = SNAPSHOT_HEADER_FIXED_SIZE + 24 + 4 * 8 * RAFT_CONF_MEMBERS_COUNT,
    SNAPSHOT_CHUNK_HEADER_SIZE = 32,
    SNAPSHOT_BOUND_SIZE = 24,
};
#define SNAPSHOT_END_NUMBER UINT64_MAX

extern const char snapshot_magic[8], snapshot_done[8];

uint32_t snapshot_header_crc(struct bytes header);
uint32_t snapshot_chunk_crc(const uint8_t header[SNAPSHOT_CHUNK_HEADER_SIZE], const uint8_t salt[RAFT_SALT_SIZE_BYTES], uint64_t number);
/* What a chunk's tag covers beside its bytes: number, size, index. */
struct bytes snapshot_bind(uint8_t out[SNAPSHOT_BOUND_SIZE], uint64_t number, uint32_t size, uint64_t index);
uint32_t snapshot_total_crc(uint32_t total, uint32_t chunk_crc);

#endif
