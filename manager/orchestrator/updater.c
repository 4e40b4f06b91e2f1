/* manager/orchestrator/updater.c – the two machines. */
#include "manager/orchestrator/updater.h"

#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "manager/orchestrator/update_status.h"
#include "proto/message.h"

#define ACTION(name)       DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__##name
#define AVAILABILITY(name) DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__##name

#define X(name, shown, next, deadline_ms) {#name, shown, next, deadline_ms},
static const struct state_info update_states[] = {UPDATE_STATES(X)}, slot_update_states[] = {SLOT_UPDATE_STATES(X)};
#undef X
const struct state_table update_table = {"update", update_states, sizeof update_states / sizeof *update_states};
const struct state_table slot_update_table = {"update of a slot", slot_update_states,
                                              sizeof slot_update_states / sizeof *slot_update_states};

/* A task that this update made. */
struct updated {
    UT_hash_handle hh;
    uint64_t started_ns; /* TIMER_NEVER: it does not run yet */
    bool has_failed;
    char id[ID_SIZE_CHARS + 1];
};

struct update {
    struct state_machine machine;
    uint64_t spec_version;
    bool is_rollback;
    uint64_t parallelism, delay_ns, monitor_ns;
    int action;
    float max_failure_ratio;
    bool starts_first;
    struct view_slot *queue;
    size_t dirty_count, active_count, failures;
    struct updated *tasks;
    uint64_t watch_until_ns;
    enum update_write outcome; /* CLOSING: what is to be written */
    char failed_task[ID_SIZE_CHARS + 1];
};

struct slot_update {
    struct state_machine machine;
    bool is_seen; /* the task is in the store */
    char task_id[ID_SIZE_CHARS + 1];
};

static void move(struct state_machine *machine, unsigned next, uint64_t now_ns)
{
    struct error err = {0};
    int failed = state_move(machine, next, now_ns, &err);
    assert(failed == 0);
    (void)failed;
}

/* --- which tasks --- */

bool updater_is_dirty(const struct orchestrator *orchestrator, const struct view_task *task)
{
    return task_is_dirty(&orchestrator->rules, service_message(task->slot->service), task_message(task),
                         task->node ? node_message(task->node) : NULL);
}

/* Those that an update goes by: what is wanted; of a slot that is over its last task. */
static bool is_updatable(const struct view_slot *slot, const struct view_task *task)
{
    return task_is_wanted(task) || (slot->class == SLOT_OVER && task == slot->last);
}

/* Tasks on a node that takes no new ones, or is away, are left as they are; those on one that no longer fits are shut down: global.c. */
static bool node_takes_tasks(struct orchestrator *orchestrator, const struct view_slot *slot)
{
    if (!view_mode_is_global(slot->service->mode))
        return true;
    const struct view_node *node = view_node(&orchestrator->view, slot->key);
    const Docker__Swarmkit__V1__Node *message = node ? node_message(node) : NULL;
    bool is_active = message && (!message->spec || message->spec->availability == AVAILABILITY(ACTIVE));
    return is_active && node->down_ns == TIMER_NEVER &&
           orchestrator->rules.node_fits(orchestrator->rules.self, message, service_placement(slot->service));
}

static bool slot_is_dirty(struct orchestrator *orchestrator, const struct view_slot *slot)
{
    if (!node_takes_tasks(orchestrator, slot))
        return false;
    for (const struct view_task *task = slot->tasks; task; task = task->slot_next)
        if (is_updatable(slot, task) && updater_is_dirty(orchestrator, task))
            return true;
    return false;
}

static bool is_paused(const struct view_service *service)
{
    int status = update_status_of(service);
    return status == UPDATE_STATUS(PAUSED) || status == UPDATE_STATUS(ROLLBACK_PAUSED);
}

bool updater_owns(const struct orchestrator *orchestrator, const struct view_slot *slot)
{
    size_t dirty = 0, clean = 0;

    if (slot->update)
        return true;
    if (!is_paused(slot->service) && !slot->is_queued)
        return false;
    for (const struct view_task *task = slot->tasks; task; task = task->slot_next)
        if (task_is_wanted(task))
            (*(updater_is_dirty(orchestrator, task) ? &dirty : &clean))++;
    return dirty && clean;
}

