/* tests/fuzz/grpc_peer.h – a gRPC connection without socket, TLS, loop or clock, fed by a fuzz target. */
#ifndef SKEP_TESTS_FUZZ_GRPC_PEER_H
#define SKEP_TESTS_FUZZ_GRPC_PEER_H

#include <assert.h>
#include <stdlib.h>

#include "google/protobuf/wrappers.pb-c.h"
#include "proto/grpc/internal.h"

#define GRPC_FUZZ_METHOD(name, streams)                                                                                                    \
    {                                                                                                                                      \
        "/t.E/" name, &google__protobuf__bytes_value__descriptor, &google__protobuf__bytes_value__descriptor, streams, METHOD_ANYONE       \
    }
#define GRPC_FUZZ_METHODS                                                                                                                  \
    GRPC_FUZZ_METHOD("U", METHOD_UNARY), GRPC_FUZZ_METHOD("D", METHOD_SERVER_STREAM), GRPC_FUZZ_METHOD("C", METHOD_CLIENT_STREAM),         \
        GRPC_FUZZ_METHOD("B", METHOD_BOTH_STREAM)

struct fuzz_peer {
    struct schedule schedule;
    struct connection *connection;
    bool is_over;
};

static inline void fuzz_write(void *ctx, struct bytes data)
{
    (void)ctx;
    volatile uint8_t last = data.data[data.size - 1]; /* all of it is there */
    (void)last;
}

static inline size_t fuzz_queued(void *ctx)
{
    (void)ctx;
    return 0;
}

static inline const struct tls_identity *fuzz_no_peer(void *ctx)
{
    (void)ctx;
    return NULL;
}

static inline void fuzz_address(void *ctx, char out[GRPC_ADDRESS_SIZE_CHARS])
{
    (void)ctx;
    out[0] = 0;
}

static inline void fuzz_ignore(void *ctx)
{
    (void)ctx;
}

static inline void fuzz_over(void *ctx, const struct error *err)
{
    struct fuzz_peer *peer = ctx;
    assert(err->code != 0);
    peer->is_over = true;
}

static const struct connection_transport fuzz_transport = {.write = fuzz_write,
                                                           .queued = fuzz_queued,
                                                           .peer = fuzz_no_peer,
                                                           .address = fuzz_address,
                                                           .on_settings = fuzz_ignore,
                                                           .on_goaway = fuzz_ignore,
                                                           .on_idle = fuzz_ignore,
                                                           .on_over = fuzz_over};

static inline uint64_t fuzz_monotonic(void *self)
{
    (void)self;
    return NS_PER_S;
}

static inline int64_t fuzz_wall(void *self)
{
    (void)self;
    return 0;
}

static inline void fuzz_begin(struct fuzz_peer *peer, bool is_server, const struct connection_transport *transport)
{
    const struct clock clock = {fuzz_monotonic, fuzz_wall, NULL};
    *peer = (struct fuzz_peer){0};
    schedule_init(&peer->schedule, NULL, &clock);
    peer->connection = connection_new(is_server, &peer->schedule, transport, peer, 64 * KIB, "t");
    schedule_run(&peer->schedule);
}

static inline void fuzz_feed(struct fuzz_peer *peer, struct bytes data, size_t piece)
{
    piece = piece ? piece : data.size;
    while (data.size > 0 && !peer->is_over) {
        size_t size = data.size < piece ? data.size : piece;
        connection_receive(peer->connection, bytes_of(data.data, size));
        schedule_run(&peer->schedule);
        data = bytes_of(data.data + size, data.size - size);
    }
}

/* Every call ends, whatever came before. */
static inline void fuzz_end(struct fuzz_peer *peer)
{
    struct error err = {0};
    error_set(&err, ERR_UNAVAILABLE, "the input ends");
    connection_fail(peer->connection, GRPC_UNAVAILABLE, &err);
    connection_free(peer->connection);
    while (peer->schedule.parked)
        grpc_call_end_now(peer->schedule.parked, GRPC_CANCELED, "");
    while (peer->schedule.news)
        schedule_run(&peer->schedule);
}

#endif
