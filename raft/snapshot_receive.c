/* raft/snapshot_receive.c – a snapshot that a leader sends, into a file as its parts come; then the core is told. The call is paused while
 * more than RAFT_SNAPSHOT_PARTS_COUNT parts wait for the disk. What is here already is not written again. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "raft/node_inside.h"

struct snapshot_receipt {
    struct raft_job job; /* first */
    struct raft_node *node;
    struct grpc_call *call; /* NULL: it is over */
    struct snapshot_receipt **place;
    struct raft_message message;
    struct raft_snapshot_writer *writer;
    struct buf waiting, writing;
    bool is_busy, has_end, is_finished, is_useless;
    struct error err;
};

static void release(struct snapshot_receipt *receipt)
{
    if (receipt->place)
        *receipt->place = NULL;
    receipt->node->receipts_count--;
    raft_snapshot_writer_abandon(receipt->writer);
    raft_message_deinit(&receipt->message);
    buf_deinit(&receipt->waiting);
    buf_deinit(&receipt->writing);
    free(receipt);
}

static void work(struct raft_job *job)
{
    struct snapshot_receipt *receipt = (struct snapshot_receipt *)job;
    int failed = 0;

    if (!receipt->writer)
        failed = raft_snapshot_writer_open(&receipt->node->store, receipt->message.snapshot, &receipt->writer, &receipt->err);
    if (failed == 0 && receipt->writing.size > 0) {
        raft_snapshot_writer_add(receipt->writer, buf_bytes(&receipt->writing), &receipt->err);
    } else if (failed == 0) {
        receipt->is_finished = raft_snapshot_writer_finish(steal(&receipt->writer), &receipt->err) == 0;
    }
}

static void reply(struct snapshot_receipt *receipt)
{
    Docker__Swarmkit__V1__StreamRaftMessageResponse answer = DOCKER__SWARMKIT__V1__STREAM_RAFT_MESSAGE_RESPONSE__INIT;

    node_step(receipt->node, &receipt->message);
    grpc_call_reply(receipt->call, &answer.base);
    release(receipt);
}

/* An empty piece of work finishes the file. */
static void go_on(struct snapshot_receipt *receipt)
{
    if (receipt->is_busy || (receipt->waiting.size == 0 && !receipt->has_end))
        return;
    struct buf empty = receipt->writing;
    receipt->writing = receipt->waiting;
    receipt->waiting = empty;
    buf_clear(&receipt->waiting);
    receipt->is_busy = true;
    raft_worker_add(receipt->node->files, &receipt->job, true);
}

static void done(struct raft_job *job)
{
    struct snapshot_receipt *receipt = (struct snapshot_receipt *)job;

    receipt->is_busy = false;
    if (!receipt->call) {
        release(receipt);
        return;
    }
    if (receipt->err.code != 0) {
        log_warn("raft", "snapshot %llu from %llx is not taken: %s", (unsigned long long)receipt->message.snapshot->index,
                 (unsigned long long)receipt->message.from, receipt->err.message);
        grpc_call_finish_error(receipt->call, &receipt->err);
        release(receipt);
        return;
    }
    if (receipt->is_finished) {
        node_look_at_keys(receipt->node);
        reply(receipt);
        return;
    }
    grpc_call_pause(receipt->call, false);
    go_on(receipt);
}

int snapshot_receipt_begin(struct raft_node *node, struct grpc_call *call, struct raft_message *message, struct snapshot_receipt **place,
                           struct error *err)
{
    if (node->receipts_count == RAFT_SNAPSHOT_RECEIPTS_COUNT)
        return error_set(err, ERR_AGAIN, "raft: a snapshot is coming in already");
    struct snapshot_receipt *receipt = mem_alloc(sizeof *receipt);
    *receipt =
        (struct snapshot_receipt){.job = {.work = work, .done = done}, .node = node, .call = call, .place = place, .message = *message};
    receipt->is_useless = message->snapshot->index <= node->applied || node->restore;
    *message = (struct raft_message){0};
    node->receipts_count++;
    *place = receipt;
    return 0;
}

static int check_part(const struct snapshot_receipt *receipt, const struct raft_message *part, struct error *err)
{
    if (!part)
        return 0;
    if (part->type != RAFT_MESSAGE_SNAPSHOT)
        return error_set(err, ERR_INVALID, "Raft message chunk is not of type 7");
    if (part->index != receipt->message.index || part->from != receipt->message.from ||
        part->snapshot->index != receipt->message.snapshot->index || part->snapshot->term != receipt->message.snapshot->term)
        return error_set(err, ERR_INVALID,
                         "Raft message chunk with index %llu is different from the previously received raft message index %llu",
                         (unsigned long long)part->snapshot->index, (unsigned long long)receipt->message.snapshot->index);
    return 0;
}

int snapshot_receipt_add(struct snapshot_receipt *receipt, const struct raft_message *part, struct bytes data, struct error *err)
{
    int failed = check_part(receipt, part, err);

    if (failed < 0 || receipt->is_useless)
        return failed;
    buf_append(&receipt->waiting, data.data, data.size);
    if (receipt->waiting.size > (size_t)RAFT_SNAPSHOT_PARTS_COUNT * RAFT_SNAPSHOT_CHUNK_BYTES)
        grpc_call_pause(receipt->call, true);
    go_on(receipt);
    return 0;
}

void snapshot_receipt_end(struct snapshot_receipt *receipt)
{
    receipt->has_end = true;
    if (receipt->is_useless)
        reply(receipt); /* the core says how far we are */
    else
        go_on(receipt);
}

void snapshot_receipt_abandon(struct snapshot_receipt *receipt)
{
    *receipt->place = NULL;
    receipt->place = NULL;
    receipt->call = NULL;
    if (!receipt->is_busy)
        release(receipt);
}
