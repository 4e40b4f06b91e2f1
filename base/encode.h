/* base/encode.h – bytes as text: hex, base 36 (SwarmKit's tokens and ids), base64 in both alphabets, SHA-256. */
#ifndef SKEP_BASE_ENCODE_H
#define SKEP_BASE_ENCODE_H

#include "base/buf.h"

#define SHA256_SIZE_BYTES 32

void encode_hex(struct bytes in, char *out);                                      /* writes 2 * in.size + 1 chars */
int decode_hex(const char *text, size_t length, uint8_t *out, struct error *err); /* @length even; writes length / 2 bytes */

/* Big-endian integer in base 36, left-padded with '0' to exactly @width. The value must fit (it does for width = ceil(bits / log2 36)). */
void encode_base36(struct bytes in, char *out, size_t width);
/* The reverse, into exactly @size bytes, left-padded with zeros. ERR_INVALID for a strange character or a value that does not fit. */
int decode_base36(const char *text, size_t length, uint8_t *out, size_t size, struct error *err);

void encode_base64(struct bytes in, struct buf *out); /* standard alphabet, padded */
int decode_base64(const char *text, size_t length, struct buf *out,
                  struct error *err); /* both alphabets, padding optional, no white space */

void sha256(struct bytes in, uint8_t out[SHA256_SIZE_BYTES]);

#endif
