/* A member whose disk is full: what waits, what is said, and that it goes on. With a disk that says so, and with a small one of the host.
 */
#include <sys/mount.h>

#include "base/log.h"
#include "tests/unit/raft/node_world.h"

#define LARGE_BYTES (300 * KIB) /* three of them and a segment of 1 MiB is full */
#define WAITING     8

static struct {
    FILE *out;
    char *text;
    size_t size;
} said;

static int setup(void **state)
{
    struct world *world = mem_alloc(sizeof *world);
    world_init(world);
    *state = world;
    said.out = open_memstream(&said.text, &said.size);
    log_init(LOG_TEXT, LOG_INFO, said.out);
    return 0;
}

static int teardown(void **state)
{
    cleanup_free char *small = mem_format("%s/small", ((struct world *)*state)->dir);
    umount2(small, MNT_DETACH); /* where a test failed in it */
    world_deinit(*state);
    free(*state);
    log_init(LOG_TEXT, LOG_INFO, stderr);
    fclose(said.out);
    free(said.text);
    return 0;
}

static int times_said(const char *what)
{
    int times = 0;
    flockfile(said.out); /* the writer's thread speaks too */
    fflush(said.out);
    for (const char *at = said.text; (at = strstr(at, what)); at++)
        times++;
    funlockfile(said.out);
    return times;
}

/* Proposals of 300 KB, numbered by their first byte. */
static void propose_large(struct world_member *member, struct world_result results[WAITING])
{
    cleanup_free uint8_t *large = mem_alloc(LARGE_BYTES);
    for (int i = 0; i < WAITING; i++) {
        results[i] = (struct world_result){0};
        snprintf((char *)large, LARGE_BYTES, "klarge%d x", i);
        memset(large + 9, 'x', LARGE_BYTES - 9);
        assert_ok(raft_node_propose(member->node, bytes_of(large, LARGE_BYTES), world_proposed, &results[i], err));
    }
}

static int acknowledged(const struct world_result results[WAITING])
{
    int count = 0;
    for (int i = 0; i < WAITING; i++)
        count += results[i].done && results[i].err.code == 0;
    return count;
}

static bool has_large(struct world_member *member, int i)
{
    char key[16];
    snprintf(key, sizeof key, "large%d", i);
    return kv_get(&member->kv, key) != NULL;
}

static void proposals_wait_until_there_is_room(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    struct world_result results[WAITING];
    world->stall_ticks = UINT_MAX; /* it leads on, whatever its disk does */
    world_begin(world, 1);
    world_put(world, "ka 1");
    atomic_store(&member->room_bytes, 0);
    propose_large(member, results);
    run_until(&world->loop, world_status(member).writer.is_full);
    int before = acknowledged(results);
    assert_true(before < WAITING);
    run_for(&world->loop, 3 * RAFT_NO_SPACE_RETRY_MS);
    assert_int_equal(acknowledged(results), before);
    for (int i = 0; i < WAITING; i++)
        assert_true(results[i].done == (i < before) && (i < before || !has_large(member, i)));
    assert_int_equal(times_said("nothing is acknowledged until there is room"), 1);
    assert_int_equal(world_status(member).role, RAFT_LEADER);

    atomic_store(&member->room_bytes, WORLD_ROOMY);
    run_until(&world->loop, acknowledged(results) == WAITING);
    assert_false(world_status(member).writer.is_full);
    assert_int_equal(times_said("there is room again"), 1);
    world_put(world, "kb 2");
    assert_int_equal(member->failed.code, 0);
}

/* Full, closed, started again while it is still full, closed again, and given room at last: what was acknowledged is there. */
static void close_while_full(struct world *world, struct world_member *member, void (*give_room)(void *ctx), void *ctx)
{
    struct world_result results[WAITING];
    int kept = 0;
    propose_large(member, results);
    run_until(&world->loop, world_status(member).writer.is_full);
    world_stop(world, 0);
    for (int i = 0; i < WAITING; i++) { /* each is answered, once; what waited is not called done */
        assert_int_equal(results[i].done, 1);
        assert_true(results[i].err.code == 0 || results[i].err.code == ERR_CANCELED);
        kept += results[i].err.code == 0;
    }
    assert_true(kept < WAITING);
    if (member->closed.code != 0) /* in order, but without what had no room even in the reserve */
        assert_int_equal(member->closed.code, ERR_NO_SPACE);
    member->closed = (struct error){0};

    kv_clear(&member->kv);
    world_start(world, 0, 1, true);
    run_for(&world->loop, 200);
    world_stop(world, 0);
    kv_clear(&member->kv);
    give_room(ctx);
    world_start(world, 0, 1, true);
    world_put(world, "kz 26");
    assert_string_equal(kv_get(&member->kv, "a"), "1");
    for (int i = 0; i < WAITING; i++)
        assert_true(results[i].err.code != 0 || has_large(member, i));
    assert_int_equal(member->failed.code, 0);
}

