/* base/mutant.h – rules of managers and agents that can be taken away, to see whether the cluster simulator notices. In every build but
 * that of sim_cluster_mutants CLUSTER_MUTANT(NAME) is the constant 0, and nothing of this is there. */
#ifndef SKEP_BASE_MUTANT_H
#define SKEP_BASE_MUTANT_H

#define CLUSTER_MUTANTS(X)                                                                                                                 \
    /* name                  what it does */                                                                                               \
    X(ANY_SESSION, "the dispatcher takes any session id")

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
