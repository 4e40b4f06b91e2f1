/* tests/sim/cluster/wire.c – agent/session_wire.h in virtual time: one connection of each agent to a manager.
 *
 * What goes one way arrives in order or not at all: once something is lost the connection is silent both ways until both ends have noticed
 * (gRPC's keepalive), as TCP's is. A call may have taken effect although its answer was lost. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/message.h"
#include "tests/sim/cluster/cluster.h"

enum { CALLS_COUNT = WIRE_PUBLISH + 1 };

/* How long either end of a silent connection takes it for alive. */
#define SILENCE_US ((uint64_t)(GRPC_KEEPALIVE_ANSWER_MS + GRPC_KEEPALIVE_MARGIN_MS) * 1000)

struct session_wire {
    struct agent *agent;
    struct session_wire_listener listener;
    uint64_t connection; /* 0: none */
    unsigned manager;
    uint32_t dial_tag;
    bool is_ready, is_silent;
    uint32_t calls[CALLS_COUNT]; /* numbers that no other has: reports share a tag; 0: none */
    uint32_t tags[CALLS_COUNT], calls_begun;
    uint64_t last_us[2]; /* when the last message to the manager, and to the agent, arrives */
};

/* Something on its way. */
struct wire_message {
    unsigned agent, manager;
    uint64_t connection, life;
    enum wire_call kind;
    uint32_t call;
    const ProtobufCMessageDescriptor *descriptor;
    int grpc_status;
    size_t size;
    uint8_t bytes[];
};

static struct wire_message *new_message(const struct session_wire *wire, enum wire_call kind, uint32_t call, struct bytes bytes)
{
    struct wire_message *message = mem_alloc(sizeof *message + bytes.size + 1);

    *message = (struct wire_message){.agent = wire->agent->number,
                                     .manager = wire->manager,
                                     .connection = wire->connection,
                                     .life = wire->agent->life,
                                     .kind = kind,
                                     .call = call,
                                     .size = bytes.size};
    if (bytes.size > 0)
        memcpy(message->bytes, bytes.data, bytes.size);
    return message;
}

/* NULL: that connection is over, here at least. */
static struct session_wire *wire_of(const struct cluster *cluster, const struct wire_message *message)
{
    const struct agent *agent = &cluster->agents[message->agent];
    struct session_wire *wire = agent->life == message->life ? agent->wire : NULL;

    return wire && wire->connection == message->connection ? wire : NULL;
}

/* --- the way --- */

bool wire_is_cut(const struct cluster *cluster, unsigned agent, unsigned manager)
{
    return cluster->is_cut[agent][manager];
}

uint64_t wire_delay_us(struct cluster *cluster)
{
    bool is_late = !cluster->sim->is_calm && cluster_chance(cluster, cluster->plan.wire_late_percent);
    return 100 + cluster_below(cluster, cluster->plan.wire_delay_us * (uint64_t)(is_late ? 50 : 1));
}

static void give_up(struct sim *sim, struct sim_event *event);
static void manager_gives_up(struct sim *sim, struct sim_event *event);

static void fall_silent(struct session_wire *wire)
{
    struct cluster *cluster = wire->agent->cluster;

    if (wire->is_silent)
        return;
    wire->is_silent = true;
    cluster_say(cluster, wire->agent->hostname, "connection %" PRIu64 " is silent", wire->connection);
    cluster_push(cluster, (struct sim_event){.fn = give_up, .ctx = new_message(wire, WIRE_SESSION, 0, bytes_of(NULL, 0))},
                 cluster_below(cluster, SILENCE_US));
    cluster_push(cluster, (struct sim_event){.fn = manager_gives_up, .ctx = new_message(wire, WIRE_SESSION, 0, bytes_of(NULL, 0))},
                 cluster_below(cluster, SILENCE_US));
}

static bool is_lost(struct session_wire *wire)
{
    struct cluster *cluster = wire->agent->cluster;

    if (!wire->is_silent && !wire_is_cut(cluster, wire->agent->number, wire->manager) &&
        (cluster->sim->is_calm || !cluster_chance(cluster, cluster->plan.loss_percent)))
        return false;
    fall_silent(wire);
    return true;
}

/* @message is taken. */
static void transmit(struct session_wire *wire, bool is_to_agent, struct wire_message *message, sim_event_fn *fn)
{
    struct cluster *cluster = wire->agent->cluster;
    uint64_t *last_us = &wire->last_us[is_to_agent], at_us = cluster->sim->now_us + wire_delay_us(cluster);

    if (is_lost(wire)) {
        free(message);
        return;
    }
    at_us = at_us > *last_us ? at_us : *last_us + 1;
    *last_us = at_us;
    cluster_push(cluster, (struct sim_event){.fn = fn, .node = is_to_agent ? 0 : wire->manager, .ctx = message},
                 at_us - cluster->sim->now_us);
}

