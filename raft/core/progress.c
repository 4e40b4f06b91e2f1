/* One follower as its leader sees it. */
#include "raft/core/progress.h"

#include <assert.h>

const char *raft_progress_state_name(enum raft_progress_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        RAFT_PROGRESS_STATES(X)
#undef X
    };

    return names[state];
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void enter(struct raft_progress *progress, enum raft_progress_state state)
{
    progress->state = state;
    progress->is_paused = false;
    progress->pending_snapshot = 0;
    raft_inflights_reset(&progress->window);
}

/* Go back to @next; commit indexes sent beyond it cannot be relied on to arrive. */
static void rewind_to(struct raft_progress *progress, uint64_t next)
{
    progress->next = next;
    progress->sent_commit = lower(progress->sent_commit, next - 1);
}

void raft_progress_become_probe(struct raft_progress *progress)
{
    uint64_t behind_snapshot = progress->state == RAFT_PROGRESS_SNAPSHOT ? progress->pending_snapshot + 1 : 0;

    enter(progress, RAFT_PROGRESS_PROBE);
    rewind_to(progress, higher(progress->match + 1, behind_snapshot));
}

void raft_progress_become_replicate(struct raft_progress *progress)
{
    enter(progress, RAFT_PROGRESS_REPLICATE);
    progress->next = progress->match + 1;
}

void raft_progress_become_snapshot(struct raft_progress *progress, uint64_t snapshot_index)
{
    enter(progress, RAFT_PROGRESS_SNAPSHOT);
    progress->pending_snapshot = snapshot_index;
    progress->next = snapshot_index + 1;
    progress->sent_commit = snapshot_index;
}

void raft_progress_sent(struct raft_progress *progress, size_t count, uint64_t size_bytes)
{
    assert(progress->state != RAFT_PROGRESS_SNAPSHOT);
    if (progress->state == RAFT_PROGRESS_PROBE) {
        progress->is_paused = progress->is_paused || count > 0;
        return;
    }
    if (count > 0) {
        progress->next += count;
        raft_inflights_add(&progress->window, progress->next - 1, size_bytes);
    }
    progress->is_paused = raft_inflights_is_full(&progress->window); /* full: what was sent serves as a probe, one per heartbeat */
}

bool raft_progress_can_bump_commit(const struct raft_progress *progress, uint64_t commit)
{
    return commit > progress->sent_commit && progress->sent_commit < progress->next - 1;
}

bool raft_progress_acked(struct raft_progress *progress, uint64_t index)
{
    if (index <= progress->match)
        return false;
    progress->match = index;
    progress->next = higher(progress->next, index + 1);
    progress->is_paused = false;
    return true;
}

bool raft_progress_rejected(struct raft_progress *progress, uint64_t rejected, uint64_t hint)
{
    if (progress->state == RAFT_PROGRESS_REPLICATE) {
        if (rejected <= progress->match)
            return false;
        rewind_to(progress, progress->match + 1);
        return true;
    }
    if (progress->next - 1 != rejected) /* probes go one at a time: this answers an older one */
        return false;
    rewind_to(progress, higher(lower(rejected, hint + 1), progress->match + 1));
    progress->is_paused = false;
    return true;
}

bool raft_progress_is_throttled(const struct raft_progress *progress)
{
    return progress->state == RAFT_PROGRESS_SNAPSHOT || progress->is_paused;
}
