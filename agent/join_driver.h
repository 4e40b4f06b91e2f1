/* agent/join_driver.h – carries out what agent/join.h decides: dials managers, calls their CA, writes the identity. One loop, no threads.
 */
#ifndef SKEP_AGENT_JOIN_DRIVER_H
#define SKEP_AGENT_JOIN_DRIVER_H

#include <uv.h>

#include "agent/identity.h"
#include "agent/join.h"
#include "base/clock.h"

struct join_driver;

struct join_driver_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct identity *identity;  /* borrowed until it is done or canceled */
    const char *token;          /* copied; NULL to go on with a join whose node id is known (identity->join.node_id) */
    const char *const *remotes; /* copied */
    size_t remote_count;
    int availability; /* SwarmKit's NodeSpec.Availability: 0 active, 1 pause, 2 drain */
    bool can_manage;  /* as in struct join_options */

    /* As each phase begins, and when a try failed and will be repeated (then @notice says why). Both are for a person. */
    void (*on_phase)(void *ctx, enum join_phase phase, const char *shown, const char *notice);
    /* Once, never from within join_driver_start(). @err NULL: joined, and identity holds the certificate. The driver may be freed here. */
    void (*on_done)(void *ctx, const struct error *err);
    void *ctx;
};

/* ERR_TOKEN, ERR_INVALID, ERR_EXISTS, ERR_UNSUPPORTED, ERR_PRECONDITION at once, without a callback. */
int join_driver_start(const struct join_driver_options *options, struct join_driver **out, struct error *err);

/* At any time, from anywhere but on_phase: no callback afterwards. What was saved stays for the next try. */
void join_driver_free(struct join_driver *driver);

#endif
