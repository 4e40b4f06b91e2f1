/* manager/orchestrator/view.c – commits become marks. */
#include "manager/orchestrator/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "manager/orchestrator/labels.h"
#include "proto/message.h"

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

static void number_key(uint64_t number, char key[24])
{
    snprintf(key, 24, "%" PRIu64, number);
}

struct view_slot *view_slot_numbered(struct view_service *service, uint64_t number)
{
    char key[24];
    number_key(number, key);
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

void view_mark_service(struct view *view, struct view_service *service)
{
    if (service->is_dirty)
        return;
    service->is_dirty = true;
    service->next_dirty = view->dirty_services;
    view->dirty_services = service;
}

static void mark_node(struct view *view, struct view_node *node)
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

static struct view_service *obtain_service(struct view *view, const char *id)
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

static void leave_globals(struct view *view, struct view_service *service)
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
    leave_globals(view, service);
    timers_set(&view->timers, &service->timer, TIMER_NEVER);
    HASH_DEL(view->services, service);
    free(service);
}

static enum view_mode mode_of(const Docker__Swarmkit__V1__Service *service)
{
    switch (service->spec ? service->spec->mode_case : DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED) {
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL:
        return VIEW_GLOBAL;
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB:
        return VIEW_REPLICATED_JOB;
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB:
        return VIEW_GLOBAL_JOB;
    default:
        return VIEW_REPLICATED;
    }
}

static void take_service(struct view *view, const char *id, struct store_object *object)
{
    struct view_service *service = object ? obtain_service(view, id) : view_service(view, id);

    if (service == NULL || service->object == object)
        return;
    store_object_release(service->object);
    service->object = store_object_hold(object);
    service->is_changed = true;
    view_mark_service(view, service);
    leave_globals(view, service);
    if (object == NULL)
        return;
    service->mode = mode_of(service_message(service));
    labels_read(service_message(service), &service->lost_after_ns, &service->keeps_old);
    if (view_mode_is_global(service->mode))
        DL_APPEND2(view->globals, service, global_prev, global_next);
}

/* --- nodes --- */

static struct view_node *obtain_node(struct view *view, const char *id)
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

/* Of a node that was down when this manager began to look the object's age is the best there is: it was written when the node went down,
 * or later. */
static uint64_t down_since(const struct view *view, const Docker__Swarmkit__V1__Node *node)
{
    int64_t wall_ns = clock_wall_ns(&view->clock);
    int64_t written_ns = node->meta ? message_timestamp_ns(node->meta->updated_at, wall_ns) : wall_ns;
    uint64_t ago_ns = written_ns < wall_ns ? (uint64_t)(wall_ns - written_ns) : 0;

    if (view->is_listed)
        return view->now_ns;
    return ago_ns < view->now_ns ? view->now_ns - ago_ns : 0;
}

static void take_node(struct view *view, const char *id, struct store_object *object)
{
    struct view_node *node = object ? obtain_node(view, id) : view_node(view, id);

    if (node == NULL || node->object == object)
        return;
    store_object_release(node->object);
    node->object = store_object_hold(object);
    const Docker__Swarmkit__V1__Node *message = node_message(node);
    bool is_down = message && message->status && message->status->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN;
    if (is_down && node->down_ns == TIMER_NEVER) {
        node->down_ns = down_since(view, message);
    } else if (!is_down && node->down_ns != TIMER_NEVER) {
        node->down_ns = TIMER_NEVER;
        node->back_ns = view->now_ns;
    }
    mark_node(view, node);
}

/* --- tasks --- */

static int64_t created_ns(const struct view_task *task)
{
    const Docker__Swarmkit__V1__Meta *meta = task_message(task)->meta;
    return meta ? message_timestamp_ns(meta->created_at, 0) : 0;
}

static void enter_slot(struct view_slot *slot, struct view_task *task)
{
    struct view_task *before = slot->last;

    while (before && created_ns(before) > created_ns(task))
        before = before->slot_prev;
    task->slot = slot;
    task->slot_prev = before;
    task->slot_next = before ? before->slot_next : slot->tasks;
    *(before ? &before->slot_next : &slot->tasks) = task;
    *(task->slot_next ? &task->slot_next->slot_prev : &slot->last) = task;
    slot->tasks_count++;
}

static void leave_slot(struct view_task *task)
{
    struct view_slot *slot = task->slot;

    *(task->slot_prev ? &task->slot_prev->slot_next : &slot->tasks) = task->slot_next;
    *(task->slot_next ? &task->slot_next->slot_prev : &slot->last) = task->slot_prev;
    task->slot = NULL;
    slot->tasks_count--;
}

static void leave_node(struct view *view, struct view_task *task)
{
    struct view_node *node = task->node;

    if (node == NULL)
        return;
    DL_DELETE2(node->tasks, task, node_prev, node_next);
    node->tasks_count--;
    task->node = NULL;
    view_free_node_if_empty(view, node);
}

