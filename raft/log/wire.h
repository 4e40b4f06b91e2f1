/* raft/log/wire.h – integers as they lie on disk: little-endian, at any address. */
#ifndef SKEP_RAFT_LOG_WIRE_H
#define SKEP_RAFT_LOG_WIRE_H

#include <stdint.h>

#include "base/buf.h"

static inline uint32_t wire_get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t wire_get64(const uint8_t *at)
{
    return (uint64_t)wire_get32(at) | (uint64_t)wire_get32(at + 4) << 32;
}

static inline void wire_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline void wire_put64(uint8_t *at, uint64_t value)
{
    wire_put32(at, (uint32_t)value);
    wire_put32(at + 4, (uint32_t)(value >> 32));
}

static inline void wire_add32(struct buf *out, uint32_t value)
{
    uint8_t bytes[4];
    wire_put32(bytes, value);
    buf_append(out, bytes, sizeof bytes);
}

static inline void wire_add64(struct buf *out, uint64_t value)
{
    uint8_t bytes[8];
    wire_put64(bytes, value);
    buf_append(out, bytes, sizeof bytes);
}

#endif
