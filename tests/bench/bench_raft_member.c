/* tests/bench/bench_raft_member.c – one member of a Raft group with keys and values behind it, that answers the part of etcd's v3 API in
 * tests/helpers/etcd.proto: what bench_raft_load drives etcd with drives this too.
 *
 *     bench_raft_member --id N --dir DIR --tls DIR --member ID=HOST:PORT… [--snapshot-interval ENTRIES]
 *
 * Listens at its own member's address, for peers and clients alike; both must show a certificate. --tls has ca.pem, node.pem, node.key. A
 * put is answered once it is applied here, after a majority has it on disk. Keys and values live in memory and in snapshots. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/node.h"
#include "tests/helpers/etcd.pb-c.h"

enum { MEMBERS_MAX = 9, FRAME_SIZE = 5, KEY_FIELD = 1, VALUE_FIELD = 2 };

static const struct method put_method = {"/etcdserverpb.KV/Put", &etcdserverpb__put_request__descriptor,
                                         &etcdserverpb__put_response__descriptor, METHOD_UNARY, METHOD_ANYONE},
                           status_method = {"/etcdserverpb.Maintenance/Status", &etcdserverpb__status_request__descriptor,
                                            &etcdserverpb__status_response__descriptor, METHOD_UNARY, METHOD_ANYONE};

struct item {
    UT_hash_handle hh;
    struct raft_payload *payload; /* the PutRequest */
    uint8_t key[];
};

static struct item *items;
static uint64_t revision;
static struct raft_node *node;
static struct grpc_server *server;

static _Noreturn void fail(const char *what, const struct error *err)
{
    fprintf(stderr, "bench_raft_member: %s: %s\n", what, err->message);
    exit(1);
}

/* --- the state machine --- */