/* --- life --- */

static void forget_slot(struct view_slot *slot)
{
    if (slot->update == NULL)
        return;
    free(slot->update);
    slot->update = NULL;
    slot->service->update->active_count--;
}

void updater_cancel(struct orchestrator *orchestrator, struct view_service *service)
{
    struct update *update = service->update;
    struct updated *updated, *next;

    if (update == NULL)
        return;
    for (struct view_slot *slot = service->slots; slot; slot = slot->hh.next) {
        forget_slot(slot);
        slot->is_queued = false;
        view_mark_slot(&orchestrator->view, slot); /* it may be empty, or have two copies */
    }
    HASH_ITER (hh, update->tasks, updated, next) {
        HASH_DEL(update->tasks, updated);
        free(updated);
    }
    free(update);
    service->update = NULL;
    timers_set(&orchestrator->view.timers, &service->timer, TIMER_NEVER);
}

static struct updated *find_updated(const struct update *update, const char *task_id)
{
    struct updated *updated;
    HASH_FIND_STR(update->tasks, task_id, updated);
    return updated;
}

static struct updated *add_updated(struct update *update, const char *task_id)
{
    struct updated *updated = mem_alloc(sizeof *updated);
    snprintf(updated->id, sizeof updated->id, "%s", task_id);
    updated->started_ns = TIMER_NEVER;
    HASH_ADD_STR(update->tasks, id, updated);
    return updated;
}

static uint64_t duration(const struct Google__Protobuf__Duration *duration, uint64_t fallback_ns)
{
    int64_t ns = message_duration_ns(duration, (int64_t)fallback_ns);
    return ns > 0 ? (uint64_t)ns : 0;
}

static void configure(struct update *update, const Docker__Swarmkit__V1__Service *service)
{
    const Docker__Swarmkit__V1__ServiceSpec *spec = service->spec;
    const Docker__Swarmkit__V1__UpdateConfig *config = spec ? (update->is_rollback ? spec->rollback : spec->update) : NULL;

    update->parallelism = config ? config->parallelism : 1;
    update->delay_ns = config ? duration(config->delay, 0) : 0;
    update->monitor_ns = duration(config ? config->monitor : NULL, UPDATE_MONITOR_DEFAULT_MS * NS_PER_MS);
    update->action = config ? (int)config->failure_action : ACTION(PAUSE);
    update->max_failure_ratio = config ? config->max_failure_ratio : 0;
    update->starts_first = config && config->order == DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__START_FIRST;
}

static int by_place(const void *a, const void *b)
{
    const struct view_slot *left = *(struct view_slot *const *)a, *right = *(struct view_slot *const *)b;

    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return strcmp(left->key, right->key);
}

/* The lowest slot first. */
static void enqueue_dirty(struct orchestrator *orchestrator, struct view_service *service, struct update *update)
{
    struct view_slot **slots = mem_array(HASH_COUNT(service->slots) + 1, sizeof *slots), **end = &update->queue;

    for (struct view_slot *slot = service->slots; slot; slot = slot->hh.next)
        if (slot_is_dirty(orchestrator, slot))
            slots[update->dirty_count++] = slot;
    qsort(slots, update->dirty_count, sizeof *slots, by_place);
    for (size_t i = 0; i < update->dirty_count; i++) {
        slots[i]->is_queued = true;
        slots[i]->next_queued = NULL;
        *end = slots[i];
        end = &slots[i]->next_queued;
    }
    free(slots);
}

/* Of an update that another leader began: its tasks are watched on. */
static void recover_updated(struct orchestrator *orchestrator, struct view_service *service, struct update *update)
{
    const Docker__Swarmkit__V1__UpdateStatus *status = service_message(service)->update_status;
    int64_t wall_ns = clock_wall_ns(&orchestrator->host.clock);
    int64_t began_ns = message_timestamp_ns(status ? status->started_at : NULL, INT64_MAX);

    for (struct view_slot *slot = service->slots; slot; slot = slot->hh.next) {
        const Docker__Swarmkit__V1__Task *task = slot->last ? task_message(slot->last) : NULL;
        if (task == NULL || version_index(task->spec_version) != update->spec_version || task_state(slot->last) > STATE(RUNNING) ||
            message_timestamp_ns(task->meta ? task->meta->created_at : NULL, 0) < began_ns)
            continue;
        struct updated *updated = add_updated(update, task->id);
        if (task_state(slot->last) != STATE(RUNNING))
            continue;
        int64_t since_ns = message_timestamp_ns(task->status->timestamp, wall_ns); /* by the node's clock */
        uint64_t ran_ns = since_ns < wall_ns ? (uint64_t)wall_ns - (uint64_t)since_ns : 0;
        updated->started_ns = orchestrator->now_ns - (ran_ns < orchestrator->now_ns ? ran_ns : 0);
    }
}

