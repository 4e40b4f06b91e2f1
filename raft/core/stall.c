/* A leader whose own disk has stalled still sends heartbeats, and would lead a group that its own writes no longer protect, or block it
 * where its acknowledgement is needed. With config.storage_stall_ticks it steps down when an entry that was in its log that many ticks ago
 * is still not stable, and nobody with such a disk stands for election: its own vote could not be written.
 *
 * A ring remembers where the log ended at each tick, so that the oldest entry's age is known exactly and cheaply. A follower's entries may
 * be replaced by newer ones, which then count as old for a while; a leader's are not, and a new leader begins with an empty ring. */
#include "raft/core/internal.h"

void raft_stall_reset(struct raft *raft)
{
    for (unsigned i = 0; i < raft->config.storage_stall_ticks; i++)
        raft->stall.last_index_at[i] = 0;
    raft->stall.place = 0;
    raft->stall.is_stalled = false;
}

void raft_stall_tick(struct raft *raft)
{
    struct raft_stall *stall = &raft->stall;

    if (raft->config.storage_stall_ticks == 0)
        return;
    stall->is_stalled = raft_log_view_has_unstable(&raft->log) && stall->last_index_at[stall->place] >= raft->log.offset;
    stall->last_index_at[stall->place] = raft_log_view_last_index(&raft->log);
    stall->place = (stall->place + 1) % raft->config.storage_stall_ticks;
    if (stall->is_stalled && raft_is_leader(raft))
        raft_become_follower(raft, raft->term, RAFT_NOBODY);
}
