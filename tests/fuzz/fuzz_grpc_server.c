/* tests/fuzz/fuzz_grpc_server.c – whatever a client may send to our gRPC server behind TLS. The first byte is the size of the pieces in
 * which the rest arrives; HTTP/2's preface comes before it. */
#include "base/mem.h"
#include "tests/fuzz/grpc_peer.h"

static const struct method methods[] = {GRPC_FUZZ_METHODS};

static void on_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    (void)ctx;
    if (grpc_call_method(call)->streams == METHOD_UNARY)
        grpc_call_reply(call, message);
    else if (grpc_call_send(call, message, NULL) == ERR_AGAIN)
        grpc_call_pause(call, true);
}

static void on_half_closed(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    grpc_call_finish(call, GRPC_OK, "");
}

static void on_writable(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    grpc_call_pause(call, false);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call, (void)status, (void)ctx;
}

static void on_call(void *ctx, struct grpc_call *call)
{
    static const struct grpc_call_handlers handlers = {
        .on_message = on_message, .on_half_closed = on_half_closed, .on_writable = on_writable, .on_done = on_done};
    (void)ctx;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(call->path, methods[i].path) == 0)
            call->method = &methods[i];
    if (call->method)
        grpc_call_accept(call, &handlers, NULL);
    else
        grpc_call_finish(call, GRPC_UNIMPLEMENTED, call->path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_peer peer;
    struct connection_transport transport = fuzz_transport;
    transport.on_call = on_call;
    fuzz_begin(&peer, true, &transport);
    fuzz_feed(&peer, bytes_of_string(NGHTTP2_CLIENT_MAGIC), 24);
    if (size > 1)
        fuzz_feed(&peer, bytes_of(data + 1, size - 1), data[0]);
    fuzz_end(&peer);
    return 0;
}
