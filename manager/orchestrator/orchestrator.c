/* manager/orchestrator/orchestrator.c – one step: take in what was committed, look at what it touches and at what is due, send off what
 * was decided. */
#include "manager/orchestrator/orchestrator.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "manager/orchestrator/inside.h"
#include "manager/orchestrator/updater.h"

static void on_ready(void *ctx)
{
    part_wake(&((struct orchestrator *)ctx)->host);
}

static void on_slot_due(void *ctx, void *slot)
{
    view_mark_slot(&((struct orchestrator *)ctx)->view, slot);
}

static void on_service_due(void *ctx, void *service)
{
    view_mark_service(&((struct orchestrator *)ctx)->view, service);
}

/* --- what is marked --- */

static void look_at_nodes(struct orchestrator *orchestrator)
{
    struct view_node *node;

    while ((node = view_take_node(&orchestrator->view)) != NULL) {
        for (struct view_task *task = node->tasks; task; task = task->node_next)
            view_mark_task(&orchestrator->view, task);
        global_mark_services(orchestrator, node);
        view_free_node_if_empty(&orchestrator->view, node);
    }
}

/* A service that changed may want something else of each of its slots. */
static void mark_slots_of_changed(struct orchestrator *orchestrator)
{
    for (struct view_service *service = orchestrator->view.dirty_services; service; service = service->next_dirty) {
        if (!service->is_changed)
            continue;
        for (struct view_slot *slot = service->slots; slot; slot = slot->hh.next)
            view_mark_slot(&orchestrator->view, slot);
        if (service->object && view_mode_is_global(service->mode))
            global_mark_nodes(orchestrator, service);
    }
}

struct slots {
    struct view_slot **items;
    size_t count, capacity;
};

static void take_slots(struct orchestrator *orchestrator, struct slots *out)
{
    struct view_slot *slot;

    while ((slot = view_take_slot(&orchestrator->view)) != NULL) {
        if (out->count == out->capacity) {
            out->capacity = out->capacity ? 2 * out->capacity : 64;
            out->items = mem_resize(out->items, out->capacity * sizeof(struct view_slot *));
        }
        out->items[out->count++] = slot;
        slot_classify(orchestrator, slot);
    }
}

static void look_at_service(struct orchestrator *orchestrator, struct view_service *service)
{
    if (service->object && service->mode == VIEW_REPLICATED)
        replicated_look(orchestrator, service);
    if (service->object && service->mode == VIEW_REPLICATED_JOB)
        jobs_look(orchestrator, service);
    updater_look(orchestrator, service);
    service->is_changed = false;
}

static void look_at_services(struct orchestrator *orchestrator)
{
    struct view_service *service;

    while ((service = view_take_service(&orchestrator->view)) != NULL) {
        look_at_service(orchestrator, service);
        view_free_service_if_empty(&orchestrator->view, service);
    }
}

static void look_at_slots(struct orchestrator *orchestrator, struct slots *slots)
{
    for (size_t i = 0; i < slots->count; i++)
        slot_look(orchestrator, slots->items[i]);
    for (size_t i = 0; i < slots->count; i++) {
        struct view_service *service = slots->items[i]->service;
        view_free_slot_if_empty(&orchestrator->view, slots->items[i]);
        view_free_service_if_empty(&orchestrator->view, service);
    }
    free(slots->items);
}

/* --- the part --- */

static void step(void *self, uint64_t now_ns)
{
    struct orchestrator *orchestrator = self;
    struct slots slots = {0};
    struct timer *timer;

    orchestrator->now_ns = now_ns;
    if (orchestrator->has_failed)
        orchestrator->hold_until_ns = now_ns + ORCHESTRATOR_RETRY_MS * NS_PER_MS;
    orchestrator->has_failed = false;
    view_sync(&orchestrator->view, now_ns);
    while ((timer = timers_take_due(&orchestrator->view.timers, now_ns)) != NULL)
        timer->fire(orchestrator, timer->owner);
    if (now_ns < orchestrator->hold_until_ns)
        return;
    look_at_nodes(orchestrator);
    mark_slots_of_changed(orchestrator);
    take_slots(orchestrator, &slots);
    look_at_services(orchestrator);
    look_at_slots(orchestrator, &slots);
    reaper_look(orchestrator);
    changes_flush(orchestrator);
    if (orchestrator->view.dirty_slots || orchestrator->view.dirty_services) /* marked while others were looked at */
        part_wake(&orchestrator->host);
}

static uint64_t deadline_ns(const void *self)
{
    const struct orchestrator *orchestrator = self;
    uint64_t due_ns = earlier(timers_next_ns(&orchestrator->view.timers), orchestrator->reap_ns);
    bool is_held = orchestrator->hold_until_ns > orchestrator->now_ns; /* what was marked waits with it */

    return is_held ? orchestrator->hold_until_ns : due_ns;
}

static void free_orchestrator(void *self)
{
    struct orchestrator *orchestrator = self;

    assert(orchestrator->writes == 0); /* part.h: they have been told */
    for (struct view_service *service = orchestrator->view.services; service; service = service->hh.next)
        updater_cancel(orchestrator, service);
    view_deinit(&orchestrator->view);
    free(orchestrator->changes);
    free(orchestrator);
}

struct part orchestrator_new(const struct part_host *host, const struct orchestrator_rules *rules)
{
    struct orchestrator *orchestrator = mem_alloc(sizeof *orchestrator);

    orchestrator->host = *host;
    orchestrator->rules = *rules;
    orchestrator->reap_ns = TIMER_NEVER;
    orchestrator->view.on_slot_due = on_slot_due;
    orchestrator->view.on_service_due = on_service_due;
    view_init(&orchestrator->view, host->store, host->clock, on_ready, orchestrator);
    return (struct part){.name = "orchestrator", .step = step, .deadline_ns = deadline_ns, .free = free_orchestrator, .self = orchestrator};
}
