/* proto/tls/tls.h – who we are on the wire and whom we trust, and TLS connections made with that.
 *
 * TLS 1.2 at least. ALPN h2 is offered, and chosen where offered, and never insisted upon: Docker nodes lose it after a renewal
 * (swarmkit-wire §1.3). Credentials can be replaced at any time: new connections use the new ones, old ones live on with theirs. */
#ifndef SKEP_PROTO_TLS_TLS_H
#define SKEP_PROTO_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proto/tls/verify.h"

/* --- credentials --- */

/* A certificate chain with its key, and the roots that peers are judged by; each may be missing. */
struct tls_credentials;

struct tls_credentials *tls_credentials_new(const struct clock *clock); /* copied; judges validity */
void tls_credentials_free(struct tls_credentials *credentials);         /* connections made with it live on */

/* Replace all of them. @chain_pem leaf first; @key_pem may have SwarmKit's header lines (§2.7), which are skipped; empty slices: none.
 * ERR_CORRUPT naming which one cannot be read, or when key and leaf do not fit; the old ones stay then. */
int tls_credentials_set(struct tls_credentials *credentials, struct bytes chain_pem, struct bytes key_pem, struct bytes roots_pem,
                        struct error *err);

/* --- who the peer is --- */

/* From the leaf of a verified chain (swarmkit-wire §1.5). Owned by the stream. */
struct tls_identity {
    const char *common_name;  /* the node's id */
    const char *organization; /* the first O: the cluster's id */
    const char **units;       /* every OU: roles */
    size_t unit_count;
    int64_t not_after_wall_ns;
};
bool tls_identity_has_unit(const struct tls_identity *identity, const char *unit);

/* --- connections --- */

/* Swarm's client profiles are combinations of these (swarmkit-wire §1.3). */
struct tls_options {
    struct tls_credentials *credentials; /* borrowed for the call */
    bool is_server;
    const char *server_name; /* client: SNI, and the DNS name that the peer's certificate must carry; NULL: no SNI. Copied */
    bool is_unverified;      /* client: take any certificate (the download of the root CA, checked by its digest) */
    bool is_anonymous;       /* client: do not show our certificate */
};

struct tls_stream;

/* All are called from the loop, none from inside a call to the stream. */
struct tls_handlers {
    void (*on_ready)(void *ctx);                   /* the handshake is done */
    void (*on_data)(void *ctx, struct bytes data); /* borrowed */
    void (*on_drained)(void *ctx);                 /* what was written has left; called after each write that had to wait */
    void (*on_end)(void *ctx,
                   const struct error *err); /* once: NULL for a clean end by the peer. Nothing comes after it; close the stream */
    void *ctx;
};

/* @transport is connected, heap memory, taken: it is closed and freed with the stream. */
struct tls_stream *tls_stream_new(uv_stream_t *transport, const struct tls_options *options, const struct tls_handlers *handlers);

void tls_stream_write(struct tls_stream *stream, struct bytes data); /* copied; queued without a bound: watch tls_stream_queued */
size_t tls_stream_queued(const struct tls_stream *stream);           /* bytes that have not left yet */
void tls_stream_pause(struct tls_stream *stream, bool is_paused);    /* stop or go on reading the socket; what was read still comes */
const struct tls_identity *tls_stream_peer(const struct tls_stream *stream); /* NULL: no verified certificate */
uv_stream_t *tls_stream_transport(struct tls_stream *stream);

/* No callback after it; the memory goes when the loop has closed the socket. What was written is still sent, within TLS_CLOSE_MS. May be
 * called from a callback. */
void tls_stream_close(struct tls_stream *stream);

/* As above, at once, for a peer that does not answer: what it has not acknowledged is dropped, so that it does not hear it when it is back.
 */
void tls_stream_abort(struct tls_stream *stream);

#endif
