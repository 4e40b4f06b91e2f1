/* tests/helpers/raft_member.c – one member of a Raft group with a key-value map, driven by lines:
 *
 *     raft_member --dir D --id HEX --node NAME --listen HOST:PORT --address HOST:PORT --cert F --key F --ca F --cluster O
 *                 [--member HEX,NAME,HOST:PORT]… [--bootstrap] [--tick MS] [--snapshots COUNT]
 *
 * On standard input, TAG being any word that comes back in the answer:
 *     put TAG KEY VALUE | get TAG KEY | status TAG | transfer TAG HEX | add TAG HEX NAME HOST:PORT [learner] | remove TAG HEX |
 *     snapshot TAG | load TAG COUNT OUTSTANDING SIZE | quit
 * On standard output: "ready PORT", "role ROLE TERM LEADER", "ok TAG …", "error TAG CODE MESSAGE", "closed".
 * The call of tests/helpers/raft_kv.h is served too. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "tests/helpers/raft_kv.h"

static uv_loop_t *loop;
static struct raft_node *node;
static struct grpc_server *server;
static struct tls_credentials *credentials;
static struct kv kv;
static uv_pipe_t input;
static struct buf line_buffer;
static bool is_quitting;

static void say(const char *format, ...) __attribute__((format(SKEP_PRINTF, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "raft_member: %s: %s\n", what, err->message);
    exit(1);
}

/* --- lines --- */

struct asked {
    char tag[64], key[256];
    bool is_read;
};

static void on_answer(void *ctx, uint64_t index, const struct error *err)
{
    struct asked *asked = ctx;
    if (err)
        say("error %s %s %s", asked->tag, error_name(err->code), err->message);
    else if (asked->is_read)
        say("ok %s %s", asked->tag, kv_get(&kv, asked->key) ? kv_get(&kv, asked->key) : "");
    else
        say("ok %s %" PRIu64, asked->tag, index);
    free(asked);
}

static void print_status(const char *tag)
{
    struct raft_node_status status;
    cleanup_buf struct buf peers = {0};
    raft_node_status(node, &status);
    for (size_t i = 0; i < status.peers_count; i++)
        buf_append_format(&peers,
                          "%s{\"id\":\"%" PRIx64 "\",\"connected\":%s,\"match\":%" PRIu64 ",\"rtt_us\":%" PRIu64 ",\"dropped\":%" PRIu64
                          ",\"mode\":\"%s\"}",
                          i ? "," : "", status.peers[i].id, status.peers[i].link.is_connected ? "true" : "false", status.peers[i].match,
                          status.peers[i].link.round_trip_ns / 1000, status.peers[i].link.dropped_count,
                          raft_peer_modes.states[status.peers[i].link.mode].name);
    say("ok %s {\"role\":\"%s\",\"term\":%" PRIu64 ",\"leader\":\"%" PRIx64 "\",\"commit\":%" PRIu64 ",\"applied\":%" PRIu64
        ",\"snapshot\":%" PRIu64 ",\"first\":%" PRIu64 ",\"count\":%" PRIu64 ",\"crc\":%u,\"failed\":%s,\"removed\":%s,"
        "\"flush_us_most\":%" PRIu64 ",\"voters\":%zu,\"learners\":%zu,\"peers\":[%s]}",
        tag, raft_roles.states[status.role].name, status.term, status.leader, status.commit, status.applied, status.snapshot_index,
        status.first_index, kv.applied_count, kv.crc, status.has_failed ? "true" : "false", status.is_removed ? "true" : "false",
        status.writer.flush_ns_most / 1000, status.conf->voters.count, status.conf->learners.count, peers.size ? (char *)peers.data : "");
}

static void on_node_closed(void *ctx, const struct error *err)
{
    (void)ctx;
    if (err)
        fprintf(stderr, "raft_member: %s\n", err->message);
    say("closed");
    tls_credentials_free(credentials);
    kv_deinit(&kv);
}

static void on_server_stopped(void *ctx)
{
    (void)ctx;
    raft_node_close(node, on_node_closed, NULL);
}

