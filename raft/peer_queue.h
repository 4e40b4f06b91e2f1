/* raft/peer_queue.h – messages that wait for one peer, and which of them are not worth waiting for. Pure. */
#ifndef SKEP_RAFT_PEER_QUEUE_H
#define SKEP_RAFT_PEER_QUEUE_H

#include "raft/types.h"

/* A zeroed struct is an empty queue. Those before @start are gone. */
struct raft_peer_queue {
    struct raft_messages messages;
    size_t start;
    uint64_t size_bytes, dropped_count;
    bool has_lost_append; /* the core is to be told */
};

void raft_peer_queue_deinit(struct raft_peer_queue *queue);

/* Taken. A heartbeat takes the place of one that waits, and an append that of an empty one right before it: it says more. Beyond
 * RAFT_PEER_QUEUE_COUNT or _BYTES the new one is dropped. Not connected: appends are dropped, and the newest of each other kind stays. */
void raft_peer_queue_add(struct raft_peer_queue *queue, struct raft_message *message, bool is_connected);
void raft_peer_queue_disconnected(struct raft_peer_queue *queue); /* what waits is held against the same rule */

size_t raft_peer_queue_count(const struct raft_peer_queue *queue);
struct raft_message *raft_peer_queue_at(struct raft_peer_queue *queue, size_t ahead); /* NULL: not so many */
struct raft_message *raft_peer_queue_first(struct raft_peer_queue *queue);
void raft_peer_queue_drop(struct raft_peer_queue *queue);                  /* the first: it was sent */
uint64_t raft_peer_queue_wrapped_size(const struct raft_message *message); /* in an envelope */
bool raft_peer_queue_has_only_news(const struct raft_peer_queue *queue);   /* empty appends: they tell of a commit index, or ask */
bool raft_peer_queue_take_loss(struct raft_peer_queue *queue);             /* whether an append was dropped since last asked */

#endif
