/* manager/serve.c – Control and RaftMembership: the calls of peers, answered here or by the leader; and the host's own calls of Control. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/ca/unlock.h"
#include "manager/inside.h"
#include "proto/message.h"
#include "proto/swarmkit/raft.pb-c.h"

/* --- Control, for whoever asks --- */

static struct manager_call *begin(struct manager *manager, enum method_id method, control_done_fn *done, void *ctx)
{
    struct manager_call *call = mem_alloc(sizeof *call);

    *call = (struct manager_call){.manager = manager, .method = method, .done = done, .ctx = ctx};
    call->asked_ns = clock_monotonic_ns(&manager->options.clock);
    DL_APPEND(manager->calls, call);
    return call;
}

static void end(struct manager_call *call, const struct control_answer *answer)
{
    DL_DELETE(call->manager->calls, call);
    if (call->done)
        call->done(call->ctx, answer);
    message_free(call->question);
    free(call);
}

static void refuse(struct manager_call *call, const struct error *err)
{
    end(call, &(struct control_answer){.err = err, .grpc_status = error_grpc_status(err->code)});
}

static void answered_here(void *ctx, const struct control_answer *answer)
{
    end(ctx, answer);
}

/* The one who was asked leads no more. What may have been done is not asked for twice. */
static void leader_went(struct manager_call *call)
{
    struct error err;

    if (call->question && !call->manager->is_closing) {
        call->is_waiting = true;
        return;
    }
    error_set(&err, ERR_UNAVAILABLE, "another manager leads since this was asked: whether it was done is not known; ask again");
    refuse(call, &err);
}

static void answered_by_leader(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    const struct manager_call *call = ctx;

    if (status->code == GRPC_OK && reply)
        end(ctx, &(struct control_answer){.response = reply});
    else if (!status->is_from_peer && (status->code == GRPC_CANCELED || (status->code == GRPC_UNAVAILABLE && call->question)))
        leader_went(ctx);
    else
        end(ctx, &(struct control_answer){.err = &status->error, .grpc_status = status->code});
}

static bool is_of_control(enum method_id method)
{
    return method >= METHOD_Control_GetNode && method <= METHOD_Control_RemoveVolume;
}

static void tell_unlock_key(struct manager_call *call)
{
    const struct manager *manager = call->manager;
    const Docker__Swarmkit__V1__Cluster *cluster = store_cluster(replica_store(manager->replica), manager->options.cluster_id);
    Docker__Swarmkit__V1__GetUnlockKeyResponse response;
    struct error err;

    if (cluster == NULL) {
        error_set(&err, ERR_UNAVAILABLE, "there is no cluster yet: ask again in a moment");
        refuse(call, &err);
        return;
    }
    ca_unlock_reply(cluster, &response);
    end(call, &(struct control_answer){.response = &response.base});
}

static void do_here(struct manager_call *call, const ProtobufCMessage *request)
{
    if (call->method == METHOD_CA_GetUnlockKey)
        tell_unlock_key(call);
    else
        control_call(call->manager->control, call->method, request, answered_here, call);
}

static bool changes_nothing(enum method_id method)
{
    const char *name = strrchr(method_list[method].path, '/') + 1;
    return text_starts(name, "Get") || text_starts(name, "List");
}

/* ERR_UNAVAILABLE: there is nobody to ask. */
static int ask(struct manager_call *call, const ProtobufCMessage *request, struct error *err)
{
    struct manager *manager = call->manager;
    struct grpc_channel *leader;

    if (manager_is_leading(manager)) {
        do_here(call, request);
        return 0;
    }
    if (gate_leader(manager, &leader, err) < 0)
        return err->code;
    if (call->question == NULL && changes_nothing(call->method))
        call->question = message_copy(request);
    grpc_unary(leader, &method_list[call->method], request, &(struct grpc_call_options){.deadline_ms = MANAGER_CONTROL_MS},
               answered_by_leader, call);
    return 0;
}

void manager_call(struct manager *manager, enum method_id method, const ProtobufCMessage *request, control_done_fn *done, void *ctx)
{
    struct manager_call *call = begin(manager, method, done, ctx);
    struct error err = {0};

    if (!is_of_control(method) && method != METHOD_CA_GetUnlockKey)
        error_set(&err, ERR_INTERNAL, "%s is no call of Control", method_list[method].path);
    else if (ask(call, request, &err) == 0)
        return;
    refuse(call, &err);
}

