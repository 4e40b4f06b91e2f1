/* manager/orchestrator/orchestrator.h – makes the tasks of a swarm what its services ask for: as many as are wanted, on nodes that are up,
 * of the newest spec; what ended is replaced as its restart policy says, and what is over is forgotten.
 *
 * One part (manager/part.h) for all modes of services: replicated, global, jobs. It creates tasks (state NEW) and moves their desired
 * state; an allocator makes them PENDING, a scheduler ASSIGNED, and the nodes do the rest. It keeps nothing that the next leader could not
 * learn from the store, but for the counts of failures of an update that is under way.
 *
 *     file         what it knows
 *     view         services, slots, tasks and nodes, from the store's commits
 *     changes      what was decided, as writes: creations and moves of one slot together
 *     slot         what one slot needs: starts, restarts, lost nodes, copies too many
 *     restart      the restart policy
 *     replicated   how many slots; which go first
 *     global       one on each node that fits
 *     jobs         run to completion
 *     updater      rolling updates and roll-backs
 *     reaper       how much history is kept
 *
 * Beside it work enforcer.h, allocator.h and roles.h, parts of their own.
 *
 * Source: SwarmKit's behaviour, swarmkit-wire §4.1, §7.2–7.8. What is ours is in labels.h. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_ORCHESTRATOR_H
#define SKEP_MANAGER_ORCHESTRATOR_ORCHESTRATOR_H

#include "manager/part.h"

/* What the owner knows and this room does not. */
struct orchestrator_rules {
    /* Whether the node satisfies the placement constraints; @placement may be NULL. What cannot be parsed does not fit. */
    bool (*node_fits)(void *self, const Docker__Swarmkit__V1__Node *node, const Docker__Swarmkit__V1__Placement *placement);
    void *self;
};

/* @host borrowed, @rules copied. Freed through its part. */
struct part orchestrator_new(const struct part_host *host, const struct orchestrator_rules *rules);

#endif
