/* manager/orchestrator/slot.c – what one slot needs now: its replacement started when its time has come, what ended or lost its node
 * replaced, and of two copies one stopped. */
#include "base/limits.h"
#include "manager/orchestrator/inside.h"
#include "manager/orchestrator/updater.h"
#include "proto/message.h"

/* --- what a slot is --- */

static const Docker__Swarmkit__V1__Version *iteration_of(const struct view_service *service)
{
    const Docker__Swarmkit__V1__Service *message = service_message(service);
    return message && message->job_status ? message->job_status->job_iteration : NULL;
}

bool task_is_of_iteration(const struct view_task *task)
{
    const struct view_service *service = task->slot->service;
    return !view_mode_is_job(service->mode) || version_index(task_message(task)->job_iteration) == version_index(iteration_of(service));
}

bool task_is_wanted(const struct view_task *task)
{
    bool is_job = task->slot && view_mode_is_job(task->slot->service->mode);

    if (is_job)
        return task_desired(task) <= STATE(COMPLETE) && task_state(task) != STATE(COMPLETE) && task_is_of_iteration(task);
    return task_desired(task) <= STATE(RUNNING);
}

bool slot_has_wanted(const struct view_slot *slot)
{
    for (const struct view_task *task = slot->tasks; task; task = task->slot_next)
        if (task_is_wanted(task))
            return true;
    return false;
}

/* What had ended when a roll-back began has another try, whatever the restart policy says; what the roll-back itself made has not. */
static bool is_tried_anew(const struct view_slot *slot, const struct view_task *newest)
{
    const Docker__Swarmkit__V1__Service *service = service_message(slot->service);
    const Docker__Swarmkit__V1__UpdateStatus *status = service ? service->update_status : NULL;
    const Docker__Swarmkit__V1__Meta *meta = task_message(newest)->meta;

    if (status == NULL || status->state != DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_STARTED)
        return false;
    return message_timestamp_ns(meta ? meta->created_at : NULL, 0) < message_timestamp_ns(status->started_at, INT64_MAX);
}

static enum slot_class class_of(const struct view_slot *slot)
{
    const struct view_task *newest = slot->last;
    bool is_job = view_mode_is_job(slot->service->mode);

    for (const struct view_task *task = slot->tasks; is_job && task; task = task->slot_next)
        if (task_state(task) == STATE(COMPLETE) && task_desired(task) < STATE(REMOVE) && task_is_of_iteration(task))
            return SLOT_DONE;
    if (slot_has_wanted(slot))
        return SLOT_WANTED;
    if (newest == NULL || task_desired(newest) >= STATE(REMOVE) || !task_is_of_iteration(newest) || is_tried_anew(slot, newest))
        return SLOT_FREE;
    return restart_is_allowed(slot, newest) ? SLOT_FREE : SLOT_OVER;
}

void slot_classify(struct orchestrator *orchestrator, struct view_slot *slot)
{
    enum slot_class class = slot->writes ? slot->promise : class_of(slot);

    bool is_same = slot->is_counted && slot->class == class;
    if (!is_same || class == SLOT_FREE) /* free ones tell their number again: it was skipped while a write was on its way */
        view_set_class(slot, class);
    if (!is_same)
        view_mark_service(&orchestrator->view, slot->service);
}

/* --- a task's trouble --- */

bool task_is_drained(const struct view_task *task)
{
    const Docker__Swarmkit__V1__Node *node = task->node ? node_message(task->node) : NULL;
    return node && node->spec && node->spec->availability == DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
}

enum trouble task_trouble(const struct orchestrator *orchestrator, const struct view_task *task, uint64_t *again_ns)
{
    const Docker__Swarmkit__V1__Node *node = task->node ? node_message(task->node) : NULL;