/* --- at the agent --- */

static void fail(struct session_wire *wire, const char *why)
{
    uint32_t tag = wire->dial_tag;

    wire->listener.on_failed(wire->listener.ctx, tag, why);
}

static void give_up(struct sim *sim, struct sim_event *event)
{
    struct session_wire *wire = wire_of(cluster_of(sim), event->ctx);

    if (!wire)
        return;
    struct agent *agent = wire->agent;
    fail(wire, "the connection broke");
    agent_pump(agent);
}

static void arrive(struct sim *sim, struct sim_event *event)
{
    const struct wire_message *message = event->ctx;
    struct session_wire *wire = wire_of(cluster_of(sim), message);
    ProtobufCMessage *unpacked = NULL;
    struct error err = {0};

    if (!wire || wire->calls[message->kind] != message->call)
        return;
    if (message_unpack(message->descriptor, bytes_of(message->bytes, message->size), DISPATCHER_MESSAGE_SIZE_BYTES, &unpacked, &err) < 0) {
        sim_violated(sim, "an agent can read what managers send", "%s", err.message);
        return;
    }
    struct agent *agent = wire->agent;
    wire->listener.on_message(wire->listener.ctx, message->kind, wire->tags[message->kind], unpacked);
    message_free(unpacked);
    agent_pump(agent);
}

static void finish(struct session_wire *wire, enum wire_call kind, uint32_t call, int grpc_status, const char *text)
{
    struct agent *agent = wire->agent;

    if (wire->calls[kind] != call || call == 0)
        return;
    wire->calls[kind] = 0;
    cluster_say(agent->cluster, agent->hostname, "call %d ends: %d %s", (int)kind, grpc_status, text);
    wire->listener.on_ended(wire->listener.ctx, kind, wire->tags[kind], grpc_status, text);
    agent_pump(agent);
}

static void arrive_end(struct sim *sim, struct sim_event *event)
{
    const struct wire_message *message = event->ctx;
    struct session_wire *wire = wire_of(cluster_of(sim), message);

    if (wire)
        finish(wire, message->kind, message->call, message->grpc_status, (const char *)message->bytes);
}

static void come_due(struct sim *sim, struct sim_event *event)
{
    const struct wire_message *message = event->ctx;
    struct session_wire *wire = wire_of(cluster_of(sim), message);

    if (wire)
        finish(wire, message->kind, message->call, 4, "context deadline exceeded");
}

/* --- from the manager --- */

static struct session_wire *find(const struct cluster *cluster, unsigned agent, uint64_t connection)
{
    struct session_wire *wire = cluster->agents[agent].wire;
    return wire && wire->connection == connection ? wire : NULL;
}

void wire_manager_message(struct cluster *cluster, unsigned agent, uint64_t connection, enum wire_call kind, uint32_t call,
                          const ProtobufCMessage *message)
{
    struct session_wire *wire = find(cluster, agent, connection);
    cleanup_buf struct buf packed = {0};

    if (!wire)
        return;
    message_pack(message, &packed);
    struct wire_message *taken = new_message(wire, kind, call, buf_bytes(&packed));
    taken->descriptor = message->descriptor;
    transmit(wire, true, taken, arrive);
}

void wire_manager_finish(struct cluster *cluster, unsigned agent, uint64_t connection, enum wire_call kind, uint32_t call,
                         const struct error *err)
{
    struct session_wire *wire = find(cluster, agent, connection);

    if (!wire)
        return;
    struct wire_message *taken = new_message(wire, kind, call, err->code ? bytes_of_string(err->message) : bytes_of("", 0));
    taken->grpc_status = err->code ? error_grpc_status(err->code) : 0;
    transmit(wire, true, taken, arrive_end);
}

/* The other end is gone, and its host says so. */
void wire_manager_ended(struct cluster *cluster, unsigned manager)
{
    for (unsigned i = 0; i < cluster->plan.agents_count; i++) {
        struct session_wire *wire = cluster->agents[i].wire;
        if (wire && wire->connection != 0 && wire->manager == manager)
            transmit(wire, true, new_message(wire, WIRE_SESSION, 0, bytes_of(NULL, 0)), give_up);
    }
}

/* --- at the manager --- */

static void arrive_call(struct sim *sim, struct sim_event *event)
{
    const struct wire_message *message = event->ctx;
    struct cluster *cluster = cluster_of(sim);

    if (cluster->managers[message->manager].is_up && wire_of(cluster, message))
        serve_call(cluster, message->manager, message->agent, message->connection, message->kind, message->call,
                   bytes_of(message->bytes, message->size));
}

static void arrive_cancel(struct sim *sim, struct sim_event *event)
{
    const struct wire_message *message = event->ctx;
    serve_cancel(cluster_of(sim), message->agent, message->connection, (int)message->kind);
}

