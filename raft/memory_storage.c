/* The log in memory. Compaction moves a start mark; the memory is given back once half of the array is behind it. */
#include "raft/memory_storage.h"

#include <string.h>

static size_t length(const struct raft_memory_storage *s)
{
    return s->entries.count - s->start;
}

static uint64_t first_index(void *self)
{
    const struct raft_memory_storage *s = self;
    return s->compacted_index + 1;
}

static uint64_t last_index(void *self)
{
    const struct raft_memory_storage *s = self;
    return s->compacted_index + length(s);
}

static const struct raft_entry *at(const struct raft_memory_storage *s, uint64_t index)
{
    return &s->entries.items[s->start + (size_t)(index - s->compacted_index - 1)];
}

static int initial_state(void *self, struct raft_hard_state *hard, struct raft_conf_state *conf, struct error *err)
{
    const struct raft_memory_storage *s = self;

    (void)err;
    *hard = s->hard;
    raft_conf_state_copy(conf, &s->snapshot.conf);
    return 0;
}

static int read_entries(void *self, uint64_t low, uint64_t high, uint64_t size_bytes, struct raft_entries *out, struct error *err)
{
    const struct raft_memory_storage *s = self;
    uint64_t total_bytes = 0;

    (void)err;
    if (low <= s->compacted_index)
        return RAFT_COMPACTED;
    if (high > last_index(self) + 1 || low >= high)
        return RAFT_UNAVAILABLE;
    for (uint64_t index = low; index < high; index++) {
        total_bytes += raft_entry_size_bytes(at(s, index));
        if (index > low && total_bytes > size_bytes)
            break;
        raft_entries_add(out, at(s, index));
    }
    return RAFT_STORED;
}

static int read_term(void *self, uint64_t index, uint64_t *term, struct error *err)
{
    const struct raft_memory_storage *s = self;

    (void)err;
    if (index < s->compacted_index)
        return RAFT_COMPACTED;
    if (index > last_index(self))
        return RAFT_UNAVAILABLE;
    *term = index == s->compacted_index ? s->compacted_term : at(s, index)->term;
    return RAFT_STORED;
}

static int read_snapshot(void *self, struct raft_snapshot *out, struct error *err)
{
    const struct raft_memory_storage *s = self;

    (void)err;
    if (s->snapshot.index == 0)
        return RAFT_UNAVAILABLE;
    raft_snapshot_copy(out, &s->snapshot);
    return RAFT_STORED;
}

void raft_memory_storage_init(struct raft_memory_storage *storage)
{
    *storage = (struct raft_memory_storage){0};
}

void raft_memory_storage_deinit(struct raft_memory_storage *storage)
{
    raft_entries_deinit(&storage->entries);
    raft_snapshot_deinit(&storage->snapshot);
    *storage = (struct raft_memory_storage){0};
}

struct raft_storage raft_memory_storage_table(struct raft_memory_storage *storage)
{
    return (struct raft_storage){initial_state, read_entries, read_term, first_index, last_index, read_snapshot, storage};
}

/* The term of the entry before the first is needed, and not known where that is compacted: then the first one stands in for it. */
void raft_memory_storage_load(struct raft_memory_storage *storage, const struct raft_hard_state *hard, const struct raft_snapshot *snapshot,
                              const struct raft_entry *entries, size_t count)
{
    bool is_behind = count > 0 && entries[0].index == snapshot->index + 1;

    raft_memory_storage_deinit(storage);
    storage->hard = *hard;
    raft_snapshot_copy(&storage->snapshot, snapshot);
    storage->compacted_index = snapshot->index;
    storage->compacted_term = snapshot->term;
    if (count > 0 && !is_behind) {
        bool is_whole = entries[0].index == 1;
        storage->compacted_index = is_whole ? 0 : entries[0].index;
        storage->compacted_term = is_whole ? 0 : entries[0].term;
        entries += !is_whole;
        count -= !is_whole;
    }
    for (size_t i = 0; i < count; i++)
        raft_entries_add(&storage->entries, &entries[i]);
}