    if (task_state(task) > STATE(RUNNING))
        return TROUBLE_ENDED;
    if (task->node == NULL)
        return TROUBLE_NONE;
    if (node == NULL)
        return TROUBLE_LOST;
    if (task_is_drained(task))
        return TROUBLE_DRAINED;
    if (task->node->down_ns == TIMER_NEVER)
        return TROUBLE_NONE;
    uint64_t lost_ns = task->node->down_ns + task->slot->service->labels.lost_after_ns;
    if (lost_ns <= orchestrator->now_ns)
        return TROUBLE_LOST;
    *again_ns = earlier(*again_ns, lost_ns);
    return TROUBLE_AWAITED;
}

/* --- starting what waits --- */

static int run_state(const struct view_service *service)
{
    return view_mode_is_job(service->mode) ? STATE(COMPLETE) : STATE(RUNNING);
}

/* Made by an earlier leader: from when it was made, as its own policy says. */
static struct view_start *derive_start(struct orchestrator *orchestrator, const struct view_task *task)
{
    const Docker__Swarmkit__V1__Task *message = task_message(task);
    int64_t wall_ns = clock_wall_ns(&orchestrator->host.clock);
    int64_t created_ns = message_timestamp_ns(message->meta ? message->meta->created_at : NULL, wall_ns);
    uint64_t ago_ns = created_ns < wall_ns ? (uint64_t)wall_ns - (uint64_t)created_ns : 0;
    uint64_t delay_ns = restart_delay_ns(message), stop_wait_ns = RESTART_STOP_WAIT_MS * NS_PER_MS, now_ns = orchestrator->now_ns;

    view_expect_start(&orchestrator->view, message->id, now_ns + (delay_ns > ago_ns ? delay_ns - ago_ns : 0),
                      now_ns + (stop_wait_ns > ago_ns ? stop_wait_ns - ago_ns : 0));
    return view_start(&orchestrator->view, message->id);
}

/* By then a node of ours that has lost all managers has stopped the task by itself; 0: it does not. */
static uint64_t own_stop_ns(const struct view_task *task)
{
    const Docker__Swarmkit__V1__TaskSpec *spec = task_message(task)->spec;
    const Google__Protobuf__Duration *grace = spec && spec->container ? spec->container->stop_grace_period : NULL;
    uint64_t stop_after_ns = task->slot->service->labels.stop_after_ns;

    return stop_after_ns ? stop_after_ns + (uint64_t)message_duration_ns(grace, (int64_t)(TASK_STOP_GRACE_MS * NS_PER_MS)) : 0;
}

/* When a task that is to stop counts as stopped: 0: it has. TIMER_NEVER: when it says so. On a node that is down nobody knows: it is
 * awaited as one that is to run; on a drained one, which nobody expects back, no longer than until it must have stopped by itself. */
static uint64_t stopped_ns(const struct view_task *task)
{
    if (task_state(task) > STATE(RUNNING) || task->node == NULL || task_state(task) < STATE(ASSIGNED) || task->node->object == NULL)
        return 0;
    if (task->node->down_ns == TIMER_NEVER)
        return TIMER_NEVER;
    uint64_t awaited_ns = task->slot->service->labels.lost_after_ns;
    if (task_is_drained(task))
        awaited_ns = earlier(awaited_ns, own_stop_ns(task));
    return awaited_ns == 0 ? 0 : task->node->down_ns + awaited_ns;
}

bool task_is_stopping(const struct orchestrator *orchestrator, const struct view_task *task)
{
    return stopped_ns(task) > orchestrator->now_ns;
}

bool slot_is_stopping(const struct orchestrator *orchestrator, const struct view_task *newest)
{
    for (const struct view_task *task = newest; task; task = task->slot_prev)
        if (!task_is_wanted(task) && task_is_stopping(orchestrator, task))
            return true;
    return false;
}

void slot_fill(struct orchestrator *orchestrator, struct view_slot *slot)
{
    bool waits_for_stop = slot->service->labels.stop_after_ns > 0 && slot_is_stopping(orchestrator, slot->last);
    uint64_t now_ns = orchestrator->now_ns;

    changes_group(orchestrator);
    const char *id = changes_create(orchestrator, slot, waits_for_stop ? STATE(READY) : run_state(slot->service));
    if (waits_for_stop)
        view_expect_start(&orchestrator->view, id, now_ns, now_ns + RESTART_STOP_WAIT_MS * NS_PER_MS);
    slot_promise(slot, SLOT_WANTED);
}

