/* manager/scheduler/table.h – a hash table of things that carry their own name: find by name, add, remove.
 *
 * Open addressing with the hashes beside the pointers: 12 bytes for a slot, where uthash puts 56 into every entry; a million tasks are
 * held. An entry that goes pulls the following ones back, so nothing is left to sweep. */
#ifndef SKEP_MANAGER_SCHEDULER_TABLE_H
#define SKEP_MANAGER_SCHEDULER_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* A zeroed struct with @name set is an empty table. Items are borrowed; their names do not change while they are in it. */
struct sched_table {
    const char *(*name)(const void *item);
    void **items;
    uint32_t *hashes;
    size_t capacity, count; /* capacity is 0 or a power of two */
};

void sched_table_deinit(struct sched_table *table); /* leaves the items alone */
void *sched_table_find(const struct sched_table *table, const char *name);
void sched_table_add(struct sched_table *table, void *item); /* whose name is not in it yet */
void sched_table_remove(struct sched_table *table, const void *item);

uint64_t sched_hash(const void *data, size_t size, uint64_t seed); /* mixes eight bytes at a time; no secret in it */

#endif
