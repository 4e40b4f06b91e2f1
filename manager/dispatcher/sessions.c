/* manager/dispatcher/sessions.c – Session streams: a node registers with one, and hears of itself and the managers as long as it is open.
 */
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/dispatcher/inside.h"
#include "proto/message.h"

#define ROOM           "dispatcher"
#define MANAGER_WEIGHT 10 /* SwarmKit's: every manager is as good as the other */

/* --- what is to be done --- */

static void make_due(struct dispatcher_session *session)
{
    struct dispatcher *dispatcher = session->node->dispatcher;

    if (session->is_due)
        return;
    session->is_due = true;
    DL_APPEND2(dispatcher->due_sessions, session, due_prev, due_next);
    dispatcher_wake(dispatcher);
}

void dispatcher_sessions_stale(struct dispatcher_node *node)
{
    struct dispatcher_session *session;

    DL_FOREACH (node->sessions, session) {
        if (session->stage != DISPATCHER_SESSION_OPEN)
            continue;
        session->is_stale = true;
        make_due(session);
    }
}

void dispatcher_sessions_all_stale(struct dispatcher *dispatcher)
{
    struct dispatcher_node *node, *next;
    struct dispatcher_session *session;

    HASH_ITER (hh, dispatcher->nodes, node, next) {
        dispatcher_sessions_stale(node);
        DL_FOREACH (node->sessions, session)
            session->sent_version = 0; /* not only the node is new */
    }
}

void dispatcher_session_end(struct dispatcher_session *session, int code, const char *text, bool says_more)
{
    if (session->end)
        return;
    session->end = mem_alloc(sizeof *session->end);
    error_set(session->end, code, "%s", text);
    session->says_more = says_more && session->stage == DISPATCHER_SESSION_OPEN;
    make_due(session);
}

void dispatcher_sessions_written(struct dispatcher_node *node, uint64_t number, bool is_missing, const struct error *err)
{
    struct dispatcher_session *session;

    DL_FOREACH (node->sessions, session) {
        if (session->stage != DISPATCHER_SESSION_WRITING || session->waits_for > number)
            continue;
        if (err)
            dispatcher_session_end(session, err->code, err->message, false);
        session->stage = DISPATCHER_SESSION_WRITTEN;
        session->is_missing = is_missing;
        make_due(session);
    }
}

/* --- registering --- */

static void drop(struct dispatcher_session *session)
{
    struct dispatcher_node *node = session->node;

    if (session->stage != DISPATCHER_SESSION_OPEN)
        node->registering_count--;
    if (session->is_due)
        DL_DELETE2(node->dispatcher->due_sessions, session, due_prev, due_next);
    DL_DELETE(node->sessions, session);
    node->sessions_count--;
    node->dispatcher->stats.sessions--;
    dispatcher_node_forget_if_idle(node);
    free(session->end);
    free(session);
}

void dispatcher_session_close(struct dispatcher_session *session)
{
    drop(session);
}

void dispatcher_session_writable(struct dispatcher_session *session)
{
    session->is_blocked = false;
    if (session->is_stale)
        make_due(session);
}

/* Of connections that broke and were not missed yet there are more than one; the oldest is surely none. */
static void end_oldest(struct dispatcher_node *node)
{
    if (node->sessions_count > DISPATCHER_STREAMS_PER_NODE_COUNT)
        dispatcher_session_end(node->sessions, ERR_INVALID, "session invalid", false);
}

static int check_request(const Docker__Swarmkit__V1__SessionRequest *request, struct error *err)
{
    size_t size = request->description ? protobuf_c_message_get_packed_size(&request->description->base) : 0;

    if (size > DISPATCHER_DESCRIPTION_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "session: the node's description has %zu bytes: more than %u", size,
                         DISPATCHER_DESCRIPTION_SIZE_BYTES);
    return 0;
}

static bool is_live_session(const struct dispatcher_node *node, const char *session_id)
{
    return node->machine.state == DISPATCHER_LIVE && session_id[0] && strcmp(session_id, node->session_id) == 0;
}

static int admit(struct dispatcher *dispatcher, const char *node_id, const char *session_id, struct dispatcher_node **out,
                 struct error *err)
{
    if (store_node(dispatcher->host.store, node_id) == NULL)
        return error_set(err, ERR_PEER, "node not found"); /* a plain error of SwarmKit's: code 2 */
    struct dispatcher_node *node = dispatcher_node_obtain(dispatcher, node_id);
    int failed = is_live_session(node, session_id) ? 0 : dispatcher_node_check_rate(node, dispatcher->now_ns, err);
    if (failed == 0)
        *out = node;
    return failed;
}

int dispatcher_register(struct dispatcher *dispatcher, const struct dispatcher_caller *caller,
                        const Docker__Swarmkit__V1__SessionRequest *request, const struct dispatcher_sink *sink, uint64_t now_ns,
                        struct dispatcher_session **out, struct error *err)
{
    struct dispatcher_node *node = NULL;
    int failed = dispatcher_check_running(dispatcher, err);

