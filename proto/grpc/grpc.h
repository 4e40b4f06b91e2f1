/* proto/grpc/grpc.h – gRPC over HTTP/2 and TLS: calls to a peer (a channel) and calls from peers (a server).
 *
 * One loop, no threads. A call has one of four shapes (proto/methods.h); both sides send messages, the server ends it with a status. All
 * callbacks come from the loop, never from inside a function of this header. Behaviour and headers follow what grpc-go peers send and
 * expect (swarmkit-wire §1.1). */
#ifndef SKEP_PROTO_GRPC_GRPC_H
#define SKEP_PROTO_GRPC_GRPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "proto/methods.h"
#include "proto/tls/tls.h"

#define GRPC_CODES(X)                                                                                                                      \
    X(OK, 0)                                                                                                                               \
    X(CANCELED, 1)                                                                                                                         \
    X(UNKNOWN, 2)                                                                                                                          \
    X(INVALID_ARGUMENT, 3)                                                                                                                 \
    X(DEADLINE_EXCEEDED, 4)                                                                                                                \
    X(NOT_FOUND, 5)                                                                                                                        \
    X(ALREADY_EXISTS, 6)                                                                                                                   \
    X(PERMISSION_DENIED, 7)                                                                                                                \
    X(RESOURCE_EXHAUSTED, 8)                                                                                                               \
    X(FAILED_PRECONDITION, 9)                                                                                                              \
    X(ABORTED, 10)                                                                                                                         \
    X(OUT_OF_RANGE, 11)                                                                                                                    \
    X(UNIMPLEMENTED, 12)                                                                                                                   \
    X(INTERNAL, 13)                                                                                                                        \
    X(UNAVAILABLE, 14)                                                                                                                     \
    X(DATA_LOSS, 15)                                                                                                                       \
    X(UNAUTHENTICATED, 16)

enum grpc_code {
#define X(name, number) GRPC_##name = (number),
    GRPC_CODES(X)
#undef X
};
const char *grpc_code_name(int code); /* "Unavailable", as grpc-go writes it; "Code(99)" for a stranger */

/* How a call ended. @error is the same for our own functions: code 0, or the nearest code of ours, with a message for a person. */
struct grpc_status {
    int code;            /* enum grpc_code, or a number a peer made up */
    const char *message; /* the peer's own words, or ours when the call did not get that far; never NULL */
    bool is_from_peer;   /* the peer sent this status; false: we made it */
    struct error error;
};

struct grpc_metadatum {
    const char *name, *value; /* lower case; never "grpc-…" */
};

struct grpc_call;

/* @on_done comes exactly once and last, also after grpc_call_cancel; the call is gone when it returns. Messages are borrowed. Any but
 * on_done may be NULL. */
struct grpc_call_handlers {
    void (*on_message)(struct grpc_call *call, ProtobufCMessage *message, void *ctx);
    /* In place of on_message, for a reader that unpacks by itself: what has arrived, not looked at. Borrowed. */
    void (*on_bytes)(struct grpc_call *call, struct bytes packed, void *ctx);
    void (*on_half_closed)(struct grpc_call *call, void *ctx); /* server: the client has sent all it will send */
    void (*on_writable)(struct grpc_call *call, void *ctx);    /* after grpc_call_send gave ERR_AGAIN: there is room again */
    void (*on_done)(struct grpc_call *call, const struct grpc_status *status, void *ctx);
};

/* --- on both sides of a call --- */

/* Queue one message. ERR_AGAIN, with nothing taken, while more than GRPC_SEND_QUEUE_BYTES wait: send it again at on_writable. ERR_LIMIT for
 * a message larger than the peer can take; ERR_PRECONDITION after the end was sent. A call that has failed already takes messages and drops
 * them: its on_done is on the way. */
int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message, struct error *err);
int grpc_call_send_bytes(struct grpc_call *call, struct bytes packed, struct error *err); /* a message that is packed already */

/* No on_message while paused; what arrives waits in the peer's window. */
void grpc_call_pause(struct grpc_call *call, bool is_paused);

/* Give up: RST_STREAM(CANCEL) to the peer; on_done follows with CANCELED. */
void grpc_call_cancel(struct grpc_call *call);

const struct method *grpc_call_method(const struct grpc_call *call);
const char *grpc_call_metadata(const struct grpc_call *call, const char *name, size_t index); /* received; NULL: no such */
const struct tls_identity *grpc_call_peer(const struct grpc_call *call);                      /* NULL: no verified certificate */
void grpc_call_peer_address(const struct grpc_call *call, char out[GRPC_ADDRESS_SIZE_CHARS]); /* "10.0.0.7:53186"; "" when unknown */
void grpc_call_set_context(struct grpc_call *call, void *ctx);
void *grpc_call_context(const struct grpc_call *call);

/* --- client --- */

struct grpc_channel;

