/* manager/control/network.c – networks: those that every node has, and in a cluster that was Docker's before what it had. None is made here
 * yet: overlay networks need an allocator and nodes that carry them. */
#include "manager/control/inside.h"

bool network_is_predefined(const Docker__Swarmkit__V1__Network *network)
{
    const Docker__Swarmkit__V1__Annotations *annotations = network->spec ? network->spec->annotations : NULL;

    for (size_t i = 0; annotations && i < annotations->n_labels; i++)
        if (strcmp(annotations->labels[i]->key, NETWORK_PREDEFINED_LABEL) == 0)
            return strcmp(annotations->labels[i]->value, "true") == 0;
    return false;
}

static const ProtobufCMessage *read_get_network(const struct control *control, const Docker__Swarmkit__V1__GetNetworkRequest *request,
                                                struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetNetworkResponse *response = message_in(arena, DESCRIPTOR(get_network_response));

    if (form_check_id(request->network_id, err) < 0)
        return NULL;
    response->network = (Docker__Swarmkit__V1__Network *)(uintptr_t)store_network(control->store, request->network_id);
    if (response->network)
        return &response->base;
    error_set(err, ERR_NOT_FOUND, "network %s not found", request->network_id);
    return NULL;
}

CONTROL_READ(get_network, GetNetwork)

static const ProtobufCMessage *read_list_networks(const struct control *control, const Docker__Swarmkit__V1__ListNetworksRequest *request,
                                                  struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListNetworksResponse *response = message_in(arena, DESCRIPTOR(list_networks_response));
    const Docker__Swarmkit__V1__Network *network;
    struct filter filter = {0};
    struct store_cursor cursor;

    (void)err;
    FILTER_READ(request->filters, arena, &filter);
    response->networks = filter_room(control, STORE_NETWORK, arena);
    store_find(control->store, STORE_NETWORK, STORE_ALL, NULL, &cursor);
    while ((network = (const void *)store_next(&cursor)) != NULL)
        if (filter_passes(&filter, store_message_name(STORE_NETWORK, &network->base), network->id,
                          store_message_annotations(STORE_NETWORK, &network->base)))
            response->networks[response->n_networks++] = (Docker__Swarmkit__V1__Network *)(uintptr_t)network;
    return &response->base;
}

CONTROL_READ(list_networks, ListNetworks)

/* --- create --- */

static int check_create_network(const struct control *control, const Docker__Swarmkit__V1__CreateNetworkRequest *request,
                                struct refusal *refusal)
{
    const Docker__Swarmkit__V1__NetworkSpec *spec = request->spec;
    struct error *err = &refusal->err;

    (void)control;
    if (spec == NULL)
        return form_refuse(err);
    if (spec->attachable && spec->ingress)
        return error_set(err, ERR_INVALID, "ingress network cannot be attachable");
    int failed = form_check_name(spec->annotations, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < spec->annotations->n_labels; i++)
        if (strcmp(spec->annotations->labels[i]->key, NETWORK_PREDEFINED_LABEL) == 0)
            return error_set(err, ERR_PERMISSION, "label %s is for internally created predefined networks and cannot be applied by users",
                             NETWORK_PREDEFINED_LABEL);
    return error_set(
        err, ERR_UNSUPPORTED,
        "network %s: this cluster cannot create %s networks yet; attach services to the network host or bridge of the nodes, and "
        "publish ports with mode=host",
        spec->annotations->name, spec->ingress ? "ingress" : "overlay");
}

void control_create_network(struct control *control, const Docker__Swarmkit__V1__CreateNetworkRequest *request, control_done_fn *done,
                            void *ctx)
{
    struct refusal refusal = {0};

    if (form_check(&request->base, &refusal.err) == 0)
        check_create_network(control, request, &refusal);
    control_answer(done, ctx, NULL, &refusal);
}

/* --- remove --- */

static int check_remove_network(const struct control *control, const Docker__Swarmkit__V1__RemoveNetworkRequest *request,
                                struct refusal *refusal)
{
    (void)control;
    return form_check_id(request->network_id, &refusal->err);
}

static bool is_alive(const Docker__Swarmkit__V1__Task *task)
{
    return task->desired_state <= DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING &&
           (task->status == NULL || task->status->state <= DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING);
}

static int check_unused(struct store_tx *tx, const char *id, struct error *err)
{
    const Docker__Swarmkit__V1__Service *service;
    const Docker__Swarmkit__V1__Task *task;
    struct store_cursor cursor;

    store_tx_find(tx, STORE_SERVICE, STORE_BY_NETWORK, id, &cursor);
    service = (const void *)store_next(&cursor);
    if (service)
        return error_set(err, ERR_PRECONDITION, "network %s is in use by service %s", id, service->id);
    store_tx_find(tx, STORE_TASK, STORE_BY_NETWORK, id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL)
        if (is_alive(task))
            return error_set(err, ERR_PRECONDITION, "network %s is in use by task %s", id, task->id);
    return 0;
}

static bool publishes_on_mesh(const Docker__Swarmkit__V1__Service *service)
{
    const Docker__Swarmkit__V1__EndpointSpec *endpoint = service->spec ? service->spec->endpoint : NULL;

    for (size_t i = 0; endpoint && i < endpoint->n_ports; i++)
        if (endpoint->ports[i]->publish_mode == DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS)
            return true;
    return false;
}

static int check_ingress_unused(struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__Service *service;
    struct store_cursor cursor;

    store_tx_find(tx, STORE_SERVICE, STORE_ALL, NULL, &cursor);
    while ((service = (const void *)store_next(&cursor)) != NULL)
        if (publishes_on_mesh(service))
            return error_set(err, ERR_PRECONDITION, "ingress network cannot be removed because service %s depends on it", service->id);
    return 0;
}

static int write_remove_network(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__Network *network = store_tx_network(tx, call->id);

    if (network == NULL)
        return error_set(err, ERR_NOT_FOUND, "network %s not found", call->id);
    if (network_is_predefined(network))
        return error_set(err, ERR_PRECONDITION, "network %s (%s) is a swarm predefined network and cannot be removed", call->id,
                         store_message_name(STORE_NETWORK, &network->base));
    int failed = network->spec && network->spec->ingress ? check_ingress_unused(tx, err) : check_unused(tx, call->id, err);
    return failed < 0 ? failed : store_tx_remove(tx, STORE_NETWORK, call->id, err);
}

static const ProtobufCMessage *answer_remove_network(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_network_response));
}

CONTROL_WRITE(remove_network, RemoveNetwork, request->network_id)
