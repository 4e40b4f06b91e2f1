/* raft/snapshot_receive.c – a snapshot that a leader sends, into a file as its parts come; then the core is told. The call is paused while
 * more than RAFT_SNAPSHOT_PARTS_COUNT parts wait for the disk. What is here already is not written again, what the core does not take is
 * removed. One comes in at a time; one that has stopped to move, or is of an earlier leader, holds up no other. */
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "raft/node_inside.h"

struct snapshot_receipt {
    struct raft_job job; /* first */
    struct snapshot_receipt *prev, *next;
    struct raft_node *node;
    struct grpc_call *call; /* NULL: it is over */
    struct snapshot_receipt **place;
    uint64_t received_bytes, moved_ns;
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
    DL_DELETE(receipt->node->receipts, receipt);
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

/* --- a file that the core did not take: it has more by now, or the snapshot does not name this member --- */

struct removal {
    struct raft_job job; /* first */
    struct raft_node *node;
    uint64_t index, term;
};

static void work_removal(struct raft_job *job)
{
    struct removal *removal = (struct removal *)job;
    struct error err = {0};

    if (raft_snapshot_remove(&removal->node->store, removal->index, removal->term, &err) < 0)
        log_warn("raft", "%s", err.message);
}

static void done_removal(struct raft_job *job)
{
    free(job);
}

/* A snapshot that the core takes is at once all of its log. */
static void step(struct snapshot_receipt *receipt)
{
    struct raft_node *node = receipt->node;
    uint64_t index = receipt->message.snapshot->index, term = receipt->message.snapshot->term;
    struct raft_status status;

    node_step(node, &receipt->message);
    if (!receipt->is_finished || node_is_over(node))
        return;
    raft_status(node->core, &status);
    bool is_ours = node->storage.snapshot.index == index || (node->make && node->applied >= index);
    if (status.first_index == index + 1 || is_ours)
        return;
    struct removal *removal = mem_alloc(sizeof *removal);
    *removal = (struct removal){.job = {.work = work_removal, .done = done_removal}, .node = node, .index = index, .term = term};
    raft_worker_add(node->files, &removal->job, true);
}

static void reply(struct snapshot_receipt *receipt)
{
    Docker__Swarmkit__V1__StreamRaftMessageResponse answer = DOCKER__SWARMKIT__V1__STREAM_RAFT_MESSAGE_RESPONSE__INIT;

    step(receipt);
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

/* Who leads now, as far as it is known, is heard before who led. */
static bool is_outdone(const struct snapshot_receipt *receipt, const struct raft_message *by)
{
    return by->term > receipt->message.term || (by->from == receipt->node->leader && receipt->message.from != by->from);
}

static void give_up(struct snapshot_receipt *receipt, int code, const char *why)
{
    struct grpc_call *call = receipt->call;

    log_info("raft", "snapshot %llu from %llx is not taken: %s", (unsigned long long)receipt->message.snapshot->index,
             (unsigned long long)receipt->message.from, why);
    snapshot_receipt_abandon(receipt);
    grpc_call_finish(call, code, why);
}

int snapshot_receipt_begin(struct raft_node *node, struct grpc_call *call, struct raft_message *message, struct snapshot_receipt **place,
                           struct error *err)
{
    struct snapshot_receipt *receipt, *next;
    size_t count = 0;

    DL_FOREACH_SAFE (node->receipts, receipt, next) {
        if (receipt->call && is_outdone(receipt, message))
            give_up(receipt, GRPC_ABORTED, "raft: a newer leader sends its own snapshot");
        else
            count += receipt->call != NULL;
    }
    if (count >= RAFT_SNAPSHOT_RECEIPTS_COUNT)
        return error_set(err, ERR_AGAIN, "raft: a snapshot is coming in already");
    receipt = mem_alloc(sizeof *receipt);
    *receipt =
        (struct snapshot_receipt){.job = {.work = work, .done = done}, .node = node, .call = call, .place = place, .message = *message};
    receipt->is_useless = message->snapshot->index <= node->applied || node->restore;
    receipt->moved_ns = clock_monotonic_ns(&node->clock);
    *message = (struct raft_message){0};
    DL_APPEND(node->receipts, receipt);
    *place = receipt;
    return 0;
}

/* While the call is paused it is our own disk that the sender waits for. */
void snapshot_receipt_tick(struct raft_node *node)
{
    uint64_t now_ns = clock_monotonic_ns(&node->clock);
    struct snapshot_receipt *receipt, *next;

    DL_FOREACH_SAFE (node->receipts, receipt, next)
        if (receipt->call && !receipt->is_busy && !receipt->has_end && now_ns - receipt->moved_ns > RAFT_SNAPSHOT_STALL_MS * NS_PER_MS)
            give_up(receipt, GRPC_DEADLINE_EXCEEDED, "raft: the snapshot does not go on");
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

    if (failed == 0 && data.size > receipt->node->snapshot_most_bytes - receipt->received_bytes)
        failed = error_set(err, ERR_LIMIT, "raft: the snapshot at %llu has more than %llu bytes",
                           (unsigned long long)receipt->message.snapshot->index, (unsigned long long)receipt->node->snapshot_most_bytes);
    if (failed < 0)
        return failed;
    receipt->received_bytes += data.size;
    if (data.size > 0)
        receipt->moved_ns = clock_monotonic_ns(&receipt->node->clock);
    if (receipt->is_useless)
        return 0;
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
