/* A leader whose own disk has stalled still sends heartbeats, and would lead a group that its own writes no longer protect, or block it
 * where its acknowledgement is needed. With config.storage_stall_ticks it steps down when an entry that was in its log that many ticks ago
 * is still not stable. A ring remembers where the log ended at each tick, so that the oldest entry's age is known exactly and cheaply. */
#include "raft/core/internal.h"

void raft_stall_reset(struct raft *raft)
{
    for (unsigned i = 0; i < raft->config.storage_stall_ticks; i++)
        raft->stall.last_index_at[i] = 0;
    raft->stall.place = 0;
}

void raft_stall_tick(struct raft *raft)
{
    struct raft_stall *stall = &raft->stall;

    if (raft->config.storage_stall_ticks == 0)
        return;
    if (raft_log_has_unstable(&raft->log) && stall->last_index_at[stall->place] >= raft->log.offset) {
        raft_become_follower(raft, raft->term, RAFT_NOBODY);
        return;
    }
    stall->last_index_at[stall->place] = raft_log_last_index(&raft->log);
    stall->place = (stall->place + 1) % raft->config.storage_stall_ticks;
}
