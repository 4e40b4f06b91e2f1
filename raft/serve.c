/* raft/serve.c – what peers call: our own stream, SwarmKit's one stream for each message, its unary form, and the question for an address.
 *
 * Whoever calls shows a manager's certificate of this cluster, and what else the owner asks for. A message counts only if it comes from the
 * member whose node id that certificate names, as far as the book knows. SwarmKit's receiver's rules (swarmkit-wire §6.3): a removed member
 * is told so; a vote asked for by a stranger, a proposal and what is for another member are dropped, and the call ends well. */
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "raft/node_inside.h"
#include "raft/wire.h"

struct served_call {
    struct served_call *prev, *next;
    struct raft_node *node; /* NULL: it has closed */
    struct grpc_call *call;
    struct raft_message message; /* of a call of its own: kept until the peer has sent all */
    bool has_message, is_stream;
    struct snapshot_receipt *receipt;
};

/* --- who calls: swarmkit-wire §1.5 --- */

static bool check_caller(const struct raft_node *node, struct grpc_call *call)
{
    if (node->door.may_call)
        return node->door.may_call(node->door.ctx, call);

    const char *prefix = "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = ";
    const struct tls_identity *peer = grpc_call_peer(call);
    cleanup_free char *why = NULL;

    if (!peer)
        why = mem_format("%sno client certificates in request", prefix);
    else if (!tls_identity_has_unit(peer, "swarm-manager"))
        why = mem_format("%sPermission denied: remote certificate not part of OUs: [swarm-manager]", prefix);
    else if (strcmp(peer->organization, node->cluster_id) != 0)
        why = mem_format("%sPermission denied: remote certificate not part of organization: %s", prefix, node->cluster_id);
    if (why)
        grpc_call_finish(call, GRPC_PERMISSION_DENIED, why);
    return !why;
}

enum verdict { TAKE, PASS_OVER, REFUSED };

/* REFUSED: the call was ended. */
static enum verdict judge(struct raft_node *node, struct grpc_call *call, const struct raft_message *message)
{
    const struct raft_member *member = raft_book_find(&node->book, message->from);
    const struct tls_identity *peer = grpc_call_peer(call);
    bool is_vote = message->type == RAFT_MESSAGE_VOTE || message->type == RAFT_MESSAGE_PRE_VOTE;

    if (node_is_over(node)) {
        grpc_call_finish(call, GRPC_UNAVAILABLE, "raft: this member takes no part any more");
        return REFUSED;
    }
    if (raft_book_is_removed(&node->book, message->from)) {
        grpc_call_finish(call, GRPC_NOT_FOUND, RAFT_REMOVED_TEXT);
        return REFUSED;
    }
    if (!peer || (member && *member->node_id && strcmp(member->node_id, peer->common_name) != 0)) {
        log_warn("raft", "a message in the name of member %llx came from node %s: refused", (unsigned long long)message->from,
                 peer ? peer->common_name : "without a certificate");
        grpc_call_finish(call, GRPC_PERMISSION_DENIED, "raft: the certificate is not that of the member in whose name the message is");
        return REFUSED;
    }
    if ((is_vote && !member) || message->type == RAFT_MESSAGE_PROPOSE || message->to != node->self.id)
        return PASS_OVER;
    return TAKE;
}

static void step(struct raft_node *node, struct raft_message *message)
{
    links_heard(node, message->from, message->type);
    node_step(node, message);
}

/* --- calls --- */

static struct served_call *begin(struct raft_node *node, struct grpc_call *call)
{
    struct served_call *served = mem_alloc(sizeof *served);

    served->node = node;
    served->call = call;
    DL_APPEND(node->calls, served);
    return served;
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct served_call *served = ctx;

    (void)call;
    (void)status;
    if (served->node)
        DL_DELETE(served->node->calls, served);
    if (served->receipt)
        snapshot_receipt_abandon(served->receipt);
    raft_message_deinit(&served->message);
    free(served);
}

static void refuse(struct grpc_call *call, const struct error *err)
{
    grpc_call_finish_error(call, err);
}

/* Our own stream: any number of messages in each envelope. */
static void on_stream_bytes(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct served_call *served = ctx;
    struct raft_message message;
    struct error err = {0};
    struct bytes one;
    int got = 0;

    while (served->node && (got = raft_wire_unwrap(&packed, &one, &err)) == 1) {
        if ((got = raft_wire_read(one, &message, NULL, &err)) < 0)
            break;
        enum verdict verdict = judge(served->node, call, &message);
        if (verdict == TAKE && message.type != RAFT_MESSAGE_SNAPSHOT) /* those have a call of their own */
            step(served->node, &message);
        raft_message_deinit(&message);
        if (verdict == REFUSED)
            return;
    }
    if (got < 0)
        refuse(call, &err);
}