static void close_update(struct orchestrator *orchestrator, struct view_service *service, enum update_write outcome, const char *task_id)
{
    struct update *update = service->update;

    if (update->machine.state == UPDATE_CLOSING)
        return;
    move(&update->machine, UPDATE_CLOSING, orchestrator->now_ns);
    update->outcome = outcome;
    snprintf(update->failed_task, sizeof update->failed_task, "%s", task_id);
    view_mark_service(&orchestrator->view, service);
}

static void begin(struct orchestrator *orchestrator, struct view_service *service)
{
    struct update *update = mem_alloc(sizeof *update);
    int status = update_status_of(service);
    bool is_under_way = status == UPDATE_STATUS(UPDATING) || status == UPDATE_STATUS(ROLLBACK_STARTED);

    update->spec_version = version_index(service_message(service)->spec_version);
    update->is_rollback = status == UPDATE_STATUS(ROLLBACK_STARTED);
    configure(update, service_message(service));
    enqueue_dirty(orchestrator, service, update);
    if (update->dirty_count == 0 && !is_under_way) {
        free(update);
        return;
    }
    service->update = update;
    state_init(&update->machine, &update_table, status < 0 ? UPDATE_OPENING : UPDATE_ROLLING, orchestrator->now_ns);
    if (update->parallelism == 0)
        update->parallelism = update->dirty_count;
    if (is_under_way)
        recover_updated(orchestrator, service, update);
    if (update->dirty_count == 0)
        close_update(orchestrator, service, UPDATE_WRITE_COMPLETE, "");
}

/* --- the service's machine --- */

static void give_turns(struct orchestrator *orchestrator, struct update *update)
{
    while (update->queue && update->active_count < update->parallelism) {
        struct view_slot *slot = update->queue;
        update->queue = slot->next_queued;
        slot->is_queued = false;
        slot->update = mem_alloc(sizeof *slot->update);
        state_init(&slot->update->machine, &slot_update_table, SLOT_UPDATE_TURN, orchestrator->now_ns);
        update->active_count++;
        view_mark_slot(&orchestrator->view, slot);
    }
}

static void roll(struct orchestrator *orchestrator, struct update *update)
{
    bool is_long = update->delay_ns >= update->monitor_ns;

    give_turns(orchestrator, update);
    if (update->queue || update->active_count)
        return;
    if (is_long)
        update->monitor_ns = update->delay_ns + NS_PER_S;
    move(&update->machine, UPDATE_WATCHING, orchestrator->now_ns);
    update->watch_until_ns = orchestrator->now_ns + update->monitor_ns;
}

static uint64_t advance(struct orchestrator *orchestrator, struct view_service *service)
{
    struct update *update = service->update;

    if (update->machine.state == UPDATE_OPENING && update_status_of(service) >= 0)
        move(&update->machine, UPDATE_ROLLING, orchestrator->now_ns);
    if (update->machine.state == UPDATE_ROLLING)
        roll(orchestrator, update);
    if (update->machine.state == UPDATE_WATCHING && update->watch_until_ns <= orchestrator->now_ns)
        close_update(orchestrator, service, UPDATE_WRITE_COMPLETE, "");
    switch ((enum update_state)update->machine.state) {
    case UPDATE_OPENING:
        if (service->writes == 0)
            update_status_write(orchestrator, service, UPDATE_WRITE_START, "");
        return orchestrator->now_ns + UPDATE_WRITE_MS * NS_PER_MS;
    case UPDATE_CLOSING:
        if (service->writes == 0)
            update_status_write(orchestrator, service, update->outcome, update->failed_task);
        return orchestrator->now_ns + UPDATE_WRITE_MS * NS_PER_MS;
    case UPDATE_WATCHING:
        return update->watch_until_ns;
    case UPDATE_ROLLING:
        break;
    }
    return TIMER_NEVER;
}

