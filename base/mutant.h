/* base/mutant.h – rules of managers and agents that can be taken away, to see whether the cluster simulator notices. In every build but
 * that of sim_cluster_mutants CLUSTER_MUTANT(NAME) is the constant 0, and nothing of this is there. */
#ifndef SKEP_BASE_MUTANT_H
#define SKEP_BASE_MUTANT_H

#define CLUSTER_MUTANTS(X)                                                                                                                 \
    /* name                  what it does */                                                                                               \
    X(ANY_SESSION, "the dispatcher takes any session id for a node's")                                                                     \
    X(ANY_HOST, "the scheduler asks neither for platforms nor for the rule of builds and isolation")                                       \
    X(ANY_AVAILABILITY, "a placement is written although the node takes no tasks any more")                                                \
    X(LOWER_STATUS, "the dispatcher writes a status that is lower than the one there is")                                                  \
    X(DROP_CHANGE, "assignments do not tell that a task is to stop")                                                                       \
    X(FORGET_REPORTS, "an agent takes what was in flight when its session ended for told")                                                 \
    X(TWO_FOR_SLOT, "the orchestrator makes two tasks for each new slot")                                                                  \
    X(IGNORE_REMOVALS, "an agent keeps tasks that changes of its assignments take away")                                                   \
    X(ACK_EARLY, "writers are told when their change is proposed")                                                                         \
    X(READ_EARLY, "a leader works before it has read up")                                                                                  \
    X(KEEP_ON_COMPLETE, "an agent keeps tasks that are missing in a complete set")                                                         \
    X(NO_STOP_AFTER, "an agent without contact stops nothing")                                                                             \
    X(FORGET_CONTAINERS, "an agent that starts again does not know its containers")

#ifdef SKEP_CLUSTER_MUTANTS

enum cluster_mutant {
    CLUSTER_MUTANT_NONE,
#define X(name, help) CLUSTER_MUTANT_##name,
    CLUSTER_MUTANTS(X)
#undef X
};
extern enum cluster_mutant cluster_mutant;
#define CLUSTER_MUTANT(name) (cluster_mutant == CLUSTER_MUTANT_##name)

#else
#define CLUSTER_MUTANT(name) 0
#endif

#endif
