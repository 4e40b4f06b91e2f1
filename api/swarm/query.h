/* api/swarm/query.h – the arguments of the swarm's endpoints, text by text as they stand in the query. Pure.
 *
 * @text is NULL where it was not given. All fail with ERR_INVALID in dockerd's words. */
#ifndef SKEP_API_SWARM_QUERY_H
#define SKEP_API_SWARM_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/control.pb-c.h"
#include "proto/swarmkit/logbroker.pb-c.h"

/* `version=`, which every update must give: "invalid service version 'x'…". @what: "service", "node", "swarm", "secret", "config". */
int swarm_query_version(const char *what, const char *text, uint64_t *out, struct error *err);

/* Go's true and false: `insertDefaults=`, `status=`, `rotateWorkerToken=`, `rotateManagerToken=`, `rotateManagerUnlockKey=`. */
int swarm_query_bool(const char *name, const char *text, bool *out, struct error *err);

/* `rollback=previous`, or "none". */
int swarm_query_rollback(const char *text, Docker__Swarmkit__V1__UpdateServiceRequest__Rollback *out, struct error *err);

/* `registryAuthFrom=`: whose credentials a service keeps where an update gives none. */
enum swarm_auth_from { SWARM_AUTH_FROM_SPEC, SWARM_AUTH_FROM_PREVIOUS_SPEC };
int swarm_query_auth_from(const char *text, enum swarm_auth_from *out, struct error *err);

/* What is asked of logs; the flags are read already. */
struct swarm_log_query {
    bool follow, wants_stdout, wants_stderr;
    const char *tail;  /* a number of lines, or "all" */
    const char *since; /* an instant: RFC 3339 or seconds */
};

/* As a subscription: SwarmKit's tail counts backwards from -1 (none), and 0 is all. */
int swarm_log_options(const struct swarm_log_query *query, struct arena *arena, Docker__Swarmkit__V1__LogSubscriptionOptions **out,
                      struct error *err);

#endif
