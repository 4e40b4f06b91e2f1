/* api/docker_tasks.c – the swarm's tasks: /tasks, /tasks/{id}. */
#include "api/swarm/json_task.h"
#include "api/swarm/list_filters.h"
#include "api/swarm_call.h"

static void listed(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__ListTasksResponse *response = (const void *)message;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < response->n_tasks; i++)
        cJSON_AddItemToArray(list, swarm_json_task(response->tasks[i], sc->version));
    swarm_answer(sc, 200, list);
}

/* Services and nodes in the filters are as a person calls them, and the managers want their ids: one is looked up after the other. */
struct listing {
    Docker__Swarmkit__V1__ListTasksRequest *request;
    size_t service, node; /* the next ones to look up */
};

static void look_up_next(struct swarm_call *sc);

static void service_found(struct swarm_call *sc, const ProtobufCMessage *service)
{
    struct listing *listing = sc->own;
    listing->request->filters->service_ids[listing->service++] = arena_string(sc->arena, swarm_id(service));
    look_up_next(sc);
}

static void node_found(struct swarm_call *sc, const ProtobufCMessage *node)
{
    struct listing *listing = sc->own;
    listing->request->filters->node_ids[listing->node++] = arena_string(sc->arena, swarm_id(node));
    look_up_next(sc);
}

static void look_up_next(struct swarm_call *sc)
{
    const struct listing *listing = sc->own;
    const Docker__Swarmkit__V1__ListTasksRequest__Filters *filters = listing->request->filters;
    if (listing->service < filters->n_service_ids)
        swarm_find(sc, SWARM_SERVICE, filters->service_ids[listing->service], service_found);
    else if (listing->node < filters->n_node_ids)
        swarm_find(sc, SWARM_NODE, filters->node_ids[listing->node], node_found);
    else
        swarm_ask(sc, METHOD_Control_ListTasks, &listing->request->base, listed);
}

void docker_tasks_list(struct api_call *call)
{
    struct swarm_call *sc = swarm_call_new(call);
    struct listing *listing = arena_alloc(sc->arena, sizeof *listing);
    struct error err;
    sc->own = listing;
    listing->request = swarm_request(sc, METHOD_Control_ListTasks);
    if (swarm_task_filters(call_query(call, "filters"), sc->arena, &listing->request->filters, &err) < 0)
        swarm_error(sc, &err);
    else
        look_up_next(sc);
}

static void found_to_show(struct swarm_call *sc, const ProtobufCMessage *task)
{
    swarm_answer(sc, 200, swarm_json_task((const void *)task, sc->version));
}

void docker_task_inspect(struct api_call *call)
{
    swarm_find_named(swarm_call_new(call), SWARM_TASK, found_to_show);
}