static void on_stream_half_closed(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void serve_messages(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {
        .on_bytes = on_stream_bytes, .on_half_closed = on_stream_half_closed, .on_done = on_done};
    struct raft_node *node = ctx;

    if (!check_caller(node, call))
        return;
    if (node_is_over(node)) {
        grpc_call_finish(call, GRPC_UNAVAILABLE, "raft: this member takes no part any more");
        return;
    }
    grpc_call_accept(call, &handlers, begin(node, call));
    grpc_call_send_bytes(call, bytes_of(NULL, 0), NULL); /* we know this method */
}

/* SwarmKit's: one message, or the parts of a snapshot. */
static int take_part(struct served_call *served, struct bytes packed, struct error *err)
{
    struct raft_message message;
    struct bytes one, data;
    int got = raft_wire_unwrap(&packed, &one, err);

    if (got == 0)
        got = error_set(err, ERR_INVALID, "raft: a request without a message");
    if (got < 0 || (got = raft_wire_read(one, &message, &data, err)) < 0)
        return got;
    enum verdict verdict = judge(served->node, served->call, &message);
    if (served->receipt) {
        got = verdict == REFUSED ? 0 : snapshot_receipt_add(served->receipt, &message, data, err);
    } else if (served->has_message) {
        got = error_set(err, ERR_INVALID, "Raft message chunk is not of type 7");
    } else if (verdict == TAKE && message.type == RAFT_MESSAGE_SNAPSHOT && served->is_stream) {
        links_heard(served->node, message.from, message.type);
        got = snapshot_receipt_begin(served->node, served->call, &message, &served->receipt, err);
        if (got == 0)
            got = snapshot_receipt_add(served->receipt, NULL, data, err);
    } else if (verdict == TAKE) {
        if (message.snapshot)
            message.snapshot->data = raft_payload_new(data);
        served->message = message;
        message = (struct raft_message){0};
    }
    served->has_message = true;
    raft_message_deinit(&message);
    return got;
}

static void on_bytes(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct served_call *served = ctx;
    struct error err = {0};

    if (served->node && take_part(served, packed, &err) < 0)
        refuse(call, &err);
}

static void on_half_closed(struct grpc_call *call, void *ctx)
{
    Docker__Swarmkit__V1__StreamRaftMessageResponse reply = DOCKER__SWARMKIT__V1__STREAM_RAFT_MESSAGE_RESPONSE__INIT;
    struct served_call *served = ctx;

    if (!served->node)
        return;
    if (served->receipt) {
        snapshot_receipt_end(served->receipt); /* which answers the call */
        return;
    }
    if (served->message.from != RAFT_NOBODY && served->message.type != RAFT_MESSAGE_SNAPSHOT)
        step(served->node, &served->message);
    grpc_call_reply(call, &reply.base);
}

static void serve_one(struct grpc_call *call, struct raft_node *node, bool is_stream)
{
    static const struct grpc_call_handlers handlers = {.on_bytes = on_bytes, .on_half_closed = on_half_closed, .on_done = on_done};

    if (!check_caller(node, call))
        return;
    struct served_call *served = begin(node, call);
    served->is_stream = is_stream;
    grpc_call_accept(call, &handlers, served);
}

static void serve_stream(struct grpc_call *call, void *ctx)
{
    serve_one(call, ctx, true);
}

static void serve_unary(struct grpc_call *call, void *ctx)
{
    serve_one(call, ctx, false);
}

static void on_question(struct grpc_call *call, ProtobufCMessage *base, void *ctx)
{
    const Docker__Swarmkit__V1__ResolveAddressRequest *request = (const void *)base;
    Docker__Swarmkit__V1__ResolveAddressResponse reply = DOCKER__SWARMKIT__V1__RESOLVE_ADDRESS_RESPONSE__INIT;
    struct served_call *served = ctx;
    const struct raft_member *member = served->node ? raft_book_find(&served->node->book, request->raft_id) : NULL;

    if (!member || !*member->address) {
        cleanup_free char *text = mem_format("member %llx not found", (unsigned long long)request->raft_id);
        grpc_call_finish(call, GRPC_NOT_FOUND, text);
        return;
    }
    reply.addr = (char *)(uintptr_t)member->address;
    grpc_call_reply(call, &reply.base);
}

static void serve_resolve(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_question, .on_done = on_done};

    if (check_caller(ctx, call))
        grpc_call_accept(call, &handlers, begin(ctx, call));
}

void raft_node_serve(struct raft_node *node, struct grpc_server *server, const struct raft_node_door *door)
{
    if (door)
        node->door = *door;
    grpc_server_handle(server, &raft_stream_method, serve_messages, node);
    grpc_server_handle(server, METHOD(Raft, StreamRaftMessage), serve_stream, node);
    grpc_server_handle(server, METHOD(Raft, ProcessRaftMessage), serve_unary, node);
    grpc_server_handle(server, METHOD(Raft, ResolveAddress), serve_resolve, node);
}

void serve_close(struct raft_node *node)
{
    while (node->calls) {
        struct served_call *served = node->calls;
        DL_DELETE(node->calls, served);
        served->node = NULL;
        if (served->receipt)
            snapshot_receipt_abandon(served->receipt);
        grpc_call_finish(served->call, GRPC_UNAVAILABLE, "raft: this member is shutting down");
    }
}
