/* agent/identity_state.h – node/state.json as text: the managers, our addresses and a join under way. agent/identity.c's own. */
#ifndef SKEP_AGENT_IDENTITY_STATE_H
#define SKEP_AGENT_IDENTITY_STATE_H

#include "agent/identity.h"

/* Fill the members of @identity that state.json holds; a join's key is in another file. ERR_CORRUPT, ERR_LIMIT. */
int identity_state_parse(struct identity *identity, struct bytes text, struct error *err);
char *identity_state_print(const struct identity *identity); /* freed by the caller */

#endif
