/* raft/core/internal.h – what the core's files share: the machine's state, and who does what.
 *
 *     raft.c         life, proposals, time, status         election.c     roles, campaigns, votes
 *     step.c         terms, and which role gets a message  replication.c  appends and their answers, commit
 *     membership.c   changes, and what follows from them   snapshots.c    sending and restoring
 *     read_index.c   linearizable reads                    transfer.c     handing over
 *     stall.c        a leader's own slow disk              ready.c        what to do, and durability
 *
 * Nothing outside raft/core and the tests of its inside includes this. */
#ifndef SKEP_RAFT_CORE_INTERNAL_H
#define SKEP_RAFT_CORE_INTERNAL_H

#include "raft/core/log_view.h"
#include "raft/core/raft.h"
#include "raft/core/tracker.h"
#include "raft/mutant.h"

#define U(value) ((unsigned long long)(value)) /* for %llu */

/* A read that waits for the heartbeats that confirm its leader. */
struct raft_read {
    struct raft_message request;
    uint64_t commit; /* when it arrived */
};

/* Reads have positions, counted from 1 in each term; a heartbeat carries the newest one, its answer acknowledges all up to it. */
struct raft_reads {
    struct raft_read *waiting; /* positions confirmed + 1 … confirmed + count */
    size_t start, count, capacity;
    uint64_t confirmed;
    struct raft_ack {
        uint64_t id, position;
    } * acks;
    size_t acks_count;
    struct raft_messages early; /* arrived before this leader committed anything of its term: §6.4 step 1 */
};

/* Where the log ended at each of the last ticks: to tell how old the oldest unwritten entry is. */
struct raft_stall {
    uint64_t *last_index_at; /* a ring of config.storage_stall_ticks; NULL: off */
    unsigned place;
    bool is_stalled;
};

struct raft {
    struct raft_config config;
    struct error failure; /* code 0: none */
    uint64_t term, vote, leader, transferee;
    struct state_machine role;
    struct raft_log_view log;
    struct raft_tracker tracker;
    struct raft_messages messages;       /* may go at once */
    struct raft_messages after_append;   /* once all that is unwritten now is stable */
    struct raft_read_state *read_states; /* answered reads, for the next ready */
    size_t read_states_count, read_states_capacity;
    struct raft_reads reads;
    struct raft_stall stall;
    uint64_t pending_conf_index; /* no membership change is proposed before this is applied */
    uint64_t uncommitted_bytes;  /* payload of our proposals; may be too low, never too high */
    unsigned election_elapsed, heartbeat_elapsed, election_timeout_ticks;
    /* ready.c */
    struct raft_soft_state said_soft;
    struct raft_hard_state said_hard;
    struct raft_messages on_advance; /* synchronous: what the append and apply threads would answer */
    bool is_advance_due;
    struct raft_ready ready;
};

static inline enum raft_role raft_role(const struct raft *raft)
{
    return (enum raft_role)raft->role.state;
}

static inline bool raft_is_leader(const struct raft *raft)
{
    return raft_role(raft) == RAFT_LEADER;
}

/* raft.c */
int raft_refused(const struct raft *raft, struct error *err); /* the failure that stopped this core; 0: none */

/* step.c */
int raft_step_any(struct raft *raft, struct raft_message *message, struct error *err); /* also those we tell ourselves; not taken, but what
                                                                                          it points at may be */
void raft_send(struct raft *raft, struct raft_message *message);                       /* taken; from and term are filled in */

/* election.c */
void raft_become_follower(struct raft *raft, uint64_t term, uint64_t leader);
bool raft_is_promotable(const struct raft *raft);
void raft_hold_election(struct raft *raft); /* these two: unless there is a reason not to */
void raft_take_over(struct raft *raft);
bool raft_is_within_lease(const struct raft *raft, const struct raft_message *vote);
void raft_handle_vote_request(struct raft *raft, const struct raft_message *message);
void raft_handle_vote_response(struct raft *raft, const struct raft_message *message);
void raft_check_quorum(struct raft *raft);

/* replication.c */
bool raft_append_own(struct raft *raft, struct raft_entry *entries, size_t count); /* false: too much is uncommitted */
void raft_send_append(struct raft *raft, struct raft_progress *progress);
bool raft_send_append_if(struct raft *raft, struct raft_progress *progress, bool even_if_empty);
void raft_broadcast_append(struct raft *raft);
void raft_broadcast_heartbeat(struct raft *raft);
bool raft_try_commit(struct raft *raft);
int raft_handle_append(struct raft *raft, const struct raft_message *message, struct error *err);
int raft_handle_append_response(struct raft *raft, struct raft_progress *progress, const struct raft_message *message, struct error *err);
int raft_handle_heartbeat(struct raft *raft, struct raft_message *message, struct error *err);
void raft_handle_heartbeat_response(struct raft *raft, struct raft_progress *progress, const struct raft_message *message);

/* snapshots.c */
bool raft_send_snapshot(struct raft *raft, struct raft_progress *progress);
int raft_handle_snapshot(struct raft *raft, const struct raft_message *message, struct error *err);
void raft_handle_snapshot_status(struct raft *raft, struct raft_progress *progress, const struct raft_message *message);

/* membership.c */
int raft_check_conf_changes(struct raft *raft, struct raft_message *proposal, struct error *err);
void raft_conf_changed(struct raft *raft);
void raft_leave_joint_if_due(struct raft *raft);
bool raft_has_unapplied_conf_change(struct raft *raft);

/* read_index.c */
int raft_handle_read_index(struct raft *raft, struct raft_message *message, struct error *err);
int raft_handle_read_index_response(struct raft *raft, const struct raft_message *message, struct error *err);
void raft_reads_reset(struct raft *raft);
void raft_reads_free(struct raft *raft);
struct raft_payload *raft_reads_context(const struct raft *raft); /* for heartbeats; held once for the caller; NULL: no read waits */
void raft_reads_acked(struct raft *raft, uint64_t from, struct bytes context);
void raft_reads_release_early(struct raft *raft);

/* transfer.c */
void raft_handle_transfer(struct raft *raft, struct raft_progress *progress);
void raft_transfer_if_caught_up(struct raft *raft, const struct raft_progress *progress);
void raft_abort_transfer(struct raft *raft);

/* stall.c */
void raft_stall_reset(struct raft *raft);
void raft_stall_tick(struct raft *raft);

/* ready.c */
void raft_applied_to(struct raft *raft, uint64_t index, uint64_t size_bytes);
int raft_handle_append_stored(struct raft *raft, const struct raft_message *message);
int raft_handle_applied(struct raft *raft, const struct raft_message *message, struct error *err);
void raft_ready_free(struct raft *raft);

#endif
