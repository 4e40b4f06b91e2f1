/* tests/sim/raft/mutants.c – which rule of raft/mutant.h is taken away. */
#include "raft/mutant.h"

#include "base/text.h"
#include "tests/sim/raft/sim.h"

#ifdef SKEP_RAFT_MUTANTS

enum raft_mutant raft_mutant;

static const char *const names[] = {
#define X(name, help) #name,
    RAFT_MUTANTS(X)
#undef X
};

const char *sim_mutant_names(void)
{
    return ""
#define X(name, help) "\n                        " #name ": " help
        RAFT_MUTANTS(X)
#undef X
            ;
}

bool sim_mutant_choose(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!text_equal(names[i], name))
            continue;
        raft_mutant = (enum raft_mutant)(i + 1);
        return true;
    }
    return false;
}

#else

const char *sim_mutant_names(void)
{
    return "none here";
}

bool sim_mutant_choose(const char *name)
{
    (void)name;
    return false;
}

#endif
