/* raft/links.c – the peers of a node: one for each member that the book knows an address of, and a question for those it does not. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "raft/node_inside.h"

struct raft_peer_link *links_find(const struct raft_node *node, uint64_t id)
{
    for (size_t i = 0; i < node->peers_count; i++)
        if (raft_peer_link_id(node->peers[i]) == id)
            return node->peers[i];
    return NULL;
}

/* --- who is not in the book: swarmkit-wire §6.3, ResolveAddress --- */

struct question {
    struct raft_node *node;
    uint64_t id;
};

static void on_resolved(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    struct question *question = ctx;
    struct raft_node *node = question->node;
    const Docker__Swarmkit__V1__ResolveAddressResponse *answer = (const void *)reply;
    struct raft_member member = {.id = question->id};

    if (status->code == GRPC_OK && answer && *answer->addr && !node_is_over(node) && !raft_book_find(&node->book, question->id)) {
        member.address = answer->addr;
        if (raft_book_put(&node->book, &member, NULL) == 0)
            links_follow_book(node);
    }
    free(question);
}

static void ask_all(struct raft_node *node, uint64_t id)
{
    Docker__Swarmkit__V1__ResolveAddressRequest request = DOCKER__SWARMKIT__V1__RESOLVE_ADDRESS_REQUEST__INIT;
    struct grpc_call_options options = {.deadline_ms = RAFT_PEER_CALL_MS};

    request.raft_id = id;
    for (size_t i = 0; i < node->peers_count; i++) {
        struct grpc_channel *channel = raft_peer_channel(node->peers[i]);
        if (!channel)
            continue;
        struct question *question = mem_alloc(sizeof *question);
        *question = (struct question){node, id};
        grpc_unary(channel, METHOD(Raft, ResolveAddress), &request.base, &options, on_resolved, question);
    }
}

static void resolve(struct raft_node *node, uint64_t id)
{
    uint64_t now_ns = clock_monotonic_ns(&node->clock);
    size_t at = 0;

    while (at < node->resolving_count && node->resolving[at].id != id)
        at++;
    if (at < node->resolving_count && now_ns - node->resolving[at].asked_ns < RAFT_RESOLVE_MS * NS_PER_MS)
        return;
    if (at == node->resolving_count) {
        if (at == RAFT_MEMBERS_COUNT)
            at = --node->resolving_count;
        node->resolving = mem_resize(node->resolving, (at + 1) * sizeof *node->resolving);
        node->resolving_count++;
    }
    node->resolving[at] = (struct raft_node_resolve){id, now_ns};
    ask_all(node, id);
}

/* --- sending --- */

void links_send(struct raft_node *node, struct raft_message *message)
{
    struct raft_peer_link *peer = links_find(node, message->to);

    if (peer) {
        raft_peer_send(peer, message);
        return;
    }
    if (!raft_book_is_removed(&node->book, message->to) && !raft_book_find(&node->book, message->to))
        resolve(node, message->to);
    if (message->type == RAFT_MESSAGE_APPEND)
        node->peer_host.on_unreachable(node, message->to);
    raft_message_deinit(message);
}

static void on_news_due(uv_timer_t *timer)
{
    struct raft_node *node = timer->data;

    node->is_news_due = true;
    node_wake(node);
}

void links_flush(struct raft_node *node)
{
    bool is_news_due = node->is_news_due, holds_news = false;

    node->is_news_due = false;
    for (size_t i = 0; i < node->peers_count; i++) {
        if (!is_news_due && raft_peer_has_only_news(node->peers[i]))
            holds_news = true;
        else
            raft_peer_flush(node->peers[i]);
    }
    if (holds_news && !uv_is_active((uv_handle_t *)&node->news_timer))
        uv_timer_start(&node->news_timer, on_news_due, RAFT_NEWS_MS, 0);
}

void links_heard(struct raft_node *node, uint64_t id, enum raft_message_type type)
{
    struct raft_peer_link *peer = links_find(node, id);

    if (peer)
        raft_peer_heard(peer, type);
}

/* --- who is to be one --- */

static void drop(struct raft_node *node, size_t at)
{
    raft_peer_link_free(node->peers[at]);
    node->peers[at] = node->peers[--node->peers_count];
}

static void dial(struct raft_node *node, const struct raft_member *member)
{
    struct raft_peer_link *peer;
    struct error err;

    if (raft_peer_link_new(&node->peer_host, member->id, member->address, &peer, &err) < 0) {
        log_warn("raft", "peer %llx: %s", (unsigned long long)member->id, err.message);
        return;
    }
    node->peers = mem_resize(node->peers, (node->peers_count + 1) * sizeof *node->peers);
    node->peers[node->peers_count++] = peer;
}

/* A removed member is still spoken to for a while: the news of its removal may be on the way. */
static bool may_linger(struct raft_node *node, uint64_t id)
{
    uint64_t now_ns = clock_monotonic_ns(&node->clock);

    for (size_t i = 0; i < node->leaving_count; i++)
        if (node->leaving[i].id == id)
            return now_ns < node->leaving[i].until_ns;
    node->leaving = mem_resize(node->leaving, (node->leaving_count + 1) * sizeof *node->leaving);
    node->leaving[node->leaving_count++] = (struct raft_leaving){id, now_ns + RAFT_PEER_LINGER_MS * NS_PER_MS};
    return true;
}

static void forget_leaving(struct raft_node *node, uint64_t id)
{
    for (size_t i = 0; i < node->leaving_count; i++)
        if (node->leaving[i].id == id)
            node->leaving[i] = node->leaving[--node->leaving_count];
}

static void drop_strangers(struct raft_node *node)
{
    for (size_t i = node->peers_count; i > 0; i--) {
        uint64_t id = raft_peer_link_id(node->peers[i - 1]);
        const struct raft_member *member = raft_book_find(&node->book, id);
        if (!member && may_linger(node, id))
            continue;
        if (!member)
            forget_leaving(node, id);
        if (!member || strcmp(member->address, raft_peer_link_address(node->peers[i - 1])) != 0)
            drop(node, i - 1);
    }
}

void links_follow_book(struct raft_node *node)
{
    if (node_is_over(node))
        return;
    drop_strangers(node);
    for (size_t i = 0; i < node->book.count; i++) {
        const struct raft_member *member = &node->book.members[i];
        if (member->id != node->self.id && *member->address && !links_find(node, member->id))
            dial(node, member);
    }
}

void links_tick(struct raft_node *node)
{
    if (node->leaving_count > 0)
        drop_strangers(node);
    for (size_t i = 0; i < node->peers_count; i++)
        raft_peer_tick(node->peers[i]);
}

void links_close(struct raft_node *node)
{
    while (node->peers_count > 0)
        drop(node, node->peers_count - 1);
}
