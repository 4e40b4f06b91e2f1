/* tests/helpers/grpc_echo_server.c – the echo service on our server: `grpc_echo_server ADDRESS CERT KEY CA`.
 *
 * Prints "listening PORT", then a line "METHOD CODE" for each call that ended. Runs until its standard input ends. */
#include "base/mem.h"
#include "tests/helpers/grpc_echo.h"

struct served {
    enum echo_id id;
    struct buf waiting; /* Both: the message that did not fit */
    bool has_waiting, has_ended;
    size_t count, bytes, left, size; /* Up: received; Down: to be sent */
    char *x_echo;
};

static void send_down(struct grpc_call *call, struct served *served)
{
    cleanup_buf struct buf block = {0};
    memset(buf_reserve(&block, served->size), 'd', served->size);
    Payload message = payload(block.data, served->size);
    while (served->left > 0) {
        if (grpc_call_send(call, &message.base, NULL) < 0)
            return;
        served->left--;
    }
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void reply_whoami(struct grpc_call *call, struct served *served)
{
    cleanup_buf struct buf text = {0};
    const struct tls_identity *peer = grpc_call_peer(call);
    if (peer == NULL) {
        grpc_call_finish(call, GRPC_UNAUTHENTICATED, "no certificate");
        return;
    }
    buf_append_format(&text, "%s|", peer->common_name);
    for (size_t i = 0; i < peer->unit_count; i++)
        buf_append_format(&text, "%s%s", i ? "," : "", peer->units[i]);
    buf_append_format(&text, "|%s|%s", peer->organization, served->x_echo ? served->x_echo : "");
    Payload message = payload(text.data, text.size);
    grpc_call_reply(call, &message.base);
}

static void on_message(struct grpc_call *call, ProtobufCMessage *base, void *ctx)
{
    struct served *served = ctx;
    Payload *message = (Payload *)base;
    cleanup_free char *text = mem_string_n((const char *)message->value.data, message->value.len);
    switch (served->id) {
    case ECHO_Unary:
        grpc_call_reply(call, base);
        break;
    case ECHO_Fail:
        grpc_call_finish(call, atoi(text), strchr(text, ' ') + 1);
        break;
    case ECHO_Whoami:
        reply_whoami(call, served);
        break;
    case ECHO_Down:
        sscanf(text, "%zu %zu", &served->left, &served->size);
        send_down(call, served);
        break;
    case ECHO_Up:
        served->count++;
        served->bytes += message->value.len;
        break;
    case ECHO_Both:
        if (grpc_call_send(call, base, NULL) == ERR_AGAIN) {
            served->has_waiting = true;
            buf_append(&served->waiting, message->value.data, message->value.len);
            grpc_call_pause(call, true);
        }
        break;
    case ECHO_Hang:
    case ECHO_COUNT:
        break;
    }
}

static void on_writable(struct grpc_call *call, void *ctx)
{
    struct served *served = ctx;
    if (served->id == ECHO_Down) {
        send_down(call, served);
    } else if (served->has_waiting) {
        Payload message = payload(served->waiting.data, served->waiting.size);
        grpc_call_send(call, &message.base, NULL);
        buf_clear(&served->waiting);
        served->has_waiting = false;
        grpc_call_pause(call, false);
        if (served->has_ended)
            grpc_call_finish(call, GRPC_OK, NULL);
    }
}

static void on_half_closed(struct grpc_call *call, void *ctx)
{
    struct served *served = ctx;
    char text[64];
    served->has_ended = true;
    if (served->id == ECHO_Up) {
        snprintf(text, sizeof text, "%zu %zu", served->count, served->bytes);
        Payload message = payload(text, strlen(text));
        grpc_call_reply(call, &message.base);
    } else if (served->id == ECHO_Both && !served->has_waiting) {
        grpc_call_finish(call, GRPC_OK, NULL);
    }
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct served *served = ctx;
    printf("%s %d\n", strrchr(grpc_call_method(call)->path, '/') + 1, status->code);
    fflush(stdout);
    buf_deinit(&served->waiting);
    free(served->x_echo);
    free(served);
}

static void on_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {
        .on_message = on_message, .on_half_closed = on_half_closed, .on_writable = on_writable, .on_done = on_done};
    struct served *served = mem_alloc(sizeof *served);
    served->id = (enum echo_id)((const struct method *)ctx - echo_methods);
    served->x_echo = mem_string(grpc_call_metadata(call, "x-echo", 0));
    grpc_call_accept(call, &handlers, served);
}

static void on_stdin(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    (void)buf;
    if (size < 0) {
        grpc_server_stop(stream->data, 0, NULL, NULL);
        uv_close((uv_handle_t *)stream, NULL);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char ignored[256];
    (void)handle, (void)suggested;
    *buf = uv_buf_init(ignored, sizeof ignored);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 64;
    uv_loop_t *loop = uv_default_loop();
    struct tls_credentials *credentials = echo_credentials(argv[2], argv[3], argv[4]);
    struct grpc_server *server = grpc_server_new(
        &(struct grpc_server_options){.loop = loop, .clock = clock_system(), .credentials = credentials, .max_message_bytes = 16 * MIB});
    struct error err = {0};
    for (size_t i = 0; i < ECHO_COUNT; i++)
        grpc_server_handle(server, &echo_methods[i], on_call, (void *)(uintptr_t)&echo_methods[i]);
    if (grpc_server_listen(server, argv[1], &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return error_exit_code(err.code);
    }
    printf("listening %u\n", grpc_server_port(server));
    fflush(stdout);
    uv_pipe_t input;
    uv_pipe_init(loop, &input, 0);
    uv_pipe_open(&input, 0);
    input.data = server;
    uv_read_start((uv_stream_t *)&input, on_alloc, on_stdin);
    uv_run(loop, UV_RUN_DEFAULT);
    tls_credentials_free(credentials);
    return uv_loop_close(loop) == 0 ? 0 : 70;
}
