/* manager/orchestrator/updater.h – rolling updates and roll-backs. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_UPDATER_H
#define SKEP_MANAGER_ORCHESTRATOR_UPDATER_H

#include "manager/orchestrator/inside.h"

/* Not as its service wants it now. */
bool updater_is_dirty(const struct orchestrator *orchestrator, const struct view_task *task);

/* More than one copy in the slot is the updater's business. */
bool updater_owns(const struct view_slot *slot);

/* The slot changed, or is due; returns when to look again. */
uint64_t updater_look_slot(struct orchestrator *orchestrator, struct view_slot *slot);

#endif
