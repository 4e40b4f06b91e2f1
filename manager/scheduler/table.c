/* manager/scheduler/table.c – see table.h. */
#include "manager/scheduler/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SMALLEST = 16 };

uint64_t sched_hash(const void *data, size_t size, uint64_t seed)
{
    const uint64_t factor = 0x9e3779b97f4a7c15u;
    const uint8_t *bytes = data;
    uint64_t hash = (seed ^ size) * factor;
    while (size > 0) {
        uint64_t word = 0;
        size_t n = size < sizeof word ? size : sizeof word;
        memcpy(&word, bytes, n);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
        bytes += n;
        size -= n;
    }
    return hash;
}

static uint32_t hash_of(const char *name)
{
    return (uint32_t)sched_hash(name, strlen(name), 0);
}

void sched_table_deinit(struct sched_table *table)
{
    free((void *)table->items);
    free(table->hashes);
    table->items = NULL;
    table->hashes = NULL;
    table->capacity = table->count = 0;
}

void *sched_table_find(const struct sched_table *table, const char *name)
{
    if (table->count == 0)
        return NULL;
    uint32_t hash = hash_of(name);
    for (size_t i = hash & (table->capacity - 1); table->items[i]; i = (i + 1) & (table->capacity - 1))
        if (table->hashes[i] == hash && strcmp(table->name(table->items[i]), name) == 0)
            return table->items[i];
    return NULL;
}

static void put(struct sched_table *table, void *item, uint32_t hash)
{
    size_t i = hash & (table->capacity - 1);
    while (table->items[i])
        i = (i + 1) & (table->capacity - 1);
    table->items[i] = item;
    table->hashes[i] = hash;
}

static void grow(struct sched_table *table)
{
    struct sched_table old = *table;
    table->capacity = old.capacity ? 2 * old.capacity : SMALLEST;
    table->items = mem_array(table->capacity, sizeof *table->items);
    table->hashes = mem_array(table->capacity, sizeof *table->hashes);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.items[i])
            put(table, old.items[i], old.hashes[i]);
    sched_table_deinit(&old);
}

void sched_table_add(struct sched_table *table, void *item)
{
    if (4 * (table->count + 1) > 3 * table->capacity)
        grow(table);
    put(table, item, hash_of(table->name(item)));
    table->count++;
}

void sched_table_remove(struct sched_table *table, const void *item)
{
    size_t mask = table->capacity - 1, hole = hash_of(table->name(item)) & mask;
    while (table->items[hole] != item) {
        assert(table->items[hole]);
        hole = (hole + 1) & mask;
    }
    for (size_t i = (hole + 1) & mask; table->items[i]; i = (i + 1) & mask) {
        size_t home = table->hashes[i] & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* it would come to lie before its home */
        table->items[hole] = table->items[i];
        table->hashes[hole] = table->hashes[i];
        hole = i;
    }
    table->items[hole] = NULL;
    table->count--;
}
