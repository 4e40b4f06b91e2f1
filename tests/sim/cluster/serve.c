/* tests/sim/cluster/serve.c – the managers' end of the agents' connections: what manager/dispatcher/service.c does with a call, and what
 * manager/gate.c does where another manager leads: it passes the call on to the leader that it knows. A call and what it has opened in the
 * dispatcher end together, whichever goes first. */
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "proto/message.h"
#include "tests/sim/cluster/cluster.h"

struct served {
    struct cluster *cluster;
    unsigned leader, agent; /* @leader: the manager whose dispatcher has it */
    uint64_t connection;
    enum wire_call kind;
    uint32_t call;
    struct dispatcher_session *session;
    struct dispatcher_assignments *stream;
    struct served *prev, *next;
};

/* --- streams --- */

static int send_message(void *ctx, const ProtobufCMessage *message, struct error *err)
{
    struct served *served = ctx;

    (void)err;
    if (!served->cluster->managers[served->leader].is_dying)
        wire_manager_message(served->cluster, served->agent, served->connection, served->kind, served->call, message);
    return 0;
}

static void drop(struct served *served)
{
    DL_DELETE(served->cluster->served, served);
    free(served);
}

static void end(void *ctx, const struct error *err)
{
    struct served *served = ctx;

    if (!served->cluster->managers[served->leader].is_dying)
        wire_manager_finish(served->cluster, served->agent, served->connection, served->kind, served->call, err);
    drop(served);
}

/* The agent went, or its connection. */
static void abandon(struct served *served)
{
    if (served->session)
        dispatcher_session_close(served->session);
    if (served->stream)
        dispatcher_assignments_close(served->stream);
    drop(served);
}

void serve_cancel(struct cluster *cluster, unsigned agent, uint64_t connection, int kind)
{
    struct served *served, *next;

    DL_FOREACH_SAFE (cluster->served, served, next)
        if (served->agent == agent && served->connection == connection && (kind < 0 || (int)served->kind == kind))
            abandon(served);
}

void serve_free(struct cluster *cluster)
{
    while (cluster->served) /* their managers have ended */
        drop(cluster->served);
}

/* --- calls --- */

static int serve_session(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                         struct error *err)
{
    const struct agent *agent = &served->cluster->agents[served->agent];
    char address[24];

    snprintf(address, sizeof address, "10.0.1.%u", agent->number + 1);
    return dispatcher_register(dispatcher, &(struct dispatcher_caller){agent->node_id, address}, (const void *)request,
                               &(struct dispatcher_sink){.send = send_message, .end = end, .ctx = served}, now_ns, &served->session, err);
}

static int serve_assignments(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                             struct error *err)
{
    const Docker__Swarmkit__V1__AssignmentsRequest *message = (const void *)request;

    return dispatcher_assignments_open(dispatcher, served->cluster->agents[served->agent].node_id, message->session_id,
                                       &(struct dispatcher_sink){.send = send_message, .end = end, .ctx = served}, now_ns, &served->stream,
                                       err);
}

static int serve_heartbeat(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                           struct error *err)
{
    const Docker__Swarmkit__V1__HeartbeatRequest *message = (const void *)request;
    Docker__Swarmkit__V1__HeartbeatResponse response = DOCKER__SWARMKIT__V1__HEARTBEAT_RESPONSE__INIT;
    Google__Protobuf__Duration period;
    int64_t period_ns;
    int failed =
        dispatcher_heartbeat(dispatcher, served->cluster->agents[served->agent].node_id, message->session_id, now_ns, &period_ns, err);

    if (failed < 0)
        return failed;
    message_set_duration(&period, period_ns);
    response.period = &period;
    return send_message(served, &response.base, err);
}

static int serve_report(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns,
                        struct error *err)
{
    Docker__Swarmkit__V1__UpdateTaskStatusResponse response = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_RESPONSE__INIT;
    int failed = dispatcher_update_status(dispatcher, served->cluster->agents[served->agent].node_id, (const void *)request, now_ns, err);

    return failed < 0 ? failed : send_message(served, &response.base, err);
}

static const struct served_method {
    const ProtobufCMessageDescriptor *request;
    int (*serve)(struct served *served, struct dispatcher *dispatcher, const ProtobufCMessage *request, uint64_t now_ns, struct error *err);
    bool is_stream;
} methods[] = {
    [WIRE_SESSION] = {&docker__swarmkit__v1__session_request__descriptor, serve_session, true},
    [WIRE_ASSIGNMENTS] = {&docker__swarmkit__v1__assignments_request__descriptor, serve_assignments, true},
    [WIRE_HEARTBEAT] = {&docker__swarmkit__v1__heartbeat_request__descriptor, serve_heartbeat, false},
    [WIRE_REPORT] = {&docker__swarmkit__v1__update_task_status_request__descriptor, serve_report, false},
};

static struct dispatcher *find_dispatcher(struct cluster *cluster, unsigned manager, unsigned *leader, struct error *err)
{
    *leader = manager;
    if (!manager_leads(&cluster->managers[manager])) {
        *leader = manager_leader_known(&cluster->managers[manager]);
        bool can_ask = *leader != 0 && *leader != manager && cluster->managers[*leader].is_up && !cluster->sim->is_cut[manager][*leader] &&
                       !cluster->sim->is_cut[*leader][manager];
        if (!can_ask) {
            error_set(err, ERR_UNAVAILABLE, "The swarm does not have a leader.");
            return NULL;
        }
    }
    struct dispatcher *dispatcher = manager_dispatcher(&cluster->managers[*leader]);
    if (!dispatcher)
        error_set(err, ERR_ABORTED, "dispatcher is stopped");
    return dispatcher;
}

void serve_call(struct cluster *cluster, unsigned manager, unsigned agent, uint64_t connection, enum wire_call kind, uint32_t call,
                struct bytes request)
{
    struct error err = {0};
    unsigned leader;
    ProtobufCMessage *message = NULL;

    if (kind == WIRE_SUBSCRIPTIONS) /* nobody asks for logs here */
        return;
    struct dispatcher *dispatcher = find_dispatcher(cluster, manager, &leader, &err);
    struct served *served = mem_alloc(sizeof *served);
    *served = (struct served){
        .cluster = cluster, .leader = leader ? leader : manager, .agent = agent, .connection = connection, .kind = kind, .call = call};
    DL_APPEND(cluster->served, served);
    if (dispatcher && message_unpack(methods[kind].request, request, DISPATCHER_MESSAGE_SIZE_BYTES, &message, &err) == 0)
        methods[kind].serve(served, dispatcher, message, cluster_now_ns(cluster), &err);
    message_free(message);
    if (err.code != 0 || !methods[kind].is_stream)
        end(served, &err);
}