static bool read_varint(struct bytes *at, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && at->size > 0; shift += 7) {
        uint8_t byte = *at->data++;
        at->size--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The key and value of a packed PutRequest that has nothing else. By hand: this is the path of every commit, at every member. */
static bool read_put(struct bytes packed, struct bytes *key, struct bytes *value)
{
    *key = *value = bytes_of(NULL, 0);
    while (packed.size > 0) {
        uint64_t tag, size;
        if (!read_varint(&packed, &tag) || !read_varint(&packed, &size) || size > packed.size)
            return false;
        if (tag == (KEY_FIELD << 3 | 2))
            *key = bytes_of(packed.data, (size_t)size);
        else if (tag == (VALUE_FIELD << 3 | 2))
            *value = bytes_of(packed.data, (size_t)size);
        else
            return false;
        packed.data += size;
        packed.size -= (size_t)size;
    }
    return key->size > 0;
}

static void set(struct raft_payload *payload)
{
    struct bytes key, value;
    struct item *item;
    if (!read_put(bytes_of(payload->data, payload->size), &key, &value))
        return; /* refused before it was proposed */
    HASH_FIND(hh, items, key.data, key.size, item);
    if (item) {
        raft_payload_release(item->payload);
    } else {
        item = mem_alloc(sizeof *item + key.size);
        memcpy(item->key, key.data, key.size);
        HASH_ADD_KEYPTR(hh, items, item->key, key.size, item);
    }
    item->payload = raft_payload_hold(payload);
}

static void apply(void *self, const struct raft_entry *entries, size_t count)
{
    (void)self;
    for (size_t i = 0; i < count; i++)
        set(entries[i].payload);
    revision += count;
}

/* An image is a row of frames: a letter, a length, bytes. M: a member; P: a put; R: the revision. */
static void add_frame(struct buf *out, char letter, struct bytes content)
{
    uint32_t size = (uint32_t)content.size;
    buf_append(out, &letter, 1);
    buf_append(out, &size, sizeof size);
    buf_append(out, content.data, content.size);
}

struct image {
    struct buf bytes;
    size_t at;
};

static int image_open(void *self, void **out, struct error *err)
{
    (void)self, (void)err;
    struct image *image = mem_alloc(sizeof *image);
    const struct raft_book *book = raft_node_book(node);
    struct buf member = {0};
    for (size_t i = 0; i < book->count; i++) {
        buf_clear(&member);
        raft_member_write(&book->members[i], &member);
        add_frame(&image->bytes, 'M', buf_bytes(&member));
    }
    buf_deinit(&member);
    add_frame(&image->bytes, 'R', bytes_of(&revision, sizeof revision));
    for (const struct item *item = items; item; item = item->hh.next)
        add_frame(&image->bytes, 'P', bytes_of(item->payload->data, item->payload->size));
    *out = image;
    return 0;
}

static int image_read(void *self, void *ctx, struct buf *out, struct error *err)
{
    (void)self, (void)err;
    struct image *image = ctx;
    size_t size = image->bytes.size - image->at;
    size = size < RAFT_SNAPSHOT_CHUNK_BYTES ? size : RAFT_SNAPSHOT_CHUNK_BYTES;
    buf_append(out, image->bytes.data + image->at, size);
    image->at += size;
    return 0;
}

static void image_close(void *self, void *ctx)
{
    (void)self;
    struct image *image = ctx;
    buf_deinit(&image->bytes);
    free(image);
}

static struct buf restoring;

static void restore_begin(void *self)
{
    (void)self;
    struct item *item, *next;
    HASH_ITER (hh, items, item, next) {
        HASH_DEL(items, item);
        raft_payload_release(item->payload);
        free(item);
    }
    buf_clear(&restoring);
}

static int take_frame(char letter, struct bytes content, struct error *err)
{
    struct raft_member member;
    if (letter == 'R' && content.size == sizeof revision) {
        memcpy(&revision, content.data, sizeof revision);
    } else if (letter == 'P') {
        struct raft_payload *payload = raft_payload_new(content);
        set(payload);
        raft_payload_release(payload);
    } else if (letter == 'M') {
        if (raft_member_read(content, &member, err) < 0)
            return err->code;
        int failed = node ? raft_node_put_member(node, &member, err) : 0; /* at the start the options name them */
        raft_member_deinit(&member);
        return failed;
    } else {
        return error_set(err, ERR_CORRUPT, "a frame of kind %d", letter);
    }
    return 0;
}

static int restore_add(void *self, struct bytes part, struct error *err)
{
    (void)self;
    size_t at = 0;
    int failed = 0;
    buf_append(&restoring, part.data, part.size);
    while (failed == 0 && restoring.size - at >= FRAME_SIZE) {
        uint32_t size;
        memcpy(&size, restoring.data + at + 1, sizeof size);
        if (restoring.size - at - FRAME_SIZE < size)
            break;
        failed = take_frame((char)restoring.data[at], bytes_of(restoring.data + at + FRAME_SIZE, size), err);
        at += FRAME_SIZE + size;
    }
    buf_consume(&restoring, at);
    return failed;
}

static int restore_end(void *self, uint64_t index, struct error *err)
{
    (void)self;
    (void)index;
    bool is_whole = restoring.size == 0;
    buf_deinit(&restoring);
    return is_whole ? 0 : error_set(err, ERR_CORRUPT, "the image is cut short");
}

/* --- the calls --- */

struct put {
    struct grpc_call *call; /* NULL: the caller is gone */
    bool is_proposed;
};

static void fill_header(Etcdserverpb__ResponseHeader *header)
{
    struct raft_node_status status;
    raft_node_status(node, &status);
    header->member_id = status.id;
    header->raft_term = status.term;
}

static void on_proposed(void *ctx, uint64_t index, const struct error *err)
{
    (void)index;
    struct put *put = ctx;
    put->is_proposed = false;
    if (put->call == NULL) {
        free(put);
    } else if (err) {
        grpc_call_finish_error(put->call, err);
    } else {
        Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
        Etcdserverpb__PutResponse response = ETCDSERVERPB__PUT_RESPONSE__INIT;
        header.revision = (int64_t)revision;
        response.header = &header;
        grpc_call_reply(put->call, &response.base);
    }
}

static void on_put_bytes(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct put *put = ctx;
    struct bytes key, value;
    struct error err = {0};
    if (!read_put(packed, &key, &value)) {
        grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "a put is a key and a value here");
        return;
    }
    struct raft_payload *payload = raft_payload_new(packed);
    int failed = raft_node_propose_payload(node, payload, on_proposed, put, &err);
    raft_payload_release(payload);
    put->is_proposed = failed == 0;
    if (failed < 0)
        grpc_call_finish_error(call, &err);
}

static void on_put_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call, (void)status;
    struct put *put = ctx;
    put->call = NULL;
    if (!put->is_proposed)
        free(put);
}

static void on_put(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    static const struct grpc_call_handlers handlers = {.on_bytes = on_put_bytes, .on_done = on_put_done};
    if (grpc_call_peer(call) == NULL) {
        grpc_call_finish(call, GRPC_UNAUTHENTICATED, "no certificate");
        return;
    }
    struct put *put = mem_alloc(sizeof *put);
    put->call = call;
    grpc_call_accept(call, &handlers, put);
}

static void on_status_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    (void)message, (void)ctx;
    struct raft_node_status status;
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__StatusResponse response = ETCDSERVERPB__STATUS_RESPONSE__INIT;
    raft_node_status(node, &status);
    fill_header(&header);
    response.header = &header;
    response.leader = status.leader;
    response.raftindex = status.last_index;
    response.raftterm = status.term;
    response.raftappliedindex = status.applied;
    grpc_call_reply(call, &response.base);
}

