/* tests/helpers/grpc_echo_client.c – calls the echo service as each scenario wants: `grpc_echo_client ADDRESS CERT KEY CA NAME
 * [SCENARIO]…`.
 *
 * NAME is what the server's certificate must carry. Prints "SCENARIO ok" or "SCENARIO FAIL: what"; the exit code is the number of failures.
 */
#include "base/mem.h"
#include "tests/helpers/grpc_echo.h"

/* One call and what came of it. */
struct call_log {
    struct buf bytes; /* of all messages */
    size_t count, to_send, send_size;
    bool is_done, pauses;
    int code;
    char message[256];
    struct error error;
};

static uv_loop_t *loop;
static struct grpc_channel *channel;
static char flaw[512];

#define EXPECT(claim, ...)                                                                                                                 \
    do {                                                                                                                                   \
        if (!(claim)) {                                                                                                                    \
            snprintf(flaw, sizeof flaw, __VA_ARGS__);                                                                                      \
            return;                                                                                                                        \
        }                                                                                                                                  \
    } while (0)

static void run_until_done(const struct call_log *log)
{
    while (!log->is_done && uv_run(loop, UV_RUN_ONCE) != 0)
        ;
}

static void on_message(struct grpc_call *call, ProtobufCMessage *base, void *ctx)
{
    struct call_log *log = ctx;
    Payload *message = (Payload *)base;
    (void)call;
    log->count++;
    buf_append(&log->bytes, message->value.data, message->value.len);
}

static void send_more(struct grpc_call *call, void *ctx)
{
    struct call_log *log = ctx;
    cleanup_buf struct buf block = {0};
    memset(buf_reserve(&block, log->send_size), 'u', log->send_size);
    Payload message = payload(block.data, log->send_size);
    for (; log->to_send > 0; log->to_send--)
        if (grpc_call_send(call, &message.base, NULL) < 0)
            return;
    grpc_call_send_end(call);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct call_log *log = ctx;
    (void)call;
    log->is_done = true;
    log->code = status->code;
    log->error = status->error;
    snprintf(log->message, sizeof log->message, "%s", status->message);
}

static const struct grpc_call_handlers handlers = {.on_message = on_message, .on_writable = send_more, .on_done = on_done};

/* One request message, whatever comes back. */
static void ask(enum echo_id id, const void *data, size_t size, const struct grpc_call_options *options, struct call_log *log)
{
    struct grpc_call *call = grpc_call_start(channel, &echo_methods[id], options, &handlers, log);
    Payload message = payload(data, size);
    grpc_call_send(call, &message.base, NULL);
    run_until_done(log);
}

static void ask_text(enum echo_id id, const char *text, const struct grpc_call_options *options, struct call_log *log)
{
    ask(id, text, strlen(text), options, log);
}

static void unary(struct call_log *log)
{
    ask_text(ECHO_Unary, "hello", NULL, log);
    EXPECT(log->code == 0 && strcmp((char *)log->bytes.data, "hello") == 0, "%d %s", log->code, log->message);
}

static void empty(struct call_log *log)
{
    ask(ECHO_Unary, NULL, 0, NULL, log);
    EXPECT(log->code == 0 && log->count == 1 && log->bytes.size == 0, "%d %s, %zu messages", log->code, log->message, log->count);
}

static void large(struct call_log *log)
{
    const size_t size = 3500 * KIB;
    uint8_t *data = mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 31 + i / 251);
    ask(ECHO_Unary, data, size, NULL, log);
    bool is_same = log->bytes.size == size && memcmp(log->bytes.data, data, size) == 0;
    free(data);
    EXPECT(log->code == 0 && is_same, "%d %s, %zu bytes back", log->code, log->message, log->bytes.size);
}

static void too_large(struct call_log *log)
{
    ask_text(ECHO_Down, "1 4300000", NULL, log);
    EXPECT(log->code == GRPC_RESOURCE_EXHAUSTED && log->count == 0, "%d %s", log->code, log->message);
}

static void fails(struct call_log *log)
{
    ask_text(ECHO_Fail, "7 nicht für dich: 100%\n", NULL, log);
    EXPECT(log->code == 7 && strcmp(log->message, "nicht für dich: 100%\n") == 0, "%d \"%s\"", log->code, log->message);
    EXPECT(log->error.code == ERR_PERMISSION, "error %s", error_name(log->error.code));
}

static void whoami(struct call_log *log)
{
    struct grpc_metadatum metadata[] = {{"x-echo", "left right"}};
    ask_text(ECHO_Whoami, "", &(struct grpc_call_options){.metadata = metadata, .metadata_count = 1}, log);
    EXPECT(log->code == 0 && strcmp((char *)log->bytes.data, "node1|swarm-worker|cluster1|left right") == 0, "%d %s %s", log->code,
           log->message, log->bytes.data);
}

