/* agent/ca_client.c – see ca_client.h. */
#include "agent/ca_client.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/grpc/grpc.h"
#include "proto/swarmkit/ca.pb-c.h"

/* One call under way. It outlives the client's interest in it: the channel reports the end of every call. */
struct ask {
    struct ca_client *client; /* NULL: given up */
    struct grpc_call *call;
    void (*on_reply)(struct ca_client *client, const ProtobufCMessage *reply);
};

struct ca_client {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    ca_answer_cb on_answer;
    void *ctx;
    struct grpc_channel *channel; /* our own; NULL: none */
    bool awaits_connection;
    struct error channel_error; /* why our own channel failed: says more than the status of a call on it */
    struct ask *ask;
};

static void tell_asker(struct ca_client *client, const struct ca_answer *answer)
{
    client->on_answer(client->ctx, answer);
}

static void tell_failed(struct ca_client *client, int grpc_status, const struct error *error)
{
    struct error why = *error;
    if (why.code == 0)
        error_set(&why, ERR_PEER, "the manager's answer is empty");
    tell_asker(client, &(struct ca_answer){.kind = CA_ANSWER_FAILED, .grpc_status = grpc_status, .error = &why});
}

/* ---- the channel ---- */

static void on_ready(struct grpc_channel *channel, void *ctx)
{
    struct ca_client *client = ctx;
    (void)channel;
    if (!client->awaits_connection)
        return;
    client->awaits_connection = false;
    tell_asker(client, &(struct ca_answer){.kind = CA_ANSWER_CONNECTED});
}

static void on_failed(struct grpc_channel *channel, const struct error *err, void *ctx)
{
    struct ca_client *client = ctx;
    (void)channel;
    client->channel_error = *err;
    if (!client->awaits_connection)
        return; /* the call on it is told its own end */
    client->awaits_connection = false;
    tell_failed(client, -1, err);
}

int ca_client_dial(struct ca_client *client, const struct ca_dial *dial, struct error *err)
{
    ca_client_close(client);
    struct grpc_channel_options options = {.loop = client->loop,
                                           .clock = client->clock,
                                           .random = client->random,
                                           .address = dial->addr,
                                           .authority = dial->is_anonymous ? dial->server_name : NULL,
                                           .credentials = dial->credentials,
                                           .server_name = dial->server_name,
                                           .is_unverified = dial->server_name == NULL,
                                           .is_anonymous = dial->is_anonymous,
                                           .on_ready = on_ready,
                                           .on_failed = on_failed,
                                           .ctx = client};
    client->awaits_connection = dial->awaits_connection;
    return grpc_channel_new(&options, &client->channel, err);
}

/* ---- calls ---- */

static void on_done(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    struct ask *ask = ctx;
    struct ca_client *client = ask->client;
    void (*on_reply)(struct ca_client *, const ProtobufCMessage *) = ask->on_reply;
    free(ask);
    if (!client)
        return;
    client->ask = NULL;
    if (status->code == GRPC_OK && reply)
        on_reply(client, reply);
    else if (!status->is_from_peer && client->channel_error.code != 0)
        tell_failed(client, -1, &client->channel_error);
    else
        tell_failed(client, status->is_from_peer ? status->code : -1, &status->error);
}

static void begin(struct ca_client *client, struct grpc_channel *lent, const struct method *method, const ProtobufCMessage *request,
                  uint32_t timeout_ms, void (*on_reply)(struct ca_client *, const ProtobufCMessage *))
{
    ca_client_give_up(client);
    struct ask *ask = mem_alloc(sizeof *ask);
    *ask = (struct ask){.client = client, .on_reply = on_reply};
    client->ask = ask;
    if (lent)
        client->channel_error = (struct error){0};
    struct grpc_call_options options = {.deadline_ms = timeout_ms};
    ask->call = grpc_unary(lent ? lent : client->channel, method, request, &options, on_done, ask);
}