static void on_status(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    static const struct grpc_call_handlers handlers = {.on_message = on_status_message};
    if (grpc_call_peer(call) == NULL)
        grpc_call_finish(call, GRPC_UNAUTHENTICATED, "no certificate");
    else
        grpc_call_accept(call, &handlers, NULL);
}

/* --- life --- */

static struct {
    uint64_t id, snapshot_interval_count;
    const char *dir, *tls;
    struct raft_member members[MEMBERS_MAX], *self;
    size_t members_count;
} options;

static struct tls_credentials *load_credentials(const struct clock *now)
{
    static const char *const names[] = {"node.pem", "node.key", "ca.pem"};
    struct buf pem[3] = {{0}};
    struct error err = {0};
    struct tls_credentials *credentials = tls_credentials_new(now);
    for (size_t i = 0; i < 3; i++) {
        cleanup_free char *path = mem_format("%s/%s", options.tls, names[i]);
        if (file_read(path, 1 * MIB, &pem[i], &err) < 0)
            fail("certificates", &err);
    }
    if (tls_credentials_set(credentials, buf_bytes(&pem[0]), buf_bytes(&pem[1]), buf_bytes(&pem[2]), &err) < 0)
        fail("certificates", &err);
    for (size_t i = 0; i < 3; i++)
        buf_deinit(&pem[i]);
    return credentials;
}

static void on_failed(void *ctx, const struct error *err)
{
    (void)ctx;
    fail("raft", err);
}

static void on_closed(void *ctx, const struct error *err)
{
    (void)ctx;
    if (err)
        fail("close", err);
    exit(0);
}

static void on_server_stopped(void *ctx)
{
    (void)ctx;
    raft_node_close(node, on_closed, NULL);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    uv_signal_stop(signal);
    grpc_server_stop(server, 0, on_server_stopped, NULL);
}

static _Noreturn void usage(FILE *to, int code)
{
    fputs("bench_raft_member --id N --dir DIR --tls DIR --member ID=HOST:PORT… [--snapshot-interval ENTRIES]\n", to);
    exit(code);
}

static void add_member(const char *text)
{
    char *rest;
    if (options.members_count == MEMBERS_MAX)
        usage(stderr, 64);
    struct raft_member *member = &options.members[options.members_count++];
    member->id = strtoull(text, &rest, 10);
    member->node_id = "";
    member->address = rest + 1;
    if (*rest != '=' || member->id == 0)
        usage(stderr, 64);
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {{"id", 1, NULL, 'i'},
                                          {"dir", 1, NULL, 'd'},
                                          {"tls", 1, NULL, 't'},
                                          {"snapshot-interval", 1, NULL, 's'},
                                          {"member", 1, NULL, 'm'},
                                          {"help", 0, NULL, 'h'},
                                          {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (letter == 'i')
            options.id = strtoull(optarg, NULL, 10);
        else if (letter == 'd')
            options.dir = optarg;
        else if (letter == 't')
            options.tls = optarg;
        else if (letter == 's')
            options.snapshot_interval_count = strtoull(optarg, NULL, 10);
        else if (letter == 'm')
            add_member(optarg);
        else
            usage(letter == 'h' ? stdout : stderr, letter == 'h' ? 0 : 64);
    for (size_t i = 0; i < options.members_count; i++)
        if (options.members[i].id == options.id)
            options.self = &options.members[i];
    if (optind != argc || options.dir == NULL || options.tls == NULL || options.self == NULL)
        usage(stderr, 64);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct clock now = clock_system();
    uv_loop_t *loop = uv_default_loop();
    uv_signal_t terminate;
    parse(argc, argv);
    log_init(LOG_TEXT, LOG_WARN, stderr);
    struct tls_credentials *credentials = load_credentials(&now);
    const struct raft_node_options node_options = {
        .loop = loop,
        .clock = now,
        .random = random_system(),
        .log = {.dir = options.dir},
        .machine = {apply, NULL, image_open, image_read, image_close, restore_begin, restore_add, restore_end, NULL},
        .events = {.on_failed = on_failed},
        .credentials = credentials,
        .cluster_id = "bench",
        .self = *options.self,
        .members = options.members,
        .members_count = options.members_count,
        .is_bootstrap = true,
        .snapshot_interval_count = options.snapshot_interval_count};
    if (raft_node_open(&node_options, &node, &err) < 0)
        fail(options.dir, &err);
    server = grpc_server_new(&(struct grpc_server_options){.loop = loop, .clock = now, .credentials = credentials});
    raft_node_serve(node, server, NULL);
    grpc_server_handle(server, &put_method, on_put, NULL);
    grpc_server_handle(server, &status_method, on_status, NULL);
    if (grpc_server_listen(server, options.self->address, &err) < 0)
        fail("listen", &err);
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(loop, &terminate);
    uv_signal_start(&terminate, on_signal, SIGTERM);
    uv_run(loop, UV_RUN_DEFAULT);
    return 1;
}
