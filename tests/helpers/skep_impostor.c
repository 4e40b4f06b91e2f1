/* tests/helpers/skep_impostor.c – a man in the middle of a join: he gives out the cluster's root CA, which everybody can download, under a
 * certificate of another CA. Prints "listening", and "deceived" when a node tells him its token.
 *
 *     skep_impostor CHAIN KEY ROOT HOST:PORT        files in PEM */
#include <stdio.h>

#include "base/file.h"
#include "proto/grpc/grpc.h"
#include "proto/swarmkit/ca.pb-c.h"

static const struct grpc_call_handlers handlers;
static struct buf chain, key, root;

static void say(const char *word)
{
    printf("%s\n", word);
    fflush(stdout);
}

static void on_get_root(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    Docker__Swarmkit__V1__GetRootCACertificateResponse response = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_RESPONSE__INIT;
    response.certificate = (ProtobufCBinaryData){.len = root.size, .data = root.data};
    grpc_call_accept(call, &handlers, NULL);
    grpc_call_reply(call, &response.base);
}

static void on_request(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    say("deceived");
    grpc_call_accept(call, &handlers, NULL);
    grpc_call_finish(call, GRPC_UNAVAILABLE, "");
}

static int serve(char **argv, uv_loop_t *loop, struct error *err)
{
    struct clock clock = clock_system();
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    int failed = file_read(argv[1], MIB, &chain, err);
    if (failed == 0)
        failed = file_read(argv[2], MIB, &key, err);
    if (failed == 0)
        failed = file_read(argv[3], MIB, &root, err);
    if (failed == 0)
        failed = tls_credentials_set(credentials, buf_bytes(&chain), buf_bytes(&key), buf_bytes(&root), err);
    if (failed < 0)
        return failed;
    struct grpc_server *server = grpc_server_new(&(struct grpc_server_options){.loop = loop, .clock = clock, .credentials = credentials});
    grpc_server_handle(server, METHOD(CA, GetRootCACertificate), on_get_root, NULL);
    grpc_server_handle(server, METHOD(NodeCA, IssueNodeCertificate), on_request, NULL);
    return grpc_server_listen(server, argv[4], err);
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    struct error err = {0};
    if (argc != 5) {
        fprintf(stderr, "usage: %s CHAIN KEY ROOT HOST:PORT\n", argv[0]);
        return 64;
    }
    uv_loop_init(&loop);
    if (serve(argv, &loop, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    say("listening");
    return uv_run(&loop, UV_RUN_DEFAULT);
}
