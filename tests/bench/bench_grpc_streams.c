/* tests/bench/bench_grpc_streams.c – what an idle gRPC stream costs, and how many unary calls a second one loop makes.
 *
 *     bench_grpc_streams [STREAMS]      default 10000
 *
 * The server is this process and the client a child, so that each side's memory is its own. TLS over loopback, one connection. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/mem.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "proto/grpc/grpc.h"

#define CALLS_COUNT   20000
#define CALLS_AT_ONCE 64
#define SETTLE_MS     300

static const struct method idle = {"/skep.bench.Bench/Idle", &google__protobuf__bytes_value__descriptor,
                                   &google__protobuf__bytes_value__descriptor, METHOD_SERVER_STREAM, METHOD_ANYONE},
                           unary = {"/skep.bench.Bench/Unary", &google__protobuf__bytes_value__descriptor,
                                    &google__protobuf__bytes_value__descriptor, METHOD_UNARY, METHOD_ANYONE};

static uv_loop_t *loop;
static size_t stream_count, opened, replied, asked, at_once;
static struct grpc_channel *channel;

static size_t memory_bytes(void)
{
    size_t bytes = 0;
    uv_resident_set_memory(&bytes);
    return bytes;
}

static void print_memory(const char *side, size_t before, size_t after)
{
    printf("%s: %zu idle streams on one connection: %.1f MB before, %.1f MB after, %.0f bytes each\n", side, stream_count,
           (double)before / 1e6, (double)after / 1e6, ((double)after - (double)before) / (double)stream_count);
    fflush(stdout);
}

static void on_timer(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
    uv_close((uv_handle_t *)timer, NULL);
}

static void settle(void)
{
    uv_timer_t timer;
    bool is_over = false;
    uv_timer_init(loop, &timer);
    timer.data = &is_over;
    uv_timer_start(&timer, on_timer, SETTLE_MS, 0);
    while (!is_over || uv_is_active((uv_handle_t *)&timer))
        uv_run(loop, UV_RUN_ONCE);
    uv_run(loop, UV_RUN_NOWAIT);
}

/* --- client --- */

static void on_opened(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    (void)call, (void)message, (void)ctx;
    opened++;
}

static void on_ended(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call, (void)ctx;
    if (status->code == GRPC_CANCELED)
        return;
    fprintf(stderr, "a stream ended: %s\n", status->message);
    exit(1);
}

static void on_reply(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply);

static void ask(void)
{
    Google__Protobuf__BytesValue request = GOOGLE__PROTOBUF__BYTES_VALUE__INIT;
    for (; at_once > 0 && asked < CALLS_COUNT; at_once--, asked++)
        grpc_unary(channel, &unary, &request.base, NULL, on_reply, NULL);
}

static void on_reply(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    (void)ctx, (void)reply;
    if (status->code != GRPC_OK)
        exit(1);
    replied++;
    at_once++;
    ask();
}

static void run_unary(size_t concurrency)
{
    replied = asked = 0;
    at_once = concurrency;
    uint64_t begun = uv_hrtime();
    ask();
    while (replied < CALLS_COUNT)
        uv_run(loop, UV_RUN_ONCE);
    double seconds = (double)(uv_hrtime() - begun) / 1e9;
    printf("unary: %d calls, %zu at once: %.0f calls/s, %.0f us each\n", CALLS_COUNT, concurrency, CALLS_COUNT / seconds,
           seconds * 1e6 / CALLS_COUNT * (double)concurrency);
    fflush(stdout);
}

static int run_client(const char *address)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_opened, .on_done = on_ended};
    struct clock clock = clock_system();
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    struct error err = {0};
    if (grpc_channel_new(&(struct grpc_channel_options){.loop = loop,
                                                        .clock = clock,
                                                        .random = random_system(),
                                                        .address = address,
                                                        .credentials = credentials,
                                                        .is_unverified = true,
                                                        .is_anonymous = true},
                         &channel, &err) < 0)
        return 1;
    while (!grpc_channel_is_ready(channel))
        uv_run(loop, UV_RUN_ONCE);
    size_t before = memory_bytes();
    Google__Protobuf__BytesValue request = GOOGLE__PROTOBUF__BYTES_VALUE__INIT;
    for (size_t i = 0; i < stream_count; i++)
        grpc_call_send(grpc_call_start(channel, &idle, NULL, &handlers, NULL), &request.base, NULL);
    while (opened < stream_count)
        uv_run(loop, UV_RUN_ONCE);
    settle();
    print_memory("client", before, memory_bytes());
    run_unary(1);
    run_unary(CALLS_AT_ONCE);
    grpc_channel_close(channel);
    uv_run(loop, UV_RUN_DEFAULT);
    tls_credentials_free(credentials);
    return 0;
}

