/* manager/dispatcher/nodes.c – which nodes live: phases, session ids, heartbeats and what happens when they stay away. */
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "manager/dispatcher/inside.h"
#include "proto/message.h"

#define ROOM "dispatcher"

static const struct state_info phases[] = {
#define X(name, shown, next, deadline) {#name, shown, next, deadline},
    DISPATCHER_PHASES(X)
#undef X
};
const struct state_table dispatcher_phases = {"node", phases, sizeof phases / sizeof phases[0]};

/* --- life --- */

static void on_timer(void *ctx, uint64_t now_ns);

struct dispatcher_node *dispatcher_node_find(const struct dispatcher *dispatcher, const char *id)
{
    struct dispatcher_node *node;

    HASH_FIND_STR(dispatcher->nodes, id, node);
    return node;
}

struct dispatcher_node *dispatcher_node_obtain(struct dispatcher *dispatcher, const char *id)
{
    struct dispatcher_node *node = dispatcher_node_find(dispatcher, id);
    size_t length = strlen(id);

    if (node)
        return node;
    node = mem_alloc(sizeof *node + length + 1);
    memcpy(node->id, id, length);
    node->dispatcher = dispatcher;
    node->timer = (struct dispatcher_timer){.fire = on_timer, .ctx = node};
    state_init(&node->machine, &dispatcher_phases, DISPATCHER_IDLE, dispatcher->now_ns);
    HASH_ADD_KEYPTR(hh, dispatcher->nodes, node->id, length, node);
    return node;
}

static size_t *count_of(struct dispatcher *dispatcher, unsigned phase)
{
    struct dispatcher_stats *stats = &dispatcher->stats;

    return phase == DISPATCHER_LIVE      ? &stats->nodes_in_session
           : phase == DISPATCHER_AWAITED ? &stats->nodes_awaited
           : phase == DISPATCHER_DOWN    ? &stats->nodes_down
                                         : NULL;
}

static void count(struct dispatcher_node *node, bool is_more)
{
    size_t *number = count_of(node->dispatcher, node->machine.state);

    if (number)
        *number = is_more ? *number + 1 : *number - 1;
}

static void move(struct dispatcher_node *node, enum dispatcher_phase phase, uint64_t now_ns)
{
    struct error err;

    count(node, false);
    if (state_move(&node->machine, phase, now_ns, &err) < 0)
        log_error(ROOM, "node %s: %s", node->id, err.message);
    count(node, true);
}

void dispatcher_node_free(struct dispatcher_node *node)
{
    struct dispatcher *dispatcher = node->dispatcher;

    assert(node->sessions == NULL && node->streams == NULL);
    count(node, false);
    dispatcher_node_set_twin(node, false);
    dispatcher_timer_stop(&dispatcher->timers, &node->timer);
    HASH_DEL(dispatcher->nodes, node);
    free(node);
}

void dispatcher_node_forget_if_idle(struct dispatcher_node *node)
{
    if (node->machine.state == DISPATCHER_IDLE && !node->sessions && !node->streams && !node->is_twin)
        dispatcher_node_free(node);
}

void dispatcher_node_set_twin(struct dispatcher_node *node, bool is_twin)
{
    if (node->is_twin == is_twin)
        return;
    node->is_twin = is_twin;
    node->dispatcher->stats.twins = is_twin ? node->dispatcher->stats.twins + 1 : node->dispatcher->stats.twins - 1;
}

/* --- time --- */

/* As configured, or longer: all nodes together send no more than the limit. */
uint64_t dispatcher_period_ns(const struct dispatcher *dispatcher)
{
    size_t nodes = dispatcher->stats.nodes_in_session + dispatcher->stats.nodes_awaited;
    uint64_t fair_ns = nodes * NS_PER_S / dispatcher->options.heartbeats_per_s;

    return fair_ns > dispatcher->period_ns ? fair_ns : dispatcher->period_ns;
}

uint64_t dispatcher_choose_period_ns(const struct dispatcher *dispatcher)
{
    uint64_t period_ns = dispatcher_period_ns(dispatcher), jitter_ns = DISPATCHER_HEARTBEAT_JITTER_MS * NS_PER_MS;

    if (jitter_ns > period_ns / 10)
        jitter_ns = period_ns / 10;
    return period_ns - jitter_ns + random_below(&dispatcher->host.random, 2 * jitter_ns);
}

static void await(struct dispatcher_node *node, uint64_t period_ns, uint64_t now_ns)
{
    unsigned periods = node->machine.state == DISPATCHER_AWAITED ? DISPATCHER_UNKNOWN_COUNT : DISPATCHER_MISSED_COUNT;

    dispatcher_timer_set(&node->dispatcher->timers, &node->timer, now_ns + periods * period_ns);
}

static void end_streams(struct dispatcher_node *node, int code, const char *text)
{
    struct dispatcher_assignments *stream;

    DL_FOREACH (node->streams, stream)
        dispatcher_assignments_end(stream, code, text);
}

