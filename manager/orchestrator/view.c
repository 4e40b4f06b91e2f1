/* manager/orchestrator/view.c – what there is, and what is marked. */
#include "manager/orchestrator/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"

/* --- finding and marking --- */

struct view_service *view_service(struct view *view, const char *id)
{
    struct view_service *service;
    HASH_FIND_STR(view->services, id, service);
    return service;
}

struct view_node *view_node(struct view *view, const char *id)
{
    struct view_node *node;
    HASH_FIND_STR(view->nodes, id, node);
    return node;
}

struct view_task *view_task(struct view *view, const char *id)
{
    struct view_task *task;
    HASH_FIND_STR(view->tasks, id, task);
    return task;
}

struct view_slot *view_slot(struct view_service *service, const char *key)
{
    struct view_slot *slot;
    HASH_FIND_STR(service->slots, key, slot);
    return slot;
}

void view_number_key(uint64_t number, char key[VIEW_NUMBER_KEY_SIZE])
{
    snprintf(key, VIEW_NUMBER_KEY_SIZE, "%" PRIu64, number);
}

struct view_slot *view_slot_numbered(struct view_service *service, uint64_t number)
{
    char key[VIEW_NUMBER_KEY_SIZE];
    view_number_key(number, key);
    return view_slot(service, key);
}

void view_mark_aged(struct view *view, struct view_slot *slot)
{
    if (slot->is_aged)
        return;
    slot->is_aged = true;
    slot->next_aged = view->aged_slots;
    view->aged_slots = slot;
    view->aged_count++;
}

void view_mark_slot(struct view *view, struct view_slot *slot)
{
    view_mark_aged(view, slot);
    if (slot->is_dirty)
        return;
    slot->is_dirty = true;
    slot->next_dirty = view->dirty_slots;
    view->dirty_slots = slot;
}

void view_mark_task(struct view *view, struct view_task *task)
{
    if (task->slot)
        view_mark_slot(view, task->slot);
    else
        view->is_loose_changed = true;
}

void view_mark_service(struct view *view, struct view_service *service)
{
    if (service->is_dirty)
        return;
    service->is_dirty = true;
    service->next_dirty = view->dirty_services;
    view->dirty_services = service;
}

void view_mark_node(struct view *view, struct view_node *node)
{
    if (node->is_dirty)
        return;
    node->is_dirty = true;
    node->next_dirty = view->dirty_nodes;
    view->dirty_nodes = node;
}

struct view_slot *view_take_slot(struct view *view)
{
    struct view_slot *slot = view->dirty_slots;
    if (slot) {
        view->dirty_slots = slot->next_dirty;
        slot->is_dirty = false;
    }
    return slot;
}

struct view_slot *view_take_aged(struct view *view)
{
    struct view_slot *slot = view->aged_slots;
    if (slot) {
        view->aged_slots = slot->next_aged;
        view->aged_count--;
        slot->is_aged = false;
    }
    return slot;
}

struct view_service *view_take_service(struct view *view)
{
    struct view_service *service = view->dirty_services;
    if (service) {
        view->dirty_services = service->next_dirty;
        service->is_dirty = false;
    }
    return service;
}

struct view_node *view_take_node(struct view *view)
{
    struct view_node *node = view->dirty_nodes;
    if (node) {
        view->dirty_nodes = node->next_dirty;
        node->is_dirty = false;
    }
    return node;
}

/* --- services and slots --- */

struct view_service *view_obtain_service(struct view *view, const char *id)
{
    struct view_service *service = view_service(view, id);
    size_t length = strlen(id);

    if (service)
        return service;
    service = mem_alloc(sizeof *service + length + 1);
    memcpy(service->id, id, length + 1);
    service->timer.owner = service;
    service->timer.fire = view->on_service_due;
    HASH_ADD_STR(view->services, id, service);
    return service;
}

struct view_slot *view_obtain_slot(struct view *view, struct view_service *service, const char *key, uint64_t number)
{
    struct view_slot *slot = view_slot(service, key);
    size_t length = strlen(key);

    if (slot)
        return slot;
    slot = mem_alloc(sizeof *slot + length + 1);
    memcpy(slot->key, key, length + 1);
    slot->service = service;
    slot->number = number;
    slot->timer.owner = slot;
    slot->timer.fire = view->on_slot_due;
    HASH_ADD_STR(service->slots, key, slot);
    return slot;
}

