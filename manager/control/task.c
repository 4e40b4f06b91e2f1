/* manager/control/task.c – tasks: looked at, and taken away. Nobody makes or changes one by hand. */
#include <inttypes.h>

#include "base/text.h"
#include "manager/control/inside.h"

static const ProtobufCMessage *read_get_task(const struct control *control, const Docker__Swarmkit__V1__GetTaskRequest *request,
                                             struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetTaskResponse *response = message_in(arena, DESCRIPTOR(get_task_response));

    if (form_check_id(request->task_id, err) < 0)
        return NULL;
    response->task = (Docker__Swarmkit__V1__Task *)(uintptr_t)store_task(control->store, request->task_id);
    if (response->task == NULL) {
        error_set(err, ERR_NOT_FOUND, "task %s not found", request->task_id);
        return NULL;
    }
    return &response->base;
}

CONTROL_READ(get_task, GetTask)

/* --- list --- */

/* What people call it: its own name, or "service.slot.id"; one for each node has the node's id for its slot. */
static const char *shown_name(const Docker__Swarmkit__V1__Task *task, struct arena *arena)
{
    const char *service = task->service_annotations ? task->service_annotations->name : "";

    if (task->annotations && !text_empty(task->annotations->name))
        return task->annotations->name;
    if (task->slot == 0)
        return arena_format(arena, "%s.%s.%s", service, task->node_id, task->id);
    return arena_format(arena, "%s.%" PRIu64 ".%s", service, task->slot, task->id);
}

struct task_filter {
    struct filter common;
    struct filter_list service_ids, node_ids, runtimes;
    const Docker__Swarmkit__V1__TaskState *states;
    size_t state_count;
    bool is_up_to_date;
};

static void read_filters(const Docker__Swarmkit__V1__ListTasksRequest__Filters *filters, struct arena *arena, struct task_filter *out)
{
    *out = (struct task_filter){0};
    FILTER_READ(filters, arena, &out->common);
    if (filters == NULL)
        return;
    out->service_ids = (struct filter_list){filters->service_ids, filters->n_service_ids};
    out->node_ids = (struct filter_list){filters->node_ids, filters->n_node_ids};
    out->runtimes = (struct filter_list){filters->runtimes, filters->n_runtimes};
    out->states = filters->desired_states;
    out->state_count = filters->n_desired_states;
    out->is_up_to_date = filters->up_to_date;
}

static bool has_state(const struct task_filter *filter, Docker__Swarmkit__V1__TaskState state)
{
    for (size_t i = 0; i < filter->state_count; i++)
        if (filter->states[i] == state)
            return true;
    return filter->state_count == 0;
}

static bool is_up_to_date(const struct control *control, const Docker__Swarmkit__V1__Task *task)
{
    const Docker__Swarmkit__V1__Service *service = store_service(control->store, task->service_id);

    return service && !control->rules.is_dirty(control->rules.self, service, task,
                                               task->node_id[0] ? store_node(control->store, task->node_id) : NULL);
}

static bool has_names(const struct task_filter *filter)
{
    return filter->common.names.count > 0 || filter->common.name_prefixes.count > 0;
}

/* The cheap questions first: there may be many tasks. */
static bool passes(const struct control *control, const struct task_filter *filter, const Docker__Swarmkit__V1__Task *task,
                   struct arena *arena)
{
    if (!filter_has(filter->service_ids, task->service_id) || !filter_has(filter->node_ids, task->node_id) ||
        !has_state(filter, task->desired_state))
        return false;
    if (filter->runtimes.count > 0) {
        const char *runtime = filter_runtime(task->spec, arena);
        if (runtime == NULL || !filter_has(filter->runtimes, runtime))
            return false;
    }
    if (!filter_passes(&filter->common, has_names(filter) ? shown_name(task, arena) : "", task->id, task->service_annotations))
        return false;
    return !filter->is_up_to_date || is_up_to_date(control, task);
}

/* Where the filters name one service or one node, only its tasks need to be looked at. */
static void begin(const struct control *control, const struct task_filter *filter, struct store_cursor *cursor)
{
    if (filter->service_ids.count == 1 && filter->service_ids.items[0][0])
        store_find(control->store, STORE_TASK, STORE_BY_SERVICE, filter->service_ids.items[0], cursor);
    else if (filter->node_ids.count == 1 && filter->node_ids.items[0][0])
        store_find(control->store, STORE_TASK, STORE_BY_NODE, filter->node_ids.items[0], cursor);
    else
        store_find(control->store, STORE_TASK, STORE_ALL, NULL, cursor);
}

static const ProtobufCMessage *read_list_tasks(const struct control *control, const Docker__Swarmkit__V1__ListTasksRequest *request,
                                               struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListTasksResponse *response = message_in(arena, DESCRIPTOR(list_tasks_response));
    struct task_filter filter;
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    (void)err;
    read_filters(request->filters, arena, &filter);
    response->tasks = filter_room(control, STORE_TASK, arena);
    begin(control, &filter, &cursor);
    while ((message = store_next(&cursor)) != NULL) {
        Docker__Swarmkit__V1__Task *task = (void *)(uintptr_t)message;
        if (passes(control, &filter, task, arena))
            response->tasks[response->n_tasks++] = task;
    }
    return &response->base;
}

CONTROL_READ(list_tasks, ListTasks)

/* --- remove --- */

static int check_remove_task(const struct control *control, const Docker__Swarmkit__V1__RemoveTaskRequest *request, struct refusal *refusal)
{
    (void)control;
    return form_check_id(request->task_id, &refusal->err);
}

static int write_remove_task(struct call *call, struct store_tx *tx, struct error *err)
{
    if (store_tx_task(tx, call->id) == NULL)
        return error_set(err, ERR_NOT_FOUND, "task %s not found", call->id);
    return store_tx_remove(tx, STORE_TASK, call->id, err);
}

static const ProtobufCMessage *answer_remove_task(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_task_response));
}

CONTROL_WRITE(remove_task, RemoveTask, request->task_id)