static void follow_node(struct view *view, struct view_task *task)
{
    const char *id = task_message(task)->node_id;

    if (task->node && strcmp(task->node->id, id) == 0)
        return;
    leave_node(view, task);
    if (id[0] == 0)
        return;
    task->node = obtain_node(view, id);
    DL_APPEND2(task->node->tasks, task, node_prev, node_next);
    task->node->tasks_count++;
}

/* A service that is gone leaves its tasks' slots by number, unless the tasks look like a global one's. */
static bool is_by_node(const struct view_service *service, const Docker__Swarmkit__V1__Task *task)
{
    if (service->object == NULL && service->slots == NULL)
        return task->slot == 0 && task->node_id[0] && version_index(task->job_iteration) == 0;
    return view_mode_is_global(service->mode);
}

static struct view_slot *slot_of(struct view *view, const Docker__Swarmkit__V1__Task *task)
{
    struct view_service *service = obtain_service(view, task->service_id);
    char key[24];

    if (is_by_node(service, task)) {
        service->mode = service->object ? service->mode : VIEW_GLOBAL;
        return view_obtain_slot(view, service, task->node_id, 0);
    }
    number_key(task->slot, key);
    return view_obtain_slot(view, service, key, task->slot);
}

static void drop_task(struct view *view, struct view_task *task)
{
    struct view_slot *slot = task->slot;

    HASH_DEL(view->tasks, task);
    view_forget_start(view, store_object_id(task->object));
    leave_node(view, task);
    if (slot) {
        leave_slot(task);
        view_mark_slot(view, slot);
        view_mark_service(view, slot->service);
    }
    store_object_release(task->object);
    free(task);
}

static void take_task(struct view *view, const char *id, struct store_object *object)
{
    struct view_task *task = view_task(view, id);
    bool is_new = task == NULL;

    if (object == NULL) {
        if (task)
            drop_task(view, task);
        return;
    }
    if (is_new) {
        task = mem_alloc(sizeof *task);
    } else {
        if (task->object == object)
            return;
        HASH_DEL(view->tasks, task); /* its key is in the object */
        store_object_release(task->object);
    }
    task->object = store_object_hold(object);
    id = store_object_id(object);
    HASH_ADD_KEYPTR(hh, view->tasks, id, strlen(id), task);
    follow_node(view, task);
    if (is_new && task_message(task)->service_id[0])
        enter_slot(slot_of(view, task_message(task)), task);
    if (task->slot)
        view_mark_slot(view, task->slot);
}

/* --- following the store --- */

static void take_cluster(struct view *view, struct store_object *object)
{
    if (view->cluster == object)
        return;
    store_object_release(view->cluster);
    view->cluster = store_object_hold(object);
    for (struct view_service *service = view->services; service; service = service->hh.next) /* their history may be another's length */
        for (struct view_slot *slot = service->slots; slot; slot = slot->hh.next)
            view_mark_slot(view, slot);
}

static void take(struct view *view, enum store_kind kind, const char *id, struct store_object *object)
{
    switch (kind) {
    case STORE_TASK:
        take_task(view, id, object);
        break;
    case STORE_SERVICE:
        take_service(view, id, object);
        break;
    case STORE_NODE:
        take_node(view, id, object);
        break;
    case STORE_CLUSTER:
        take_cluster(view, object);
        break;
    default:
        break;
    }
}

static void take_all(struct view *view, enum store_kind kind)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(view->store, kind, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL) {
        const char *id = store_message_id(kind, message);
        take(view, kind, id, store_get_object(view->store, kind, id));
    }
}

/* What is not in the store any more goes first. */
static void list(struct view *view)
{
    struct view_task *task, *next_task;
    struct view_service *service, *next_service;
    struct view_node *node, *next_node;

    HASH_ITER (hh, view->tasks, task, next_task)
        if (store_get_object(view->store, STORE_TASK, store_object_id(task->object)) == NULL)
            drop_task(view, task);
    HASH_ITER (hh, view->services, service, next_service)
        if (store_get_object(view->store, STORE_SERVICE, service->id) == NULL)
            take_service(view, service->id, NULL);
    HASH_ITER (hh, view->nodes, node, next_node)
        if (store_get_object(view->store, STORE_NODE, node->id) == NULL)
            take_node(view, node->id, NULL);
    take_all(view, STORE_CLUSTER);
    take_all(view, STORE_NODE);
    take_all(view, STORE_SERVICE);
    take_all(view, STORE_TASK);
    view->is_listed = true;
}

static void ready(void *ctx)
{
    struct view *view = ctx;
    view->is_woken = true;
    view->on_ready(view->ctx);
}

void view_sync(struct view *view, uint64_t now_ns)
{
    const struct store_commit *commit;
    struct error err = {0};
    int result;

    view->now_ns = now_ns;
    view->is_woken = false;
    if (!view->is_listed)
        list(view);
    while ((result = store_watch_next(view->watcher, &commit, &err)) != ERR_NOT_FOUND) {
        if (result < 0) {
            list(view);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++) {
            const struct store_change *change = &commit->changes[i];
            bool is_there = change->action != STORE_REMOVE;
            take(view, change->kind, store_object_id(change->object), is_there ? change->object : NULL);
        }
    }
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