static void end_sessions(struct dispatcher_node *node, int code, const char *text, bool says_more)
{
    struct dispatcher_session *session;

    DL_FOREACH (node->sessions, session)
        dispatcher_session_end(session, code, text, says_more);
}

static void set_down(struct dispatcher_node *node, uint64_t now_ns)
{
    move(node, DISPATCHER_DOWN, now_ns);
    node->down_ns = now_ns;
    node->session_id[0] = 0;
    node->is_counted = false;
    dispatcher_timer_set(&node->dispatcher->timers, &node->timer, now_ns + DISPATCHER_DOWN_MS * NS_PER_MS);
}

/* Its heartbeats stay away. Its session hears of it once that is in the store. */
static void lose(struct dispatcher_node *node, uint64_t now_ns)
{
    bool was_awaited = node->machine.state == DISPATCHER_AWAITED;
    const char *message = was_awaited ? "heartbeat failure for node in \"unknown\" state" : "heartbeat failure";

    node->dispatcher->stats.nodes_lost++;
    log_with(LOG_WARN, ROOM, LOG_FIELDS({"node", node->id}), "the node is taken to be down: %s", message);
    set_down(node, now_ns);
    end_streams(node, ERR_NOT_FOUND, "node not registered");
    dispatcher_write_node(node->dispatcher, node->id,
                          &(struct dispatcher_node_news){.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN, .message = message},
                          now_ns);
}

void dispatcher_node_written_down(struct dispatcher_node *node)
{
    struct dispatcher_session *session;

    if (node->machine.state != DISPATCHER_DOWN)
        return;
    DL_FOREACH (node->sessions, session)
        if (session->stage == DISPATCHER_SESSION_OPEN) /* one that is registering again is not meant */
            dispatcher_session_end(session, ERR_NOT_FOUND, "node not registered", true);
}

static void on_timer(void *ctx, uint64_t now_ns)
{
    struct dispatcher_node *node = ctx;
    struct dispatcher *dispatcher = node->dispatcher;
    uint64_t late_ns = now_ns - node->timer.deadline_ns;

    if (node->machine.state == DISPATCHER_DOWN) {
        dispatcher_orphan_tasks(dispatcher, node->id, now_ns);
        move(node, DISPATCHER_IDLE, now_ns);
        dispatcher_node_forget_if_idle(node);
        return;
    }
    if (node->registering_count > 0) { /* it speaks; what waits is our store */
        await(node, dispatcher_choose_period_ns(dispatcher), now_ns);
        return;
    }
    if (late_ns > DISPATCHER_LATE_MS * NS_PER_MS && node->late_count < DISPATCHER_LATE_COUNT) {
        node->late_count++;
        dispatcher->stats.late++;
        dispatcher_timer_set(&dispatcher->timers, &node->timer, now_ns + dispatcher_choose_period_ns(dispatcher));
        return;
    }
    lose(node, now_ns);
}

/* --- what nodes do --- */

int dispatcher_node_check_session(const struct dispatcher *dispatcher, const char *node_id, const char *session_id,
                                  struct dispatcher_node **out, struct error *err)
{
    struct dispatcher_node *node = dispatcher_node_find(dispatcher, node_id);

    if (node == NULL || (node->machine.state != DISPATCHER_LIVE && node->machine.state != DISPATCHER_AWAITED))
        return error_set(err, ERR_NOT_FOUND, "node not registered");
    if (!CLUSTER_MUTANT(ANY_SESSION) && (session_id[0] == 0 || strcmp(session_id, node->session_id) != 0))
        return error_set(err, ERR_INVALID, "session invalid");
    *out = node;
    return 0;
}

int dispatcher_node_check_rate(struct dispatcher_node *node, uint64_t now_ns, struct error *err)
{
    if (!node->is_counted) {
        node->is_counted = true;
        node->attempts = 0;
        node->registered_ns = now_ns;
        return 0;
    }
    if (now_ns - node->registered_ns > DISPATCHER_REGISTRATIONS_MS * NS_PER_MS)
        node->attempts = 0;
    if (node->attempts >= DISPATCHER_REGISTRATIONS_COUNT)
        return error_set(err, ERR_UNAVAILABLE, "node %.64s exceeded rate limit count of registrations", node->id);
    node->attempts++;
    node->registered_ns = now_ns;
    return 0;
}

static void heard(struct dispatcher_node *node, uint64_t now_ns)
{
    node->heard_ns = now_ns;
    node->late_count = 0;
}

void dispatcher_node_registered(struct dispatcher_node *node, struct dispatcher_session *session, uint64_t now_ns)
{
    struct dispatcher *dispatcher = node->dispatcher;
    struct dispatcher_session *other;

    if (!session->is_kept) {
        id_make(&dispatcher->host.random, node->session_id);
        DL_FOREACH (node->sessions, other)
            if (other != session && other->stage == DISPATCHER_SESSION_OPEN)
                dispatcher_session_end(other, ERR_INVALID, "session invalid", true);
        end_streams(node, ERR_INVALID, "session invalid");
    }
    memcpy(session->id, node->session_id, sizeof session->id);
    move(node, DISPATCHER_LIVE, now_ns);
    node->down_ns = 0;
    heard(node, now_ns);
    dispatcher_node_set_twin(node, false);
    await(node, dispatcher_choose_period_ns(dispatcher), now_ns);
    dispatcher->stats.registrations++;
}

