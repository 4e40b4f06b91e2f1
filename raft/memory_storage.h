/* raft/memory_storage.h – a log in memory, for tests, the simulator, and as the node's cache of what its disk holds.
 *
 * Only what the core's storage table asks for, and the four writes. It believes its owner: what it is given counts as stable. */
#ifndef SKEP_RAFT_MEMORY_STORAGE_H
#define SKEP_RAFT_MEMORY_STORAGE_H

#include "raft/core/storage.h"

/* entries.items[start] has index snapshot-or-compaction point + 1. Fields are for reading. */
struct raft_memory_storage {
    struct raft_hard_state hard;
    struct raft_snapshot snapshot; /* index 0: none */
    struct raft_entries entries;   /* of which the first @start are compacted, and freed when they are many */
    size_t start;
    uint64_t compacted_index, compacted_term; /* of the entry before the first */
};

void raft_memory_storage_init(struct raft_memory_storage *storage);
void raft_memory_storage_deinit(struct raft_memory_storage *storage);
struct raft_storage raft_memory_storage_table(struct raft_memory_storage *storage); /* borrowed */

/* As a log on disk was found: @entries (payloads are held) may begin before @snapshot, and follow one another. */
void raft_memory_storage_load(struct raft_memory_storage *storage, const struct raft_hard_state *hard, const struct raft_snapshot *snapshot,
                              const struct raft_entry *entries, size_t count);

void raft_memory_storage_set_hard_state(struct raft_memory_storage *storage, const struct raft_hard_state *hard);

/* Entries replace what is there from the first one's index on; those that are compacted are skipped. Payloads are held. ERR_INVALID: they
 * would leave a hole. */
int raft_memory_storage_append(struct raft_memory_storage *storage, const struct raft_entry *entries, size_t count, struct error *err);

/* Begin again behind @snapshot (copied). ERR_PRECONDITION: there is a newer one. */
int raft_memory_storage_apply_snapshot(struct raft_memory_storage *storage, const struct raft_snapshot *snapshot, struct error *err);

/* Make a snapshot at @index, which must be in the log, from what the state machine says. @conf copied, @data held. */
int raft_memory_storage_create_snapshot(struct raft_memory_storage *storage, uint64_t index, const struct raft_conf_state *conf,
                                        struct raft_payload *data, struct error *err);

/* Forget entries up to and including @index. ERR_PRECONDITION: compacted already; ERR_INVALID: beyond the end. */
int raft_memory_storage_compact(struct raft_memory_storage *storage, uint64_t index, struct error *err);

#endif
