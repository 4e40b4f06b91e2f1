/* agent/remotes.h – the managers a node knows, and which of them to call next.
 *
 * Pure: a weighted random choice over a short list. Success and failure move a manager's weight, so that a dead one is asked ever more
 * rarely, yet never so rarely that the last one left is given up. A list that has become empty can only be filled by a person
 * (swarmkit-wire §3.8). */
#ifndef SKEP_AGENT_REMOTES_H
#define SKEP_AGENT_REMOTES_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/error.h"
#include "base/random.h"

#define REMOTE_SUCCESS    10
#define REMOTE_FAILURE    (-10)
#define REMOTE_WEIGHT_MAX 256 /* an observation is clipped to ± this */

/* A manager is the pair: the same id at a new address is another entry with its own history. */
struct remote {
    char *node_id; /* "" while known only by address, as typed by a person */
    char *addr;    /* "host:port" */
    int weight;    /* 0 at first; after an observation x: ceil(x/2 + weight/2) */
};

/* At most MANAGERS_COUNT. A zeroed struct is an empty list. */
struct remotes {
    struct remote *list;
    size_t count;
};

void remotes_deinit(struct remotes *remotes);

/* Note that @observation (REMOTE_SUCCESS, REMOTE_FAILURE or a weight a manager told) was made of a manager; one not known yet is added.
 * ERR_INVALID for an empty address, ERR_LIMIT for one manager too many. Both strings are copied. */
int remotes_observe(struct remotes *remotes, const char *node_id, const char *addr, int observation, struct error *err);

/* The same, but a manager that is not in the list stays out: for news of a call that outlived its manager's place in the list. */
void remotes_observe_known(struct remotes *remotes, const char *node_id, const char *addr, int observation);

/* What a SessionMessage says: every manager named is observed with its weight, all others are dropped (so is one known by its address
 * alone once its id is told). Entries without an address are skipped; a list with none left changes nothing. ERR_LIMIT: nothing was
 * changed. */
struct remote_told {
    const char *node_id, *addr;
    int weight;
};
int remotes_replace(struct remotes *remotes, const struct remote_told *told, size_t count, struct error *err);

/* Choose one at random, with a probability in proportion to max(weight, 0) + 0.001. @excluded names ids or addresses, NULL where
 * @excluded_count is 0. The result is borrowed until the list changes. ERR_UNAVAILABLE when none is left to choose from. */
int remotes_select(const struct remotes *remotes, const struct random *random, const char *const *excluded, size_t excluded_count,
                   const struct remote **out, struct error *err);

/* The persisted form: [{"node_id": …, "addr": …, "weight": …}], which is dockerd's list of peers with the weight added. Reading skips
 * nothing: ERR_CORRUPT for an entry without an address or for a list beyond the limit. @remotes is empty before. */
cJSON *remotes_to_json(const struct remotes *remotes);
int remotes_from_json(struct remotes *remotes, const cJSON *json, struct error *err);

#endif
