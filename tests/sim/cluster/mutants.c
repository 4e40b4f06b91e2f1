/* tests/sim/cluster/mutants.c – which rule of base/mutant.h is taken away. */
#include "base/mutant.h"

#include "base/text.h"
#include "tests/sim/cluster/cluster.h"

#ifdef SKEP_CLUSTER_MUTANTS

enum cluster_mutant cluster_mutant;

static const char *const names[] = {
#define X(name, help) #name,
    CLUSTER_MUTANTS(X)
#undef X
};

const char *sim_mutant_names(void)
{
    return ""
#define X(name, help) "\n                        " #name ": " help
        CLUSTER_MUTANTS(X)
#undef X
            ;
}

bool sim_mutant_choose(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!text_equal(names[i], name))
            continue;
        cluster_mutant = (enum cluster_mutant)(i + 1);
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
