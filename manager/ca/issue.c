/* manager/ca/issue.c – see issue.h. */
#include "manager/ca/issue.h"

#include <assert.h>

#include "base/text.h"
#include "manager/ca/tokens.h"
#include "proto/message.h"

/* ---- state ---- */

Docker__Swarmkit__V1__IssuanceStatus__State ca_issue_state(const Docker__Swarmkit__V1__Node *node)
{
    if (!node->certificate || !node->certificate->status)
        return DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__UNKNOWN;
    return node->certificate->status->state;
}

const char *ca_issue_why(const Docker__Swarmkit__V1__Node *node)
{
    return node->certificate && node->certificate->status ? node->certificate->status->err : "";
}

Docker__Swarmkit__V1__IssuanceStatus *ca_issue_status(Docker__Swarmkit__V1__Node *node)
{
    if (!node->certificate)
        node->certificate = MESSAGE_NEW(Docker__Swarmkit__V1__Certificate, docker__swarmkit__v1__certificate);
    if (!node->certificate->status)
        node->certificate->status = MESSAGE_NEW(Docker__Swarmkit__V1__IssuanceStatus, docker__swarmkit__v1__issuance_status);
    return node->certificate->status;
}

static void set_status(Docker__Swarmkit__V1__Node *node, Docker__Swarmkit__V1__IssuanceStatus__State state, const char *why)
{
    Docker__Swarmkit__V1__IssuanceStatus *status = ca_issue_status(node);
    status->state = state;
    message_set_string(&status->err, why);
}

/* A certificate to be: for the node's role, and for nothing that was issued before. */
static void set_request(Docker__Swarmkit__V1__Node *node, ProtobufCBinaryData csr, Docker__Swarmkit__V1__IssuanceStatus__State state)
{
    message_free(node->certificate ? &node->certificate->base : NULL);
    node->certificate = NULL;
    set_status(node, state, NULL);
    node->certificate->role = node->role;
    message_set_string(&node->certificate->cn, node->id);
    message_set_bytes(&node->certificate->csr, message_bytes(csr));
}

/* ---- IssueNodeCertificate ---- */

static int check_has_request(const Docker__Swarmkit__V1__IssueNodeCertificateRequest *request, struct error *err)
{
    return request->csr.len > 0 ? 0 : error_set(err, ERR_INVALID, "InvalidArgument");
}

static bool is_availability(int value)
{
    return value >= DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE && value <= DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
}

static Docker__Swarmkit__V1__Node *new_node(const char *node_id, enum certificate_role role,
                                            const Docker__Swarmkit__V1__IssueNodeCertificateRequest *request)
{
    Docker__Swarmkit__V1__Node *node = MESSAGE_NEW(Docker__Swarmkit__V1__Node, docker__swarmkit__v1__node);
    node->meta = MESSAGE_NEW(Docker__Swarmkit__V1__Meta, docker__swarmkit__v1__meta);
    node->meta->version = MESSAGE_NEW(Docker__Swarmkit__V1__Version, docker__swarmkit__v1__version);
    node->spec = MESSAGE_NEW(Docker__Swarmkit__V1__NodeSpec, docker__swarmkit__v1__node_spec);
    node->spec->annotations = MESSAGE_NEW(Docker__Swarmkit__V1__Annotations, docker__swarmkit__v1__annotations);
    node->status = MESSAGE_NEW(Docker__Swarmkit__V1__NodeStatus, docker__swarmkit__v1__node_status);
    message_set_string(&node->id, node_id);
    node->role = role == CERTIFICATE_MANAGER ? DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER : DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    node->spec->desired_role = node->role;
    node->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    node->spec->availability = request->availability;
    set_request(node, request->csr, DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__PENDING);
    return node;
}

int ca_issue_admit(const Docker__Swarmkit__V1__Cluster *cluster, const Docker__Swarmkit__V1__IssueNodeCertificateRequest *request,
                   const char *node_id, Docker__Swarmkit__V1__Node **out, struct error *err)
{
    enum certificate_role role;
    int failed = check_has_request(request, err);
    if (failed < 0)
        return failed;
    if (!cluster || !cluster->root_ca || !cluster->root_ca->join_tokens)
        return error_set(err, ERR_ABORTED, "CA signer is still starting");
    if (!ca_tokens_role(cluster->root_ca->join_tokens, request->token, &role))
        return error_set(err, ERR_TOKEN, "A valid join token is necessary to join this cluster");
    if (!is_availability((int)request->availability))
        return error_set(err, ERR_INVALID, "there is no availability %d", (int)request->availability);
    failed = ca_request_check(message_bytes(request->csr), err); /* after the token: strangers have us compute nothing */
    if (failed < 0)
        return failed;
    *out = new_node(node_id, role, request);
    (*out)->vxlanudpport = cluster->vxlanudpport;
    return 0;
}

