/* Majorities, alone and joint. */
#include "raft/core/quorum.h"

#include <assert.h>

#include "base/limits.h"
#include "raft/mutant.h"

uint64_t raft_majority_index(const struct raft_ids *voters, raft_acked_fn *acked, const void *context)
{
    uint64_t sorted[RAFT_MEMBERS_COUNT]; /* falling */

    if (voters->count == 0)
        return UINT64_MAX;
    assert(voters->count <= RAFT_MEMBERS_COUNT);
    for (size_t i = 0; i < voters->count; i++) {
        uint64_t index = 0;
        size_t place = i;
        if (!acked(context, voters->items[i], &index))
            index = 0;
        for (; place > 0 && sorted[place - 1] < index; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = index;
    }
    return sorted[voters->count / 2]; /* this many, and one more, are at least as far */
}

uint64_t raft_joint_index(const struct raft_ids *incoming, const struct raft_ids *outgoing, raft_acked_fn *acked, const void *context)
{
    uint64_t a = raft_majority_index(incoming, acked, context), b = raft_majority_index(outgoing, acked, context);
    return a < b || RAFT_MUTANT(IGNORE_OUTGOING) ? a : b;
}

enum raft_vote_result raft_majority_vote(const struct raft_ids *voters, raft_voted_fn *voted, const void *context)
{
    size_t granted = 0, missing = 0, majority = voters->count / 2 + 1;

    if (voters->count == 0)
        return RAFT_VOTE_WON;
    for (size_t i = 0; i < voters->count; i++) {
        enum raft_vote vote = voted(context, voters->items[i]);
        granted += vote == RAFT_VOTE_GRANTED;
        missing += vote == RAFT_VOTE_MISSING;
    }
    if (granted >= majority)
        return RAFT_VOTE_WON;
    return granted + missing >= majority ? RAFT_VOTE_PENDING : RAFT_VOTE_LOST;
}

enum raft_vote_result raft_joint_vote(const struct raft_ids *incoming, const struct raft_ids *outgoing, raft_voted_fn *voted,
                                      const void *context)
{
    enum raft_vote_result a = raft_majority_vote(incoming, voted, context), b = raft_majority_vote(outgoing, voted, context);

    if (RAFT_MUTANT(IGNORE_OUTGOING))
        return a;
    if (a == RAFT_VOTE_LOST || b == RAFT_VOTE_LOST)
        return RAFT_VOTE_LOST;
    return a == b ? a : RAFT_VOTE_PENDING;
}
