/* tests/helpers/grpc_probe.c – what a host without a certificate may ask a Swarm manager: `grpc_probe ADDRESS ROOTS`.
 *
 * Downloads the root CA into the file ROOTS unless that is there, then calls the manager as swarm-ca under that root. Prints a line per
 * call: "NAME CODE what". The exit code is 0 when all could be asked. */
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "proto/grpc/grpc.h"
#include "proto/swarmkit/ca.pb-c.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "proto/swarmkit/health.pb-c.h"

struct answer {
    bool is_done, is_reached;
    const char *name;
    struct buf root_pem;
};

static void on_reply(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    struct answer *answer = ctx;
    answer->is_done = true;
    answer->is_reached = status->is_from_peer;
    printf("%s %d %s\n", answer->name, status->code, status->is_from_peer ? status->message : status->error.message);
    if (reply && reply->descriptor == &docker__swarmkit__v1__get_root_cacertificate_response__descriptor) {
        ProtobufCBinaryData pem = ((Docker__Swarmkit__V1__GetRootCACertificateResponse *)reply)->certificate;
        buf_append(&answer->root_pem, pem.data, pem.len);
    }
}

static void ask(struct grpc_channel *channel, const struct method *method, const ProtobufCMessage *request, struct answer *answer)
{
    struct grpc_call_options options = {.deadline_ms = 5000};
    answer->is_done = false;
    answer->name = strrchr(method->path, '/') + 1;
    grpc_unary(channel, method, request, &options, on_reply, answer);
    while (!answer->is_done)
        uv_run(uv_default_loop(), UV_RUN_ONCE);
}

static struct grpc_channel *dial(const char *address, struct tls_credentials *credentials, const char *role)
{
    struct grpc_channel *channel;
    struct error err = {0};
    if (grpc_channel_new(&(struct grpc_channel_options){.loop = uv_default_loop(),
                                                        .clock = clock_system(),
                                                        .random = random_system(),
                                                        .address = address,
                                                        .authority = role,
                                                        .credentials = credentials,
                                                        .server_name = role,
                                                        .is_unverified = role == NULL,
                                                        .is_anonymous = true},
                         &channel, &err) == 0)
        return channel;
    fprintf(stderr, "%s\n", err.message);
    exit(64);
}

static void use_roots(struct tls_credentials *credentials, struct bytes roots_pem)
{
    struct error err = {0};
    if (tls_credentials_set(credentials, bytes_of(NULL, 0), bytes_of(NULL, 0), roots_pem, &err) == 0)
        return;
    fprintf(stderr, "%s\n", err.message);
    exit(65);
}

/* Three that are answered before anybody asks who we are, and one that is not. */
static void probe(struct grpc_channel *channel, struct answer *answer)
{
    static const struct method absent = {"/docker.swarmkit.v1.Dispatcher/Nothing", &docker__swarmkit__v1__heartbeat_request__descriptor,
                                         &docker__swarmkit__v1__heartbeat_response__descriptor, METHOD_UNARY, METHOD_ANYONE};
    Docker__Swarmkit__V1__HeartbeatRequest heartbeat = DOCKER__SWARMKIT__V1__HEARTBEAT_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeCertificateStatusRequest status = DOCKER__SWARMKIT__V1__NODE_CERTIFICATE_STATUS_REQUEST__INIT;
    Docker__Swarmkit__V1__HealthCheckRequest health = DOCKER__SWARMKIT__V1__HEALTH_CHECK_REQUEST__INIT;
    ask(channel, &absent, &heartbeat.base, answer);
    ask(channel, METHOD(NodeCA, NodeCertificateStatus), &status.base, answer);
    ask(channel, METHOD(Health, Check), &health.base, answer);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 64;
    struct clock clock = clock_system();
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    struct answer answer = {0};
    struct error err = {0};
    if (!file_exists(argv[2])) {
        Docker__Swarmkit__V1__GetRootCACertificateRequest request = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_REQUEST__INIT;
        struct grpc_channel *channel = dial(argv[1], credentials, NULL);
        ask(channel, METHOD(CA, GetRootCACertificate), &request.base, &answer);
        grpc_channel_close(channel);
        if (answer.root_pem.size > 0 && file_write(argv[2], buf_bytes(&answer.root_pem), 0644, &err) < 0)
            fprintf(stderr, "%s\n", err.message);
    } else if (file_read(argv[2], 64 * KIB, &answer.root_pem, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    use_roots(credentials, buf_bytes(&answer.root_pem));
    struct grpc_channel *channel = dial(argv[1], credentials, "swarm-ca");
    probe(channel, &answer);
    grpc_channel_close(channel);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    tls_credentials_free(credentials);
    buf_deinit(&answer.root_pem);
    return answer.is_reached ? 0 : 69;
}
