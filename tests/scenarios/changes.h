/* tests/scenarios/changes.h – "v1 l2 r3 u4": make 1 a voter, 2 a learner, remove 3, update 4. */
#ifndef SKEP_TESTS_SCENARIOS_CHANGES_H
#define SKEP_TESTS_SCENARIOS_CHANGES_H

#include "raft/conf_change.h"
#include "tests/scenarios/script.h"

int changes_parse(const char *input, struct raft_conf_change *out, struct error *err); /* adds; ERR_INVALID, @out still to be freed */

#endif
