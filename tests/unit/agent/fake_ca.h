/* tests/unit/agent/fake_ca.h – the CA of a manager, as much of it as a join needs: it signs whatever it is asked for. */
#ifndef SKEP_TESTS_UNIT_AGENT_FAKE_CA_H
#define SKEP_TESTS_UNIT_AGENT_FAKE_CA_H

#include "base/mem.h"
#include "proto/grpc/grpc.h"
#include "proto/identity/token.h"
#include "proto/swarmkit/ca.pb-c.h"
#include "tests/unit/proto/peer.h"

#define FAKE_CA_NODE "n0de0000000000000000000aa"

struct fake_ca {
    struct authority authority;
    struct papers papers;
    struct tls_credentials *credentials;
    struct grpc_server *server;
    struct buf request_pem;
    int64_t wall_ns;
    char address[64], token[TOKEN_SIZE_CHARS + 1];
};

static inline ProtobufCBinaryData fake_ca_data(const struct buf *buf)
{
    return (ProtobufCBinaryData){buf->size, buf->data};
}

static inline void fake_ca_root(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct fake_ca *ca = ctx;
    (void)message;
    Docker__Swarmkit__V1__GetRootCACertificateResponse reply = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_RESPONSE__INIT;
    reply.certificate = fake_ca_data(&ca->authority.root_pem);
    grpc_call_reply(call, &reply.base);
}

static inline void fake_ca_issue(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct fake_ca *ca = ctx;
    Docker__Swarmkit__V1__IssueNodeCertificateRequest *request = (void *)message;
    buf_clear(&ca->request_pem);
    buf_append(&ca->request_pem, request->csr.data, request->csr.len);
    Docker__Swarmkit__V1__IssueNodeCertificateResponse reply = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_RESPONSE__INIT;
    reply.node_id = (char *)(uintptr_t)FAKE_CA_NODE;
    grpc_call_reply(call, &reply.base);
}

static inline void fake_ca_status(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct fake_ca *ca = ctx;
    (void)message;
    cleanup_buf struct buf chain = {0};
    authority_issue(&ca->authority, buf_bytes(&ca->request_pem), FAKE_CA_NODE, "swarm-worker", "cluster1", ca->wall_ns - 3600000000000,
                    7 * DAY_S, &chain);
    Docker__Swarmkit__V1__IssuanceStatus status = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__INIT;
    Docker__Swarmkit__V1__Certificate certificate = DOCKER__SWARMKIT__V1__CERTIFICATE__INIT;
    Docker__Swarmkit__V1__NodeCertificateStatusResponse reply = DOCKER__SWARMKIT__V1__NODE_CERTIFICATE_STATUS_RESPONSE__INIT;
    status.state = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ISSUED;
    certificate.csr = fake_ca_data(&ca->request_pem);
    certificate.certificate = fake_ca_data(&chain);
    reply.status = &status;
    reply.certificate = &certificate;
    grpc_call_reply(call, &reply.base);
}

static inline void fake_ca_root_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = fake_ca_root};
    grpc_call_accept(call, &handlers, ctx);
}

static inline void fake_ca_issue_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = fake_ca_issue};
    grpc_call_accept(call, &handlers, ctx);
}

static inline void fake_ca_status_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = fake_ca_status};
    grpc_call_accept(call, &handlers, ctx);
}

/* It listens on @loop at ca->address until its server is stopped. Its time is the system's. */
static inline void fake_ca_start(struct fake_ca *ca, uv_loop_t *loop)
{
    static const uint8_t secret[TOKEN_SECRET_SIZE_BYTES] = {1, 2, 3};
    struct clock clock = clock_system();
    *ca = (struct fake_ca){.wall_ns = clock_wall_ns(&clock)};
    authority_init(&ca->authority, ca->wall_ns - INT64_C(86400000000000));
    ca->papers = papers_make(&ca->authority, &(struct papers_options){.name = "swarm-ca", .from_wall_ns = ca->wall_ns - 3600000000000});
    ca->credentials = peer_credentials(&ca->wall_ns, &ca->papers, &ca->authority);
    token_format(buf_bytes(&ca->authority.root_pem), secret, false, ca->token);
    ca->server = grpc_server_new(&(struct grpc_server_options){.loop = loop, .clock = clock, .credentials = ca->credentials});
    grpc_server_handle(ca->server, METHOD(CA, GetRootCACertificate), fake_ca_root_call, ca);
    grpc_server_handle(ca->server, METHOD(NodeCA, IssueNodeCertificate), fake_ca_issue_call, ca);
    grpc_server_handle(ca->server, METHOD(NodeCA, NodeCertificateStatus), fake_ca_status_call, ca);
    assert_ok(grpc_server_listen(ca->server, "127.0.0.1:0", err));
    snprintf(ca->address, sizeof ca->address, "127.0.0.1:%u", grpc_server_port(ca->server));
}

/* After the server has stopped. */
static inline void fake_ca_deinit(struct fake_ca *ca)
{
    tls_credentials_free(ca->credentials);
    papers_deinit(&ca->papers);
    authority_deinit(&ca->authority);
    buf_deinit(&ca->request_pem);
}

#endif
