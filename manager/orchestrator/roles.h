/* manager/orchestrator/roles.h – who is a manager: a node's role follows the one that is wanted, and the Raft group follows with it.
 *
 * Promotion: the role is written, the node gets its certificate and joins. Demotion: the member leaves the group first, and only then the
 * role is written. A manager that leads hands leadership over, and its successor removes it. A node that was deleted leaves the group. What
 * would cost the group its quorum waits, and is tried again; whoever takes in the wish should have refused it (roles_check_demotion()).
 *
 * Source: swarmkit-wire §6.6. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_ROLES_H
#define SKEP_MANAGER_ORCHESTRATOR_ROLES_H

#include "manager/part.h"

struct roles_member {
    uint64_t raft_id;
    const char *node_id; /* borrowed until the group is asked again */
    bool is_reachable;
};

/* What it needs of Raft. @fn: once, later, on the loop, also after the part is freed; NULL for @err: done. */
struct roles_group {
    size_t (*members)(void *self, struct roles_member out[MANAGERS_COUNT]);
    uint64_t (*own_id)(void *self);
    void (*remove)(void *self, uint64_t raft_id, void (*fn)(void *ctx, const struct error *err), void *ctx);
    void (*transfer)(void *self, void (*fn)(void *ctx, const struct error *err), void *ctx); /* leadership, to whom it likes */
    void *self;
};

struct part roles_new(const struct part_host *host, const struct roles_group *group);

/* Whether the group keeps its quorum without the member. ERR_PRECONDITION names those of the others that cannot be reached. */
int roles_check_removal(const struct roles_member *members, size_t count, uint64_t raft_id, struct error *err);

/* Whether the node may be demoted. @managers_count: of the nodes that are to be managers. ERR_PRECONDITION: it is the last one, or as
 * above; ERR_NOT_FOUND: it is no member. */
int roles_check_demotion(size_t managers_count, const struct roles_member *members, size_t count, const char *node_id, struct error *err);

#endif
