/* proto/grpc/dial.h – inside proto/grpc: from an address to a connected socket.
 *
 * "host:port" is resolved and each of its addresses tried in turn; "unix:///path" is a pipe. No deadline of its own: who dials has one. */
#ifndef SKEP_PROTO_GRPC_DIAL_H
#define SKEP_PROTO_GRPC_DIAL_H

#include <uv.h>

#include "base/error.h"

struct dial;

/* Exactly one of @stream (connected, heap memory, taken by the receiver) and @err. Comes from the loop, never from inside dial_start. */
typedef void (*dial_cb)(void *ctx, uv_stream_t *stream, const struct error *err);

int dial_check(const char *address, struct error *err); /* ERR_INVALID */
struct dial *dial_start(uv_loop_t *loop, const char *address, dial_cb on_done, void *ctx);
void dial_cancel(struct dial *dial); /* before on_done: it will not come */

#endif
