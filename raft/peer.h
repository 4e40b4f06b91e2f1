/* raft/peer.h – the way to one other member: a connection of our own, a queue in front of it, and what is known of the peer.
 *
 * A Skep peer takes all messages over one long stream (raft_stream_method), many in each write. A Docker peer does not know that method:
 * it answers UNIMPLEMENTED, and for the rest of that connection gets each message in a stream of its own, one after the other, as SwarmKit
 * does; or in a unary call where it does not know that either (swarmkit-wire §6.3).
 *
 * The queue never grows beyond its bounds. While there is no connection, appends are not kept at all – the core is told that the peer is
 * unreachable and sends anew – and of everything else only the newest of its kind. */
#ifndef SKEP_RAFT_PEER_H
#define SKEP_RAFT_PEER_H

#include "proto/grpc/grpc.h"
#include "raft/types.h"

#define RAFT_REMOVED_TEXT "raft: member was removed from the cluster" /* matched by text, §9, trap 19 */

/* Did the peer end a call because this member is one no more: by Raft's book, or as its node was removed from the cluster and its
 * certificate counts no longer (swarmkit-wire §1.5)? */
bool raft_says_removed(const struct grpc_status *status);

/* Both ways a stream of envelopes (raft_wire_wrap); the server's first message, empty, says that it takes them. */
extern const struct method raft_stream_method;

#define RAFT_PEER_MODES(X)                                                                                                                 \
    X(RESTING, "waiting to connect again", BIT(RAFT_PEER_DIALING))                                                                         \
    X(DIALING, "connecting", BIT(RAFT_PEER_RESTING) | BIT(RAFT_PEER_ASKING))                                                               \
    X(ASKING, "asking for a stream", BIT(RAFT_PEER_RESTING) | BIT(RAFT_PEER_STREAM) | BIT(RAFT_PEER_CALLS))                                \
    X(STREAM, "one stream", BIT(RAFT_PEER_RESTING))                                                                                        \
    X(CALLS, "a stream for each message", BIT(RAFT_PEER_RESTING) | BIT(RAFT_PEER_UNARY))                                                   \
    X(UNARY, "a call for each message", BIT(RAFT_PEER_RESTING))

enum raft_peer_mode {
#define X(name, shown, next) RAFT_PEER_##name,
    RAFT_PEER_MODES(X)
#undef X
};
extern const struct state_table raft_peer_modes;

/* What all peers of a member share. Borrowed as long as they live. */
struct raft_peer_host {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct tls_credentials *credentials;
    uint64_t silence_ns; /* a peer that should have answered and said nothing for so long is dialled anew: an election timeout */
    void (*on_unreachable)(void *ctx, uint64_t id); /* an append was dropped or failed; not from inside raft_peer_send */
    void (*on_removed)(void *ctx, uint64_t by);     /* this peer says that we are no member any more */
    void *ctx;
};

struct raft_peer_status {
    enum raft_peer_mode mode;
    bool is_connected;
    uint64_t heard_ns, active_since_ns; /* monotonic; 0: never. Active: heard from without a pause longer than silence_ns */
    uint64_t round_trip_ns;             /* of a heartbeat, smoothed; 0: not measured */
    uint64_t dropped_count, sent_count;
    size_t queued_count, queued_bytes;
};

struct raft_peer_link;

/* Dials at once. ERR_INVALID: the address. */
int raft_peer_link_new(const struct raft_peer_host *host, uint64_t id, const char *address, struct raft_peer_link **out, struct error *err);
void raft_peer_link_free(struct raft_peer_link *peer); /* no callback after it */
uint64_t raft_peer_link_id(const struct raft_peer_link *peer);
const char *raft_peer_link_address(const struct raft_peer_link *peer);

void raft_peer_send(struct raft_peer_link *peer, struct raft_message *message); /* taken; goes with the next raft_peer_flush() */
void raft_peer_flush(struct raft_peer_link *peer);                              /* once a turn */
/* What waits only tells a Skep peer how far the commit index is. The next append says that too, and takes its place: in a group with much
 * to do, a wait of RAFT_NEWS_MS saves a message and its answer for each commit. */
bool raft_peer_has_only_news(const struct raft_peer_link *peer);
void raft_peer_heard(struct raft_peer_link *peer, enum raft_message_type type); /* it sent us something */
void raft_peer_tick(struct raft_peer_link *peer);

struct grpc_channel *raft_peer_channel(const struct raft_peer_link *peer); /* NULL while there is no connection */
void raft_peer_status(const struct raft_peer_link *peer, struct raft_peer_status *out);

#endif
