/* manager/orchestrator/jobs.c – services that are to run to completion: as many slots at once as may be, until enough are complete; each
 * iteration anew. A global job runs once on each node that takes tasks, fits, and was there when the iteration began (global.c). Source:
 * swarmkit-wire §7.6. */
#include "manager/orchestrator/inside.h"

/* Tasks of earlier iterations: what runs is taken away, and what a global job has ended with too; a replicated job's ended tasks stay as
 * they are. */
void jobs_clear_old(struct orchestrator *orchestrator, struct view_slot *slot)
{
    bool is_global = slot->service->mode == VIEW_GLOBAL_JOB;

    for (struct view_task *task = slot->tasks; task; task = task->slot_next) {
        bool stays = task_state(task) > STATE(RUNNING) && !is_global;
        if (stays || task_is_of_iteration(task) || task_desired(task) >= STATE(REMOVE))
            continue;
        changes_group(orchestrator);
        changes_desire(orchestrator, task, STATE(REMOVE));
    }
    if (slot->writes)
        slot_promise(slot, slot->class);
}

void jobs_look(struct orchestrator *orchestrator, struct view_service *service)
{
    const Docker__Swarmkit__V1__ServiceSpec *spec = service_message(service)->spec;
    const Docker__Swarmkit__V1__ReplicatedJob *job = spec ? spec->replicated_job : NULL;
    uint64_t running = service->classes[SLOT_WANTED], over = service->classes[SLOT_DONE] + service->classes[SLOT_OVER];

    if (job == NULL || running >= job->max_concurrent || running + over >= job->total_completions)
        return;
    uint64_t more = earlier(job->max_concurrent - running, job->total_completions - running - over);
    for (uint64_t i = 0; i < more && orchestrator->changes_count < ORCHESTRATOR_STEP_CHANGES_COUNT; i++) {
        struct view_slot *slot = take_unused_slot(orchestrator, service, 0, job->total_completions);
        if (slot == NULL) /* one has a write on its way: its turn comes when that is through */
            return;
        slot_fill(orchestrator, slot);
    }
}
