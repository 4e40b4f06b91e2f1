/* raft/core/inflights.h – the window of append messages on their way to one follower: bounded by their number and their bytes.
 *
 * A ring of (last index, bytes) per message, oldest first. It grows by doubling up to its bound, so that a group of idle followers costs
 * nothing. Acknowledging an index frees every message up to it. */
#ifndef SKEP_RAFT_CORE_INFLIGHTS_H
#define SKEP_RAFT_CORE_INFLIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raft_inflight {
    uint64_t last_index, size_bytes;
};

struct raft_inflights {
    struct raft_inflight *ring; /* NULL until the first message */
    size_t capacity, start, count;
    uint64_t total_bytes;
    size_t limit_count;
    uint64_t limit_bytes; /* soft: the message that goes over it is still sent; 0: none */
};

void raft_inflights_init(struct raft_inflights *window, size_t limit_count, uint64_t limit_bytes);
void raft_inflights_deinit(struct raft_inflights *window);

void raft_inflights_add(struct raft_inflights *window, uint64_t last_index, uint64_t size_bytes); /* not when full */
void raft_inflights_free_to(struct raft_inflights *window, uint64_t index);
void raft_inflights_reset(struct raft_inflights *window); /* keeps the memory */
bool raft_inflights_is_full(const struct raft_inflights *window);

#endif