static void quit(void)
{
    if (is_quitting)
        return;
    is_quitting = true;
    uv_close((uv_handle_t *)&input, NULL);
    grpc_server_stop(server, 0, on_server_stopped, NULL);
}

/* Proposes by itself, so many at a time: what a log can do, without a client's part. */
static struct load {
    char tag[64];
    uint64_t left, under_way, size, failed, *took_ns, took_count, begun_ns;
    struct raft_payload *payload;
} load;

struct load_item {
    uint64_t begun_ns;
};

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void load_next(struct load_item *item);

static void on_loaded(void *ctx, uint64_t index, const struct error *err)
{
    struct load_item *item = ctx;
    (void)index;
    load.under_way--;
    load.failed += err != NULL;
    load.took_ns[load.took_count++] = uv_hrtime() - item->begun_ns;
    if (!err && load.left > 0) {
        load_next(item);
        return;
    }
    free(item);
    if (load.under_way > 0)
        return;
    double seconds = (double)(uv_hrtime() - load.begun_ns) / 1e9;
    qsort(load.took_ns, load.took_count, sizeof *load.took_ns, compare_ns);
    say("ok %s %.0f a second, p50 %" PRIu64 " us, p99 %" PRIu64 " us, %" PRIu64 " failed", load.tag, (double)load.took_count / seconds,
        load.took_ns[load.took_count / 2] / 1000, load.took_ns[load.took_count * 99 / 100] / 1000, load.failed);
    free(load.took_ns);
    raft_payload_release(load.payload);
    load = (struct load){0};
}

static void load_next(struct load_item *item)
{
    struct error err = {0};
    item->begun_ns = uv_hrtime();
    load.left--;
    load.under_way++;
    if (raft_node_propose_payload(node, load.payload, on_loaded, item, &err) < 0) {
        load.left = 0;
        on_loaded(item, 0, &err);
    }
}

static void start_load(char *words[])
{
    cleanup_buf struct buf bytes = {0};
    uint64_t outstanding = strtoull(words[2], NULL, 10);
    snprintf(load.tag, sizeof load.tag, "%s", words[0]);
    load.left = strtoull(words[1], NULL, 10);
    load.size = strtoull(words[3], NULL, 10);
    load.took_ns = mem_array(load.left + outstanding, sizeof *load.took_ns);
    load.begun_ns = uv_hrtime();
    memset(buf_reserve(&bytes, load.size), 'x', load.size);
    load.payload = raft_payload_new(bytes_of(bytes.data, load.size));
    for (uint64_t i = 0; i < outstanding && load.left > 0; i++)
        load_next(mem_alloc(sizeof(struct load_item)));
}

static int ask(char *verb, char *words[], int count, struct asked *asked, struct error *err)
{
    struct raft_member member = {0};
    if (strcmp(verb, "put") == 0 && count >= 3) {
        cleanup_free char *text = mem_format("k%s %s", words[1], words[2]);
        return raft_node_propose(node, bytes_of_string(text), on_answer, asked, err);
    }
    if (strcmp(verb, "get") == 0 && count >= 2) {
        snprintf(asked->key, sizeof asked->key, "%s", words[1]);
        asked->is_read = true;
        return raft_node_read(node, on_answer, asked, err);
    }
    if (count >= 2)
        member.id = strtoull(words[1], NULL, 16);
    if (strcmp(verb, "remove") == 0 && count >= 2)
        return raft_node_remove_member(node, member.id, on_answer, asked, err);
    if (strcmp(verb, "add") == 0 && count >= 4) {
        member.node_id = words[2];
        member.address = words[3];
        return raft_node_add_member(node, &member, count > 4, on_answer, asked, err);
    }
    int failed = error_set(err, ERR_INVALID, "no such command: %s", verb);
    if (strcmp(verb, "transfer") == 0 && count >= 2)
        failed = raft_node_transfer(node, member.id, err);
    if (strcmp(verb, "snapshot") == 0)
        failed = raft_node_snapshot(node, err);
    if (failed == 0)
        on_answer(asked, 0, NULL);
    return failed;
}

