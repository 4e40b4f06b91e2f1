/* Linearizable reads without a log entry: §6.4. A read waits until a heartbeat sent after it arrived is answered by a majority; then the
 * commit index of its arrival is safe to read at. */
#include "raft/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define CONTEXT_SIZE_BYTES 8 /* a position, little-endian, as etcd's members echo it */

void raft_reads_reset(struct raft *raft)
{
    struct raft_reads *reads = &raft->reads;

    for (size_t i = 0; i < reads->count; i++)
        raft_message_deinit(&reads->waiting[reads->start + i].request);
    reads->start = reads->count = reads->acks_count = 0;
    reads->confirmed = 0;
    /* Those that came too early stay: they are answered should we lead again. */
}

void raft_reads_free(struct raft *raft)
{
    raft_reads_reset(raft);
    raft_messages_deinit(&raft->reads.early);
    free(raft->reads.waiting);
    free(raft->reads.acks);
}

struct raft_payload *raft_reads_context(const struct raft *raft)
{
    uint64_t position = raft->reads.confirmed + raft->reads.count;
    uint8_t bytes[CONTEXT_SIZE_BYTES];

    if (raft->reads.count == 0)
        return NULL;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(position >> (8 * i));
    return raft_payload_new(bytes_of(bytes, sizeof bytes));
}

static void add_read_state(struct raft *raft, uint64_t index, struct raft_payload *context)
{
    if (raft->read_states_count == raft->read_states_capacity) {
        raft->read_states_capacity = raft->read_states_capacity ? 2 * raft->read_states_capacity : 8;
        raft->read_states = mem_resize(raft->read_states, raft->read_states_capacity * sizeof *raft->read_states);
    }
    raft->read_states[raft->read_states_count++] = (struct raft_read_state){index, raft_payload_hold(context)};
}

/* Tell whoever asked. @request is emptied. */
static void answer(struct raft *raft, struct raft_message *request, uint64_t index)
{
    if (request->from == RAFT_NOBODY || request->from == raft->config.id) {
        add_read_state(raft, index, request->entries[0].payload);
    } else {
        struct raft_message response = {.type = RAFT_MESSAGE_READ_INDEX_RESPONSE,
                                        .to = request->from,
                                        .index = index,
                                        .entries = request->entries,
                                        .entries_count = request->entries_count};
        request->entries = NULL;
        request->entries_count = 0;
        raft_send(raft, &response);
    }
    raft_message_deinit(request);
}

static void record_ack(struct raft_reads *reads, uint64_t id, uint64_t position)
{
    for (size_t i = 0; i < reads->acks_count; i++) {
        if (reads->acks[i].id != id)
            continue;
        if (reads->acks[i].position < position)
            reads->acks[i].position = position;
        return;
    }
    reads->acks = mem_resize(reads->acks, (reads->acks_count + 1) * sizeof *reads->acks);
    reads->acks[reads->acks_count].id = id;
    reads->acks[reads->acks_count++].position = position;
}

static void wait_for_quorum(struct raft *raft, struct raft_message *request)
{
    struct raft_reads *reads = &raft->reads;

    if (reads->start + reads->count == reads->capacity && reads->start >= reads->count && reads->start > 0) {
        memmove(reads->waiting, reads->waiting + reads->start, reads->count * sizeof *reads->waiting);
        reads->start = 0;
    } else if (reads->start + reads->count == reads->capacity) {
        reads->capacity = reads->capacity ? 2 * reads->capacity : 8;
        reads->waiting = mem_resize(reads->waiting, reads->capacity * sizeof *reads->waiting);
    }
    reads->waiting[reads->start + reads->count++] = (struct raft_read){*request, raft->log.committed};
    *request = (struct raft_message){0};
    record_ack(reads, raft->config.id, reads->confirmed + reads->count); /* our own word counts at once: it is not about the disk */
    raft_broadcast_heartbeat(raft);
}

static void serve(struct raft *raft, struct raft_message *request)
{
    bool needs_no_word = raft->config.read_mode == RAFT_READ_LEASE || raft_tracker_is_alone(&raft->tracker);

    if (needs_no_word || RAFT_MUTANT(READ_WITHOUT_QUORUM))
        answer(raft, request, raft->log.committed);
    else
        wait_for_quorum(raft, request);
}

/* Until its first entry is committed a leader does not know how far its predecessors had come; one that is alone, how far it had come
 * itself before it was started again: the commit index on its disk may be an older one. */
static bool has_committed_in_term(const struct raft *raft)
{
    return raft_log_view_term_or_zero(&raft->log, raft->log.committed) == raft->term;
}

int raft_handle_read_index(struct raft *raft, struct raft_message *message, struct error *err)
{
    struct raft_message request = *message;

    if (raft->reads.count + raft->reads.early.count >= RAFT_READS_COUNT)
        return error_set(err, ERR_LIMIT, "raft: %d reads wait for a majority already: read again later", RAFT_READS_COUNT);
    *message = (struct raft_message){0};
    if (has_committed_in_term(raft) || RAFT_MUTANT(KEEP_OLD_READS))
        serve(raft, &request);
    else
        raft_messages_add(&raft->reads.early, &request);
    return 0;
}

int raft_handle_read_index_response(struct raft *raft, const struct raft_message *message, struct error *err)
{
    if (message->entries_count != 1)
        return error_set(err, ERR_INVALID, "raft: the answer to a read from %llx has %zu contexts, not one", U(message->from),
                         message->entries_count);
    add_read_state(raft, message->index, message->entries[0].payload);
    return 0;
}

static bool acked(const void *context, uint64_t id, uint64_t *index)
{
    const struct raft_reads *reads = context;

    for (size_t i = 0; i < reads->acks_count; i++) {
        if (reads->acks[i].id != id)
            continue;
        *index = reads->acks[i].position;
        return true;
    }
    return false;
}

/* The same arithmetic as for commits: a position that a majority acknowledged, or both of them. */
void raft_reads_acked(struct raft *raft, uint64_t from, struct bytes context)
{
    struct raft_reads *reads = &raft->reads;
    uint64_t position = 0;

    if (raft->config.read_mode != RAFT_READ_SAFE || context.size < CONTEXT_SIZE_BYTES)
        return;
    for (size_t i = 0; i < CONTEXT_SIZE_BYTES; i++)
        position |= (uint64_t)context.data[i] << (8 * i);
    if (position > reads->confirmed + reads->count)
        return; /* never sent: not an answer to us */
    record_ack(reads, from, position);
    uint64_t confirmed = raft_joint_index(&raft->tracker.conf.voters, &raft->tracker.conf.voters_outgoing, acked, reads);
    if (confirmed > reads->confirmed + reads->count) /* no voters at all */
        confirmed = reads->confirmed + reads->count;
    for (; reads->confirmed < confirmed; reads->confirmed++) {
        struct raft_read *read = &reads->waiting[reads->start++];
        reads->count--;
        answer(raft, &read->request, read->commit);
    }
    if (reads->count == 0)
        reads->start = 0;
}

void raft_reads_release_early(struct raft *raft)
{
    struct raft_messages early = raft->reads.early;

    if (early.count == 0 || !has_committed_in_term(raft))
        return;
    raft->reads.early = (struct raft_messages){0};
    for (size_t i = 0; i < early.count; i++) {
        serve(raft, &early.items[i]);
        early.items[i] = (struct raft_message){0};
    }
    raft_messages_deinit(&early);
}
