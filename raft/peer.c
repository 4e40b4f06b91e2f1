/* raft/peer.c – see peer.h. */
#include "raft/peer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/state.h"
#include "raft/peer_queue.h"
#include "raft/wire.h"

const struct method raft_stream_method = {"/skep.raft.v1.Raft/Messages", NULL, NULL, METHOD_BOTH_STREAM, METHOD_MANAGER};

static const struct state_info modes[] = {
#define X(name, shown, next) {#name, shown, next, 0},
    RAFT_PEER_MODES(X)
#undef X
};
const struct state_table raft_peer_modes = {"raft peer", modes, sizeof modes / sizeof modes[0]};

struct raft_peer_link {
    const struct raft_peer_host *host;
    uint64_t id;
    char *address;
    struct state_machine mode;
    struct grpc_channel *channel;
    struct grpc_call *call; /* the stream, or the message under way */
    enum raft_message_type call_type;
    struct raft_peer_queue queue;
    struct buf frame;
    bool is_full, is_doomed;
    bool has_failed; /* since the connection was last good: said once */
    unsigned failures;
    uint64_t dialed_ns, redial_ns;
    uint64_t heard_ns, active_since_ns, unanswered_ns, heartbeat_ns, round_trip_ns, sent_count;
};

static uint64_t now_ns(const struct raft_peer_link *peer)
{
    return clock_monotonic_ns(&peer->host->clock);
}

static void move(struct raft_peer_link *peer, enum raft_peer_mode mode)
{
    struct error err;
    int failed = state_move(&peer->mode, mode, now_ns(peer), &err);
    assert(failed == 0);
    (void)failed;
}

static enum raft_peer_mode mode_of(const struct raft_peer_link *peer)
{
    return (enum raft_peer_mode)peer->mode.state;
}

static bool is_connected(const struct raft_peer_link *peer)
{
    return mode_of(peer) >= RAFT_PEER_STREAM;
}

/* --- connecting --- */

/* Doubles from an eighth of the longest wait, with a random half. */
static uint64_t backoff_ns(struct raft_peer_link *peer)
{
    uint64_t most_ms = RAFT_PEER_BACKOFF_MAX_MS / 8u << (peer->failures < 3 ? peer->failures : 3);
    return (most_ms / 2 + random_below(&peer->host->random, most_ms / 2 + 1)) * NS_PER_MS;
}

/* What is under way is lost, and may have been an append. */
static void disconnect(struct raft_peer_link *peer)
{
    struct grpc_channel *channel = steal(&peer->channel);

    peer->call = NULL;
    peer->is_full = false;
    if (mode_of(peer) != RAFT_PEER_RESTING)
        move(peer, RAFT_PEER_RESTING);
    peer->redial_ns = now_ns(peer) + backoff_ns(peer);
    peer->failures++;
    peer->unanswered_ns = peer->heartbeat_ns = 0;
    /* Its calls end now, and find that they are ours no more. What the kernel still holds for a host that was cut off would reach it
     * minutes later, and say that a leader lives that may be gone by then. */
    grpc_channel_abort(channel);
    raft_peer_queue_disconnected(&peer->queue);
    if (!peer->is_doomed)
        peer->host->on_unreachable(peer->host->ctx, peer->id);
}

static void ask_for_stream(struct raft_peer_link *peer);

static void on_ready(struct grpc_channel *channel, void *ctx)
{
    struct raft_peer_link *peer = ctx;

    if (channel == peer->channel)
        ask_for_stream(peer);
}

static void on_failed(struct grpc_channel *channel, const struct error *err, void *ctx)
{
    struct raft_peer_link *peer = ctx;

    if (channel != peer->channel)
        return;
    if (!peer->has_failed)
        log_warn("raft", "peer %llx: %s", (unsigned long long)peer->id, err->message);
    peer->has_failed = true;
    disconnect(peer);
}

static int dial(struct raft_peer_link *peer, struct error *err)
{
    const struct raft_peer_host *host = peer->host;
    struct grpc_channel_options options = {.loop = host->loop,
                                           .clock = host->clock,
                                           .random = host->random,
                                           .address = peer->address,
                                           .credentials = host->credentials,
                                           .server_name = "swarm-manager",
                                           .on_ready = on_ready,
                                           .on_failed = on_failed,
                                           .ctx = peer};
    int failed = grpc_channel_new(&options, &peer->channel, err);

    if (failed < 0)
        return failed;
    peer->dialed_ns = now_ns(peer);
    peer->unanswered_ns = 0;
    move(peer, RAFT_PEER_DIALING);
    return 0;
}

static void redial(struct raft_peer_link *peer)
{
    struct error err;

    if (dial(peer, &err) < 0) /* it was good once */
        log_error("raft", "peer %llx: %s", (unsigned long long)peer->id, err.message);
}

/* --- what the peer says --- */

