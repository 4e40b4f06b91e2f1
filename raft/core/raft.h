/* raft/core/raft.h – one member of a Raft group: a pure machine that is told what happened and answers with what to write, send and apply.
 *
 * It opens nothing, sleeps nowhere and knows no clock: time is raft_tick(), chance comes from the configuration's struct random, the log is
 * read through struct raft_storage. One thread owns it. Its behaviour, message for message, is that of etcd's raft (which SwarmKit's
 * managers run), so that both can share a quorum; docs/raft.md lists what it adds.
 *
 *     raft_tick, raft_step, raft_propose …   ->   raft_has_ready?   ->   raft_ready   ->   write, send, apply   ->   raft_advance
 *
 * Two ways to write:
 *
 * Synchronous. Handle each struct raft_ready in this order: write entries, hard state and snapshot, and sync them if must_sync; send the
 * messages; apply the snapshot or the committed entries (raft_apply_conf_change() for those that change the membership); raft_advance().
 *
 * Asynchronous (config.async_storage_writes). Send the messages at once; those to RAFT_APPEND_THREAD and RAFT_APPLY_THREAD are work for
 * threads of the owner's, done in the order they came, never lost, each thread for itself. When such a work is done (for the append thread:
 * stable, if it carries responses), its responses are sent: to others, or back here through raft_step(). No raft_advance(). The leader then
 * replicates while its own disk still writes, and counts itself towards the majority only when its disk is done.
 *
 * Nothing that a peer sends makes it abort: what cannot be is refused with ERR_INVALID or ERR_CORRUPT and changes nothing but, at most, the
 * term. The owner vouches for message.from; only its own threads may use the two thread ids. When reading the log fails the core stops for
 * good: every later call returns that failure.
 * Source: D. Ongaro's thesis "Consensus: bridging theory and practice" (2014), named as §; swarmkit-wire §6 for numbers. */
#ifndef SKEP_RAFT_CORE_RAFT_H
#define SKEP_RAFT_CORE_RAFT_H

#include "base/error.h"
#include "base/random.h"
#include "base/state.h"
#include "raft/conf_change.h"
#include "raft/core/progress.h"
#include "raft/core/storage.h"
#include "raft/types.h"

/* Deadlines are in ticks and random (§3.4), so they are the core's and not the table's. */
#define RAFT_ROLES(X)                                                                                                                      \
    /* role         shown             allowed next */                                                                                      \
    X(FOLLOWER, "StateFollower", BIT(RAFT_FOLLOWER) | BIT(RAFT_PRE_CANDIDATE) | BIT(RAFT_CANDIDATE))                                       \
    X(CANDIDATE, "StateCandidate", BIT(RAFT_FOLLOWER) | BIT(RAFT_PRE_CANDIDATE) | BIT(RAFT_CANDIDATE) | BIT(RAFT_LEADER))                  \
    X(LEADER, "StateLeader", BIT(RAFT_FOLLOWER))                                                                                           \
    X(PRE_CANDIDATE, "StatePreCandidate", BIT(RAFT_FOLLOWER) | BIT(RAFT_PRE_CANDIDATE) | BIT(RAFT_CANDIDATE))

enum raft_role {
#define X(name, shown, next) RAFT_##name,
    RAFT_ROLES(X)
#undef X
};
extern const struct state_table raft_roles;

enum raft_read_mode {
    RAFT_READ_SAFE, /* a round of heartbeats confirms the leader: §6.4 */
    RAFT_READ_LEASE /* the leader trusts check_quorum and the clocks: §6.4.1. Wrong when a clock stops for longer than an election, and for
                       up to one election's time after a leader was cut off: docs/found.md */
};

#define RAFT_UNLIMITED UINT64_MAX

struct raft_config {
    uint64_t id;                 /* not RAFT_NOBODY, not a thread's */
    unsigned election_ticks;     /* without a word from a leader, at least; the wait is random up to twice as long */
    unsigned heartbeat_ticks;    /* less than election_ticks */
    struct raft_storage storage; /* copied; what it points at is borrowed */
    struct random random;        /* likewise */
    uint64_t applied;            /* at a restart: the state machine has this index already; 0: as the snapshot */
    bool async_storage_writes;
    uint64_t message_most_bytes;     /* entries in one append message; 0: one entry */
    uint64_t committed_most_bytes;   /* entries handed out to be applied and not reported back; 0: as message_most_bytes */
    uint64_t uncommitted_most_bytes; /* payload a leader takes and has not committed; beyond it ERR_LIMIT; 0: unlimited */
    size_t inflight_most_count;      /* append messages on their way to one follower; at least 1 */
    uint64_t inflight_most_bytes;    /* and their payload; 0: unlimited; else at least message_most_bytes */
    bool check_quorum;               /* a leader that hears from no majority steps down, and voters stand by their leader: §6.2, §4.2.3 */
    bool pre_vote;                   /* ask before raising the term: §9.6 */
    enum raft_read_mode read_mode;   /* LEASE needs check_quorum */
    bool no_proposal_forwarding;     /* a follower refuses proposals rather than passing them on */
    bool no_conf_change_validation;  /* the owner promises to propose sound changes, one after the other */
    bool step_down_on_removal; /* a leader that is removed or demoted steps down at once; else it leads on until it is deposed: §4.2.2 */
    unsigned storage_stall_ticks; /* a leader whose oldest unwritten entry is older steps down; 0: never */
};

