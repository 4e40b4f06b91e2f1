/* raft/peer_queue.c – see peer_queue.h. */
#include "raft/peer_queue.h"

#include <assert.h>

#include "raft/wire.h"

void raft_peer_queue_deinit(struct raft_peer_queue *queue)
{
    raft_messages_deinit(&queue->messages);
    *queue = (struct raft_peer_queue){0};
}

size_t raft_peer_queue_count(const struct raft_peer_queue *queue)
{
    return queue->messages.count - queue->start;
}

struct raft_message *raft_peer_queue_at(struct raft_peer_queue *queue, size_t ahead)
{
    return ahead < raft_peer_queue_count(queue) ? &queue->messages.items[queue->start + ahead] : NULL;
}

struct raft_message *raft_peer_queue_first(struct raft_peer_queue *queue)
{
    return raft_peer_queue_at(queue, 0);
}

uint64_t raft_peer_queue_wrapped_size(const struct raft_message *message)
{
    uint64_t size = raft_wire_size_bytes(message), prefix = 2;
    for (uint64_t left = size; left >= 0x80; left >>= 7)
        prefix++;
    return prefix + size;
}

void raft_peer_queue_drop(struct raft_peer_queue *queue)
{
    struct raft_message *first = raft_peer_queue_first(queue);

    assert(first);
    queue->size_bytes -= raft_wire_size_bytes(first);
    raft_message_deinit(first);
    queue->start++;
    if (queue->start == queue->messages.count)
        queue->start = queue->messages.count = 0;
}

static bool is_news(const struct raft_message *message)
{
    return message->type == RAFT_MESSAGE_APPEND && message->entries_count == 0;
}

bool raft_peer_queue_has_only_news(const struct raft_peer_queue *queue)
{
    for (size_t i = queue->start; i < queue->messages.count; i++)
        if (!is_news(&queue->messages.items[i]))
            return false;
    return raft_peer_queue_count(queue) > 0;
}

static void lose(struct raft_peer_queue *queue, struct raft_message *message)
{
    queue->dropped_count++;
    queue->has_lost_append = queue->has_lost_append || message->type == RAFT_MESSAGE_APPEND;
    raft_message_deinit(message);
}

static void replace(struct raft_peer_queue *queue, struct raft_message *old, struct raft_message *message)
{
    queue->size_bytes += raft_wire_size_bytes(message) - raft_wire_size_bytes(old);
    raft_message_deinit(old);
    *old = *message;
    *message = (struct raft_message){0};
}

static struct raft_message *newest_of(struct raft_peer_queue *queue, enum raft_message_type type)
{
    struct raft_message *items = queue->messages.items;

    for (size_t i = queue->messages.count; items && i > queue->start; i--)
        if (items[i - 1].type == type)
            return &items[i - 1];
    return NULL;
}

/* An empty append only tells of a commit index or asks whether the logs match: the one behind it, of the same place, does
 * that too. */
static bool says_more(const struct raft_message *old, const struct raft_message *message)
{
    return message->type == RAFT_MESSAGE_APPEND && old->type == RAFT_MESSAGE_APPEND && old->entries_count == 0 &&
           old->term == message->term && old->index == message->index && old->commit <= message->commit;
}

void raft_peer_queue_add(struct raft_peer_queue *queue, struct raft_message *message, bool is_connected)
{
    uint64_t size = raft_wire_size_bytes(message);
    size_t count = raft_peer_queue_count(queue);
    struct raft_message *last = count > 0 ? raft_peer_queue_at(queue, count - 1) : NULL;

    if (!is_connected && message->type == RAFT_MESSAGE_APPEND) {
        lose(queue, message);
        return;
    }
    if (last && says_more(last, message)) {
        replace(queue, last, message);
        return;
    }
    struct raft_message *same = message->type == RAFT_MESSAGE_HEARTBEAT || !is_connected ? newest_of(queue, message->type) : NULL;
    if (same) {
        queue->dropped_count++;
        replace(queue, same, message);
        return;
    }
    if (count == RAFT_PEER_QUEUE_COUNT || queue->size_bytes + size > RAFT_PEER_QUEUE_BYTES) {
        lose(queue, message);
        return;
    }
    if (last && queue->start > 0 && queue->start >= queue->messages.count / 2) {
        assert(queue->messages.items);
        memmove(queue->messages.items, queue->messages.items + queue->start, count * sizeof *queue->messages.items);
        queue->messages.count = count;
        queue->start = 0;
    }
    raft_messages_add(&queue->messages, message);
    queue->size_bytes += size;
}

void raft_peer_queue_disconnected(struct raft_peer_queue *queue)
{
    struct raft_messages old = queue->messages;
    size_t start = queue->start;

    queue->messages = (struct raft_messages){0};
    queue->start = 0;
    queue->size_bytes = 0;
    for (size_t i = start; i < old.count; i++)
        raft_peer_queue_add(queue, &old.items[i], false);
    old.count = 0;
    raft_messages_deinit(&old);
}

bool raft_peer_queue_take_loss(struct raft_peer_queue *queue)
{
    bool has_lost = queue->has_lost_append;

    queue->has_lost_append = false;
    return has_lost;
}
