/* manager/orchestrator/updater.c – (not there yet: only whether a task is dirty) */
#include "manager/orchestrator/updater.h"

bool updater_is_dirty(const struct orchestrator *orchestrator, const struct view_task *task)
{
    return task_is_dirty(&orchestrator->rules, service_message(task->slot->service), task_message(task),
                         task->node ? node_message(task->node) : NULL);
}

bool updater_owns(const struct view_slot *slot)
{
    return slot->update != NULL;
}

uint64_t updater_look_slot(struct orchestrator *orchestrator, struct view_slot *slot)
{
    (void)orchestrator;
    (void)slot;
    return TIMER_NEVER;
}
