/* tests/unit/raft/node_world.h – members of a group in one process and on one loop, over real TLS on loopback, each with a log on the
 * host's disk in a temporary directory and the map of tests/helpers/raft_kv.h. A disk's sync can be told to fail or to wait, and its room
 * to end. */
#ifndef SKEP_TESTS_UNIT_RAFT_NODE_WORLD_H
#define SKEP_TESTS_UNIT_RAFT_NODE_WORLD_H

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/helpers/raft_kv.h"
#include "tests/unit/proto/peer.h"

#define WORLD_MEMBERS 4
#define WORLD_TICK_MS 20
#define WORLD_NOW_NS  (INT64_C(1790000000) * 1000000000)

#define WORLD_ROOMY LLONG_MAX

struct world;

struct world_member {
    struct world *world;
    uint64_t id;
    char name[16], address[64], *dir;
    struct papers papers;
    struct tls_credentials *credentials;
    struct grpc_server *server;
    struct raft_node *node;
    struct kv kv;
    void *replica; /* what stands on the node in place of the map: see world.open */
    struct raft_keys keys;
    struct raft_disk disk;
    atomic_int sync_fault;   /* a UV_E… code; 1: wait until it changes */
    atomic_llong room_bytes; /* left on the disk; WORLD_ROOMY: no end */
    struct error failed, closed;
    bool is_up, is_removed, is_serving_foreign; /* without our own stream, as a Docker manager */
};

struct world {
    uv_loop_t loop;
    int64_t wall_ns;
    uint64_t ahead_ns; /* of the members' monotonic clock: to let time pass */
    char dir[64];
    struct authority authority;
    struct world_member members[WORLD_MEMBERS];
    uint64_t snapshot_interval, snapshot_most, tail_keep;
    unsigned stall_ticks;
    int stopped;
    /* What stands on the nodes, where it is not the map: sets member->node; and ends it, then world_closed(). */
    int (*open)(struct world_member *member, const struct raft_node_options *options, struct error *err);
    void (*close)(struct world_member *member);
    void (*serve)(struct world_member *member); /* more calls on its server; NULL: none */
};

static inline int world_sync(void *self, int file)
{
    struct world_member *member = self;
    int fault;
    while ((fault = atomic_load(&member->sync_fault)) == 1)
        uv_sleep(1);
    if (fault < 0)
        return fault;
    struct raft_disk host = raft_disk_host();
    return host.sync(host.self, file);
}

static inline int world_take_room(struct world_member *member, uint64_t size)
{
    long long room = atomic_load(&member->room_bytes);
    if (room == WORLD_ROOMY)
        return 0;
    if (size > (uint64_t)room)
        return UV_ENOSPC;
    atomic_fetch_sub(&member->room_bytes, (long long)size);
    return 0;
}

static inline int world_allocate(void *self, int file, uint64_t size)
{
    struct raft_disk host = raft_disk_host();
    int failed = world_take_room(self, size);
    return failed < 0 ? failed : host.allocate(host.self, file, size);
}

static inline int64_t world_pwritev(void *self, int file, const struct bytes *parts, size_t count, uint64_t offset)
{
    struct raft_disk host = raft_disk_host();
    uint64_t size = 0, end = offset;
    for (size_t i = 0; i < count; i++)
        end += parts[i].size;
    int failed = host.size(host.self, file, &size);
    if (failed == 0 && end > size)
        failed = world_take_room(self, end - size);
    return failed < 0 ? failed : host.pwritev(host.self, file, parts, count, offset);
}

static inline int world_unlink(void *self, const char *path)
{
    struct raft_disk host = raft_disk_host();
    struct world_member *member = self;
    int failed = host.unlink(host.self, path);
    if (failed == 0 && strstr(path, "/reserve") && atomic_load(&member->room_bytes) != WORLD_ROOMY)
        atomic_fetch_add(&member->room_bytes, RAFT_RESERVE_SIZE_DEFAULT_BYTES);
    return failed;
}

