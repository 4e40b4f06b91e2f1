/* api/docker_nodes.c – the swarm's nodes: /nodes, /nodes/{id}, /nodes/{id}/update. */
#include "api/swarm/json_node.h"
#include "api/swarm/list_filters.h"
#include "api/swarm/query.h"
#include "api/swarm_call.h"

static void listed(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__ListNodesResponse *response = (const void *)message;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < response->n_nodes; i++)
        cJSON_AddItemToArray(list, swarm_json_node(response->nodes[i], sc->version));
    swarm_answer(sc, 200, list);
}

void docker_nodes_list(struct api_call *call)
{
    struct swarm_call *sc = swarm_call_new(call);
    Docker__Swarmkit__V1__ListNodesRequest *request = swarm_request(sc, METHOD_Control_ListNodes);
    struct error err;
    if (swarm_node_filters(call_query(call, "filters"), sc->arena, &request->filters, &err) < 0)
        swarm_error(sc, &err);
    else
        swarm_ask(sc, METHOD_Control_ListNodes, &request->base, listed);
}

static void found_to_show(struct swarm_call *sc, const ProtobufCMessage *node)
{
    swarm_answer(sc, 200, swarm_json_node((const void *)node, sc->version));
}

void docker_node_inspect(struct api_call *call)
{
    swarm_find_named(swarm_call_new(call), SWARM_NODE, found_to_show);
}

/* --- update --- */

static void updated(struct swarm_call *sc, const ProtobufCMessage *message)
{
    (void)message;
    swarm_answer_nothing(sc, 200);
}

static void found_to_update(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Node *node = (const void *)message;
    Docker__Swarmkit__V1__UpdateNodeRequest *request = sc->own;
    struct error err;
    if (swarm_read_node_spec(sc->body, sc->version, node->spec, sc->arena, &request->spec, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    swarm_set(&request->base, "node_id", node->id);
    swarm_ask(sc, METHOD_Control_UpdateNode, &request->base, updated);
}

static void update_body(struct swarm_call *sc)
{
    struct error err;
    uint64_t version;
    if (swarm_query_version("node", call_query(sc->call, "version"), &version, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    sc->own = swarm_request(sc, METHOD_Control_UpdateNode);
    swarm_set_version(sc, sc->own, "node_version", version);
    swarm_find_named(sc, SWARM_NODE, found_to_update);
}

void docker_node_update(struct api_call *call)
{
    swarm_call_read(call, update_body);
}

/* --- remove --- */

static void found_to_remove(struct swarm_call *sc, const ProtobufCMessage *node)
{
    Docker__Swarmkit__V1__RemoveNodeRequest *request = swarm_request(sc, METHOD_Control_RemoveNode);
    swarm_set(&request->base, "node_id", swarm_id(node));
    request->force = call_flag(sc->call, "force");
    swarm_ask(sc, METHOD_Control_RemoveNode, &request->base, updated);
}

void docker_node_remove(struct api_call *call)
{
    swarm_find_named(swarm_call_new(call), SWARM_NODE, found_to_remove);
}
