/* manager/dispatcher/service.c – see service.h. A call and what it has opened in the dispatcher end together, whichever goes first. */
#include "manager/dispatcher/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "proto/message.h"

struct dispatcher_service {
    struct dispatcher_service_options options;
    size_t calls_count;
};

struct served {
    struct dispatcher_service *service;
    struct grpc_call *call;
    struct dispatcher_identity identity;
    struct dispatcher_session *session;    /* of a Session; NULL: none, or over */
    struct dispatcher_assignments *stream; /* of an Assignments */
};

/* --- streams --- */

static int send_message(void *ctx, const ProtobufCMessage *message, struct error *err)
{
    return grpc_call_send(((struct served *)ctx)->call, message, err);
}

static void end(void *ctx, const struct error *err)
{
    struct served *served = ctx;

    served->session = NULL;
    served->stream = NULL;
    grpc_call_finish_error(served->call, err);
}

static void on_writable(struct grpc_call *call, void *ctx)
{
    struct served *served = ctx;

    (void)call;
    if (served->session)
        dispatcher_session_writable(served->session);
    if (served->stream)
        dispatcher_assignments_writable(served->stream);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct served *served = ctx;

    (void)call;
    (void)status;
    if (served->session)
        dispatcher_session_close(served->session);
    if (served->stream)
        dispatcher_assignments_close(served->stream);
    served->service->calls_count--;
    free(served);
}

/* --- calls --- */

static int on_session(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                      struct error *err)
{
    const struct dispatcher_caller caller = {served->identity.node_id, served->identity.address};
    const struct dispatcher_sink sink = {.send = send_message, .end = end, .ctx = served};

    return dispatcher_register(dispatcher, &caller, (const void *)request, &sink, now_ns, &served->session, err);
}

static int on_assignments(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                          struct error *err)
{
    const Docker__Swarmkit__V1__AssignmentsRequest *message = (const void *)request;
    const struct dispatcher_sink sink = {.send = send_message, .end = end, .ctx = served};

    return dispatcher_assignments_open(dispatcher, served->identity.node_id, message->session_id, &sink, now_ns, &served->stream, err);
}

static int on_heartbeat(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                        struct error *err)
{
    const Docker__Swarmkit__V1__HeartbeatRequest *message = (const void *)request;
    Docker__Swarmkit__V1__HeartbeatResponse response = DOCKER__SWARMKIT__V1__HEARTBEAT_RESPONSE__INIT;
    Google__Protobuf__Duration period;
    int64_t period_ns;
    int failed = dispatcher_heartbeat(dispatcher, served->identity.node_id, message->session_id, now_ns, &period_ns, err);

    if (failed < 0)
        return failed;
    message_set_duration(&period, period_ns);
    response.period = &period;
    grpc_call_reply(served->call, &response.base);
    return 0;
}

static int on_update_status(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                            struct error *err)
{
    Docker__Swarmkit__V1__UpdateTaskStatusResponse response = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_RESPONSE__INIT;
    int failed = dispatcher_update_status(dispatcher, served->identity.node_id, (const void *)request, now_ns, err);

    if (failed == 0)
        grpc_call_reply(served->call, &response.base);
    return failed;
}

typedef int serve_fn(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                     struct error *err);

static const struct served_method {
    enum method_id method;
    serve_fn *serve;
} methods[] = {
    {METHOD_Dispatcher_Session, on_session},
    {METHOD_Dispatcher_Assignments, on_assignments},
    {METHOD_Dispatcher_Heartbeat, on_heartbeat},
    {METHOD_Dispatcher_UpdateTaskStatus, on_update_status},
};
#define METHODS_COUNT (sizeof methods / sizeof methods[0])

static serve_fn *find_method(const struct method *method)
{
    for (size_t i = 0; i < METHODS_COUNT; i++)
        if (method == &method_list[methods[i].method])
            return methods[i].serve;
    return NULL;
}

static void on_message(struct grpc_call *call, ProtobufCMessage *request, void *ctx)
{
    struct served *served = ctx;
    const struct dispatcher_service_options *options = &served->service->options;
    struct dispatcher *dispatcher = options->dispatcher(options->ctx);
    serve_fn *serve = find_method(grpc_call_method(call));
    struct error err = {0};

    if (dispatcher == NULL)
        error_set(&err, ERR_ABORTED, "dispatcher is stopped");
    else
        serve(served, dispatcher, request, clock_monotonic_ns(&options->clock), &err);
    if (err.code != 0)
        grpc_call_finish_error(call, &err);
}

/* "10.0.0.7:53186" and "[fe80::1]:53186" to what is in front of the port; what has none, and "@", stays. */
static void strip_port(char *address)
{
    char *colon = strrchr(address, ':'), *bracket = strchr(address, ']');

    if (address[0] == '[' && bracket) {
        *bracket = 0;
        memmove(address, address + 1, strlen(address));
    } else if (colon && strchr(address, ':') == colon) {
        *colon = 0;
    }
}

static void on_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_message, .on_writable = on_writable, .on_done = on_done};
    struct dispatcher_service *service = ctx;
    struct dispatcher_identity identity = {.node_id = ""};

    if (!service->options.identify(service->options.ctx, call, &identity))
        return;
    struct served *served = mem_alloc(sizeof *served);
    *served = (struct served){.service = service, .call = call, .identity = identity};
    if (identity.address[0] == 0)
        grpc_call_peer_address(call, served->identity.address);
    strip_port(served->identity.address);
    service->calls_count++;
    grpc_call_accept(call, &handlers, served);
}

/* --- life --- */

struct dispatcher_service *dispatcher_service_new(const struct dispatcher_service_options *options)
{
    struct dispatcher_service *service = mem_alloc(sizeof *service);

    service->options = *options;
    return service;
}

void dispatcher_service_attach(struct dispatcher_service *service, struct grpc_server *server)
{
    for (size_t i = 0; i < METHODS_COUNT; i++)
        grpc_server_handle(server, &method_list[methods[i].method], on_call, service);
}

void dispatcher_service_free(struct dispatcher_service *service)
{
    if (service == NULL)
        return;
    assert(service->calls_count == 0);
    free(service);
}
