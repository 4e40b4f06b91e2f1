/* Keys that change under a running member: what is on its disk afterwards, and what a restart needs. */
#include "raft/log/wire.h"
#include "tests/unit/raft/node_world.h"

static int setup(void **state)
{
    struct world *world = mem_alloc(sizeof *world);
    world_init(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_deinit(*state);
    free(*state);
    return 0;
}

static const uint8_t *key_bytes(uint32_t id)
{
    static uint8_t bytes[RAFT_KEY_SIZE_BYTES];
    memset(bytes, (int)id, sizeof bytes);
    return bytes;
}

static void give_keys(struct world_member *member, uint32_t first, uint32_t second, uint32_t current)
{
    member->keys = (struct raft_keys){0};
    if (first)
        assert_ok(raft_keys_add(&member->keys, first, key_bytes(first), err));
    if (second)
        assert_ok(raft_keys_add(&member->keys, second, key_bytes(second), err));
    member->keys.current = current;
}

struct found {
    const char *dir;
    size_t snapshots, segments, under_key;
    uint32_t key_id;
    bool is_told; /* some file has the word in clear */
};

static void look_at(void *ctx, const char *name)
{
    struct found *found = ctx;
    cleanup_free char *path = mem_format("%s/%s", found->dir, name);
    cleanup_buf struct buf content = {0};
    bool is_snapshot = strstr(name, ".snap") != NULL, is_segment = strstr(name, ".seg") != NULL;
    if (!is_snapshot && !is_segment)
        return;
    assert_ok(file_read(path, 8 * MIB, &content, err));
    uint32_t key_id = wire_get32(content.data + (is_snapshot ? 24 : 4096 + 16)); /* the header's; the first record's */
    found->snapshots += is_snapshot;
    found->segments += is_segment;
    found->under_key += key_id == found->key_id;
    found->is_told = found->is_told || memmem(content.data, content.size, "secret", 6);
}

static struct found look(struct world_member *member, uint32_t key_id)
{
    struct found found = {.dir = member->dir, .key_id = key_id};
    struct raft_disk disk = raft_disk_host();
    assert_int_equal(disk.list(disk.self, member->dir, look_at, &found), 0);
    return found;
}

static void put_some(struct world *world, int from, int count)
{
    char text[64];
    for (int i = from; i < from + count; i++) {
        snprintf(text, sizeof text, "kkey%d secret%d", i, i);
        world_put(world, text);
    }
}

static void snapshot_now(struct world *world, struct world_member *member)
{
    assert_ok(raft_node_snapshot(member->node, err));
    run_until(&world->loop, !world_status(member).is_making_snapshot && world_status(member).snapshot_index > 0);
}

static void a_new_key_takes_over_and_the_old_one_can_go(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    give_keys(member, 1, 0, 1);
    world_begin(world, 1);
    put_some(world, 0, 10);
    snapshot_now(world, member);
    assert_false(world_status(member).is_rotating);
    put_some(world, 10, 10);

    assert_ok(raft_node_set_key(member->node, 2, key_bytes(2), err));
    assert_true(world_status(member).is_rotating);
    assert_int_equal(world_status(member).key_id, 2);
    assert_fails(raft_node_forget_key(member->node, 1, err), ERR_PRECONDITION, "still needed");
    put_some(world, 20, 10);
    run_until(&world->loop, !world_status(member).is_rotating); /* without being asked */
    struct found found = look(member, 2);
    assert_int_equal(found.under_key, found.snapshots + found.segments);
    assert_int_equal(found.snapshots, 1);
    assert_false(found.is_told);
    assert_ok(raft_node_forget_key(member->node, 1, err));
    assert_fails(raft_node_forget_key(member->node, 2, err), ERR_PRECONDITION, "still needed");
    put_some(world, 30, 10);
    snapshot_now(world, member); /* of the log without the old key */
    world_stop(world, 0);
    assert_int_equal(member->closed.code, 0);

    give_keys(member, 2, 0, 2);
    kv_clear(&member->kv);
    world_start(world, 0, 1, true);
    run_until(&world->loop, world_has(world, 1, "key39", "secret39"));
    assert_string_equal(kv_get(&member->kv, "key0"), "secret0");
    assert_false(world_status(member).is_rotating);
}

static void a_rotation_that_was_cut_off_goes_on(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    give_keys(member, 1, 0, 1);
    world_begin(world, 1);
    put_some(world, 0, 10);
    snapshot_now(world, member);
    put_some(world, 10, 10);
    assert_ok(raft_node_set_key(member->node, 2, key_bytes(2), err));
    assert_true(world_status(member).is_rotating);
    world_stop(world, 0);

    give_keys(member, 2, 0, 2);
    assert_fails(world_try_start(world, 0, 1, true, err), ERR_PERMISSION, "key 1, which was not given");
    give_keys(member, 1, 2, 2);
    kv_clear(&member->kv);
    world_start(world, 0, 1, true);
    assert_true(world_status(member).is_rotating);
    run_until(&world->loop, !world_status(member).is_rotating);
    world_stop(world, 0);
    give_keys(member, 2, 0, 2);
    kv_clear(&member->kv);
    world_start(world, 0, 1, true);
    run_until(&world->loop, world_has(world, 1, "key19", "secret19"));
}

/* The snapshot has everything already: it is made anew for its key alone. */
static void a_quiet_member_rotates_too(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    give_keys(member, 1, 0, 1);
    world_begin(world, 1);
    put_some(world, 0, 10);
    snapshot_now(world, member);
    uint64_t before = world_status(member).snapshot_index;
    assert_ok(raft_node_set_key(member->node, 2, key_bytes(2), err));
    run_until(&world->loop, !world_status(member).is_rotating);
    assert_int_equal(world_status(member).snapshot_index, before);
    assert_int_equal(look(member, 2).under_key, 2);
    assert_fails(raft_node_snapshot(member->node, err), ERR_PRECONDITION, "has everything");
}

static void from_no_key_to_one_and_back(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    world_begin(world, 1);
    put_some(world, 0, 10);
    snapshot_now(world, member);
    assert_true(look(member, 0).is_told);
    assert_ok(raft_node_set_key(member->node, 7, key_bytes(7), err));
    run_until(&world->loop, !world_status(member).is_rotating);
    assert_false(look(member, 7).is_told);
    put_some(world, 10, 1);
    assert_ok(raft_node_set_key(member->node, 0, NULL, err));
    run_until(&world->loop, !world_status(member).is_rotating);
    assert_ok(raft_node_forget_key(member->node, 7, err));
    world_stop(world, 0);
    kv_clear(&member->kv);
    world_start(world, 0, 1, true);
    run_until(&world->loop, world_has(world, 1, "key10", "secret10"));
}

/* The leader reads its older snapshot to send it, the newcomer seals what comes in with the key it was given meanwhile. */
static void what_a_leader_sends_lies_under_the_new_key(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    struct world_member *leader = &world->members[0], *fresh = &world->members[3];
    world->tail_keep = 5;
    give_keys(leader, 1, 0, 1);
    give_keys(fresh, 11, 0, 11);
    world_begin(world, 1);
    put_some(world, 0, 40);
    snapshot_now(world, leader);
    world_start(world, 3, 1, false);
    assert_ok(raft_node_set_key(fresh->node, 12, key_bytes(12), err));
    assert_ok(raft_node_set_key(leader->node, 2, key_bytes(2), err));
    assert_ok(
        raft_node_add_member(leader->node, &(struct raft_member){4, fresh->name, fresh->address}, true, world_proposed, &result, err));
    run_until(&world->loop, result.done && kv_get(&fresh->kv, "key39"));
    assert_int_equal(result.err.code, 0);
    assert_int_equal(fresh->kv.restored_count, 1);
    run_until(&world->loop, !world_status(fresh).is_rotating && !world_status(leader).is_rotating);
    assert_true(look(fresh, 12).snapshots > 0);
    world_stop(world, 3);
    kv_clear(&fresh->kv);
    give_keys(fresh, 12, 0, 12);
    world_start(world, 3, 1, false);
    run_until(&world->loop, kv_get(&fresh->kv, "key39"));
    put_some(world, 40, 1);
    run_until(&world->loop, kv_get(&fresh->kv, "key40"));
}

static void a_key_that_does_not_fit_is_refused_and_harms_nothing(void **state)
{
    struct world *world = *state;
    struct world_member *member = &world->members[0];
    give_keys(member, 1, 0, 1);
    world_begin(world, 1);
    put_some(world, 0, 1);
    assert_fails(raft_node_set_key(member->node, 1, key_bytes(9), err), ERR_INVALID, "known with other bytes");
    for (uint32_t id = 2; id <= RAFT_KEYS_COUNT; id++)
        assert_ok(raft_node_set_key(member->node, id, key_bytes(id), err));
    assert_fails(raft_node_set_key(member->node, 99, key_bytes(99), err), ERR_LIMIT, "keys");
    put_some(world, 1, 1);
    run_until(&world->loop, !world_status(member).is_rotating);
    assert_int_equal(member->failed.code, 0);
    for (uint32_t id = 1; id < RAFT_KEYS_COUNT; id++)
        assert_ok(raft_node_forget_key(member->node, id, err));
    assert_ok(raft_node_set_key(member->node, 99, key_bytes(99), err));
    put_some(world, 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_key_takes_over_and_the_old_one_can_go, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rotation_that_was_cut_off_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_quiet_member_rotates_too, setup, teardown),
        cmocka_unit_test_setup_teardown(from_no_key_to_one_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_leader_sends_lies_under_the_new_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_does_not_fit_is_refused_and_harms_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
