/* manager/orchestrator/view_follow.c – commits become marks. */
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "manager/orchestrator/labels.h"
#include "manager/orchestrator/view.h"
#include "proto/message.h"

/* --- services --- */

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
    struct view_service *service = object ? view_obtain_service(view, id) : view_service(view, id);

    if (service == NULL || service->object == object)
        return;
    store_object_release(service->object);
    service->object = store_object_hold(object);
    service->is_changed = true;
    view_mark_service(view, service);
    view_leave_globals(view, service);
    if (object == NULL)
        return;
    service->mode = mode_of(service_message(service));
    service->labels = labels_read(service_message(service));
    if (view_mode_is_global(service->mode))
        DL_APPEND2(view->globals, service, global_prev, global_next);
}

/* --- nodes --- */

/* Of a node that was down when this manager began to look the object's age is the best there is: it was written when the node went down,
 * or later. */
static uint64_t down_since(const struct view *view, const Docker__Swarmkit__V1__Node *node)
{
    int64_t wall_ns = clock_wall_ns(&view->clock);
    int64_t written_ns = node->meta ? message_timestamp_ns(node->meta->updated_at, wall_ns) : wall_ns;
    uint64_t ago_ns = written_ns < wall_ns ? (uint64_t)wall_ns - (uint64_t)written_ns : 0;

    if (view->is_listed)
        return view->now_ns;
    return ago_ns < view->now_ns ? view->now_ns - ago_ns : 0;
}

static void take_node(struct view *view, const char *id, struct store_object *object)
{
    struct view_node *node = object ? view_obtain_node(view, id) : view_node(view, id);

    if (node == NULL || node->object == object)
        return;
    store_object_release(node->object);
    node->object = store_object_hold(object);
    const Docker__Swarmkit__V1__Node *message = node_message(node);
    int state = message && message->status ? (int)message->status->state : DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__UNKNOWN;
    node->is_ready = state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
    bool is_down = state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN;
    if (message && node->down_ns != TIMER_NEVER && !node->is_ready) /* a new leader does not know yet: that is not a return */
        is_down = true;
    if (is_down && node->down_ns == TIMER_NEVER) {
        node->down_ns = down_since(view, message);
    } else if (!is_down && node->down_ns != TIMER_NEVER) {
        node->down_ns = TIMER_NEVER;
        node->back_ns = view->now_ns;
    }
    view_mark_node(view, node);
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
    task->node = view_obtain_node(view, id);
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
    struct view_service *service = view_obtain_service(view, task->service_id);
    char key[VIEW_NUMBER_KEY_SIZE];

    if (is_by_node(service, task)) {
        service->mode = service->object ? service->mode : VIEW_GLOBAL;
        return view_obtain_slot(view, service, task->node_id, 0);
    }
    view_number_key(task->slot, key);
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
    } else {
        DL_DELETE2(view->loose, task, slot_prev, slot_next);
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
    else if (is_new)
        DL_APPEND2(view->loose, task, slot_prev, slot_next);
    view_mark_task(view, task);
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
