/* base/crc32c.h – CRC-32C (Castagnoli, RFC 3720 §12.1): finds what a disk or a torn write did to bytes. Not against someone who means it.
 *
 * The processor's own instruction where it has one, else a table; both give the same value. */
#ifndef SKEP_BASE_CRC32C_H
#define SKEP_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Go on from @crc, the value so far; 0 to begin. crc32c(crc32c(0, a), b) is the CRC of a and b in one piece. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

uint32_t crc32c_table(uint32_t crc, const void *data, size_t size); /* always by table: for tests */

/* By the processor, or NULL where it cannot; crc32c_<processor>.c, chosen by CMake. */
typedef uint32_t (*crc32c_fn)(uint32_t crc, const void *data, size_t size);
crc32c_fn crc32c_hardware(void);

#endif
