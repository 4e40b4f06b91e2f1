/* api/swarm/made_name.h – a name for a service whose maker gave none: `docker service create` does not ask for one. */
#ifndef SKEP_API_SWARM_MADE_NAME_H
#define SKEP_API_SWARM_MADE_NAME_H

#include "base/random.h"

#define MADE_NAME_SIZE 32

/* "calm_clover7": one of 40,960, lower case, fit for a service. It may be taken already: the manager says so. */
void made_name(const struct random *random, char out[MADE_NAME_SIZE]);

#endif
