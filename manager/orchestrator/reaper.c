/* manager/orchestrator/reaper.c – tasks that are over leave: at once when they are to be removed, else when a slot has more history than
 * it is to keep. A job's are no exception, or one that fails for ever would fill the store. Source: swarmkit-wire §7.7. */
#include "base/limits.h"
#include "manager/orchestrator/inside.h"

static int64_t limit_of(const struct orchestrator *orchestrator, const Docker__Swarmkit__V1__Service *service)
{
    const struct store_object *object = orchestrator->view.cluster;
    const Docker__Swarmkit__V1__Cluster *cluster = object ? (const void *)object->message : NULL;
    const Docker__Swarmkit__V1__RestartPolicy *policy = service->spec && service->spec->task ? service->spec->task->restart : NULL;

    if (policy && policy->max_attempts > 0) /* as many as it takes to count the restarts */
        return policy->max_attempts < INT64_MAX ? (int64_t)policy->max_attempts + 1 : INT64_MAX;
    if (cluster && cluster->spec && cluster->spec->orchestration)
        return cluster->spec->orchestration->task_history_retention_limit;
    return TASK_HISTORY_DEFAULT_COUNT;
}

/* Nobody will say any more how it is: it has ended, or its node is gone. */
static bool is_over(const struct view_task *task)
{
    int state = task_state(task);
    return state > STATE(RUNNING) || (state >= STATE(ASSIGNED) && task->node && task->node->object == NULL);
}

static bool is_to_leave(const struct view_task *task)
{
    bool has_service = task->slot && task->slot->service->object;

    if (!has_service && task_state(task) == STATE(ORPHANED))
        return true;
    return task_desired(task) >= STATE(REMOVE) && (task_state(task) < STATE(ASSIGNED) || is_over(task));
}

/* The last one of a slot that is over says that it is over; the one that completed a job's slot, that it is complete. */
static bool is_history(const struct view_slot *slot, const struct view_task *task)
{
    bool is_job = view_mode_is_job(slot->service->mode);

    if (task_is_wanted(task) || (slot->class == SLOT_OVER && task == slot->last))
        return false;
    if (is_job && task_state(task) == STATE(COMPLETE) && task_is_of_iteration(task))
        return false;
    return is_over(task) || (task_state(task) < STATE(ASSIGNED) && task_desired(task) > STATE(COMPLETE));
}

static void reap(struct orchestrator *orchestrator, struct view_slot *slot)
{
    const Docker__Swarmkit__V1__Service *service = service_message(slot->service);
    int64_t limit = service ? limit_of(orchestrator, service) : -1;
    size_t surplus = limit >= 0 && slot->tasks_count > (uint64_t)limit ? slot->tasks_count - (size_t)limit : 0;

    for (struct view_task *task = slot->tasks; task; task = task->slot_next) {
        if (!is_to_leave(task) && (surplus == 0 || !is_history(slot, task)))
            continue;
        changes_group(orchestrator);
        changes_remove(orchestrator, task);
        surplus -= surplus > 0;
    }
    if (slot->writes)
        slot_promise(slot, slot->class);
}

/* Tasks of no service are kept for as long as whoever made them wants them. */
static void reap_loose(struct orchestrator *orchestrator)
{
    for (struct view_task *task = orchestrator->view.loose; task; task = task->slot_next) {
        if (!is_to_leave(task))
            continue;
        changes_group(orchestrator);
        changes_remove(orchestrator, task);
    }
    orchestrator->view.is_loose_changed = false;
}

void reaper_look(struct orchestrator *orchestrator)
{
    struct view *view = &orchestrator->view;
    struct view_slot *slot;

    if ((view->aged_count || view->is_loose_changed) && orchestrator->reap_ns == TIMER_NEVER)
        orchestrator->reap_ns = orchestrator->now_ns + REAPER_INTERVAL_MS * NS_PER_MS;
    if (orchestrator->reap_ns > orchestrator->now_ns && view->aged_count < REAPER_SLOTS_COUNT)
        return;
    orchestrator->reap_ns = TIMER_NEVER;
    if (view->is_loose_changed)
        reap_loose(orchestrator);
    while ((slot = view_take_aged(view)) != NULL) {
        struct view_service *service = slot->service;
        if (slot->writes) /* marked again when they are through */
            continue;
        reap(orchestrator, slot);
        view_free_slot_if_empty(view, slot);
        view_free_service_if_empty(view, service);
    }
}
