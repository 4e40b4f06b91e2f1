/* proto/grpc/internal.h – inside proto/grpc: a call and the connection it runs over.
 *
 * A connection is HTTP/2 without a socket: bytes go in through connection_receive(), come out through its transport, and nothing but its
 * schedule knows the time. So the fuzz targets run the same code as a TLS peer. Client and server share the call; what only one of them
 * needs is small. */
#ifndef SKEP_PROTO_GRPC_INTERNAL_H
#define SKEP_PROTO_GRPC_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "proto/grpc/grpc.h"
#include "proto/grpc/schedule.h"

struct call_link {
    struct grpc_call *prev, *next;
};

struct metadatum {
    char *name, *value;
};

struct grpc_call {
    struct call_link link; /* among its connection's calls, or those that wait in a channel */
    struct call_link schedule_link, deadline_link;
    struct schedule *schedule;
    struct connection *connection; /* NULL: it waits in the channel, or is over */
    struct grpc_channel *channel;  /* client; NULL once the call is over */
    const struct method *method;
    struct grpc_call_handlers handlers;
    void *ctx;
    uint64_t deadline_ns; /* 0: none */
    uint32_t references;  /* one for the library, one for each function that must find it alive after a callback */
    int32_t stream_id;    /* 0: none */

    struct buf out; /* framed messages; the first @out_at bytes have gone into frames already */
    size_t out_at;
    struct buf in;     /* what has arrived and was not delivered: part of a message, or more while paused */
    size_t unconsumed; /* bytes of the stream's window that are not given back while paused */

    struct metadatum *metadata; /* client: to be sent, then replaced by what is received */
    size_t metadata_count, header_bytes;
    char *path, *content_type, *encoding, *peer_message; /* received headers with a meaning of their own */
    uint64_t timeout_ns;                                 /* server: received */
    int http_status, peer_code;                          /* client: received; peer_code -1: none yet */

    ProtobufCMessage *reply; /* unary client: kept until the status is there */
    grpc_reply_cb on_reply;
    size_t message_count; /* received */

    int code;      /* of the end, once is_over; server: given to grpc_call_finish */
    char *message; /* owned */
    int cause;     /* our code for the same, when it is not what the status maps to */

    bool has_news, has_deadline;
    bool is_server, is_waiting, waits_for_ready;
    bool is_open;      /* a response (server) or request (client) was begun */
    bool is_deferred;  /* nghttp2 waits for more to send */
    bool has_sent_end; /* no more messages will be queued */
    bool is_finished;  /* server: the status is given */
    bool wants_room, is_paused, is_bad_header;
    bool has_received_end, has_told_end, is_over_later;
    bool is_accepted, is_over, is_told, is_from_peer;
};

/* What a connection asks of the socket, or of a fuzzer. */
struct connection_transport {
    void (*write)(void *ctx, struct bytes data);
    size_t (*queued)(void *ctx);
    const struct tls_identity *(*peer)(void *ctx);
    void (*address)(void *ctx, char out[GRPC_ADDRESS_SIZE_CHARS]);
    /* The peer's first SETTINGS; its GOAWAY; a new call (server); the last call is over; HTTP/2 is over. */
    void (*on_settings)(void *ctx);
    void (*on_goaway)(void *ctx);
    void (*on_call)(void *ctx, struct grpc_call *call);
    void (*on_idle)(void *ctx);
    void (*on_over)(void *ctx, const struct error *err);
};

struct connection {
    struct {
        struct connection *prev, *next;
    } dirty_link;
    struct schedule *schedule;
    const struct connection_transport *transport;
    void *ctx;
    nghttp2_session *session;
    struct grpc_call *calls;
    size_t call_count, max_message_bytes, buffered_bytes;
    const char *authority; /* client; borrowed */
    struct error flaw;     /* what nghttp2 said about the peer */
    bool is_server, is_dirty, has_settings, has_goaway, is_over, is_inside, is_doomed, is_draining;
};

/* connection.c */
struct connection *connection_new(bool is_server, struct schedule *schedule, const struct connection_transport *transport, void *ctx,
                                  size_t max_message_bytes, const char *authority);
void connection_free(struct connection *connection); /* has no calls any more; from anywhere */
void connection_receive(struct connection *connection, struct bytes data);
void connection_flush(struct connection *connection);                                   /* as much as the transport takes now */
void connection_fail(struct connection *connection, int code, const struct error *err); /* every call ends with this */
void connection_ping(struct connection *connection);
void connection_drain(struct connection *connection); /* server: GOAWAY; calls under way go on */
void connection_request(struct connection *connection, struct grpc_call *call);
void connection_respond(struct connection *connection, struct grpc_call *call); /* server: headers, and the data behind them */
void connection_refuse(struct connection *connection, struct grpc_call *call);  /* server: a status alone */
void connection_more(struct connection *connection, struct grpc_call *call);    /* there is something to send */
void connection_consume(struct connection *connection, struct grpc_call *call, size_t size);
void connection_detach(struct connection *connection, struct grpc_call *call, uint32_t reset); /* reset 0: leave the stream as it is */

/* call.c */
struct grpc_call *grpc_call_new(struct schedule *schedule, const struct method *method);
void grpc_call_hold(struct grpc_call *call);
void grpc_call_release(struct grpc_call *call);
void grpc_call_received(struct grpc_call *call, struct bytes data);
void grpc_call_received_end(struct grpc_call *call);
/* The call is over: it leaves its connection (with RST_STREAM @reset, unless 0) and on_done follows. @cause may be NULL. */
void grpc_call_end(struct grpc_call *call, uint32_t reset, bool is_from_peer, int code, const char *message, const struct error *cause);
void grpc_call_end_now(struct grpc_call *call, int code, const char *message); /* and on_done is called at once */
void grpc_call_overdue(struct grpc_call *call);
void grpc_call_serve(struct grpc_call *call); /* its news: messages, room, the end */
void grpc_call_add_metadata(struct grpc_call *call, struct bytes name, struct bytes value);
void grpc_call_drop_metadata(struct grpc_call *call);
void grpc_call_sent(struct grpc_call *call); /* part of @out went into frames */

/* channel.c */
void channel_forget(struct grpc_channel *channel, struct grpc_call *call); /* it no longer waits there */

#endif