static bool is_over(const struct view_service *service)
{
    int status = update_status_of(service);
    return status == UPDATE_STATUS(COMPLETED) || status == UPDATE_STATUS(ROLLBACK_COMPLETED);
}

static bool is_obsolete(const struct view_service *service)
{
    const struct update *update = service->update;
    const Docker__Swarmkit__V1__Service *message = service_message(service);

    if (message == NULL || update->spec_version != version_index(message->spec_version))
        return true;
    if (update->is_rollback != (update_status_of(service) == UPDATE_STATUS(ROLLBACK_STARTED)) || is_paused(service))
        return true;
    return (update->machine.state == UPDATE_CLOSING && is_over(service)) ||
           (update->machine.state != UPDATE_OPENING && update_status_of(service) < 0);
}

void updater_look(struct orchestrator *orchestrator, struct view_service *service)
{
    if (view_mode_is_job(service->mode))
        return;
    bool was_over = service->update && service->update->machine.state == UPDATE_CLOSING;
    if (service->update && is_obsolete(service))
        updater_cancel(orchestrator, service);
    if (service->object == NULL || is_paused(service))
        return;
    bool is_settled = was_over && is_over(service);
    if (service->update == NULL && service->is_changed && !is_settled)
        begin(orchestrator, service);
    if (service->update)
        timers_set(&orchestrator->view.timers, &service->timer, advance(orchestrator, service));
}

void updater_notice(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct view_service *service = slot->service;

    if (service->update || is_paused(service) || view_mode_is_job(service->mode) || !slot_is_dirty(orchestrator, slot))
        return;
    service->is_changed = true;
    view_mark_service(&orchestrator->view, service);
}

/* --- failures --- */

static void act_on_failure(struct orchestrator *orchestrator, struct view_service *service, const char *task_id)
{
    struct update *update = service->update;

    if (update->machine.state == UPDATE_CLOSING)
        return;
    update->failures++;
    if ((float)update->failures / (float)update->dirty_count <= update->max_failure_ratio)
        return;
    if (update->action == ACTION(PAUSE))
        close_update(orchestrator, service, UPDATE_WRITE_PAUSE, task_id);
    else if (update->action == ACTION(ROLLBACK)) /* a roll-back is not rolled back */
        close_update(orchestrator, service, update->is_rollback ? UPDATE_WRITE_PAUSE : UPDATE_WRITE_ROLL_BACK, task_id);
}

void updater_watch_slot(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct update *update = slot->service->update;

    for (const struct view_task *task = slot->tasks; task; task = task->slot_next) {
        struct updated *updated = find_updated(update, store_object_id(task->object));
        if (updated == NULL || updated->has_failed)
            continue;
        if (task_state(task) == STATE(RUNNING) && updated->started_ns == TIMER_NEVER)
            updated->started_ns = orchestrator->now_ns;
        bool is_watched = updated->started_ns == TIMER_NEVER || orchestrator->now_ns - updated->started_ns <= update->monitor_ns;
        if (task_state(task) <= STATE(RUNNING) || !is_watched)
            continue;
        updated->has_failed = true;
        act_on_failure(orchestrator, slot->service, updated->id);
    }
}

/* --- a slot's machine --- */

static void shut_others(struct orchestrator *orchestrator, struct view_slot *slot, const struct view_task *kept)
{
    for (struct view_task *task = slot->tasks; task; task = task->slot_next)
        if (task != kept && task_is_wanted(task))
            changes_desire(orchestrator, task, STATE(SHUTDOWN));
    if (slot->writes)
        slot_promise(slot, SLOT_WANTED);
}

/* A clean task that is in the slot already: one that is to run before one that waits. */
static struct view_task *find_clean(const struct orchestrator *orchestrator, const struct view_slot *slot)
{
    struct view_task *clean = NULL;