/* When it may start: now or earlier, or when to ask again. It waits for the older ones of its slot: for those that can be told to stop not
 * for ever, for those on lost nodes as long as they are awaited. */
static uint64_t start_ns(const struct view_start *start, const struct view_task *task)
{
    uint64_t start_ns = start->not_before_ns;

    for (const struct view_task *older = start->stop_wait_ns ? task->slot_prev : NULL; older; older = older->slot_prev) {
        uint64_t until_ns = task_is_wanted(older) ? 0 : stopped_ns(older);
        until_ns = until_ns == TIMER_NEVER ? start->stop_wait_ns : until_ns;
        start_ns = start_ns > until_ns ? start_ns : until_ns;
    }
    return start_ns;
}

static struct view_start *start_of(struct orchestrator *orchestrator, const struct view_task *task)
{
    struct view_start *start;

    if (task_desired(task) != STATE(READY)) {
        view_forget_start(&orchestrator->view, store_object_id(task->object));
        return NULL;
    }
    start = view_start(&orchestrator->view, store_object_id(task->object));
    return start ? start : derive_start(orchestrator, task);
}

/* --- supervising --- */

static bool has_younger_wanted(const struct view_task *task)
{
    for (const struct view_task *younger = task->slot_next; younger; younger = younger->slot_next)
        if (task_is_wanted(younger))
            return true;
    return false;
}

static bool has_older_wanted(const struct view_task *task)
{
    for (const struct view_task *older = task->slot_prev; older; older = older->slot_prev)
        if (task_is_wanted(older))
            return true;
    return false;
}

/* @task ended, or is on a node that is lost or drained. */
static void replace(struct orchestrator *orchestrator, struct view_task *task, enum trouble trouble)
{
    struct view_slot *slot = task->slot;
    bool may_return = trouble == TROUBLE_LOST && slot->service->labels.keeps_old && task->node->object;

    if (has_older_wanted(task)) /* a substitute: it is the first one that is kept */
        may_return = false;
    if (!has_younger_wanted(task)) {
        restart_task(orchestrator, task, trouble, may_return);
    } else if (!may_return) {
        changes_group(orchestrator);
        changes_desire(orchestrator, task, STATE(SHUTDOWN));
        slot_promise(slot, SLOT_WANTED);
    }
}

static uint64_t look_at_task(struct orchestrator *orchestrator, struct view_task *task)
{
    uint64_t again_ns = TIMER_NEVER, now_ns = orchestrator->now_ns;
    struct view_start *start = start_of(orchestrator, task);
    enum trouble trouble = task_trouble(orchestrator, task, &again_ns);
    bool is_well = trouble == TROUBLE_NONE || trouble == TROUBLE_AWAITED;

    if (start && is_well) {
        uint64_t due_ns = start_ns(start, task);
        if (due_ns > now_ns)
            return earlier(again_ns, due_ns);
        changes_group(orchestrator);
        changes_desire(orchestrator, task, run_state(task->slot->service));
        slot_promise(task->slot, SLOT_WANTED);
        return again_ns;
    }
    if (is_well)
        return again_ns;
    if (start && start->not_before_ns > now_ns) /* it failed before it was to start: not sooner than if it had started */
        return earlier(again_ns, start->not_before_ns);
    replace(orchestrator, task, trouble);
    return again_ns;
}

/* --- copies too many --- */

static bool is_well(const struct orchestrator *orchestrator, const struct view_task *task)
{
    uint64_t unused = TIMER_NEVER;
    bool is_in_touch = task->node == NULL || task->node->is_ready;
    return is_in_touch && task_is_wanted(task) && task_trouble(orchestrator, task, &unused) == TROUBLE_NONE;
}