int ca_issue_renew(const Docker__Swarmkit__V1__Node *node, const char *node_id,
                   const Docker__Swarmkit__V1__IssueNodeCertificateRequest *request, Docker__Swarmkit__V1__Node **out, struct error *err)
{
    int failed = check_has_request(request, err);
    if (failed < 0)
        return failed;
    if (!node)
        return error_set(err, ERR_NOT_FOUND, "node %s not found when attempting to renew certificate", node_id);
    failed = ca_request_check(message_bytes(request->csr), err);
    if (failed < 0)
        return failed;
    *out = MESSAGE_COPY(node);
    set_request(*out, request->csr, DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__RENEW);
    return 0;
}

void ca_issue_reply(const Docker__Swarmkit__V1__Node *node, Docker__Swarmkit__V1__IssueNodeCertificateResponse *reply)
{
    docker__swarmkit__v1__issue_node_certificate_response__init(reply);
    reply->node_id = node->id;
    reply->node_membership = node->spec ? node->spec->membership : DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING;
}

/* ---- NodeCertificateStatus ---- */

static bool is_final(Docker__Swarmkit__V1__IssuanceStatus__State state)
{
    return state == DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ISSUED || state == DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__FAILED ||
           state == DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ROTATE;
}

int ca_issue_answer(const Docker__Swarmkit__V1__NodeCertificateStatusRequest *request, Docker__Swarmkit__V1__Node *node, bool *is_answered,
                    Docker__Swarmkit__V1__NodeCertificateStatusResponse *reply, struct error *err)
{
    if (text_empty(request->node_id))
        return error_set(err, ERR_INVALID, "InvalidArgument");
    if (!node)
        return error_set(err, ERR_NOT_FOUND, "NotFound");
    *is_answered = is_final(ca_issue_state(node)) || !text_empty(ca_issue_why(node));
    if (!*is_answered)
        return 0;
    docker__swarmkit__v1__node_certificate_status_response__init(reply);
    reply->status = node->certificate->status;
    reply->certificate = node->certificate;
    reply->skep = true;
    return 0;
}

/* ---- the leader's signing ---- */

bool ca_issue_is_due(const Docker__Swarmkit__V1__Node *node)
{
    switch (ca_issue_state(node)) {
    case DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__RENEW:
        return true;
    case DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__PENDING:
        return node->spec && node->spec->membership == DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    default:
        return false;
    }
}

int ca_issue_subject(const Docker__Swarmkit__V1__Node *node, const char *cluster_id, struct ca_subject *out, struct error *err)
{
    const Docker__Swarmkit__V1__Certificate *certificate = node->certificate;
    bool is_manager = certificate->role == DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    if (!is_manager && certificate->role != DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER)
        return error_set(err, ERR_INVALID, "failed to parse role: there is no role %d", (int)certificate->role);
    *out = (struct ca_subject){cluster_id, certificate->cn, is_manager ? CERTIFICATE_MANAGER : CERTIFICATE_WORKER};
    return 0;
}

int ca_issue_sign(const struct ca_signer *signer, const Docker__Swarmkit__V1__Node *node, const char *cluster_id, int64_t expiry_ns,
                  const struct random *random, int64_t wall_ns, Docker__Swarmkit__V1__Node **out, struct error *err)
{
    struct error why;
    struct ca_subject subject;
    cleanup_buf struct buf chain = {0};
    assert(ca_issue_is_due(node));
    int failed = ca_issue_subject(node, cluster_id, &subject, &why);
    if (failed == 0)
        failed = ca_sign(signer, message_bytes(node->certificate->csr), &subject, expiry_ns, random, wall_ns, &chain, &why);
    if (failed == 0)
        *out = ca_issue_signed(node, buf_bytes(&chain));
    else if (failed == ERR_INVALID)
        *out = ca_issue_failed(node, why.message);
    else
        return error_set(err, failed, "node %s: %s", node->id, why.message);
    return 0;
}

bool ca_issue_awaits(const Docker__Swarmkit__V1__Node *node, struct bytes request_pem)
{
    return ca_issue_is_due(node) && bytes_equal(message_bytes(node->certificate->csr), request_pem);
}

Docker__Swarmkit__V1__Node *ca_issue_signed(const Docker__Swarmkit__V1__Node *node, struct bytes chain_pem)
{
    Docker__Swarmkit__V1__Node *issued = MESSAGE_COPY(node);
    set_status(issued, DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ISSUED, NULL);
    message_set_bytes(&issued->certificate->certificate, chain_pem);
    return issued;
}

Docker__Swarmkit__V1__Node *ca_issue_put_off(const Docker__Swarmkit__V1__Node *node, const char *why)
{
    Docker__Swarmkit__V1__Node *waits = MESSAGE_COPY(node);
    set_status(waits, ca_issue_state(node), why);
    return waits;
}

Docker__Swarmkit__V1__Node *ca_issue_failed(const Docker__Swarmkit__V1__Node *node, const char *why)
{
    Docker__Swarmkit__V1__Node *refused = MESSAGE_COPY(node);
    set_status(refused, DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__FAILED, why);
    return refused;
}
