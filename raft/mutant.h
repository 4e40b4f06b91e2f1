/* raft/mutant.h – rules that can be taken away, to see whether the simulator notices. In every build but that of sim_raft_mutants
 * RAFT_MUTANT(NAME) is the constant 0, and nothing of this is there. */
#ifndef SKEP_RAFT_MUTANT_H
#define SKEP_RAFT_MUTANT_H

#define RAFT_MUTANTS(X)                                                                                                                    \
    /* name                  what it does */                                                                                               \
    X(SKIP_FSYNC, "a flush writes and does not sync")                                                                                      \
    X(ACK_BEFORE_WRITE, "votes and acknowledgements leave before they are stable")                                                         \
    X(COUNT_VOTE_TWICE, "a vote that comes twice counts twice")                                                                            \
    X(COMMIT_OLD_TERM, "an entry of an older term is committed by counting")                                                               \
    X(IGNORE_PRE_VOTE, "elections are held without asking first")                                                                          \
    X(COMMIT_UNCOMMITTED, "a follower takes all that it accepted for committed")                                                           \
    X(FORGET_VOTE, "a restarted member does not know whom it voted for")                                                                   \
    X(IGNORE_OUTGOING, "a joint configuration needs only the incoming majority")                                                           \
    X(READ_WITHOUT_QUORUM, "a leader answers reads without a round of heartbeats")                                                         \
    X(ACCEPT_ANY_APPEND, "a follower does not compare the term before an append")                                                          \
    X(VOTE_FOR_ANY_LOG, "a vote is given whatever the candidate's log")                                                                    \
    X(OVERLAP_CHANGES, "a membership change is proposed while one is pending")                                                             \
    X(LEAD_BEFORE_STABLE, "a candidate leads before its own term is stable")                                                               \
    X(KEEP_OLD_READS, "a new leader answers reads before it has committed in its term")

#ifdef SKEP_RAFT_MUTANTS

enum raft_mutant {
    RAFT_MUTANT_NONE,
#define X(name, help) RAFT_MUTANT_##name,
    RAFT_MUTANTS(X)
#undef X
};
extern enum raft_mutant raft_mutant;
#define RAFT_MUTANT(name) (raft_mutant == RAFT_MUTANT_##name)

#else
#define RAFT_MUTANT(name) 0
#endif

#endif
