/* raft/snapshot_send.c – a snapshot's file to a peer, over SwarmKit's StreamRaftMessage: each part is the whole message with a slice of the
 * data (swarmkit-wire §6.4), read when the call has room for it. One at a time for each peer: the core sends no other before it knows how
 * this one ended. */
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node_inside.h"
#include "raft/wire.h"

struct snapshot_send {
    struct raft_job job; /* first */
    struct snapshot_send *prev, *next;
    struct raft_node *node;
    struct raft_message message;
    struct grpc_call *call; /* NULL: over */
    struct raft_snapshot_reader *reader;
    uint64_t offset, moved_ns;
    struct bytes part;
    struct buf frame; /* waits for room */
    bool is_reading, has_sent_any;
    struct error err;
};

static void free_send(struct snapshot_send *send)
{
    if (send->is_reading)
        return; /* the job is the last to go */
    DL_DELETE(send->node->sends, send);
    raft_snapshot_reader_close(send->reader);
    raft_message_deinit(&send->message);
    buf_deinit(&send->frame);
    free(send);
}

static void work(struct raft_job *job)
{
    struct snapshot_send *send = (struct snapshot_send *)job;
    const struct raft_snapshot *meta = send->message.snapshot;
    int failed = 0;

    if (!send->reader)
        failed = raft_snapshot_reader_open(&send->node->store, meta->index, meta->term, &send->reader, &send->err);
    if (failed == 0)
        raft_snapshot_reader_read(send->reader, send->offset, &send->part, &send->err);
}

static void read_next(struct snapshot_send *send)
{
    send->is_reading = true;
    raft_worker_add(send->node->files, &send->job, true);
}

/* True: it was taken. */
static bool offer(struct snapshot_send *send)
{
    if (grpc_call_send_bytes(send->call, buf_bytes(&send->frame), NULL) < 0)
        return false;
    buf_clear(&send->frame);
    send->has_sent_any = true;
    send->moved_ns = clock_monotonic_ns(&send->node->clock);
    return true;
}

static void done(struct raft_job *job)
{
    struct snapshot_send *send = (struct snapshot_send *)job;
    bool is_end = send->part.size == 0;

    send->is_reading = false;
    if (!send->call) {
        free_send(send);
        return;
    }
    if (send->err.code != 0) {
        log_warn("raft", "snapshot %llu for %llx: %s", (unsigned long long)send->message.snapshot->index,
                 (unsigned long long)send->message.to, send->err.message);
        grpc_call_cancel(send->call);
        return;
    }
    if (is_end && send->has_sent_any) {
        grpc_call_send_end(send->call);
        return;
    }
    raft_wire_wrap_part(&send->message, send->part, &send->frame);
    send->offset += send->part.size;
    if (offer(send))
        read_next(send);
}

static void on_writable(struct grpc_call *call, void *ctx)
{
    struct snapshot_send *send = ctx;

    (void)call;
    if (send->frame.size > 0 && offer(send))
        read_next(send);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct snapshot_send *send = ctx;
    struct raft_node *node = send->node;

    (void)call;
    send->call = NULL;
    if (status->code != GRPC_OK)
        log_info("raft", "snapshot %llu did not reach %llx: %s", (unsigned long long)send->message.snapshot->index,
                 (unsigned long long)send->message.to, status->message);
    if (!node_is_over(node)) {
        if (raft_says_removed(status))
            node_removed(node);
        raft_report_snapshot(node->core, send->message.to, status->code == GRPC_OK, NULL);
        node_wake(node);
    }
    free_send(send);
}

void snapshot_send_begin(struct raft_node *node, struct raft_message *message)
{
    static const struct grpc_call_handlers handlers = {.on_writable = on_writable, .on_done = on_done};
    struct raft_peer_link *peer = links_find(node, message->to);
    struct grpc_channel *channel = peer ? raft_peer_channel(peer) : NULL;

    if (!channel) {
        raft_report_snapshot(node->core, message->to, false, NULL);
        raft_message_deinit(message);
        node_wake(node);
        return;
    }
    struct snapshot_send *send = mem_alloc(sizeof *send);
    *send = (struct snapshot_send){.job = {.work = work, .done = done}, .node = node, .message = *message};
    *message = (struct raft_message){0};
    DL_APPEND(node->sends, send);
    send->moved_ns = clock_monotonic_ns(&node->clock);
    send->call = grpc_call_start(channel, METHOD(Raft, StreamRaftMessage), NULL, &handlers, send);
    log_info("raft", "snapshot %llu for %llx begins", (unsigned long long)send->message.snapshot->index,
             (unsigned long long)send->message.to);
    read_next(send);
}

void snapshot_send_tick(struct raft_node *node)
{
    uint64_t now_ns = clock_monotonic_ns(&node->clock);
    struct snapshot_send *send;

    DL_FOREACH (node->sends, send)
        if (send->call && now_ns - send->moved_ns > RAFT_SNAPSHOT_STALL_MS * NS_PER_MS)
            grpc_call_cancel(send->call);
}

void snapshot_send_close(struct raft_node *node)
{
    struct snapshot_send *send;

    DL_FOREACH (node->sends, send)
        if (send->call)
            grpc_call_cancel(send->call); /* whose end comes with the channel's */
}
