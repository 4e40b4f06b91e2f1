/* tests/bench/bench_raft_load.c – drives a member of a Raft group through etcd's v3 API over mutual TLS: etcd's own, or ours that answers
 * the same calls. One loop; prints one line of JSON.
 *
 *     bench_raft_load put    --at HOST:PORT --tls DIR [--outstanding N] [--connections N] [--seconds S | --count N] [--warm S] [--size
 * BYTES]
 *                            [--keys N] [--pid PID]…
 *     bench_raft_load status --at HOST:PORT --tls DIR
 *     bench_raft_load await  --at HOST:PORT --tls DIR --applied INDEX [--seconds S]
 *
 * put keeps N proposals in flight, each a key of its own among --keys and a value of --size bytes, and counts those that were answered
 * within the time; latency is from the call to its answer, exact. CPU time is that of the processes --pid, over the same time. await asks
 * again until the member knows a leader and has applied INDEX; it prints when that was, on the monotonic clock. DIR has ca.pem, node.pem,
 * node.key. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "proto/grpc/grpc.h"
#include "tests/helpers/etcd.pb-c.h"

enum { CONNECTIONS_MAX = 256, OUTSTANDING_MAX = 100000, PIDS_MAX = 16, SIZE_MAX_BYTES = 1 << 20, KEY_SIZE = 16, AWAIT_EVERY_MS = 2 };

static const struct method put = {"/etcdserverpb.KV/Put", &etcdserverpb__put_request__descriptor, &etcdserverpb__put_response__descriptor,
                                  METHOD_UNARY, METHOD_ANYONE},
                           status = {"/etcdserverpb.Maintenance/Status", &etcdserverpb__status_request__descriptor,
                                     &etcdserverpb__status_response__descriptor, METHOD_UNARY, METHOD_ANYONE};

static struct {
    const char *at, *tls;
    size_t outstanding, connections, size_bytes, keys, pid_count;
    double seconds, warm_seconds;
    uint64_t count, applied;
    long pids[PIDS_MAX];
} options = {.outstanding = 1, .connections = 1, .size_bytes = 256, .keys = 10000, .seconds = 5, .warm_seconds = 1};

static uv_loop_t *loop;
static struct clock clock_now;
static struct tls_credentials *credentials;

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_raft_load: %s: %s: %s\n", options.at, what, why);
    exit(1);
}

/* --- connections --- */

static void read_pem(const char *name, struct buf *out)
{
    struct error err = {0};
    cleanup_free char *path = mem_format("%s/%s", options.tls, name);
    if (file_read(path, 1 * MIB, out, &err) < 0)
        fail("certificates", err.message);
}

static void load_credentials(void)
{
    struct buf chain = {0}, key = {0}, roots = {0};
    struct error err = {0};
    read_pem("node.pem", &chain);
    read_pem("node.key", &key);
    read_pem("ca.pem", &roots);
    credentials = tls_credentials_new(&clock_now);
    if (tls_credentials_set(credentials, buf_bytes(&chain), buf_bytes(&key), buf_bytes(&roots), &err) < 0)
        fail("certificates", err.message);
    buf_deinit(&chain);
    buf_deinit(&key);
    buf_deinit(&roots);
}

static struct grpc_channel *connect_to(void (*on_failed)(struct grpc_channel *, const struct error *, void *))
{
    struct grpc_channel *channel;
    struct error err = {0};
    if (grpc_channel_new(&(struct grpc_channel_options){.loop = loop,
                                                        .clock = clock_now,
                                                        .random = random_system(),
                                                        .address = options.at,
                                                        .credentials = credentials,
                                                        .server_name = "localhost",
                                                        .on_failed = on_failed},
                         &channel, &err) < 0)
        fail("connect", err.message);
    return channel;
}

static void on_broken(struct grpc_channel *channel, const struct error *err, void *ctx)
{
    (void)channel, (void)ctx;
    fail("connection", err->message);
}

/* --- put --- */

struct slot {
    struct grpc_channel *channel;
    uint64_t begun_ns;
};

static struct slot *slots;
static uint64_t *latencies_ns, measured, room, started, window_begin_ns, window_end_ns;
static size_t in_flight;
static bool is_stopping;
static uint8_t value[SIZE_MAX_BYTES];

