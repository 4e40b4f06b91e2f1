/* raft/core/progress.h – what a leader knows of one follower, and how it may write to it.
 *
 * PROBE: where its log ends is a guess; one append per heartbeat, until one is accepted. REPLICATE: known; appends follow each other
 * without waiting, as many as the window holds. SNAPSHOT: it needs entries that are compacted; nothing is sent until the snapshot arrived
 * or failed.
 *
 *     match < next;  (match, next) is on its way in REPLICATE;  next == pending_snapshot + 1 in SNAPSHOT. */
#ifndef SKEP_RAFT_CORE_PROGRESS_H
#define SKEP_RAFT_CORE_PROGRESS_H

#include "raft/core/inflights.h"

#define RAFT_PROGRESS_STATES(X)                                                                                                            \
    X(PROBE, "StateProbe")                                                                                                                 \
    X(REPLICATE, "StateReplicate")                                                                                                         \
    X(SNAPSHOT, "StateSnapshot")

enum raft_progress_state {
#define X(name, text) RAFT_PROGRESS_##name,
    RAFT_PROGRESS_STATES(X)
#undef X
};
const char *raft_progress_state_name(enum raft_progress_state state);

struct raft_progress {
    uint64_t id;
    uint64_t match;       /* its log equals ours up to here */
    uint64_t next;        /* the next entry to send */
    uint64_t sent_commit; /* the highest commit index on its way to it */
    enum raft_progress_state state;
    uint64_t pending_snapshot; /* SNAPSHOT: index of the one that was sent */
    bool is_recently_active;   /* heard from since the last check of the quorum; the leader itself always */
    bool is_paused;            /* an append is out in PROBE, or the window is full: wait for an answer */
    bool is_learner;
    struct raft_inflights window;
};

void raft_progress_become_probe(struct raft_progress *progress); /* from SNAPSHOT: behind the snapshot, which is taken to have arrived */
void raft_progress_become_replicate(struct raft_progress *progress);
void raft_progress_become_snapshot(struct raft_progress *progress, uint64_t snapshot_index);

/* An append with @count entries from next on was sent. Not in SNAPSHOT. */
void raft_progress_sent(struct raft_progress *progress, size_t count, uint64_t size_bytes);

/* Whether telling it of @commit may move its commit index, beyond what messages on their way will do. */
bool raft_progress_can_bump_commit(const struct raft_progress *progress, uint64_t commit);

/* It acknowledged @index. False: old news. */
bool raft_progress_acked(struct raft_progress *progress, uint64_t index);

/* It refused the append behind @rejected; @hint is where its log may match. False: old news. */
bool raft_progress_rejected(struct raft_progress *progress, uint64_t rejected, uint64_t hint);

bool raft_progress_is_throttled(const struct raft_progress *progress); /* nothing is to be sent now */

#endif