void serve_look(struct manager *manager)
{
    uint64_t now_ns = clock_monotonic_ns(&manager->options.clock);
    struct manager_call *call, *next;
    struct error err;

    DL_FOREACH_SAFE (manager->calls, call, next) {
        if (!call->is_waiting)
            continue;
        call->is_waiting = false;
        if (ask(call, call->question, &err) == 0)
            continue;
        call->is_waiting = now_ns - call->asked_ns < MANAGER_CONTROL_MS * NS_PER_MS;
        if (!call->is_waiting)
            refuse(call, &err);
    }
}

void serve_end(struct manager *manager)
{
    struct manager_call *call, *next;
    struct error err;

    error_set(&err, ERR_UNAVAILABLE, "this manager stops");
    DL_FOREACH_SAFE (manager->calls, call, next)
        if (call->is_waiting)
            refuse(call, &err);
}

void manager_abandon(struct manager *manager, void *ctx)
{
    struct manager_call *call;

    DL_FOREACH (manager->calls, call)
        if (call->ctx == ctx)
            call->done = NULL;
}

/* --- Control, for peers --- */

static void reply_of_control(void *ctx, const struct control_answer *answer)
{
    struct grpc_call *call = ctx;

    if (answer->response)
        grpc_call_reply(call, answer->response);
    else
        grpc_call_finish(call, answer->grpc_status, answer->err->message);
}

static void on_control_message(struct grpc_call *call, ProtobufCMessage *request, void *ctx)
{
    manager_call(ctx, (enum method_id)(grpc_call_method(call) - method_list), request, reply_of_control, call);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)status;
    manager_abandon(ctx, call);
}

static void serve_control(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_control_message, .on_done = on_done};
    struct gate gate;

    if (gate_enter(ctx, call, &gate))
        grpc_call_accept(call, &handlers, ctx);
}

/* --- RaftMembership --- */

/* Both ends of it may go first. */
struct member_call {
    struct manager *manager;
    struct grpc_call *call; /* NULL: gone */
    char node_id[DISPATCHER_NODE_ID_SIZE_CHARS], address[GRPC_ADDRESS_SIZE_CHARS];
    bool is_asked; /* an answer is to come */
};

static void free_if_over(struct member_call *served)
{
    if (served->call == NULL && !served->is_asked)
        free(served);
}

static void joined(void *ctx, const Docker__Swarmkit__V1__JoinResponse *response, const struct error *err)
{
    struct member_call *served = ctx;

    served->is_asked = false;
    if (served->call && err)
        grpc_call_finish_error(served->call, err);
    else if (served->call)
        grpc_call_reply(served->call, &response->base);
    free_if_over(served);
}

static void left(void *ctx, uint64_t index, const struct error *err)
{
    Docker__Swarmkit__V1__LeaveResponse response = DOCKER__SWARMKIT__V1__LEAVE_RESPONSE__INIT;
    struct member_call *served = ctx;

    (void)index;
    served->is_asked = false;
    if (served->call && err)
        grpc_call_finish_error(served->call, err);
    else if (served->call)
        grpc_call_reply(served->call, &response.base);
    free_if_over(served);
}

/* One that is to be a worker may still have a manager's certificate: it was killed before the other came. */
static bool is_to_be_worker(const struct manager *manager, const char *node_id)
{
    const Docker__Swarmkit__V1__Node *node = store_node(replica_store(manager->replica), node_id);
    return node && node->spec && node->spec->desired_role != DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
}

/* Docker's managers tick ten times as slowly and know no pre-vote: with them in it the group would elect without end. */
static void on_join(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    const Docker__Swarmkit__V1__JoinRequest *request = (const void *)message;
    struct member_call *served = ctx;

    if (!request->skep) {
        log_warn(ROOM, "node %s at %s asks to be a manager and is none of Skep's: refused", served->node_id, served->address);
        grpc_call_finish(call, GRPC_FAILED_PRECONDITION,
                         "the managers of this swarm are Skep's, and Docker's cannot join their quorum yet: join it as a worker");
        return;
    }
    if (is_to_be_worker(served->manager, served->node_id)) {
        grpc_call_finish(call, GRPC_FAILED_PRECONDITION,
                         "raft: this node is to be a worker (`docker node demote`): it is not let in among the managers");
        return;
    }
    served->is_asked = true;
    membership_join(served->manager->membership, served->node_id, request->addr, served->address, joined, served);
}

static void on_leave(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    const Docker__Swarmkit__V1__LeaveRequest *request = (const void *)message;
    struct member_call *served = ctx;
    struct error err = {0};

    served->is_asked = true;
    if (request->node == NULL)
        error_set(&err, ERR_INVALID, "no node information provided");
    else if (membership_leave(served->manager->membership, request->node->raft_id, left, served, &err) == 0)
        return;
    served->is_asked = false;
    grpc_call_finish_error(call, &err);
}

