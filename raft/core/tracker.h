/* raft/core/tracker.h – the membership in force and what is known of each member: sorted arrays, small, looked up by halving.
 *
 * raft_tracker_change() is the arithmetic of membership changes (§4): it works on a copy, checks what came out, and only then replaces.
 *
 * Always true: every member has a progress, and nobody else; learners are no voters; learners_next are voters that go (in
 * voters_outgoing) and become learners when the joint configuration is left. */
#ifndef SKEP_RAFT_CORE_TRACKER_H
#define SKEP_RAFT_CORE_TRACKER_H

#include "raft/conf_change.h"
#include "raft/core/progress.h"
#include "raft/core/quorum.h"

struct raft_ballot {
    uint64_t id;
    bool is_granted;
};

struct raft_tracker {
    struct raft_conf_state conf;
    struct raft_progress *progress; /* by id */
    size_t count;
    struct raft_ballot *ballots; /* by id: of this election */
    size_t ballots_count, ballots_capacity;
    size_t inflight_most_count;
    uint64_t inflight_most_bytes;
};

void raft_tracker_init(struct raft_tracker *tracker, size_t inflight_most_count, uint64_t inflight_most_bytes);
void raft_tracker_deinit(struct raft_tracker *tracker);

struct raft_progress *raft_tracker_find(const struct raft_tracker *tracker, uint64_t id); /* NULL: no member */
bool raft_tracker_is_joint(const struct raft_tracker *tracker);
bool raft_tracker_is_voter(const struct raft_tracker *tracker, uint64_t id); /* in either majority */
bool raft_tracker_is_alone(const struct raft_tracker *tracker);              /* one voter, not joint */

/* A vote, the first of each member. The one place where votes are counted. */
void raft_tracker_record_vote(struct raft_tracker *tracker, uint64_t id, bool is_granted);
bool raft_tracker_has_voted(const struct raft_tracker *tracker, uint64_t id);
void raft_tracker_reset_votes(struct raft_tracker *tracker);
enum raft_vote_result raft_tracker_vote_result(const struct raft_tracker *tracker);

uint64_t raft_tracker_commit_index(const struct raft_tracker *tracker); /* acknowledged by the majority or majorities */
bool raft_tracker_quorum_is_active(const struct raft_tracker *tracker);

/* Apply @change; new members' logs are guessed to end at @last_index. @how it must be done is the caller's to say: one change at most to
 * the voters, entering or leaving a joint configuration. ERR_PRECONDITION, ERR_LIMIT, ERR_INVALID: nothing changed. */
enum raft_change_kind { RAFT_CHANGE_SIMPLE, RAFT_CHANGE_ENTER_JOINT, RAFT_CHANGE_LEAVE_JOINT };
int raft_tracker_change(struct raft_tracker *tracker, enum raft_change_kind how, bool auto_leave,
                        const struct raft_conf_change_single *changes, size_t count, uint64_t last_index, struct error *err);

/* From nothing to what a snapshot or storage says. ERR_CORRUPT: no sequence of changes leads there. */
int raft_tracker_restore(struct raft_tracker *tracker, const struct raft_conf_state *conf, uint64_t last_index, struct error *err);

#endif