static void deadline(struct call_log *log)
{
    uint64_t begun = uv_hrtime();
    ask_text(ECHO_Hang, "", &(struct grpc_call_options){.deadline_ms = 300}, log);
    double took_ms = (double)(uv_hrtime() - begun) / 1e6;
    EXPECT(log->code == GRPC_DEADLINE_EXCEEDED && took_ms > 250 && took_ms < 2000, "%d %s after %.0f ms", log->code, log->message, took_ms);
}

static void on_cancel_time(uv_timer_t *timer)
{
    grpc_call_cancel(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

static void cancel(struct call_log *log)
{
    static uv_timer_t timer;
    struct grpc_call *call = grpc_call_start(channel, &echo_methods[ECHO_Hang], NULL, &handlers, log);
    Payload message = payload("", 0);
    grpc_call_send(call, &message.base, NULL);
    uv_timer_init(loop, &timer);
    timer.data = call;
    uv_timer_start(&timer, on_cancel_time, 200, 0);
    run_until_done(log);
    EXPECT(log->code == GRPC_CANCELED, "%d %s", log->code, log->message);
}

static void unknown_method(struct call_log *log)
{
    static const struct method method = {"/skep.test.Echo/Nothing", &google__protobuf__bytes_value__descriptor,
                                         &google__protobuf__bytes_value__descriptor, METHOD_UNARY, METHOD_ANYONE};
    struct grpc_call *call = grpc_call_start(channel, &method, NULL, &handlers, log);
    Payload message = payload("", 0);
    grpc_call_send(call, &message.base, NULL);
    run_until_done(log);
    EXPECT(log->code == GRPC_UNIMPLEMENTED, "%d %s", log->code, log->message);
}

static void down(struct call_log *log)
{
    ask_text(ECHO_Down, "200 50000", NULL, log);
    EXPECT(log->code == 0 && log->count == 200 && log->bytes.size == 10000000, "%d %s, %zu messages, %zu bytes", log->code, log->message,
           log->count, log->bytes.size);
}

static void stream(enum echo_id id, size_t count, size_t size, struct call_log *log)
{
    log->to_send = count;
    log->send_size = size;
    struct grpc_call *call = grpc_call_start(channel, &echo_methods[id], NULL, &handlers, log);
    send_more(call, log);
    run_until_done(log);
}

static void up(struct call_log *log)
{
    stream(ECHO_Up, 200, 50000, log);
    EXPECT(log->code == 0 && strcmp((char *)log->bytes.data, "200 10000000") == 0, "%d %s: %s", log->code, log->message, log->bytes.data);
}

static void both(struct call_log *log)
{
    stream(ECHO_Both, 200, 50000, log);
    EXPECT(log->code == 0 && log->count == 200 && log->bytes.size == 10000000, "%d %s, %zu messages, %zu bytes", log->code, log->message,
           log->count, log->bytes.size);
}

#define SCENARIOS(X)                                                                                                                       \
    X(unary) X(empty) X(large) X(too_large) X(fails) X(whoami) X(deadline) X(cancel) X(unknown_method) X(down) X(up) X(both)

static const struct scenario {
    const char *name;
    void (*run)(struct call_log *log);
} scenarios[] = {
#define X(name) {#name, name},
    SCENARIOS(X)
#undef X
};

static bool is_wanted(const char *name, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 64;
    loop = uv_default_loop();
    struct tls_credentials *credentials = echo_credentials(argv[2], argv[3], argv[4]);
    struct error err = {0};
    struct grpc_channel_options options = {.loop = loop,
                                           .clock = clock_system(),
                                           .random = random_system(),
                                           .address = argv[1],
                                           .credentials = credentials,
                                           .server_name = argv[5],
                                           .is_anonymous = strcmp(argv[2], "-") == 0};
    if (grpc_channel_new(&options, &channel, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return error_exit_code(err.code);
    }
    int failures = 0;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (!is_wanted(scenarios[i].name, argc - 6, argv + 6))
            continue;
        struct call_log log = {0};
        buf_append(&log.bytes, "", 0);
        flaw[0] = 0;
        scenarios[i].run(&log);
        printf("%s %s%s\n", scenarios[i].name, flaw[0] ? "FAIL: " : "ok", flaw);
        failures += flaw[0] != 0;
        buf_deinit(&log.bytes);
    }
    grpc_channel_close(channel);
    uv_run(loop, UV_RUN_DEFAULT);
    tls_credentials_free(credentials);
    return uv_loop_close(loop) == 0 ? failures : 70;
}