static void manager_gives_up(struct sim *sim, struct sim_event *event)
{
    const struct wire_message *message = event->ctx;
    serve_cancel(cluster_of(sim), message->agent, message->connection, -1);
}

/* --- agent/session_wire.h --- */

struct session_wire *session_wire_new(const struct session_wire_options *options)
{
    struct session_wire *wire = mem_alloc(sizeof *wire);

    wire->agent = agent_of_loop(options->loop);
    wire->listener = options->listener;
    wire->agent->wire = wire;
    return wire;
}

void session_wire_close(struct session_wire *wire)
{
    struct cluster *cluster = wire->agent->cluster;

    if (wire->connection == 0)
        return;
    bool is_heard = !wire->is_silent && !wire_is_cut(cluster, wire->agent->number, wire->manager);
    cluster_push(cluster, (struct sim_event){.fn = manager_gives_up, .ctx = new_message(wire, WIRE_SESSION, 0, bytes_of(NULL, 0))},
                 is_heard ? wire_delay_us(cluster) : cluster_below(cluster, SILENCE_US));
    wire->connection = 0;
    wire->is_ready = wire->is_silent = false;
    memset(wire->calls, 0, sizeof wire->calls);
}

void session_wire_free(struct session_wire *wire)
{
    session_wire_close(wire);
    wire->agent->wire = NULL;
    free(wire);
}

static void connected(struct sim *sim, struct sim_event *event)
{
    struct cluster *cluster = cluster_of(sim);
    struct session_wire *wire = wire_of(cluster, event->ctx);

    if (!wire)
        return;
    struct agent *agent = wire->agent;
    if (!cluster->managers[wire->manager].is_up) {
        fail(wire, "connection refused");
    } else if (!wire_is_cut(cluster, agent->number, wire->manager)) { /* else its deadline comes */
        wire->is_ready = true;
        wire->listener.on_ready(wire->listener.ctx, wire->dial_tag);
    }
    agent_pump(agent);
}

int session_wire_dial(struct session_wire *wire, const char *addr, uint32_t tag, struct error *err)
{
    struct cluster *cluster = wire->agent->cluster;
    unsigned manager = 0;

    session_wire_close(wire);
    if (sscanf(addr, "m%u:", &manager) != 1 || manager == 0 || manager > cluster->plan.managers_count) // NOLINT(cert-err34-c)
        return error_set(err, ERR_INVALID, "no manager is at %s", addr);
    wire->connection = ++cluster->connections;
    wire->manager = manager;
    wire->dial_tag = tag;
    wire->last_us[0] = wire->last_us[1] = 0;
    cluster_push(cluster, (struct sim_event){.fn = connected, .ctx = new_message(wire, WIRE_SESSION, 0, bytes_of(NULL, 0))},
                 2 * wire_delay_us(cluster));
    return 0;
}

void session_wire_call_packed(struct session_wire *wire, enum wire_call kind, uint32_t tag, struct bytes request)
{
    static const uint32_t deadlines_ms[] = {
#define X(name, service, method, deadline_ms) deadline_ms,
        WIRE_CALLS(X)
#undef X
    };

    if (wire->connection == 0 || !wire->is_ready)
        return;
    uint32_t call = ++wire->calls_begun;
    wire->calls[kind] = call;
    wire->tags[kind] = tag;
    if (deadlines_ms[kind] > 0)
        cluster_push(wire->agent->cluster, (struct sim_event){.fn = come_due, .ctx = new_message(wire, kind, call, bytes_of(NULL, 0))},
                     deadlines_ms[kind] * UINT64_C(1000));
    transmit(wire, false, new_message(wire, kind, call, request), arrive_call);
}

void session_wire_call(struct session_wire *wire, enum wire_call kind, uint32_t tag, const ProtobufCMessage *request)
{
    cleanup_buf struct buf packed = {0};

    message_pack(request, &packed);
    session_wire_call_packed(wire, kind, tag, buf_bytes(&packed));
}

void session_wire_cancel(struct session_wire *wire, enum wire_call kind)
{
    if (wire->calls[kind] == 0)
        return;
    wire->calls[kind] = 0;
    transmit(wire, false, new_message(wire, kind, 0, bytes_of(NULL, 0)), arrive_cancel);
}

struct grpc_channel *session_wire_channel(const struct session_wire *wire)
{
    (void)wire;
    return NULL;
}

static int open_log(void *self, void *publication, void **stream, struct error *err)
{
    (void)self, (void)publication, (void)stream;
    return error_set(err, ERR_UNSUPPORTED, "nobody asks for logs here");
}

struct log_sink session_wire_log_sink(struct session_wire *wire)
{
    return (struct log_sink){.open = open_log, .self = wire};
}