static void take_line(char *line)
{
    char *words[8], *save = NULL, *verb = strtok_r(line, " ", &save);
    int count = 0;
    struct error err = {0};
    while (count < 8 && (words[count] = strtok_r(NULL, " ", &save)) != NULL)
        count++;
    if (!verb)
        return;
    if (strcmp(verb, "quit") == 0) {
        quit();
        return;
    }
    if (count == 0)
        return;
    if (strcmp(verb, "status") == 0) {
        print_status(words[0]);
        return;
    }
    if (strcmp(verb, "load") == 0 && count >= 4 && load.took_ns == NULL) {
        start_load(words);
        return;
    }
    struct asked *asked = mem_alloc(sizeof *asked);
    snprintf(asked->tag, sizeof asked->tag, "%s", words[0]);
    if (ask(verb, words, count, asked, &err) < 0)
        on_answer(asked, 0, &err);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)handle;
    (void)suggested;
    static char chunk[64 * 1024];
    *out = uv_buf_init(chunk, sizeof chunk);
}

static void on_input(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    (void)stream;
    if (size < 0) {
        quit();
        return;
    }
    buf_append(&line_buffer, buf->base, (size_t)size);
    uint8_t *end;
    while (!is_quitting && line_buffer.size > 0 && (end = memchr(line_buffer.data, '\n', line_buffer.size)) != NULL) {
        size_t length = (size_t)(end - line_buffer.data);
        cleanup_free char *line = mem_string_n((char *)line_buffer.data, length);
        buf_consume(&line_buffer, length + 1);
        take_line(line);
    }
}

/* --- the call --- */

struct proposal {
    struct grpc_call *call; /* NULL: given up */
    bool is_proposed;
};

static void on_proposed(void *ctx, uint64_t index, const struct error *err)
{
    (void)index;
    struct proposal *proposal = ctx;
    Google__Protobuf__BytesValue reply = GOOGLE__PROTOBUF__BYTES_VALUE__INIT;
    proposal->is_proposed = false;
    if (!proposal->call)
        free(proposal);
    else if (err)
        grpc_call_finish_error(proposal->call, err);
    else
        grpc_call_reply(proposal->call, &reply.base);
}

static void on_request(struct grpc_call *call, ProtobufCMessage *base, void *ctx)
{
    const Google__Protobuf__BytesValue *value = (const void *)base;
    struct proposal *proposal = ctx;
    struct error err = {0};
    if (raft_node_propose(node, bytes_of(value->value.data, value->value.len), on_proposed, proposal, &err) < 0)
        grpc_call_finish_error(call, &err);
    else
        proposal->is_proposed = true;
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call;
    (void)status;
    struct proposal *proposal = ctx;
    proposal->call = NULL;
    if (!proposal->is_proposed)
        free(proposal);
}

static void on_call(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    static const struct grpc_call_handlers handlers = {.on_message = on_request, .on_done = on_done};
    struct proposal *proposal = mem_alloc(sizeof *proposal);
    proposal->call = call;
    grpc_call_accept(call, &handlers, proposal);
}

/* --- start --- */

static void on_role(void *ctx, enum raft_role role, uint64_t term, uint64_t leader)
{
    (void)ctx;
    say("role %s %" PRIu64 " %" PRIx64, raft_roles.states[role].name, term, leader);
}

static void on_removed(void *ctx)
{
    (void)ctx;
    say("removed");
}

static void on_failed(void *ctx, const struct error *err)
{
    (void)ctx;
    say("failed %s", err->message);
}

static struct bytes read_file(const char *path, struct buf *out)
{
    struct error err = {0};
    if (file_read(path, CERTIFICATE_PEM_SIZE_BYTES, out, &err) < 0)
        die(path, &err);
    return buf_bytes(out);
}

struct arguments {
    struct raft_node_options options;
    struct raft_member members[RAFT_MEMBERS_COUNT];
    const char *listen, *cert, *key, *ca;
};