struct raft;

/* A member as its storage left it, follower. ERR_INVALID: a configuration that cannot be; ERR_CORRUPT: storage contradicts itself; or what
 * storage failed with. */
int raft_new(struct raft **out, const struct raft_config *config, struct error *err);
void raft_free(struct raft *raft); /* NULL is fine */

struct raft_peer {
    uint64_t id;
    struct bytes context; /* for the owner; copied */
};

/* The first start of a group, on an empty storage and the same at every first member: one committed entry for each peer, at term 1.
 * ERR_PRECONDITION: storage is not empty. */
int raft_bootstrap(struct raft *raft, const struct raft_peer *peers, size_t count, struct error *err);

int raft_tick(struct raft *raft, struct error *err);

/* A message from a peer, or a response from a thread. Taken: @message is zeroed. Besides the refusals above: ERR_NOT_FOUND for an answer
 * from a stranger, and for a proposal what raft_propose() returns. */
int raft_step(struct raft *raft, struct raft_message *message, struct error *err);

/* Start an election now. */
int raft_campaign(struct raft *raft, struct error *err);

/* Propose bytes (copied), or entries of which type and payload count (payloads held). Refused, and certainly not in the log, with
 * ERR_UNAVAILABLE: no leader is known, or forwarding is off; ERR_PRECONDITION: the leader is handing over, or no member any more;
 * ERR_LIMIT: too much is uncommitted. Success promises nothing: only a committed entry is. */
int raft_propose(struct raft *raft, struct bytes data, struct error *err);
int raft_propose_entries(struct raft *raft, const struct raft_entry *entries, size_t count, struct error *err);

/* As raft_propose. One change at a time: while one is in the log and not applied, or does not fit the configuration, an empty entry takes
 * its place. */
int raft_propose_conf_change(struct raft *raft, const struct raft_conf_change *change, struct error *err);

/* A committed change is applied, in its turn among the committed entries. @conf (overwritten, the caller's to free; may be NULL) is the
 * membership now. ERR_PRECONDITION, and no change: it contradicts the configuration; ERR_LIMIT: more than RAFT_MEMBERS_COUNT. The owner may
 * also decide not to apply one: then it does not call; and it must not for a change behind which a snapshot was taken in since (its index
 * is below raft_status().first_index): the membership in force is newer then. */
int raft_apply_conf_change(struct raft *raft, const struct raft_conf_change *change, struct raft_conf_state *conf, struct error *err);

/* Ask for an index at which a read is linearizable once it is applied; it arrives as a read state with @context (copied), or never: ask
 * again. ERR_UNAVAILABLE: no leader is known; ERR_LIMIT: RAFT_READS_COUNT are waiting. */
int raft_read_index(struct raft *raft, struct bytes context, struct error *err);

int raft_transfer_leader(struct raft *raft, uint64_t to, struct error *err); /* §3.10; given up after an election timeout */
int raft_forget_leader(struct raft *raft, struct error *err);                /* a follower that learnt otherwise that its leader is gone */
int raft_report_unreachable(struct raft *raft, uint64_t id, struct error *err);
int raft_report_snapshot(struct raft *raft, uint64_t id, bool is_success, struct error *err);

struct raft_soft_state {
    uint64_t leader; /* RAFT_NOBODY: not known */
    enum raft_role role;
};

struct raft_read_state {
    uint64_t index;
    struct raft_payload *context;
};

/* What is to be done. Borrowed until the next raft_ready(); a message may be taken by copying and zeroing it. In asynchronous mode the
 * entries, hard state, snapshot and committed entries are in the messages too, and the fields here are for information. */
struct raft_ready {
    bool has_soft_state, has_hard_state, must_sync;
    struct raft_soft_state soft_state;
    struct raft_hard_state hard_state;
    struct raft_read_state *read_states;
    size_t read_states_count;
    struct raft_entries entries;   /* to be written */
    struct raft_snapshot snapshot; /* to be written; index 0: none */
    struct raft_entries committed; /* to be applied */
    struct raft_messages messages; /* to be sent, after the writes in synchronous mode */
};

bool raft_has_ready(const struct raft *raft);
int raft_ready(struct raft *raft, struct raft_ready **out, struct error *err); /* synchronous: not again before raft_advance() */
int raft_advance(struct raft *raft, struct error *err);                        /* synchronous only */

/* Borrowed until the next call that changes the core. */
struct raft_status {
    uint64_t id, leader, transferee;
    enum raft_role role;
    struct raft_hard_state hard_state;
    uint64_t first_index, last_index, applied;
    const struct raft_conf_state *conf;
    const struct raft_progress *progress; /* by id; only on the leader */
    size_t progress_count;
};
void raft_status(const struct raft *raft, struct raft_status *out);

#endif