/* --- server --- */

static void on_request(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    (void)ctx;
    if (grpc_call_method(call) == &unary)
        grpc_call_reply(call, message);
    else
        grpc_call_send(call, message, NULL);
}

static void on_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_request};
    size_t *count = ctx;
    *count += grpc_call_method(call) == &idle;
    grpc_call_accept(call, &handlers, NULL);
}

static void append_pem(BIO *bio, struct buf *out)
{
    char *text;
    long size = BIO_get_mem_data(bio, &text);
    buf_append(out, text, (size_t)size);
    BIO_free(bio);
}

static struct tls_credentials *self_signed(const struct clock *clock)
{
    struct buf chain_pem = {0}, key_pem = {0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(leaf), 0);
    X509_gmtime_adj(X509_getm_notAfter(leaf), 3600);
    X509_set_pubkey(leaf, key);
    X509_sign(leaf, key, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, leaf);
    append_pem(bio, &chain_pem);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    append_pem(bio, &key_pem);
    struct tls_credentials *credentials = tls_credentials_new(clock);
    struct error err = {0};
    if (tls_credentials_set(credentials, buf_bytes(&chain_pem), buf_bytes(&key_pem), bytes_of(NULL, 0), &err) < 0)
        fprintf(stderr, "%s\n", err.message);
    buf_deinit(&chain_pem);
    buf_deinit(&key_pem);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return credentials;
}

static int64_t exit_code = -1;

static void on_exit_of_child(uv_process_t *process, int64_t code, int signal)
{
    exit_code = signal ? 128 + signal : code;
    uv_close((uv_handle_t *)process, NULL);
}

static void spawn_client(uv_process_t *process, char *self, uint16_t port)
{
    char address[32], count[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    snprintf(count, sizeof count, "%zu", stream_count);
    char *argv[] = {self, count, address, NULL};
    uv_stdio_container_t inherited[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 1}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t options = {.file = self, .args = argv, .exit_cb = on_exit_of_child, .stdio = inherited, .stdio_count = 3};
    if (uv_spawn(loop, process, &options) < 0)
        exit(1);
}

static int run_server(char *self)
{
    size_t count = 0;
    struct clock clock = clock_system();
    struct error err = {0};
    struct tls_credentials *credentials = self_signed(&clock);
    struct grpc_server *server = grpc_server_new(&(struct grpc_server_options){.loop = loop, .clock = clock, .credentials = credentials});
    grpc_server_handle(server, &idle, on_call, &count);
    grpc_server_handle(server, &unary, on_call, &count);
    if (grpc_server_listen(server, "127.0.0.1:0", &err) < 0)
        return 1;
    uv_process_t process;
    spawn_client(&process, self, grpc_server_port(server));
    size_t before = 0;
    while (exit_code < 0 && count < stream_count) {
        if (count == 0)
            before = memory_bytes();
        uv_run(loop, UV_RUN_ONCE);
    }
    settle();
    print_memory("server", before, memory_bytes());
    while (exit_code < 0)
        uv_run(loop, UV_RUN_ONCE);
    grpc_server_stop(server, 0, NULL, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    tls_credentials_free(credentials);
    return (int)exit_code;
}

int main(int argc, char **argv)
{
    char self[4096];
    size_t size = sizeof self;
    loop = uv_default_loop();
    stream_count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    if (stream_count == 0 || stream_count > GRPC_SERVER_STREAMS_COUNT || uv_exepath(self, &size) < 0)
        return 64;
    return argc > 2 ? run_client(argv[2]) : run_server(self);
}