    dispatcher->now_ns = now_ns;
    if (failed == 0)
        failed = check_request(request, err);
    if (failed == 0)
        failed = admit(dispatcher, caller->node_id, request->session_id, &node, err);
    if (failed < 0) {
        dispatcher->stats.registrations_refused++;
        return failed;
    }
    struct dispatcher_session *session = mem_alloc(sizeof *session);
    *session = (struct dispatcher_session){.node = node, .sink = *sink, .is_kept = is_live_session(node, request->session_id)};
    memcpy(session->id, node->session_id, sizeof session->id);
    DL_APPEND(node->sessions, session);
    node->sessions_count++;
    node->registering_count++;
    dispatcher->stats.sessions++;
    end_oldest(node);
    session->waits_for = dispatcher_write_node(dispatcher, node->id,
                                               &(struct dispatcher_node_news){.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY,
                                                                              .message = "",
                                                                              .address = caller->address,
                                                                              .description = request->description,
                                                                              .is_registration = true},
                                               now_ns);
    *out = session;
    return 0;
}

static void complete(struct dispatcher_session *session, uint64_t now_ns)
{
    struct dispatcher_node *node = session->node;

    node->registering_count--;
    session->stage = DISPATCHER_SESSION_OPEN;
    if (session->end)
        return;
    if (session->is_missing) {
        dispatcher_session_end(session, ERR_PEER, "node not found", false);
    } else if (session->is_kept && !is_live_session(node, session->id)) {
        dispatcher_session_end(session, ERR_INVALID, "session invalid", false);
    } else {
        dispatcher_node_registered(node, session, now_ns);
        session->is_stale = true;
        log_with(LOG_INFO, ROOM, LOG_FIELDS({"node", node->id}), "the node is in session");
    }
}

/* --- messages --- */

/* What all sessions hear. */
struct common {
    Docker__Swarmkit__V1__Peer peers[MANAGERS_COUNT];
    Docker__Swarmkit__V1__WeightedPeer weighted[MANAGERS_COUNT], *list[MANAGERS_COUNT];
    size_t count;
};

static void list_managers(const struct dispatcher *dispatcher, struct common *common)
{
    struct dispatcher_manager managers[MANAGERS_COUNT];
    size_t count = dispatcher->options.managers(dispatcher->options.ctx, managers, MANAGERS_COUNT);

    common->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (text_empty(managers[i].addr))
            continue;
        Docker__Swarmkit__V1__Peer *peer = &common->peers[common->count];
        Docker__Swarmkit__V1__WeightedPeer *weighted = &common->weighted[common->count];
        docker__swarmkit__v1__peer__init(peer);
        docker__swarmkit__v1__weighted_peer__init(weighted);
        peer->node_id = (char *)(uintptr_t)managers[i].node_id;
        peer->addr = (char *)(uintptr_t)managers[i].addr;
        weighted->peer = peer;
        weighted->weight = MANAGER_WEIGHT;
        common->list[common->count++] = weighted;
    }
}

static void send_message(struct dispatcher_session *session, const Docker__Swarmkit__V1__Node *node, struct common *common)
{
    struct dispatcher *dispatcher = session->node->dispatcher;
    Docker__Swarmkit__V1__SessionMessage message = DOCKER__SWARMKIT__V1__SESSION_MESSAGE__INIT;
    struct error err = {0};

    message.skep = true;
    message.session_id = session->id;
    message.node = (Docker__Swarmkit__V1__Node *)(uintptr_t)node;
    message.managers = common->list;
    message.n_managers = common->count;
    if (dispatcher->cluster) {
        const Docker__Swarmkit__V1__Cluster *cluster = (const void *)dispatcher->cluster->message;
        message.network_bootstrap_keys = cluster->network_bootstrap_keys;
        message.n_network_bootstrap_keys = cluster->n_network_bootstrap_keys;
        if (cluster->root_ca)
            message.rootca = cluster->root_ca->ca_cert;
    }
    int failed = session->sink.send(session->sink.ctx, &message.base, &err);
    if (failed == ERR_AGAIN) {
        session->is_blocked = true; /* what is new then goes out then: there is never more than one message to send */
        return;
    }
    session->is_stale = false;
    session->sent_version = store_message_version(STORE_NODE, &node->base);
    dispatcher->stats.session_messages++;
    if (failed < 0)
        dispatcher_session_end(session, err.code, err.message, false);
}

static void serve(struct dispatcher_session *session, struct common *common, uint64_t now_ns)
{
    const struct dispatcher *dispatcher = session->node->dispatcher;

    if (session->stage == DISPATCHER_SESSION_WRITTEN)
        complete(session, now_ns);
    const Docker__Swarmkit__V1__Node *node = store_node(dispatcher->host.store, session->node->id);
    bool is_new = session->is_stale && node && store_message_version(STORE_NODE, &node->base) != session->sent_version;
    bool may_send = session->stage == DISPATCHER_SESSION_OPEN && !session->is_blocked && (session->end == NULL || session->says_more);
    session->is_stale = is_new;
    if (node && may_send && (is_new || session->says_more))
        send_message(session, node, common);
    if (session->end == NULL)
        return;
    session->sink.end(session->sink.ctx, session->end);
    drop(session);
}

void dispatcher_sessions_flush(struct dispatcher *dispatcher, size_t most, uint64_t now_ns)
{
    struct common common;

    if (dispatcher->due_sessions == NULL)
        return;
    list_managers(dispatcher, &common);
    for (; dispatcher->due_sessions && most > 0; most--) {
        struct dispatcher_session *session = dispatcher->due_sessions;
        DL_DELETE2(dispatcher->due_sessions, session, due_prev, due_next);
        session->is_due = false;
        serve(session, &common, now_ns);
    }
}