static inline void world_init(struct world *world)
{
    *world = (struct world){.wall_ns = WORLD_NOW_NS};
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&world->loop);
    authority_init(&world->authority, WORLD_NOW_NS - INT64_C(86400000000000));
    snprintf(world->dir, sizeof world->dir, "/tmp/skep-node-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    for (uint64_t i = 0; i < WORLD_MEMBERS; i++) {
        struct world_member *member = &world->members[i];
        member->world = world;
        member->id = i + 1;
        snprintf(member->name, sizeof member->name, "node%d", (int)i + 1);
        member->dir = mem_format("%s/%s", world->dir, member->name);
        member->papers = papers_make(&world->authority,
                                     &(struct papers_options){.name = member->name, .from_wall_ns = WORLD_NOW_NS - INT64_C(3600000000000)});
        member->credentials = peer_credentials(&world->wall_ns, &member->papers, &world->authority);
        member->disk = raft_disk_host();
        member->disk.sync = world_sync;
        member->disk.allocate = world_allocate;
        member->disk.pwritev = world_pwritev;
        member->disk.unlink = world_unlink;
        atomic_store(&member->room_bytes, WORLD_ROOMY);
        member->disk.self = member; /* the host's functions use none */
    }
}

static inline void world_removed(void *ctx)
{
    struct world_member *member = ctx;
    member->is_removed = true;
}

static inline void world_failed(void *ctx, const struct error *err)
{
    struct world_member *member = ctx;
    member->failed = *err;
}

static inline uint64_t world_monotonic(void *self)
{
    return uv_hrtime() + ((struct world *)self)->ahead_ns;
}

static inline int64_t world_wall(void *self)
{
    return ((struct world *)self)->wall_ns;
}

/* The port stays the same over a restart. */
static inline int world_try_start(struct world *world, size_t at, size_t first_count, bool is_bootstrap, struct error *failure)
{
    struct world_member *member = &world->members[at];
    struct raft_member known[WORLD_MEMBERS];
    struct clock clock = {world_monotonic, world_wall, world};
    for (size_t i = 0; i < first_count; i++)
        known[i] = (struct raft_member){world->members[i].id, world->members[i].name, world->members[i].address};
    struct raft_node_options options = {.loop = &world->loop,
                                        .clock = clock,
                                        .random = random_system(),
                                        .log = {.dir = member->dir,
                                                .disk = &member->disk,
                                                .keys = &member->keys,
                                                .segment_size_bytes = 1 * MIB,
                                                .tail_keep_count = world->tail_keep},
                                        .machine = kv_machine(&member->kv),
                                        .events = {.on_removed = world_removed, .on_failed = world_failed, .ctx = member},
                                        .credentials = member->credentials,
                                        .cluster_id = "cluster1",
                                        .self = {member->id, member->name, member->address},
                                        .members = known,
                                        .members_count = first_count,
                                        .is_bootstrap = is_bootstrap,
                                        .tick_ms = WORLD_TICK_MS,
                                        .storage_stall_ticks = world->stall_ticks,
                                        .snapshot_most_bytes = world->snapshot_most,
                                        .snapshot_interval_count = world->snapshot_interval};
    member->kv.node = NULL;
    int failed = world->open ? world->open(member, &options, failure) : raft_node_open(&options, &member->kv.node, failure);
    if (failed < 0)
        return failed;
    if (!world->open)
        member->node = member->kv.node;
    member->server =
        grpc_server_new(&(struct grpc_server_options){.loop = &world->loop, .clock = clock, .credentials = member->credentials});
    raft_node_serve(member->node, member->server, NULL);
    if (world->serve)
        world->serve(member);
    assert_ok(grpc_server_listen(member->server, member->address, err));
    member->is_up = true;
    return 0;
}

static inline void world_start(struct world *world, size_t at, size_t first_count, bool is_bootstrap)
{
    assert_ok(world_try_start(world, at, first_count, is_bootstrap, err));
}