/* Which of those that are well stays: of the service's spec before another; then as skep.keep says, a running one before another. */
static struct view_task *choose(const struct orchestrator *orchestrator, const struct view_slot *slot)
{
    struct view_task *best = NULL;
    bool best_runs = false, best_is_clean = false;

    for (struct view_task *task = slot->tasks; task; task = task->slot_next) {
        if (!is_well(orchestrator, task))
            continue;
        bool runs = task_state(task) == STATE(RUNNING), is_clean = !updater_is_dirty(orchestrator, task);
        bool is_better = best == NULL || is_clean > best_is_clean;
        if (best && is_clean == best_is_clean)
            is_better = runs > best_runs || (runs == best_runs && !slot->service->labels.keeps_old);
        if (!is_better)
            continue;
        best = task;
        best_runs = runs;
        best_is_clean = is_clean;
    }
    return best;
}

static uint64_t settle_copies(struct orchestrator *orchestrator, struct view_slot *slot)
{
    uint64_t settled_ns = 0;
    size_t count = 0;

    for (const struct view_task *task = slot->tasks; task; task = task->slot_next) {
        if (!is_well(orchestrator, task))
            continue;
        count++;
        if (task->node && task->node->back_ns) /* what it says of its tasks may be on the way */
            settled_ns = settled_ns > task->node->back_ns + LOST_SETTLE_MS * NS_PER_MS ? settled_ns
                                                                                       : task->node->back_ns + LOST_SETTLE_MS * NS_PER_MS;
    }
    if (count < 2 || updater_owns(orchestrator, slot))
        return TIMER_NEVER;
    if (settled_ns > orchestrator->now_ns)
        return settled_ns;
    const struct view_task *kept = choose(orchestrator, slot);
    changes_group(orchestrator);
    for (struct view_task *task = slot->tasks; task; task = task->slot_next)
        if (task != kept && is_well(orchestrator, task))
            changes_desire(orchestrator, task, STATE(SHUTDOWN));
    slot_promise(slot, SLOT_WANTED);
    return TIMER_NEVER;
}

uint64_t slot_supervise(struct orchestrator *orchestrator, struct view_slot *slot)
{
    uint64_t again_ns = TIMER_NEVER;

    for (struct view_task *task = slot->tasks; task && !slot->writes; task = task->slot_next)
        if (task_is_wanted(task))
            again_ns = earlier(again_ns, look_at_task(orchestrator, task));
    if (slot->writes)
        return TIMER_NEVER;
    return earlier(again_ns, settle_copies(orchestrator, slot));
}

/* --- looking --- */

void slot_remove_all(struct orchestrator *orchestrator, struct view_slot *slot)
{
    for (struct view_task *task = slot->tasks; task; task = task->slot_next) {
        if (task_desired(task) >= STATE(REMOVE))
            continue;
        changes_group(orchestrator);
        changes_desire(orchestrator, task, STATE(REMOVE));
    }
    if (slot->writes)
        slot_promise(slot, SLOT_FREE);
}

void slot_look(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct view_service *service = slot->service;
    uint64_t again_ns = TIMER_NEVER;

    if (service->update)
        updater_watch_slot(orchestrator, slot);
    if (slot->writes) /* looked at again when its writes are through */
        return;
    if (service->object && view_mode_is_job(service->mode))
        jobs_clear_old(orchestrator, slot);
    if (service->object == NULL)
        slot_remove_all(orchestrator, slot);
    else if (view_mode_is_global(service->mode) && slot->writes == 0)
        again_ns = global_look_slot(orchestrator, slot);
    else if (slot->writes == 0)
        again_ns = slot_supervise(orchestrator, slot);
    if (slot->writes == 0 && slot->update)
        again_ns = earlier(again_ns, updater_look_slot(orchestrator, slot));
    timers_set(&orchestrator->view.timers, &slot->timer, slot->writes ? TIMER_NEVER : again_ns);
}