    for (struct view_task *task = slot->tasks; task; task = task->slot_next) {
        if (!task_is_wanted(task) || updater_is_dirty(orchestrator, task))
            continue;
        if (task_desired(task) == STATE(RUNNING))
            return task;
        clean = clean ? clean : task;
    }
    return clean;
}

static void use_existing(struct orchestrator *orchestrator, struct view_slot *slot, struct view_task *task)
{
    uint64_t now_ns = orchestrator->now_ns;

    changes_group(orchestrator);
    shut_others(orchestrator, slot, task);
    if (task_desired(task) < STATE(RUNNING)) {
        view_expect_start(&orchestrator->view, store_object_id(task->object), now_ns, now_ns + RESTART_STOP_WAIT_MS * NS_PER_MS);
        view_mark_slot(&orchestrator->view, slot);
    }
    move(&slot->update->machine, SLOT_UPDATE_RESTING, now_ns);
}

static void replace(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct update *update = slot->service->update;
    uint64_t now_ns = orchestrator->now_ns;

    changes_group(orchestrator);
    const char *id = changes_create(orchestrator, slot, STATE(READY));
    snprintf(slot->update->task_id, sizeof slot->update->task_id, "%s", id);
    slot->update->is_seen = false;
    add_updated(update, id);
    view_expect_start(&orchestrator->view, id, now_ns, update->starts_first ? 0 : now_ns + RESTART_STOP_WAIT_MS * NS_PER_MS);
    if (!update->starts_first)
        shut_others(orchestrator, slot, NULL);
    slot_promise(slot, SLOT_WANTED);
    move(&slot->update->machine, SLOT_UPDATE_COMING_UP, now_ns);
}

static void take_turn(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct view_task *clean = find_clean(orchestrator, slot);

    if (clean)
        use_existing(orchestrator, slot, clean);
    else if (slot_is_dirty(orchestrator, slot))
        replace(orchestrator, slot);
    else
        move(&slot->update->machine, SLOT_UPDATE_RESTING, orchestrator->now_ns); /* it was scaled away, say */
}

/* The new task failed or lost its node before it ran: its replacement stands in for it. */
static struct view_task *follow_replacement(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct view_task *task = find_clean(orchestrator, slot);

    if (task)
        snprintf(slot->update->task_id, sizeof slot->update->task_id, "%s", store_object_id(task->object));
    return task;
}

static void await_new_task(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct slot_update *own = slot->update;
    struct view_task *task = view_task(&orchestrator->view, own->task_id);

    if (task == NULL && !own->is_seen) { /* it was not written */
        move(&own->machine, SLOT_UPDATE_TURN, orchestrator->now_ns);
        view_mark_slot(&orchestrator->view, slot);
        return;
    }
    own->is_seen = true;
    if (task && task_state(task) < STATE(RUNNING) && task_desired(task) > STATE(RUNNING))
        task = follow_replacement(orchestrator, slot);
    if (task && task_state(task) < STATE(RUNNING))
        return;
    if (task && task_state(task) == STATE(RUNNING) && slot->service->update->starts_first) {
        changes_group(orchestrator);
        shut_others(orchestrator, slot, task);
    }
    move(&own->machine, SLOT_UPDATE_RESTING, orchestrator->now_ns);
}

uint64_t updater_look_slot(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct slot_update *own = slot->update;
    struct update *update = slot->service->update;

    if (update->machine.state == UPDATE_CLOSING)
        return TIMER_NEVER;
    if (own->machine.state == SLOT_UPDATE_TURN)
        take_turn(orchestrator, slot);
    else if (own->machine.state == SLOT_UPDATE_COMING_UP)
        await_new_task(orchestrator, slot);
    if (own->machine.state != SLOT_UPDATE_RESTING)
        return state_deadline_ns(&own->machine) > orchestrator->now_ns ? state_deadline_ns(&own->machine)
                                                                       : orchestrator->now_ns + SLOT_UPDATE_LOOK_MS * NS_PER_MS;
    uint64_t until_ns = own->machine.entered_ns + update->delay_ns;
    if (until_ns > orchestrator->now_ns)
        return until_ns;
    if (slot->writes) /* what it was told to stop is on its way */
        return TIMER_NEVER;
    forget_slot(slot);
    view_mark_service(&orchestrator->view, slot->service);
    return TIMER_NEVER;
}
