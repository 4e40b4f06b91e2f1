/* Members, their progress, their votes. The changes of the membership are in tracker_change.c. */
#include "raft/core/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "raft/mutant.h"

void raft_tracker_init(struct raft_tracker *tracker, size_t inflight_most_count, uint64_t inflight_most_bytes)
{
    *tracker = (struct raft_tracker){.inflight_most_count = inflight_most_count, .inflight_most_bytes = inflight_most_bytes};
}

void raft_tracker_deinit(struct raft_tracker *tracker)
{
    for (size_t i = 0; i < tracker->count; i++)
        raft_inflights_deinit(&tracker->progress[i].window);
    free(tracker->progress);
    free(tracker->ballots);
    raft_conf_state_deinit(&tracker->conf);
    *tracker = (struct raft_tracker){0};
}

struct raft_progress *raft_tracker_find(const struct raft_tracker *tracker, uint64_t id)
{
    size_t low = 0, high = tracker->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tracker->progress[middle].id == id)
            return &tracker->progress[middle];
        if (tracker->progress[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool raft_tracker_is_joint(const struct raft_tracker *tracker)
{
    return tracker->conf.voters_outgoing.count > 0;
}

bool raft_tracker_is_voter(const struct raft_tracker *tracker, uint64_t id)
{
    return raft_ids_has(&tracker->conf.voters, id) || raft_ids_has(&tracker->conf.voters_outgoing, id);
}

bool raft_tracker_is_alone(const struct raft_tracker *tracker)
{
    return tracker->conf.voters.count == 1 && !raft_tracker_is_joint(tracker);
}

static const struct raft_ballot *find_ballot(const struct raft_tracker *tracker, uint64_t id)
{
    for (size_t i = 0; i < tracker->ballots_count; i++)
        if (tracker->ballots[i].id == id)
            return &tracker->ballots[i];
    return NULL;
}

void raft_tracker_record_vote(struct raft_tracker *tracker, uint64_t id, bool is_granted)
{
    if (find_ballot(tracker, id) && !RAFT_MUTANT(COUNT_VOTE_TWICE))
        return;
    if (tracker->ballots_count == tracker->ballots_capacity) {
        tracker->ballots_capacity = tracker->ballots_capacity ? 2 * tracker->ballots_capacity : 8;
        tracker->ballots = mem_resize(tracker->ballots, tracker->ballots_capacity * sizeof *tracker->ballots);
    }
    tracker->ballots[tracker->ballots_count++] = (struct raft_ballot){id, is_granted};
}

bool raft_tracker_has_voted(const struct raft_tracker *tracker, uint64_t id)
{
    return find_ballot(tracker, id) != NULL;
}

void raft_tracker_reset_votes(struct raft_tracker *tracker)
{
    tracker->ballots_count = 0;
}

static enum raft_vote voted(const void *context, uint64_t id)
{
    const struct raft_ballot *ballot = find_ballot(context, id);

    if (!ballot)
        return RAFT_VOTE_MISSING;
    return ballot->is_granted ? RAFT_VOTE_GRANTED : RAFT_VOTE_REFUSED;
}

static size_t count_granted(const struct raft_tracker *tracker)
{
    size_t granted = 0;

    for (size_t i = 0; i < tracker->ballots_count; i++)
        granted += tracker->ballots[i].is_granted;
    return granted;
}

enum raft_vote_result raft_tracker_vote_result(const struct raft_tracker *tracker)
{
    if (RAFT_MUTANT(COUNT_VOTE_TWICE) && count_granted(tracker) > tracker->conf.voters.count / 2)
        return RAFT_VOTE_WON;
    return raft_joint_vote(&tracker->conf.voters, &tracker->conf.voters_outgoing, voted, tracker);
}

static bool acked(const void *context, uint64_t id, uint64_t *index)
{
    const struct raft_progress *progress = raft_tracker_find(context, id);

    *index = progress ? progress->match : 0;
    return progress != NULL;
}

uint64_t raft_tracker_commit_index(const struct raft_tracker *tracker)
{
    return raft_joint_index(&tracker->conf.voters, &tracker->conf.voters_outgoing, acked, tracker);
}

static enum raft_vote active(const void *context, uint64_t id)
{
    const struct raft_progress *progress = raft_tracker_find(context, id);
    return progress && progress->is_recently_active ? RAFT_VOTE_GRANTED : RAFT_VOTE_REFUSED;
}

bool raft_tracker_quorum_is_active(const struct raft_tracker *tracker)
{
    return raft_joint_vote(&tracker->conf.voters, &tracker->conf.voters_outgoing, active, tracker) == RAFT_VOTE_WON;
}
