/* proto/grpc/wire.h – the small forms of gRPC over HTTP/2: the frame before each message, timeouts, percent-encoding, codes. Pure.
 *
 * Source: gRPC's "PROTOCOL-HTTP2", and swarmkit-wire §1.1 for what grpc-go does of it. */
#ifndef SKEP_PROTO_GRPC_WIRE_H
#define SKEP_PROTO_GRPC_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A byte that says whether the message is compressed, and its size in 32 bits, big end first. */
#define WIRE_FRAME_BYTES   5
#define WIRE_TIMEOUT_CHARS 16

struct wire_frame {
    bool is_compressed;
    uint32_t size_bytes;
};

void wire_write_frame(uint8_t out[WIRE_FRAME_BYTES], uint32_t size_bytes);
struct wire_frame wire_read_frame(const uint8_t in[WIRE_FRAME_BYTES]);

/* 1 to 8 digits and one of H M S m u n. Printed in the finest unit that fits, rounded up. False for what is malformed. */
void wire_print_timeout(uint64_t timeout_ns, char out[WIRE_TIMEOUT_CHARS]);
bool wire_parse_timeout(const char *text, uint64_t *timeout_ns);

/* Every byte outside 0x20 to 0x7e, and '%'. Decoding leaves what is no escape as it is. Both freed by the caller. */
char *wire_percent_encode(const char *text);
char *wire_percent_decode(const char *text);

bool wire_is_grpc(const char *content_type);  /* "application/grpc", or that with "+…" or ";…"; NULL is not */
int wire_code_of_http(int http_status);       /* of an answer that is not gRPC */
int wire_code_of_reset(uint32_t http2_error); /* of a stream that was reset without a status */

#endif