static void make_roomy(void *ctx)
{
    struct world_member *member = ctx;
    atomic_store(&member->room_bytes, WORLD_ROOMY);
}

static void a_member_closes_in_order_while_its_disk_is_full(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    world->stall_ticks = UINT_MAX;
    world_begin(world, 1);
    world_put(world, "ka 1");
    atomic_store(&member->room_bytes, 0);
    close_while_full(world, member, make_roomy, member);
}

static void remove_ballast(void *ctx)
{
    assert_int_equal(unlink(ctx), 0);
}

/* The host's own ENOSPC: a small file system in memory, filled up by somebody else. */
static void a_real_disk_that_is_full(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    cleanup_free char *disk = mem_format("%s/small", world->dir), *ballast = mem_format("%s/ballast", disk);
    cleanup_free uint8_t *zeros = mem_alloc(64 * KIB);
    assert_int_equal(mkdir(disk, 0700), 0);
    if (mount("none", disk, "tmpfs", 0, "size=8m") < 0)
        skip(); /* only root may */
    free(member->dir);
    member->dir = mem_format("%s/raft", disk);
    world->stall_ticks = UINT_MAX;
    world_begin(world, 1);
    world_put(world, "ka 1");
    FILE *file = fopen(ballast, "wb");
    assert_non_null(file);
    while (fwrite(zeros, 1, 64 * KIB, file) == 64 * KIB && fflush(file) == 0)
        continue;
    fclose(file);
    close_while_full(world, member, remove_ballast, ballast);
    assert_true(times_said("nothing is acknowledged until there is room") >= 1);
    world_stop(world, 0);
    assert_int_equal(umount(disk), 0);
}

/* Leadership may change before the disk is full, on a busy machine: then the next leader's entries fill it. */
static void a_leader_whose_disk_is_full_makes_way_and_comes_back(void **state)
{
    enum { ROUNDS = 20 };
    struct world *world = *state;
    struct world_result results[ROUNDS][WAITING];
    int rounds = 0;
    world_begin(world, 3);
    world_put(world, "ka 1");
    struct world_member *full = world_leader(world);
    atomic_store(&full->room_bytes, 0);
    for (; !world_status(full).writer.is_full && rounds < ROUNDS; rounds++) {
        run_until(&world->loop, world_leader(world));
        propose_large(world_leader(world), results[rounds]);
        run_for(&world->loop, 200);
    }
    run_until(&world->loop, world_leader(world) && world_leader(world) != full);
    world_put(world, "kb 2");
    assert_null(kv_get(&full->kv, "b"));
    assert_int_equal(times_said("nothing is acknowledged until there is room"), 1);
    atomic_store(&full->room_bytes, WORLD_ROOMY);
    for (int i = 0; i < 20 && !world_has(world, 3, "b", "2"); i++) /* there may be one more election, and much to catch up with */
        run_for(&world->loop, 1000);
    assert_true(world_has(world, 3, "b", "2"));
    for (int i = 0; i < rounds * WAITING; i++) {
        const struct world_result *result = &results[i / WAITING][i % WAITING];
        assert_true(result->done == 1 && (result->err.code != 0 || has_large(full, i % WAITING)));
    }
    assert_int_equal(full->failed.code, 0);
}

/* The log has room in its segment, a snapshot has none: one word of it, however many entries come, and one snapshot once there is room. */
static void a_snapshot_without_room_is_made_later(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    char text[32];
    world->snapshot_interval = 10;
    world_begin(world, 1);
    atomic_store(&member->room_bytes, 0);
    for (int i = 0; i < 60; i++) {
        snprintf(text, sizeof text, "kkey%d %d", i, i);
        world_put(world, text);
    }
    run_for(&world->loop, 100);
    assert_int_equal(world_status(member).snapshot_index, 0);
    assert_int_equal(times_said("no snapshot at"), 1);
    atomic_store(&member->room_bytes, WORLD_ROOMY);
    run_until(&world->loop, world_status(member).snapshot_index >= 60);
    assert_int_equal(member->failed.code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(proposals_wait_until_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(a_member_closes_in_order_while_its_disk_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(a_real_disk_that_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leader_whose_disk_is_full_makes_way_and_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_without_room_is_made_later, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