void raft_memory_storage_set_hard_state(struct raft_memory_storage *storage, const struct raft_hard_state *hard)
{
    storage->hard = *hard;
}

/* Drop entries from @index on. */
static void cut(struct raft_memory_storage *s, uint64_t index)
{
    while (last_index(s) >= index && length(s) > 0)
        raft_payload_release(s->entries.items[--s->entries.count].payload);
}

int raft_memory_storage_append(struct raft_memory_storage *storage, const struct raft_entry *entries, size_t count, struct error *err)
{
    while (count > 0 && entries->index <= storage->compacted_index) {
        entries++;
        count--;
    }
    if (count == 0)
        return 0;
    if (entries->index > last_index(storage) + 1)
        return error_set(err, ERR_INVALID, "raft log: entry %llu does not follow the last one, %llu", (unsigned long long)entries->index,
                         (unsigned long long)last_index(storage));
    cut(storage, entries->index);
    for (size_t i = 0; i < count; i++)
        raft_entries_add(&storage->entries, &entries[i]);
    return 0;
}

int raft_memory_storage_apply_snapshot(struct raft_memory_storage *storage, const struct raft_snapshot *snapshot, struct error *err)
{
    if (storage->snapshot.index != 0 && storage->snapshot.index >= snapshot->index)
        return error_set(err, ERR_PRECONDITION, "raft log: the snapshot at %llu is not newer than the one at %llu",
                         (unsigned long long)snapshot->index, (unsigned long long)storage->snapshot.index);
    raft_snapshot_deinit(&storage->snapshot);
    raft_snapshot_copy(&storage->snapshot, snapshot);
    raft_entries_clear(&storage->entries);
    storage->start = 0;
    storage->compacted_index = snapshot->index;
    storage->compacted_term = snapshot->term;
    return 0;
}

int raft_memory_storage_create_snapshot(struct raft_memory_storage *storage, uint64_t index, const struct raft_conf_state *conf,
                                        struct raft_payload *data, struct error *err)
{
    struct raft_snapshot snapshot = {.index = index};

    if (index <= storage->snapshot.index)
        return error_set(err, ERR_PRECONDITION, "raft log: a snapshot at %llu exists, %llu is not newer",
                         (unsigned long long)storage->snapshot.index, (unsigned long long)index);
    if (read_term(storage, index, &snapshot.term, NULL) != RAFT_STORED)
        return error_set(err, ERR_INVALID, "raft log: no entry %llu to make a snapshot at", (unsigned long long)index);
    raft_conf_state_copy(&snapshot.conf, conf);
    snapshot.data = raft_payload_hold(data);
    raft_snapshot_deinit(&storage->snapshot);
    storage->snapshot = snapshot;
    return 0;
}

/* Give back the memory of compacted entries when they are the larger half: each entry is then moved once on average. */
static void close_gap(struct raft_memory_storage *s)
{
    if (s->start < length(s))
        return;
    memmove(s->entries.items, s->entries.items + s->start, length(s) * sizeof *s->entries.items);
    s->entries.count = length(s);
    s->start = 0;
}

int raft_memory_storage_compact(struct raft_memory_storage *storage, uint64_t index, struct error *err)
{
    if (index <= storage->compacted_index)
        return error_set(err, ERR_PRECONDITION, "raft log: compacted up to %llu already", (unsigned long long)storage->compacted_index);
    if (index > last_index(storage))
        return error_set(err, ERR_INVALID, "raft log: cannot compact up to %llu, the last entry is %llu", (unsigned long long)index,
                         (unsigned long long)last_index(storage));
    storage->compacted_term = at(storage, index)->term;
    for (; storage->compacted_index < index; storage->compacted_index++) {
        struct raft_entry *gone = &storage->entries.items[storage->start++];
        raft_payload_release(gone->payload);
        gone->payload = NULL;
    }
    close_gap(storage);
    return 0;
}