int dispatcher_heartbeat(struct dispatcher *dispatcher, const char *node_id, const char *session_id, uint64_t now_ns, int64_t *period_ns,
                         struct error *err)
{
    struct dispatcher_node *node = NULL;
    int failed = dispatcher_check_running(dispatcher, err);

    dispatcher->now_ns = now_ns;
    if (failed == 0)
        failed = dispatcher_node_check_session(dispatcher, node_id, session_id, &node, err);
    if (failed < 0)
        return failed;
    uint64_t chosen_ns = dispatcher_choose_period_ns(dispatcher);
    heard(node, now_ns);
    await(node, chosen_ns, now_ns);
    dispatcher->stats.heartbeats++;
    *period_ns = (int64_t)chosen_ns;
    return 0;
}

/* --- what happens to them --- */

static void begin_with(struct dispatcher *dispatcher, const Docker__Swarmkit__V1__Node *message, uint64_t now_ns)
{
    struct dispatcher_node *node = dispatcher_node_obtain(dispatcher, message->id);

    if (message->status && message->status->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN) {
        set_down(node, now_ns);
        return;
    }
    move(node, DISPATCHER_AWAITED, now_ns);
    await(node, dispatcher_choose_period_ns(dispatcher), now_ns);
    dispatcher_write_node(dispatcher, node->id,
                          &(struct dispatcher_node_news){.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__UNKNOWN,
                                                         .message = "Node moved to \"unknown\" state due to leadership change in cluster"},
                          now_ns);
}

void dispatcher_nodes_begin(struct dispatcher *dispatcher, uint64_t now_ns)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(dispatcher->host.store, STORE_NODE, STORE_ALL, "", &cursor);
    while ((message = store_next(&cursor)) != NULL)
        begin_with(dispatcher, (const Docker__Swarmkit__V1__Node *)(const void *)message, now_ns);
    dispatcher_writes_hurry(&dispatcher->node_writes);
}

static void remove_node(struct dispatcher_node *node)
{
    cleanup_free char *text =
        mem_format("Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = Permission denied: "
                   "node %s was removed from swarm",
                   node->id);

    end_streams(node, ERR_PERMISSION, text);
    end_sessions(node, ERR_PERMISSION, text, false);
    if (node->machine.state != DISPATCHER_IDLE) {
        count(node, false);
        state_init(&node->machine, &dispatcher_phases, DISPATCHER_IDLE, node->dispatcher->now_ns);
    }
    node->session_id[0] = 0;
    dispatcher_node_set_twin(node, false);
    dispatcher_timer_stop(&node->dispatcher->timers, &node->timer);
    dispatcher_node_forget_if_idle(node);
}

void dispatcher_node_changed(struct dispatcher *dispatcher, const struct store_change *change)
{
    struct dispatcher_node *node = dispatcher_node_find(dispatcher, store_object_id(change->object));

    if (node == NULL)
        return;
    if (change->action == STORE_REMOVE)
        remove_node(node);
    else
        dispatcher_sessions_stale(node);
}

void dispatcher_nodes_check(struct dispatcher *dispatcher)
{
    struct dispatcher_node *node, *next;

    HASH_ITER (hh, dispatcher->nodes, node, next)
        if (store_node(dispatcher->host.store, node->id) == NULL)
            remove_node(node);
}

void dispatcher_nodes_stop(struct dispatcher *dispatcher, uint64_t now_ns)
{
    struct dispatcher_node *node, *next;

    HASH_ITER (hh, dispatcher->nodes, node, next) {
        dispatcher_timer_stop(&dispatcher->timers, &node->timer);
        if (node->machine.state == DISPATCHER_LIVE)
            dispatcher_write_node(dispatcher, node->id,
                                  &(struct dispatcher_node_news){.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DISCONNECTED,
                                                                 .message = "node is currently trying to find new manager"},
                                  now_ns);
        end_streams(node, ERR_ABORTED, "dispatcher is stopped");
        end_sessions(node, ERR_ABORTED, "node must disconnect", true);
    }
    dispatcher_writes_hurry(&dispatcher->node_writes);
}

bool dispatcher_contact(const struct dispatcher *dispatcher, const char *node_id, struct dispatcher_contact *out)
{
    const struct dispatcher_node *node = dispatcher_node_find(dispatcher, node_id);

    if (node == NULL)
        return false;
    *out = (struct dispatcher_contact){
        .has_session = node->machine.state == DISPATCHER_LIVE, .heard_ns = node->heard_ns, .down_ns = node->down_ns};
    return true;
}
