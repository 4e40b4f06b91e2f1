/* manager/orchestrator/enforcer.h – tasks leave nodes that no longer satisfy what they ask for: of an active node that has other labels,
 * another role or fewer resources than before, those tasks are rejected that do not fit any more, or, where their service guards its slots
 * (labels.h), asked to stop. Whoever orchestrates them puts others in their place. A drained node is emptied by the orchestrator, a paused
 * one is left alone.
 *
 * A service's constraints of now count, not those that a task was made with: an update that changes nothing else leaves the tasks that
 * still fit as they are. Where resources became too few the tasks that came last to the node go first.
 *
 * Source: swarmkit-wire §7.8. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_ENFORCER_H
#define SKEP_MANAGER_ORCHESTRATOR_ENFORCER_H

#include "manager/part.h"

struct part enforcer_new(const struct part_host *host); /* @host borrowed */

#endif
