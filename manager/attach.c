/* manager/attach.c – ResourceAllocator: a container that no task asked for, and that its node wants in a network of the cluster.
 *
 * Networks that span nodes are not there yet, so that every network that exists is a node's own and no container is attached to it from
 * here: what is left of the service is its refusals, in SwarmKit's words and codes (swarmkit-wire §3.10), so that `docker run --network`
 * on a node of Docker's ends as it would there. */
#include "manager/inside.h"
#include "proto/message.h"
#include "proto/swarmkit/resource.pb-c.h"

static const Docker__Swarmkit__V1__Network *find(const struct store *store, const char *id_or_name)
{
    const Docker__Swarmkit__V1__Network *network = store_network(store, id_or_name);
    struct store_cursor cursor;

    if (network)
        return network;
    store_find(store, STORE_NETWORK, STORE_BY_NAME, id_or_name, &cursor);
    return (const void *)store_next(&cursor);
}

static void on_attach(struct grpc_call *call, const ProtobufCMessage *message, struct manager *manager)
{
    const Docker__Swarmkit__V1__AttachNetworkRequest *request = (const void *)message;
    const char *target = request->config ? request->config->target : "";
    struct error err;

    if (!manager_is_leading(manager))
        error_set(&err, ERR_UNAVAILABLE, "this manager does not lead any more");
    else if (request->config == NULL || *request->container_id == 0)
        error_set(&err, ERR_INVALID, "a network and a container are needed");
    else if (find(manager_store(manager), target) == NULL)
        error_set(&err, ERR_NOT_FOUND, "network %s not found", target);
    else
        error_set(&err, ERR_PERMISSION, "network %s not manually attachable", target);
    grpc_call_finish_error(call, &err);
}

static void on_detach(struct grpc_call *call, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__DetachNetworkRequest *request = (const void *)message;
    struct error err;

    if (*request->attachment_id == 0)
        error_set(&err, ERR_INVALID, "an attachment's id is needed");
    else
        error_set(&err, ERR_NOT_FOUND, "attachment %s not found", request->attachment_id);
    grpc_call_finish_error(call, &err);
}

static void on_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    if (grpc_call_method(call) == METHOD(ResourceAllocator, AttachNetwork))
        on_attach(call, message, ctx);
    else
        on_detach(call, message);
}

static void serve(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_message};
    struct gate gate;

    if (gate_enter(ctx, call, &gate))
        grpc_call_accept(call, &handlers, ctx);
}

void attach_serve(struct manager *manager, struct grpc_server *server)
{
    grpc_server_handle(server, METHOD(ResourceAllocator, AttachNetwork), serve, manager);
    grpc_server_handle(server, METHOD(ResourceAllocator, DetachNetwork), serve, manager);
}