bool raft_says_removed(const struct grpc_status *status)
{
    if (!status->is_from_peer)
        return false;
    return (status->code == GRPC_NOT_FOUND && strcmp(status->message, RAFT_REMOVED_TEXT) == 0) ||
           (status->code == GRPC_PERMISSION_DENIED && strstr(status->message, " was removed from swarm") != NULL);
}

static void on_stream_bytes(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct raft_peer_link *peer = ctx;

    (void)packed;
    if (call != peer->call || mode_of(peer) != RAFT_PEER_ASKING)
        return;
    move(peer, RAFT_PEER_STREAM);
    if (peer->has_failed)
        log_info("raft", "peer %llx: connected again", (unsigned long long)peer->id);
    peer->has_failed = false;
    peer->failures = 0;
    raft_peer_flush(peer);
}

static void on_stream_writable(struct grpc_call *call, void *ctx)
{
    struct raft_peer_link *peer = ctx;

    if (call != peer->call)
        return;
    peer->is_full = false;
    raft_peer_flush(peer);
}

static void on_stream_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct raft_peer_link *peer = ctx;

    if (call != peer->call)
        return;
    peer->call = NULL;
    if (raft_says_removed(status))
        peer->host->on_removed(peer->host->ctx, peer->id);
    if (status->code == GRPC_UNIMPLEMENTED && mode_of(peer) == RAFT_PEER_ASKING) {
        move(peer, RAFT_PEER_CALLS);
        peer->failures = 0;
        raft_peer_flush(peer);
        return;
    }
    if (peer->channel) {
        log_debug("raft", "peer %llx: its stream ended: %s", (unsigned long long)peer->id, status->message);
        disconnect(peer);
    }
}

static void ask_for_stream(struct raft_peer_link *peer)
{
    static const struct grpc_call_handlers handlers = {
        .on_bytes = on_stream_bytes, .on_writable = on_stream_writable, .on_done = on_stream_done};

    move(peer, RAFT_PEER_ASKING);
    peer->call = grpc_call_start(peer->channel, &raft_stream_method, NULL, &handlers, peer);
    grpc_call_send_bytes(peer->call, bytes_of(NULL, 0), NULL); /* an empty one, so that the request leaves now */
}

/* --- what we say --- */

static bool is_vote(enum raft_message_type type)
{
    return type == RAFT_MESSAGE_VOTE || type == RAFT_MESSAGE_PRE_VOTE || type == RAFT_MESSAGE_VOTE_RESPONSE ||
           type == RAFT_MESSAGE_PRE_VOTE_RESPONSE;
}

static void note_sent(struct raft_peer_link *peer, enum raft_message_type type)
{
    peer->sent_count++;
    if (type == RAFT_MESSAGE_HEARTBEAT && peer->heartbeat_ns == 0)
        peer->heartbeat_ns = now_ns(peer);
    if (!is_vote(type) && peer->unanswered_ns == 0)
        peer->unanswered_ns = now_ns(peer);
}

/* As many messages as fit in one write, and so on while the stream takes them. */
static void flush_stream(struct raft_peer_link *peer)
{
    struct raft_message *message;

    while (!peer->is_full && raft_peer_queue_first(&peer->queue)) {
        buf_clear(&peer->frame);
        for (size_t ahead = 0; (message = raft_peer_queue_at(&peer->queue, ahead)) != NULL; ahead++) {
            if (ahead > 0 && peer->frame.size + raft_wire_size_bytes(message) > RAFT_FRAME_BYTES)
                break;
            raft_wire_wrap(message, &peer->frame);
        }
        if (grpc_call_send_bytes(peer->call, buf_bytes(&peer->frame), NULL) < 0) {
            peer->is_full = true;
            return;
        }
        for (size_t left = peer->frame.size; left > 0; raft_peer_queue_drop(&peer->queue)) {
            message = raft_peer_queue_first(&peer->queue);
            note_sent(peer, message->type);
            left -= raft_peer_queue_wrapped_size(message);
        }
    }
}

static void send_one(struct raft_peer_link *peer);

static void on_call_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct raft_peer_link *peer = ctx;

    if (call != peer->call)
        return;
    peer->call = NULL;
    if (raft_says_removed(status))
        peer->host->on_removed(peer->host->ctx, peer->id);
    if (status->code == GRPC_UNIMPLEMENTED && mode_of(peer) == RAFT_PEER_CALLS)
        move(peer, RAFT_PEER_UNARY);
    else if (status->code != GRPC_OK && peer->call_type == RAFT_MESSAGE_APPEND)
        peer->host->on_unreachable(peer->host->ctx, peer->id);
    send_one(peer);
}

