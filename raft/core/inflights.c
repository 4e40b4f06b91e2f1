/* The ring of messages on their way. */
#include "raft/core/inflights.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void raft_inflights_init(struct raft_inflights *window, size_t limit_count, uint64_t limit_bytes)
{
    *window = (struct raft_inflights){.limit_count = limit_count, .limit_bytes = limit_bytes};
}

void raft_inflights_deinit(struct raft_inflights *window)
{
    free(window->ring);
    *window = (struct raft_inflights){0};
}

static struct raft_inflight *at(const struct raft_inflights *window, size_t place)
{
    size_t slot = window->start + place;
    return &window->ring[slot < window->capacity ? slot : slot - window->capacity];
}

static void grow(struct raft_inflights *window)
{
    size_t capacity = window->capacity ? 2 * window->capacity : 4;
    if (capacity > window->limit_count)
        capacity = window->limit_count;

    struct raft_inflight *ring = mem_array(capacity, sizeof *ring);
    for (size_t i = 0; i < window->count; i++)
        ring[i] = *at(window, i);
    free(window->ring);
    window->ring = ring;
    window->capacity = capacity;
    window->start = 0;
}

void raft_inflights_add(struct raft_inflights *window, uint64_t last_index, uint64_t size_bytes)
{
    assert(!raft_inflights_is_full(window));
    if (window->count == window->capacity)
        grow(window);
    *at(window, window->count) = (struct raft_inflight){last_index, size_bytes};
    window->count++;
    window->total_bytes += size_bytes;
}

void raft_inflights_free_to(struct raft_inflights *window, uint64_t index)
{
    while (window->count > 0 && at(window, 0)->last_index <= index) {
        window->total_bytes -= at(window, 0)->size_bytes;
        window->count--;
        window->start = window->start + 1 < window->capacity ? window->start + 1 : 0;
    }
}

void raft_inflights_reset(struct raft_inflights *window)
{
    window->start = window->count = 0;
    window->total_bytes = 0;
}

bool raft_inflights_is_full(const struct raft_inflights *window)
{
    return window->count == window->limit_count || (window->limit_bytes != 0 && window->total_bytes >= window->limit_bytes);
}
