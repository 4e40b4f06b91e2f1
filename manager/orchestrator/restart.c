/* manager/orchestrator/restart.c – whether and when another task takes the place of one that ended. What was restarted before is counted
 * in the slot's history, which the reaper keeps for as long as it matters: the next leader counts the same. Source: swarmkit-wire §7.4. */
#include "manager/orchestrator/inside.h"
#include "proto/message.h"

#define CONDITION(name) DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__##name

static const Docker__Swarmkit__V1__RestartPolicy *policy_of(const Docker__Swarmkit__V1__Task *task)
{
    return task->spec ? task->spec->restart : NULL;
}

uint64_t restart_delay_ns(const Docker__Swarmkit__V1__Task *task)
{
    const Docker__Swarmkit__V1__RestartPolicy *policy = policy_of(task);
    int64_t delay_ns = message_duration_ns(policy ? policy->delay : NULL, (int64_t)(RESTART_DELAY_DEFAULT_MS * NS_PER_MS));
    return delay_ns > 0 ? (uint64_t)delay_ns : 0;
}

static bool condition_allows(const struct view_slot *slot, const struct view_task *task)
{
    const Docker__Swarmkit__V1__RestartPolicy *policy = policy_of(task_message(task));
    int condition = policy ? (int)policy->condition : CONDITION(ANY);

    if (condition == CONDITION(ANY) && view_mode_is_job(slot->service->mode))
        condition = CONDITION(ON_FAILURE);
    if (condition == CONDITION(ANY))
        return true;
    return condition == CONDITION(ON_FAILURE) && task_state(task) != STATE(COMPLETE);
}

static int64_t created_ns(const struct view_task *task)
{
    const Docker__Swarmkit__V1__Meta *meta = task_message(task)->meta;
    return meta ? message_timestamp_ns(meta->created_at, 0) : 0;
}

static bool is_of_one_version(const struct view_task *a, const struct view_task *b)
{
    const Docker__Swarmkit__V1__Task *left = task_message(a), *right = task_message(b);
    return version_index(left->spec_version) == version_index(right->spec_version) &&
           version_index(left->job_iteration) == version_index(right->job_iteration);
}

/* The first task of a spec's version in a slot was started, those behind it were restarted. */
static uint64_t count_restarts(const struct view_slot *slot, const struct view_task *task, int64_t after_ns, int64_t before_ns)
{
    uint64_t count = 0;
    bool is_first = true;

    for (const struct view_task *other = slot->tasks; other; other = other->slot_next) {
        if (!is_of_one_version(other, task) || task_desired(other) >= STATE(REMOVE))
            continue;
        if (!is_first && created_ns(other) > after_ns && created_ns(other) < before_ns)
            count++;
        is_first = false;
    }
    return count;
}

static bool attempts_allow(const struct view_slot *slot, const struct view_task *task)
{
    const Docker__Swarmkit__V1__Task *message = task_message(task);
    const Docker__Swarmkit__V1__RestartPolicy *policy = policy_of(message);
    int64_t window_ns, ended_ns = 0;

    if (policy == NULL || policy->max_attempts == 0)
        return true;
    window_ns = message_duration_ns(policy->window, 0);
    if (message->status) /* a manager's clock is more to be trusted than a node's */
        ended_ns = message_timestamp_ns(message->status->applied_at ? message->status->applied_at : message->status->timestamp, 0);
    if (window_ns <= 0 || ended_ns <= 0)
        return count_restarts(slot, task, INT64_MIN, INT64_MAX) < policy->max_attempts;
    return count_restarts(slot, task, ended_ns - window_ns, ended_ns) < policy->max_attempts;
}

bool restart_is_allowed(const struct view_slot *slot, const struct view_task *task)
{
    return condition_allows(slot, task) && attempts_allow(slot, task);
}

void restart_task(struct orchestrator *orchestrator, struct view_task *task, enum trouble trouble, bool leaves_old)
{
    struct view_slot *slot = task->slot;
    bool is_allowed = restart_is_allowed(slot, task);
    bool is_stopping = trouble == TROUBLE_DRAINED && task_is_stopping(orchestrator, task);
    bool waits_for_stop = is_stopping || slot_is_stopping(orchestrator, task->slot_prev); /* what it waited for itself, say */

    if (leaves_old && !is_allowed)
        return;
    changes_group(orchestrator);
    if (!leaves_old)
        changes_desire(orchestrator, task, STATE(SHUTDOWN));
    if (is_allowed) {
        uint64_t delay_ns = task_is_drained(task) ? 0 : restart_delay_ns(task_message(task)), now_ns = orchestrator->now_ns;
        const char *id = changes_create(orchestrator, slot, STATE(READY));
        view_expect_start(&orchestrator->view, id, now_ns + delay_ns, waits_for_stop ? now_ns + RESTART_STOP_WAIT_MS * NS_PER_MS : 0);
    }
    slot_promise(slot, is_allowed ? SLOT_WANTED : SLOT_OVER);
}