static struct bytes bytes_of_field(ProtobufCBinaryData field)
{
    return bytes_of(field.data, field.len);
}

static void on_root(struct ca_client *client, const ProtobufCMessage *reply)
{
    const Docker__Swarmkit__V1__GetRootCACertificateResponse *response = (const void *)reply;
    tell_asker(client, &(struct ca_answer){.kind = CA_ANSWER_ROOT, .pem = bytes_of_field(response->certificate)});
}

void ca_client_get_root(struct ca_client *client, struct grpc_channel *lent, uint32_t timeout_ms)
{
    Docker__Swarmkit__V1__GetRootCACertificateRequest request = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_REQUEST__INIT;
    begin(client, lent, METHOD(CA, GetRootCACertificate), &request.base, timeout_ms, on_root);
}

static void on_node_id(struct ca_client *client, const ProtobufCMessage *reply)
{
    const Docker__Swarmkit__V1__IssueNodeCertificateResponse *response = (const void *)reply;
    tell_asker(client, &(struct ca_answer){.kind = CA_ANSWER_NODE_ID, .text = response->node_id});
}

void ca_client_request(struct ca_client *client, struct grpc_channel *lent, struct bytes request_pem, const char *token, int availability,
                       uint32_t timeout_ms)
{
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_REQUEST__INIT;
    request.csr = (ProtobufCBinaryData){.len = request_pem.size, .data = (uint8_t *)(uintptr_t)request_pem.data};
    if (token)
        request.token = (char *)(uintptr_t)token;
    request.availability = (Docker__Swarmkit__V1__NodeSpec__Availability)availability;
    begin(client, lent, METHOD(NodeCA, IssueNodeCertificate), &request.base, timeout_ms, on_node_id);
}

static void on_status(struct ca_client *client, const ProtobufCMessage *reply)
{
    const Docker__Swarmkit__V1__NodeCertificateStatusResponse *response = (const void *)reply;
    struct ca_answer answer = {.kind = CA_ANSWER_STATUS, .is_skep = response->skep};
    if (response->status) {
        answer.status = (int)response->status->state;
        answer.text = response->status->err;
    }
    if (response->certificate) {
        answer.role = (int)response->certificate->role;
        answer.pem = bytes_of_field(response->certificate->certificate);
        answer.pem2 = bytes_of_field(response->certificate->csr);
    }
    tell_asker(client, &answer);
}

void ca_client_status(struct ca_client *client, struct grpc_channel *lent, const char *node_id, uint32_t timeout_ms)
{
    Docker__Swarmkit__V1__NodeCertificateStatusRequest request = DOCKER__SWARMKIT__V1__NODE_CERTIFICATE_STATUS_REQUEST__INIT;
    request.node_id = (char *)(uintptr_t)node_id;
    begin(client, lent, METHOD(NodeCA, NodeCertificateStatus), &request.base, timeout_ms, on_status);
}

/* ---- life ---- */

void ca_client_give_up(struct ca_client *client)
{
    struct ask *ask = client->ask;
    if (!ask)
        return;
    client->ask = NULL;
    ask->client = NULL;
    grpc_call_cancel(ask->call);
}

void ca_client_close(struct ca_client *client)
{
    ca_client_give_up(client);
    if (client->channel)
        grpc_channel_close(client->channel);
    client->channel = NULL;
    client->awaits_connection = false;
    client->channel_error = (struct error){0};
}

struct ca_client *ca_client_new(uv_loop_t *loop, struct clock clock, struct random random, ca_answer_cb on_answer, void *ctx)
{
    struct ca_client *client = mem_alloc(sizeof *client);
    *client = (struct ca_client){.loop = loop, .clock = clock, .random = random, .on_answer = on_answer, .ctx = ctx};
    return client;
}

void ca_client_free(struct ca_client *client)
{
    if (!client)
        return;
    ca_client_close(client);
    free(client);
}