void view_set_class(struct view_slot *slot, enum slot_class class)
{
    struct view_service *service = slot->service;

    if (slot->is_counted)
        service->classes[slot->class]--;
    slot->class = class;
    slot->is_counted = true;
    service->classes[class]++;
    if (class == SLOT_FREE && slot->number < service->first_unused)
        service->first_unused = slot->number;
}

void view_free_slot_if_empty(struct view *view, struct view_slot *slot)
{
    struct view_service *service = slot->service;

    if (slot->tasks || slot->writes || slot->is_dirty || slot->is_aged || slot->update || slot->is_queued)
        return;
    if (slot->is_counted) {
        view_set_class(slot, SLOT_FREE); /* its number is there to be taken */
        service->classes[SLOT_FREE]--;
    }
    timers_set(&view->timers, &slot->timer, TIMER_NEVER);
    HASH_DEL(service->slots, slot);
    free(slot);
}

void view_leave_globals(struct view *view, struct view_service *service)
{
    if (service->global_prev == NULL)
        return;
    DL_DELETE2(view->globals, service, global_prev, global_next);
    service->global_prev = NULL;
}

void view_free_service_if_empty(struct view *view, struct view_service *service)
{
    if (service->object || service->slots || service->writes || service->is_dirty || service->update)
        return;
    view_leave_globals(view, service);
    timers_set(&view->timers, &service->timer, TIMER_NEVER);
    HASH_DEL(view->services, service);
    free(service);
}

/* --- nodes --- */

struct view_node *view_obtain_node(struct view *view, const char *id)
{
    struct view_node *node = view_node(view, id);
    size_t length = strlen(id);

    if (node)
        return node;
    node = mem_alloc(sizeof *node + length + 1);
    memcpy(node->id, id, length + 1);
    node->down_ns = TIMER_NEVER;
    HASH_ADD_STR(view->nodes, id, node);
    return node;
}

void view_free_node_if_empty(struct view *view, struct view_node *node)
{
    if (node->object || node->tasks || node->is_dirty)
        return;
    HASH_DEL(view->nodes, node);
    free(node);
}

static void ready(void *ctx)
{
    struct view *view = ctx;
    view->is_woken = true;
    view->on_ready(view->ctx);
}

void view_init(struct view *view, struct store *store, struct clock clock, void (*on_ready)(void *ctx), void *ctx)
{
    view->store = store;
    view->clock = clock;
    view->on_ready = on_ready;
    view->ctx = ctx;
    view->watcher = store_watch(store, ready, view);
}

void view_deinit(struct view *view)
{
    struct view_task *task, *next_task;
    struct view_service *service, *next_service;
    struct view_slot *slot, *next_slot;
    struct view_node *node, *next_node;
    struct view_start *start, *next_start;

    store_unwatch(view->watcher);
    HASH_ITER (hh, view->tasks, task, next_task) {
        HASH_DEL(view->tasks, task);
        store_object_release(task->object);
        free(task);
    }
    HASH_ITER (hh, view->services, service, next_service) {
        HASH_ITER (hh, service->slots, slot, next_slot) {
            HASH_DEL(service->slots, slot);
            free(slot);
        }
        HASH_DEL(view->services, service);
        store_object_release(service->object);
        free(service);
    }
    HASH_ITER (hh, view->nodes, node, next_node) {
        HASH_DEL(view->nodes, node);
        store_object_release(node->object);
        free(node);
    }
    HASH_ITER (hh, view->starts, start, next_start) {
        HASH_DEL(view->starts, start);
        free(start);
    }
    store_object_release(view->cluster);
    timers_deinit(&view->timers);
}

/* --- starts --- */

void view_expect_start(struct view *view, const char *task_id, uint64_t not_before_ns, uint64_t stop_wait_ns)
{
    struct view_start *start = view_start(view, task_id);

    if (start == NULL) {
        start = mem_alloc(sizeof *start);
        snprintf(start->id, sizeof start->id, "%s", task_id);
        HASH_ADD_STR(view->starts, id, start);
    }
    start->not_before_ns = not_before_ns;
    start->stop_wait_ns = stop_wait_ns;
}

struct view_start *view_start(struct view *view, const char *task_id)
{
    struct view_start *start;
    HASH_FIND_STR(view->starts, task_id, start);
    return start;
}

void view_forget_start(struct view *view, const char *task_id)
{
    struct view_start *start = view_start(view, task_id);

    if (start == NULL)
        return;
    HASH_DEL(view->starts, start);
    free(start);
}