/* To a Docker peer: one after the other, so that they keep their order. */
static void send_one(struct raft_peer_link *peer)
{
    static const struct grpc_call_handlers handlers = {.on_done = on_call_done};
    struct grpc_call_options options = {.deadline_ms = RAFT_PEER_CALL_MS};
    struct raft_message *message = raft_peer_queue_first(&peer->queue);

    if (peer->call || !message)
        return;
    bool is_unary = mode_of(peer) == RAFT_PEER_UNARY;
    const struct method *method = is_unary ? METHOD(Raft, ProcessRaftMessage) : METHOD(Raft, StreamRaftMessage);
    buf_clear(&peer->frame);
    raft_wire_wrap(message, &peer->frame);
    peer->call_type = message->type;
    note_sent(peer, message->type);
    raft_peer_queue_drop(&peer->queue);
    peer->call = grpc_call_start(peer->channel, method, &options, &handlers, peer);
    grpc_call_send_bytes(peer->call, buf_bytes(&peer->frame), NULL);
    if (!is_unary)
        grpc_call_send_end(peer->call);
}

void raft_peer_flush(struct raft_peer_link *peer)
{
    if (mode_of(peer) == RAFT_PEER_STREAM)
        flush_stream(peer);
    else if (is_connected(peer))
        send_one(peer);
}

bool raft_peer_has_only_news(const struct raft_peer_link *peer)
{
    return mode_of(peer) == RAFT_PEER_STREAM && raft_peer_queue_has_only_news(&peer->queue);
}

void raft_peer_send(struct raft_peer_link *peer, struct raft_message *message)
{
    raft_peer_queue_add(&peer->queue, message, is_connected(peer));
}

/* --- time, and what is known --- */

void raft_peer_heard(struct raft_peer_link *peer, enum raft_message_type type)
{
    uint64_t now = now_ns(peer);

    if (peer->heard_ns == 0 || now - peer->heard_ns > peer->host->silence_ns)
        peer->active_since_ns = now;
    peer->heard_ns = now;
    peer->unanswered_ns = 0;
    if (type == RAFT_MESSAGE_HEARTBEAT_RESPONSE && peer->heartbeat_ns != 0) {
        uint64_t took = now - peer->heartbeat_ns;
        peer->round_trip_ns = peer->round_trip_ns == 0 ? took : (7 * peer->round_trip_ns + took) / 8;
        peer->heartbeat_ns = 0;
    }
    if (mode_of(peer) == RAFT_PEER_RESTING && now - peer->dialed_ns > peer->host->silence_ns / 4)
        redial(peer); /* it is there: why wait */
}

void raft_peer_tick(struct raft_peer_link *peer)
{
    uint64_t now = now_ns(peer), silence_ns = peer->host->silence_ns;
    bool is_deaf = is_connected(peer) && peer->unanswered_ns != 0 && now - peer->unanswered_ns > silence_ns;
    bool is_stuck = !is_connected(peer) && mode_of(peer) != RAFT_PEER_RESTING && now - peer->dialed_ns > silence_ns;

    if (mode_of(peer) == RAFT_PEER_RESTING && now >= peer->redial_ns)
        redial(peer);
    else if (is_deaf || is_stuck)
        disconnect(peer);
    if (raft_peer_queue_take_loss(&peer->queue))
        peer->host->on_unreachable(peer->host->ctx, peer->id);
}

struct grpc_channel *raft_peer_channel(const struct raft_peer_link *peer)
{
    return is_connected(peer) ? peer->channel : NULL;
}

void raft_peer_status(const struct raft_peer_link *peer, struct raft_peer_status *out)
{
    *out = (struct raft_peer_status){.mode = mode_of(peer),
                                     .is_connected = is_connected(peer),
                                     .heard_ns = peer->heard_ns,
                                     .round_trip_ns = peer->round_trip_ns,
                                     .sent_count = peer->sent_count,
                                     .dropped_count = peer->queue.dropped_count,
                                     .queued_count = raft_peer_queue_count(&peer->queue),
                                     .queued_bytes = peer->queue.size_bytes};
    if (peer->heard_ns != 0 && now_ns(peer) - peer->heard_ns <= peer->host->silence_ns)
        out->active_since_ns = peer->active_since_ns;
}

/* --- life --- */

int raft_peer_link_new(const struct raft_peer_host *host, uint64_t id, const char *address, struct raft_peer_link **out, struct error *err)
{
    struct raft_peer_link *peer = mem_alloc(sizeof *peer);

    peer->host = host;
    peer->id = id;
    peer->address = mem_string(address);
    state_init(&peer->mode, &raft_peer_modes, RAFT_PEER_RESTING, now_ns(peer));
    int failed = dial(peer, err);
    if (failed < 0)
        raft_peer_link_free(peer);
    else
        *out = peer;
    return failed;
}

void raft_peer_link_free(struct raft_peer_link *peer)
{
    if (!peer)
        return;
    peer->is_doomed = true;
    peer->call = NULL;
    grpc_channel_close(steal(&peer->channel));
    raft_peer_queue_deinit(&peer->queue);
    buf_deinit(&peer->frame);
    free(peer->address);
    free(peer);
}

uint64_t raft_peer_link_id(const struct raft_peer_link *peer)
{
    return peer->id;
}

const char *raft_peer_link_address(const struct raft_peer_link *peer)
{
    return peer->address;
}
