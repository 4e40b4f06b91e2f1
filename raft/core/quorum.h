/* raft/core/quorum.h – what a majority, or two at once, has agreed on: the index it has acknowledged, the vote it has cast.
 *
 * Pure arithmetic over a list of ids and a function that says what is known of each. A joint configuration (Raft thesis §4.3) needs both
 * of its majorities. An empty list agrees with anything, so that half a joint configuration counts as the other half alone. */
#ifndef SKEP_RAFT_CORE_QUORUM_H
#define SKEP_RAFT_CORE_QUORUM_H

#include "raft/types.h"

/* What voter @id has acknowledged, in @index; false: nothing is known of it. */
typedef bool raft_acked_fn(const void *context, uint64_t id, uint64_t *index);

enum raft_vote { RAFT_VOTE_MISSING, RAFT_VOTE_GRANTED, RAFT_VOTE_REFUSED };
typedef enum raft_vote raft_voted_fn(const void *context, uint64_t id);

enum raft_vote_result { RAFT_VOTE_PENDING, RAFT_VOTE_LOST, RAFT_VOTE_WON };

/* The highest index that a majority of @voters, at most RAFT_MEMBERS_COUNT, has acknowledged; UINT64_MAX for no voters. */
uint64_t raft_majority_index(const struct raft_ids *voters, raft_acked_fn *acked, const void *context);
uint64_t raft_joint_index(const struct raft_ids *incoming, const struct raft_ids *outgoing, raft_acked_fn *acked, const void *context);

enum raft_vote_result raft_majority_vote(const struct raft_ids *voters, raft_voted_fn *voted, const void *context);
enum raft_vote_result raft_joint_vote(const struct raft_ids *incoming, const struct raft_ids *outgoing, raft_voted_fn *voted,
                                      const void *context);

#endif
