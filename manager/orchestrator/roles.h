/* manager/orchestrator/roles.h – who is a manager: a node's role follows the one that is wanted of it, and the Raft group goes with it.
 *
 * Promotion: the role is written at once; the node gets its certificate and joins the group by itself. Demotion: the member leaves the
 * group first, and only then is the role written. A manager that leads hands leadership over, and its successor takes it out. A node that
 * was deleted leaves the group. What would cost the group its quorum waits, and is tried again every ROLES_INTERVAL_MS; whoever takes in
 * such a wish should refuse it before.
 *
 * It keeps nothing: the next leader finds in the store whose role is not the wanted one, and in the group who is of no node.
 *
 * Source: swarmkit-wire §6.6. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_ROLES_H
#define SKEP_MANAGER_ORCHESTRATOR_ROLES_H

#include "manager/part.h"

struct roles_member {
    uint64_t raft_id;
    const char *node_id; /* borrowed until the group is asked again; "" where it is not known: such a member is left alone */
};

/* What it asks of the group. Its owner has both from manager/membership/membership.h and raft_node_book(). */
struct roles_group {
    size_t (*members)(void *self, struct roles_member out[MANAGERS_COUNT]); /* how many */
    /* As membership_leave(). 0: @fn is told what came of it, once, later, on the loop, also when the part is gone. ERR_PRECONDITION: too
     * few would be left, with the names of those that cannot be reached; ERR_NOT_FOUND: it is no member; ERR_AGAIN: it is this manager's
     * own, and leadership is on its way to another. */
    int (*leave)(void *self, uint64_t raft_id, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                 struct error *err);
    void *self;
};

struct part roles_new(const struct part_host *host, const struct roles_group *group); /* @host borrowed, @group copied */

#endif
