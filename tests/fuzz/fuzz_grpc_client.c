/* tests/fuzz/fuzz_grpc_client.c – whatever a server may send to our gRPC client behind TLS, with a call of each shape under way. The first
 * byte is the size of the pieces in which the rest arrives. */
#include "base/mem.h"
#include "tests/fuzz/grpc_peer.h"

static const struct method methods[] = {GRPC_FUZZ_METHODS};

static void on_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    (void)ctx;
    if (grpc_call_send(call, message, NULL) == ERR_AGAIN)
        grpc_call_cancel(call);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    int *done = ctx;
    (void)call;
    (void)status;
    (*done)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { COUNT = sizeof methods / sizeof methods[0] };
    struct fuzz_peer peer;
    int done[COUNT] = {0};
    fuzz_begin(&peer, false, &fuzz_transport);
    for (size_t i = 0; i < COUNT; i++) {
        struct grpc_call *call = grpc_call_new(&peer.schedule, &methods[i]);
        call->handlers = (struct grpc_call_handlers){.on_message = on_message, .on_done = on_done};
        call->ctx = &done[i];
        connection_request(peer.connection, call);
        Google__Protobuf__BytesValue message = GOOGLE__PROTOBUF__BYTES_VALUE__INIT;
        grpc_call_send(call, &message.base, NULL);
    }
    schedule_run(&peer.schedule);
    if (size > 1)
        fuzz_feed(&peer, bytes_of(data + 1, size - 1), data[0]);
    fuzz_end(&peer);
    for (size_t i = 0; i < COUNT; i++)
        assert(done[i] == 1);
    return 0;
}