static void take_member(struct arguments *arguments, char *text)
{
    char *save = NULL, *id = strtok_r(text, ",", &save), *name = strtok_r(NULL, ",", &save), *address = strtok_r(NULL, ",", &save);
    if (id && name && address)
        arguments->members[arguments->options.members_count++] = (struct raft_member){strtoull(id, NULL, 16), name, address};
}

static void parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option names[] = {{"dir", 1, NULL, 'd'},       {"id", 1, NULL, 'i'},
                                          {"node", 1, NULL, 'n'},      {"listen", 1, NULL, 'l'},
                                          {"address", 1, NULL, 'a'},   {"cert", 1, NULL, 'c'},
                                          {"key", 1, NULL, 'k'},       {"ca", 1, NULL, 'r'},
                                          {"cluster", 1, NULL, 'o'},   {"member", 1, NULL, 'm'},
                                          {"bootstrap", 0, NULL, 'b'}, {"tick", 1, NULL, 't'},
                                          {"snapshots", 1, NULL, 's'}, {0}};
    struct raft_node_options *options = &arguments->options;
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'd':
            options->log.dir = optarg;
            break;
        case 'i':
            options->self.id = strtoull(optarg, NULL, 16);
            break;
        case 'n':
            options->self.node_id = optarg;
            break;
        case 'l':
            arguments->listen = optarg;
            break;
        case 'a':
            options->self.address = optarg;
            break;
        case 'c':
            arguments->cert = optarg;
            break;
        case 'k':
            arguments->key = optarg;
            break;
        case 'r':
            arguments->ca = optarg;
            break;
        case 'o':
            options->cluster_id = optarg;
            break;
        case 'm':
            take_member(arguments, optarg);
            break;
        case 'b':
            options->is_bootstrap = true;
            break;
        case 't':
            options->tick_ms = (unsigned)atoi(optarg);
            break;
        case 's':
            options->snapshot_interval_count = strtoull(optarg, NULL, 10);
            break;
        default:
            exit(64);
        }
    }
    options->members = arguments->members;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct raft_node_options *options = &arguments.options;
    struct buf cert = {0}, key = {0}, ca = {0};
    struct error err = {0};
    signal(SIGPIPE, SIG_IGN);
    loop = uv_default_loop();
    parse(argc, argv, &arguments);
    if (!arguments.listen || !arguments.cert || !arguments.key || !arguments.ca) {
        fprintf(stderr, "raft_member: --listen, --cert, --key and --ca are needed\n");
        return 64;
    }
    options->loop = loop;
    options->clock = clock_system();
    options->random = random_system();
    options->machine = kv_machine(&kv);
    options->events = (struct raft_node_events){.on_role = on_role, .on_removed = on_removed, .on_failed = on_failed};
    credentials = tls_credentials_new(&options->clock);
    if (tls_credentials_set(credentials, read_file(arguments.cert, &cert), read_file(arguments.key, &key), read_file(arguments.ca, &ca),
                            &err) < 0)
        die("credentials", &err);
    options->credentials = credentials;
    if (raft_node_open(options, &kv.node, &err) < 0)
        die("open", &err);
    node = kv.node;
    server = grpc_server_new(&(struct grpc_server_options){.loop = loop, .clock = options->clock, .credentials = credentials});
    raft_node_serve(node, server, NULL);
    grpc_server_handle(server, &kv_propose_method, on_call, NULL);
    if (grpc_server_listen(server, arguments.listen, &err) < 0)
        die("listen", &err);
    uv_pipe_init(loop, &input, 0);
    uv_pipe_open(&input, 0);
    uv_read_start((uv_stream_t *)&input, allocate, on_input);
    say("ready %u", (unsigned)grpc_server_port(server));
    uv_run(loop, UV_RUN_DEFAULT);
    buf_deinit(&cert);
    buf_deinit(&key);
    buf_deinit(&ca);
    buf_deinit(&line_buffer);
    return 0;
}
