/* manager/orchestrator/global.c – one task on each node that is up, not drained and fits. Source: swarmkit-wire §7.3. */
#include "manager/orchestrator/inside.h"
#include "manager/orchestrator/updater.h"
#include "proto/message.h"

#define AVAILABILITY(name) DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__##name

static int availability_of(const Docker__Swarmkit__V1__Node *node)
{
    return node->spec ? (int)node->spec->availability : AVAILABILITY(ACTIVE);
}

static void remove_with_node(struct orchestrator *orchestrator, struct view_slot *slot)
{
    for (struct view_task *task = slot->tasks; task; task = task->slot_next) {
        changes_group(orchestrator);
        changes_remove(orchestrator, task);
    }
    if (slot->writes)
        slot_promise(slot, SLOT_FREE);
}

/* @is_ended: only what ended already. */
static void shut_down(struct orchestrator *orchestrator, struct view_slot *slot, bool is_ended)
{
    for (struct view_task *task = slot->tasks; task; task = task->slot_next) {
        if (!task_is_wanted(task) || (is_ended && task_state(task) <= STATE(RUNNING)))
            continue;
        changes_group(orchestrator);
        changes_desire(orchestrator, task, STATE(SHUTDOWN));
    }
    if (slot->writes)
        slot_promise(slot, SLOT_FREE);
}

/* When the node came to be, not later than the job's iteration. */
static bool was_there(const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Node *node)
{
    int64_t created_ns = message_timestamp_ns(service->meta ? service->meta->created_at : NULL, INT64_MAX);
    int64_t began_ns = message_timestamp_ns(service->job_status ? service->job_status->last_execution : NULL, created_ns);

    return message_timestamp_ns(node->meta ? node->meta->created_at : NULL, 0) <= began_ns;
}

static bool may_create(const struct view_slot *slot, const Docker__Swarmkit__V1__Node *node)
{
    bool is_ready = node->status && node->status->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;

    if (slot->class != SLOT_FREE || slot->writes)
        return false;
    return slot->service->mode == VIEW_GLOBAL || (is_ready && was_there(service_message(slot->service), node));
}

uint64_t global_look_slot(struct orchestrator *orchestrator, struct view_slot *slot)
{
    struct view_node *node = view_node(&orchestrator->view, slot->key);
    const Docker__Swarmkit__V1__Node *message = node ? node_message(node) : NULL;
    uint64_t again_ns = TIMER_NEVER;

    if (message == NULL) {
        remove_with_node(orchestrator, slot);
        return TIMER_NEVER;
    }
    bool is_drained = availability_of(message) == AVAILABILITY(DRAIN), is_down = node->down_ns != TIMER_NEVER;
    uint64_t lost_ns = is_down ? node->down_ns + slot->service->labels.lost_after_ns : 0;
    bool fits = orchestrator->rules.node_fits(orchestrator->rules.self, message, service_placement(slot->service));
    if (is_down && fits && !is_drained && lost_ns > orchestrator->now_ns)
        return lost_ns;
    if (is_drained || is_down || !fits) {
        shut_down(orchestrator, slot, false);
        return TIMER_NEVER;
    }
    bool is_paused = availability_of(message) != AVAILABILITY(ACTIVE);
    if (is_paused)
        shut_down(orchestrator, slot, true);
    if (slot->writes == 0)
        again_ns = slot_supervise(orchestrator, slot);
    if (!is_paused && may_create(slot, message)) {
        slot_fill(orchestrator, slot);
    } else if (!is_paused) {
        updater_notice(orchestrator, slot);
    }
    return again_ns;
}

static void mark(struct orchestrator *orchestrator, struct view_service *service, const struct view_node *node)
{
    if (node->object)
        view_mark_slot(&orchestrator->view, view_obtain_slot(&orchestrator->view, service, node->id, 0));
}

/* The service changed: each node may need another task, or no longer one. */
void global_mark_nodes(struct orchestrator *orchestrator, struct view_service *service)
{
    for (const struct view_node *node = orchestrator->view.nodes; node; node = node->hh.next)
        mark(orchestrator, service, node);
}

void global_mark_services(struct orchestrator *orchestrator, struct view_node *node)
{
    for (struct view_service *service = orchestrator->view.globals; service; service = service->global_next)
        mark(orchestrator, service, node);
}