/* As in SwarmKit's table of client profiles (swarmkit-wire §1.3). */
struct grpc_channel_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    const char *address;                 /* "host:port", copied; also the :authority unless @authority says else */
    const char *authority;               /* copied; NULL: the address */
    struct tls_credentials *credentials; /* borrowed as long as the channel lives */
    const char *server_name;             /* copied; NULL: no SNI */
    bool is_unverified, is_anonymous;    /* as in struct tls_options */
    size_t max_message_bytes;            /* received; 0: GRPC_MESSAGE_SIZE_BYTES */

    uint64_t keepalive_ms; /* between pings on a quiet connection; 0: as often as grpc-go servers bear */

    /* Does it connect again after it broke, with jittered back-off up to GRPC_BACKOFF_MAX_MS? Otherwise one failure ends it. */
    bool reconnects;
    /* The connection stands; or it failed or broke, with what to tell a person. May be NULL. */
    void (*on_ready)(struct grpc_channel *channel, void *ctx);
    void (*on_failed)(struct grpc_channel *channel, const struct error *err, void *ctx);
    void *ctx;
};

/* Begins to connect at once: resolving, connecting and the handshake within GRPC_CONNECT_TIMEOUT_MS. ERR_INVALID for the address. */
int grpc_channel_new(const struct grpc_channel_options *options, struct grpc_channel **out, struct error *err);

/* Calls under way end with CANCELED, before this returns to the loop. No other callback comes; the memory goes by itself. */
void grpc_channel_close(struct grpc_channel *channel);

/* As above, for a peer that does not answer: nothing that is still on its way is told to it when it is back. */
void grpc_channel_abort(struct grpc_channel *channel);

bool grpc_channel_is_ready(const struct grpc_channel *channel);
void grpc_channel_local_address(const struct grpc_channel *channel, char out[GRPC_ADDRESS_SIZE_CHARS]); /* "" until connected */
const struct tls_identity *grpc_channel_peer(const struct grpc_channel *channel);

struct grpc_call_options {
    uint64_t deadline_ms; /* 0: none. Sent to the peer as grpc-timeout, and kept here too */
    const struct grpc_metadatum *metadata;
    size_t metadata_count;
    bool waits_for_ready; /* on a channel that reconnects: wait through failures to connect, until the deadline */
};

/* Start a call; it waits while the channel is connecting. Unless it waits for ready, a failure to connect ends it with UNAVAILABLE and the
 * reason. @options may be NULL. Never fails: what goes wrong comes as on_done. */
struct grpc_call *grpc_call_start(struct grpc_channel *channel, const struct method *method, const struct grpc_call_options *options,
                                  const struct grpc_call_handlers *handlers, void *ctx);
void grpc_call_send_end(struct grpc_call *call); /* client: no more messages; sent with the last one where that has not left yet */

/* The whole of a unary call. @reply is NULL unless the status is OK; both are borrowed. The handle is good for grpc_call_cancel only, until
 * on_reply was called. */
typedef void (*grpc_reply_cb)(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply);
struct grpc_call *grpc_unary(struct grpc_channel *channel, const struct method *method, const ProtobufCMessage *request,
                             const struct grpc_call_options *options, grpc_reply_cb on_reply, void *ctx);

/* --- server --- */

struct grpc_server;

struct grpc_server_options {
    uv_loop_t *loop;
    struct clock clock;
    struct tls_credentials *credentials; /* borrowed as long as the server lives */
    size_t max_message_bytes;            /* received; 0: GRPC_MESSAGE_SIZE_BYTES */
    uint64_t keepalive_ms;               /* a peer that says nothing for so long is pinged; 0: two hours, as grpc-go */
    uint64_t keepalive_answer_ms;        /* and closed when it does not answer in so long; 0: GRPC_KEEPALIVE_ANSWER_MS */
    size_t max_connections;              /* 0: GRPC_SERVER_CONNECTIONS_COUNT; those beyond it are closed, and the log says so */
};

struct grpc_server *grpc_server_new(const struct grpc_server_options *options);

/* Listen at "host:port" (port 0: any; ask for it then) or "unix:///path". ERR_EXISTS when it is taken, ERR_INVALID, ERR_PERMISSION. */
int grpc_server_listen(struct grpc_server *server, const char *address, struct error *err);
uint16_t grpc_server_port(const struct grpc_server *server); /* of the first TCP listener */

/* @on_call takes a new call: it sets handlers with grpc_call_accept before it returns, or ends it. Methods without one are answered
 * UNIMPLEMENTED, as grpc-go does. @method borrowed for good; handled already: from now on by this one. */
typedef void (*grpc_call_cb)(struct grpc_call *call, void *ctx);
void grpc_server_handle(struct grpc_server *server, const struct method *method, grpc_call_cb on_call, void *ctx);

void grpc_call_accept(struct grpc_call *call, const struct grpc_call_handlers *handlers, void *ctx);

/* Server: end the call after what was queued has left. @message may be NULL. on_done follows, with the status given here if it reached the
 * connection. */
void grpc_call_finish(struct grpc_call *call, int code, const char *message);
void grpc_call_finish_error(struct grpc_call *call, const struct error *err); /* with the status our code maps to */
int grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message); /* unary: the message, then OK */

/* No new connections and calls; GOAWAY to each peer, and calls may go on for @grace_ms (0: they end now). Then all is closed and freed. */
void grpc_server_stop(struct grpc_server *server, uint64_t grace_ms, void (*on_stopped)(void *ctx), void *ctx);

#endif