static double cpu_seconds(void)
{
    double ticks = 0;
    for (size_t i = 0; i < options.pid_count; i++) {
        char path[64], text[1024] = "";
        unsigned long user, system;
        snprintf(path, sizeof path, "/proc/%ld/stat", options.pids[i]);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            fail(path, "the process is gone");
        size_t size = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[size] = 0;
        const char *name_end = strrchr(text, ')');
        if (name_end == NULL || sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
            fail(path, "cannot be read");
        ticks += (double)user + (double)system;
    }
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void on_put(void *ctx, const struct grpc_status *answer, ProtobufCMessage *reply);

static void propose(struct slot *slot)
{
    char key[KEY_SIZE + 1];
    snprintf(key, sizeof key, "%016" PRIx64, started % options.keys);
    Etcdserverpb__PutRequest request = ETCDSERVERPB__PUT_REQUEST__INIT;
    request.key = (ProtobufCBinaryData){KEY_SIZE, (uint8_t *)key};
    memcpy(value, &started, sizeof started);
    request.value = (ProtobufCBinaryData){options.size_bytes, value};
    started++;
    in_flight++;
    slot->begun_ns = uv_hrtime();
    grpc_unary(slot->channel, &put, &request.base, NULL, on_put, slot);
}

static void on_put(void *ctx, const struct grpc_status *answer, ProtobufCMessage *reply)
{
    struct slot *slot = ctx;
    uint64_t now = uv_hrtime();
    in_flight--;
    if (answer->code != GRPC_OK || reply == NULL)
        fail("put", answer->message);
    if (window_begin_ns && !is_stopping) {
        if (measured == room) {
            room = room ? 2 * room : 1 << 16;
            latencies_ns = mem_resize(latencies_ns, room * sizeof *latencies_ns);
        }
        latencies_ns[measured++] = now - slot->begun_ns;
        if (options.count && measured >= options.count)
            is_stopping = true, window_end_ns = now;
    }
    if (!is_stopping)
        propose(slot);
}

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void run_for(double seconds)
{
    uv_timer_t timer;
    bool is_over = false;
    uv_timer_init(loop, &timer);
    timer.data = &is_over;
    uv_timer_start(&timer, on_time, (uint64_t)(seconds * 1e3), 0);
    while (!is_over && !is_stopping)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double percentile_us(double percent)
{
    uint64_t at = (uint64_t)((double)measured * percent / 100);
    return measured ? (double)latencies_ns[at < measured ? at : measured - 1] / 1e3 : 0;
}

static void print_put(double took, double cpu, double own_cpu)
{
    qsort(latencies_ns, measured, sizeof *latencies_ns, by_value);
    printf("{\"commits\": %" PRIu64 ", \"seconds\": %.3f, \"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
           "\"cpu_s\": %.2f, \"cpu_us\": %.2f, \"driver_cpu_us\": %.2f}\n",
           measured, took, (double)measured / took, percentile_us(50), percentile_us(99), percentile_us(100), cpu,
           measured ? cpu * 1e6 / (double)measured : 0, measured ? own_cpu * 1e6 / (double)measured : 0);
}

static int run_put(void)
{
    struct grpc_channel *channels[CONNECTIONS_MAX];
    for (size_t i = 0; i < options.connections; i++) {
        channels[i] = connect_to(on_broken);
        while (!grpc_channel_is_ready(channels[i]))
            uv_run(loop, UV_RUN_ONCE);
    }
    memset(value, 'x', sizeof value);
    slots = mem_alloc(options.outstanding * sizeof *slots);
    for (size_t i = 0; i < options.outstanding; i++) {
        slots[i].channel = channels[i % options.connections];
        propose(&slots[i]);
    }
    run_for(options.warm_seconds);
    double cpu = cpu_seconds(), own_cpu = own_cpu_seconds();
    window_begin_ns = uv_hrtime();
    run_for(options.count ? 86400 : options.seconds);
    if (!is_stopping)
        window_end_ns = uv_hrtime();
    is_stopping = true;
    cpu = cpu_seconds() - cpu;
    own_cpu = own_cpu_seconds() - own_cpu;
    while (in_flight > 0)
        uv_run(loop, UV_RUN_ONCE);
    print_put((double)(window_end_ns - window_begin_ns) / 1e9, cpu, own_cpu);
    for (size_t i = 0; i < options.connections; i++)
        grpc_channel_close(channels[i]);
    return 0;
}

/* --- status and await --- */

static struct {
    bool is_done, is_good;
    uint64_t member, leader, term, index, applied;
    int64_t size_bytes;
    char problem[256];
} seen;

static void on_status(void *ctx, const struct grpc_status *answer, ProtobufCMessage *reply)
{
    (void)ctx;
    seen.is_done = true;
    seen.is_good = answer->code == GRPC_OK && reply;
    if (!seen.is_good) {
        snprintf(seen.problem, sizeof seen.problem, "%s", answer->message);
        return;
    }
    const Etcdserverpb__StatusResponse *response = (const Etcdserverpb__StatusResponse *)reply;
    seen.member = response->header ? response->header->member_id : 0;
    seen.leader = response->leader;
    seen.term = response->raftterm;
    seen.index = response->raftindex;
    seen.applied = response->raftappliedindex;
    seen.size_bytes = response->dbsize;
}

static void ask(struct grpc_channel *channel)
{
    Etcdserverpb__StatusRequest request = ETCDSERVERPB__STATUS_REQUEST__INIT;
    seen.is_done = false;
    grpc_unary(channel, &status, &request.base, &(struct grpc_call_options){.deadline_ms = 2000}, on_status, NULL);
    while (!seen.is_done)
        uv_run(loop, UV_RUN_ONCE);
}

static void print_seen(void)
{
    printf("{\"member\": \"%" PRIx64 "\", \"leader\": \"%" PRIx64 "\", \"term\": %" PRIu64 ", \"index\": %" PRIu64 ", \"applied\": %" PRIu64
           ", \"size_bytes\": %" PRId64 ", \"monotonic_s\": %.6f}\n",
           seen.member, seen.leader, seen.term, seen.index, seen.applied, seen.size_bytes, (double)uv_hrtime() / 1e9);
}

static int run_status(void)
{
    struct grpc_channel *channel = connect_to(NULL);
    ask(channel);
    if (!seen.is_good)
        fail("status", seen.problem);
    print_seen();
    grpc_channel_close(channel);
    return 0;
}

static int run_await(void)
{
    uint64_t end_ns = uv_hrtime() + (uint64_t)(options.seconds * 1e9);
    for (;;) {
        struct grpc_channel *channel = connect_to(NULL);
        do {
            ask(channel);
            if (seen.is_good && seen.leader && seen.applied >= options.applied) {
                print_seen();
                grpc_channel_close(channel);
                return 0;
            }
            if (uv_hrtime() > end_ns)
                fail("await", seen.is_good ? "it does not get there" : seen.problem);
            run_for(AWAIT_EVERY_MS / 1e3);
        } while (seen.is_good);
        grpc_channel_close(channel);
    }
}

/* --- options --- */

static _Noreturn void usage(FILE *to, int code)
{
    fputs("bench_raft_load put    --at HOST:PORT --tls DIR [--outstanding N] [--connections N] [--seconds S | --count N] [--warm S]\n"
          "                       [--size BYTES] [--keys N] [--pid PID]…\n"
          "bench_raft_load status --at HOST:PORT --tls DIR\n"
          "bench_raft_load await  --at HOST:PORT --tls DIR --applied INDEX [--seconds S]\n\n"
          "Drives a Raft member through etcd's v3 API over mutual TLS; prints one line of JSON. DIR has ca.pem, node.pem, node.key.\n",
          to);
    exit(code);
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {{"at", 1, NULL, 'a'},
                                          {"tls", 1, NULL, 't'},
                                          {"outstanding", 1, NULL, 'o'},
                                          {"connections", 1, NULL, 'c'},
                                          {"seconds", 1, NULL, 's'},
                                          {"count", 1, NULL, 'n'},
                                          {"warm", 1, NULL, 'w'},
                                          {"size", 1, NULL, 'b'},
                                          {"keys", 1, NULL, 'k'},
                                          {"pid", 1, NULL, 'p'},
                                          {"applied", 1, NULL, 'i'},
                                          {"help", 0, NULL, 'h'},
                                          {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1)
        switch (letter) {
        case 'a':
            options.at = optarg;
            break;
        case 't':
            options.tls = optarg;
            break;
        case 'o':
            options.outstanding = strtoul(optarg, NULL, 10);
            break;
        case 'c':
            options.connections = strtoul(optarg, NULL, 10);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'n':
            options.count = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            options.warm_seconds = strtod(optarg, NULL);
            break;
        case 'b':
            options.size_bytes = strtoul(optarg, NULL, 10);
            break;
        case 'k':
            options.keys = strtoul(optarg, NULL, 10);
            break;
        case 'i':
            options.applied = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            if (options.pid_count == PIDS_MAX)
                usage(stderr, 64);
            options.pids[options.pid_count++] = strtol(optarg, NULL, 10);
            break;
        case 'h':
            usage(stdout, 0);
        default:
            usage(stderr, 64);
        }
    if (optind + 1 != argc || options.at == NULL || options.tls == NULL || options.outstanding == 0 ||
        options.outstanding > OUTSTANDING_MAX || options.connections == 0 || options.connections > CONNECTIONS_MAX || options.keys == 0 ||
        options.size_bytes < sizeof(uint64_t) || options.size_bytes > SIZE_MAX_BYTES)
        usage(stderr, 64);
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    loop = uv_default_loop();
    clock_now = clock_system();
    load_credentials();
    const char *verb = argv[optind];
    int code = 64;
    if (strcmp(verb, "put") == 0)
        code = run_put();
    else if (strcmp(verb, "status") == 0)
        code = run_status();
    else if (strcmp(verb, "await") == 0)
        code = run_await();
    else
        usage(stderr, 64);
    uv_run(loop, UV_RUN_DEFAULT);
    tls_credentials_free(credentials);
    free(slots);
    free(latencies_ns);
    return code;
}