static void on_member_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    if (!manager_is_leading(((struct member_call *)ctx)->manager))
        grpc_call_finish(call, GRPC_FAILED_PRECONDITION, "raft: failed to process the request: node lost leader status");
    else if (grpc_call_method(call) == METHOD(RaftMembership, Join))
        on_join(call, message, ctx);
    else
        on_leave(call, message, ctx);
}

static void on_member_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct member_call *served = ctx;

    (void)call;
    (void)status;
    served->call = NULL;
    free_if_over(served);
}

static void serve_membership(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_member_message, .on_done = on_member_done};
    struct gate gate;

    if (!gate_enter(ctx, call, &gate))
        return;
    struct member_call *served = mem_alloc(sizeof *served);
    served->manager = ctx;
    served->call = call;
    snprintf(served->node_id, sizeof served->node_id, "%s", gate.caller.node_id);
    snprintf(served->address, sizeof served->address, "%s", gate.caller.address);
    grpc_call_accept(call, &handlers, served);
}

/* --- Raft, before this manager is a member: who lets it in may be quicker than the answer that says so --- */

static void not_yet(struct grpc_call *call, void *ctx)
{
    if (gate_may_call(ctx, call))
        grpc_call_finish(call, GRPC_UNAVAILABLE, "raft: this manager is not a member yet");
}

/* --- what the dispatcher's service asks --- */

static bool identify(void *ctx, struct grpc_call *call, struct dispatcher_identity *out)
{
    struct gate gate;

    if (!gate_enter(ctx, call, &gate))
        return false;
    snprintf(out->node_id, sizeof out->node_id, "%s", gate.caller.node_id);
    snprintf(out->address, sizeof out->address, "%s", gate.caller.address);
    return true;
}

static bool identify_for_ca(void *ctx, struct grpc_call *call, struct ca_service_identity *out)
{
    struct gate gate;

    if (!gate_enter(ctx, call, &gate))
        return false;
    snprintf(out->node_id, sizeof out->node_id, "%s", gate.caller.node_id);
    snprintf(out->cluster_id, sizeof out->cluster_id, "%s", gate.caller.cluster_id);
    return true;
}

static bool identify_for_logs(void *ctx, struct grpc_call *call, char node_id[LOG_NODE_ID_SIZE_CHARS])
{
    struct gate gate;

    if (!gate_enter(ctx, call, &gate))
        return false;
    snprintf(node_id, LOG_NODE_ID_SIZE_CHARS, "%s", gate.caller.node_id);
    return true;
}

static struct store *store_of_leader(void *ctx)
{
    return manager_is_leading(ctx) ? manager_store(ctx) : NULL;
}

void serve_before(struct manager *manager, struct grpc_server *server)
{
    static const enum method_id raft[] = {METHOD_Raft_ProcessRaftMessage, METHOD_Raft_StreamRaftMessage, METHOD_Raft_ResolveAddress};

    for (int method = METHOD_Control_GetNode; method <= METHOD_Control_RemoveVolume; method++)
        grpc_server_handle(server, &method_list[method], serve_control, manager);
    grpc_server_handle(server, METHOD(RaftMembership, Join), serve_membership, manager);
    grpc_server_handle(server, METHOD(RaftMembership, Leave), serve_membership, manager);
    for (size_t i = 0; i < sizeof raft / sizeof raft[0]; i++)
        grpc_server_handle(server, &method_list[raft[i]], not_yet, manager);
    grpc_server_handle(server, &raft_stream_method, not_yet, manager);
    manager->log_service =
        log_service_new(&(struct log_service_options){.broker = parts_log_broker, .identify = identify_for_logs, .ctx = manager});
    log_service_attach(manager->log_service, server);
    manager->health = (struct membership_health){.is_serving = &manager->is_serving, .may_call = gate_may_call, .ctx = manager};
    membership_serve_health(server, &manager->health);
    manager->dispatcher_service = dispatcher_service_new(&(struct dispatcher_service_options){
        .clock = manager->options.clock, .dispatcher = parts_dispatcher, .identify = identify, .ctx = manager});
    dispatcher_service_attach(manager->dispatcher_service, server);
    manager->ca_service = ca_service_new(&(struct ca_service_options){
        .random = manager->options.random, .store = store_of_leader, .identify = identify_for_ca, .ctx = manager});
    ca_service_attach(manager->ca_service, server);
    attach_serve(manager, server);
}