static inline void world_addresses(struct world *world, size_t count)
{
    struct clock clock = peer_clock(&world->wall_ns);
    struct grpc_server *probes[WORLD_MEMBERS];
    char host[32], any_port[40];
    snprintf(host, sizeof host, "127.%d.%d.1", 1 + (int)getpid() / 250 % 250, 1 + (int)getpid() % 250); /* no other test takes our ports */
    snprintf(any_port, sizeof any_port, "%s:0", host);
    for (size_t i = 0; i < count; i++) {
        struct world_member *member = &world->members[i];
        probes[i] =
            grpc_server_new(&(struct grpc_server_options){.loop = &world->loop, .clock = clock, .credentials = member->credentials});
        assert_ok(grpc_server_listen(probes[i], any_port, err));
        snprintf(member->address, sizeof member->address, "%s:%u", host, (unsigned)grpc_server_port(probes[i]));
    }
    for (size_t i = 0; i < count; i++)
        grpc_server_stop(probes[i], 0, NULL, NULL);
    run_for(&world->loop, 20);
}

static inline void world_begin(struct world *world, size_t count)
{
    world_addresses(world, WORLD_MEMBERS);
    for (size_t i = 0; i < count; i++)
        world_start(world, i, count, true);
}

static inline void world_closed(void *ctx, const struct error *err)
{
    struct world_member *member = ctx;
    member->is_up = false;
    member->node = NULL;
    if (err)
        member->closed = *err;
}

static inline void world_server_stopped(void *ctx)
{
    struct world_member *member = ctx;
    if (member->world->close)
        member->world->close(member);
    else
        raft_node_close(member->node, world_closed, member);
}

static inline void world_stop(struct world *world, size_t at)
{
    struct world_member *member = &world->members[at];
    if (!member->is_up)
        return;
    grpc_server_stop(member->server, 0, world_server_stopped, member);
    run_until(&world->loop, !member->is_up);
    member->kv.node = NULL;
}

static inline void world_deinit(struct world *world)
{
    for (size_t i = 0; i < WORLD_MEMBERS; i++) {
        struct world_member *member = &world->members[i];
        atomic_store(&member->sync_fault, 0);
        atomic_store(&member->room_bytes, WORLD_ROOMY);
        world_stop(world, i);
        kv_deinit(&member->kv);
        papers_deinit(&member->papers);
        free(member->dir);
        tls_credentials_free(member->credentials);
    }
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    authority_deinit(&world->authority);
    assert_ok(file_remove_tree(world->dir, err));
}

static inline struct raft_node_status world_status(struct world_member *member)
{
    struct raft_node_status status = {0};
    if (member->is_up)
        raft_node_status(member->node, &status);
    return status;
}

/* The one that leads among those that are up and not stalled; NULL: none. */
static inline struct world_member *world_leader(struct world *world)
{
    for (size_t i = 0; i < WORLD_MEMBERS; i++)
        if (world->members[i].is_up && world_status(&world->members[i]).role == RAFT_LEADER)
            return &world->members[i];
    return NULL;
}

struct world_result {
    int done;
    uint64_t index;
    struct error err;
};

static inline void world_proposed(void *ctx, uint64_t index, const struct error *err)
{
    struct world_result *result = ctx;
    result->done++;
    result->index = index;
    if (err)
        result->err = *err;
}

/* Propose at whoever leads, and wait; once more when leadership changes meanwhile, as it may on a busy machine. */
static inline void world_put(struct world *world, const char *text)
{
    struct world_result result;
    do {
        result = (struct world_result){0};
        run_until(&world->loop, world_leader(world));
        assert_ok(raft_node_propose(world_leader(world)->node, bytes_of_string(text), world_proposed, &result, err));
        run_until(&world->loop, result.done);
    } while (result.err.code == ERR_CANCELED);
    assert_string_equal(result.err.message, "");
}

static inline bool world_has(struct world *world, size_t count, const char *key, const char *value)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = kv_get(&world->members[i].kv, key);
        if (world->members[i].is_up && (!got || strcmp(got, value) != 0))
            return false;
    }
    return true;
}

#endif
