/* manager/scheduler/fit.h – does a node still satisfy the tasks it has? For the constraint enforcer, which asks when a node's labels, role
 * or resources change. Pure; on messages alone, without a scheduler.
 *
 *     struct fit fit;
 *     fit_init(&fit, node);
 *     for each task of the node with ASSIGNED <= desired state <= COMPLETE
 *         if (fit_take(&fit, service ? service->spec->task->placement : task->spec->placement, task, &err) < 0)
 *             … REJECTED, "assigned node no longer meets constraints"
 *     fit_deinit(&fit);
 *
 * Source: swarmkit-wire §7.8. */
#ifndef SKEP_MANAGER_SCHEDULER_FIT_H
#define SKEP_MANAGER_SCHEDULER_FIT_H

#include "base/arena.h"
#include "manager/scheduler/constraint.h"

struct Docker__Swarmkit__V1__Node;
struct Docker__Swarmkit__V1__Placement;
struct Docker__Swarmkit__V1__Resources;
struct Docker__Swarmkit__V1__Task;

struct fit {
    struct arena arena;
    struct constraint_node node;                             /* borrows from the message */
    const struct Docker__Swarmkit__V1__Resources *resources; /* borrowed; NULL where the node describes none */
    int64_t cpu_free, memory_free;
    struct fit_kind *kinds; /* discrete generic resources, what is left of them */
    size_t kind_count;
};

/* @node is borrowed until fit_deinit(). All its resources are free. */
void fit_init(struct fit *fit, const struct Docker__Swarmkit__V1__Node *node);
void fit_deinit(struct fit *fit);

/* Does the node satisfy these constraints? ERR_PRECONDITION names the first that does not hold and what the node has; ERR_INVALID where
 * they cannot be read. @placement may be NULL. */
int fit_constraints(struct fit *fit, const struct Docker__Swarmkit__V1__Placement *placement, struct error *err);

/* The same, and is enough left of the node for the task's reservations, generic resources included? Then they are taken. ERR_PRECONDITION
 * says what is wanted and what is left; nothing is taken then. */
int fit_take(struct fit *fit, const struct Docker__Swarmkit__V1__Placement *placement, const struct Docker__Swarmkit__V1__Task *task,
             struct error *err);

#endif
