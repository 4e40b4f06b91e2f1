/* Members of a group as a manager sees them: election, proposals, reads, restarts, membership, snapshots, failing disks. */
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

static void a_member_alone_leads_and_remembers(void **state)
{
    struct world *world = *state;
    world_begin(world, 1);
    world_put(world, "ka 1");
    world_put(world, "kb 2");
    world_stop(world, 0);
    assert_int_equal(world->members[0].closed.code, 0);
    kv_clear(&world->members[0].kv);
    world_start(world, 0, 1, true);
    run_until(&world->loop, world_has(world, 1, "b", "2"));
    assert_true(world_has(world, 1, "a", "1"));
}

static void three_members_elect_and_agree(void **state)
{
    struct world *world = *state;
    world_begin(world, 3);
    world_put(world, "ka 1");
    run_until(&world->loop, world_has(world, 3, "a", "1"));
    assert_int_equal(world->members[0].kv.crc, world->members[1].kv.crc);
    assert_int_equal(world->members[0].kv.crc, world->members[2].kv.crc);
}

static void proposals_of_one_turn_share_one_append(void **state)
{
    struct world *world = *state;
    struct world_result results[100] = {0};
    world_begin(world, 3);
    world_put(world, "ka 1");
    struct raft_node *leader = world_leader(world)->node;
    uint64_t before = world_status(world_leader(world)).writer.jobs_count;
    for (int i = 0; i < 100; i++)
        assert_ok(raft_node_propose(leader, bytes_of_string("kb 2"), world_proposed, &results[i], err));
    run_until(&world->loop, results[99].done);
    for (int i = 0; i < 100; i++)
        assert_true(results[i].done == 1 && results[i].index == results[0].index + (uint64_t)i && results[i].err.code == 0);
    assert_in_range(world_status(world_leader(world)).writer.jobs_count - before, 1, 5);
}

static void a_follower_refuses_and_names_the_leader(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    world_begin(world, 3);
    world_put(world, "ka 1");
    run_until(&world->loop, world_has(world, 3, "a", "1"));
    struct world_member *leader = world_leader(world), *follower = &world->members[leader->id % 3];
    assert_fails(raft_node_propose(follower->node, bytes_of_string("kb 2"), world_proposed, &result, err), ERR_UNAVAILABLE,
                 leader->address);
    assert_fails(raft_node_transfer(follower->node, 1, err), ERR_UNAVAILABLE, "does not lead");
    cleanup_free uint8_t *large = mem_alloc(RAFT_PROPOSAL_SIZE_BYTES + 1);
    assert_fails(raft_node_propose(leader->node, bytes_of(large, RAFT_PROPOSAL_SIZE_BYTES + 1), world_proposed, &result, err), ERR_LIMIT,
                 "more than");
    assert_int_equal(result.done, 0);
}

static void a_read_at_a_follower_sees_what_was_acknowledged(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    world_begin(world, 3);
    world_put(world, "ka 1");
    struct world_member *leader = world_leader(world), *follower = &world->members[leader->id % 3];
    run_until(&world->loop, world_status(follower).leader == leader->id);
    world_put(world, "ka 2");
    do { /* it is refused while the leader changes, as it may on a busy machine */
        result = (struct world_result){0};
        assert_ok(raft_node_read(follower->node, world_proposed, &result, err));
        run_until(&world->loop, result.done);
    } while (result.err.code == ERR_UNAVAILABLE || result.err.code == ERR_DEADLINE);
    assert_string_equal(result.err.message, "");
    assert_string_equal(kv_get(&follower->kv, "a"), "2");
}

static void a_follower_that_was_away_catches_up(void **state)
{
    struct world *world = *state;
    world_begin(world, 3);
    world_put(world, "ka 1");
    size_t follower = world_leader(world)->id % 3;
    world_stop(world, follower);
    world_put(world, "kb 2");
    kv_clear(&world->members[follower].kv);
    world_start(world, follower, 3, true);
    run_until(&world->loop, world_has(world, 3, "b", "2") && world_has(world, 3, "a", "1"));
}

static void the_next_leader_takes_over(void **state)
{
    struct world *world = *state;
    world_begin(world, 3);
    world_put(world, "ka 1");
    size_t old = world_leader(world)->id - 1;
    world_stop(world, old);
    world_put(world, "kb 2");
    assert_true(world_leader(world)->id != old + 1);
    world_start(world, old, 3, true);
    run_until(&world->loop, world_has(world, 3, "b", "2"));
}

static void leadership_is_handed_over_and_waiting_proposals_are_answered(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    world_begin(world, 3);
    world_put(world, "ka 1");
    run_until(&world->loop, world_has(world, 3, "a", "1")); /* on a busy machine the last one may not be connected yet */
    struct world_member *old = world_leader(world);
    uint64_t to = old->id % 3 + 1;
    assert_ok(raft_node_transfer(old->node, to, err));
    assert_ok(raft_node_propose(old->node, bytes_of_string("kb 2"), world_proposed, &result, err));
    run_until(&world->loop, world_status(&world->members[to - 1]).role == RAFT_LEADER && result.done);
    assert_true(result.err.code != 0); /* refused while handing over, or unknown */
    world_put(world, "kc 3");
}

static void a_fresh_member_is_sent_a_snapshot_and_is_promoted(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    char text[64];
    world->tail_keep = 10;
    world->snapshot_interval = 100;
    world_begin(world, 3);
    for (int i = 0; i < 250; i++) {
        snprintf(text, sizeof text, "kkey%d %d", i, i);
        world_put(world, text);
    }
    struct world_member *leader = world_leader(world), *fresh = &world->members[3];
    run_until(&world->loop, world_status(leader).first_index > 1);
    world_start(world, 3, 3, false);
    assert_ok(
        raft_node_add_member(leader->node, &(struct raft_member){4, fresh->name, fresh->address}, true, world_proposed, &result, err));
    run_until(&world->loop, result.done);
    assert_int_equal(result.err.code, 0);
    run_until(&world->loop, world_has(world, 4, "key249", "249"));
    assert_int_equal(fresh->kv.restored_count, 1);
    assert_string_equal(kv_get(&fresh->kv, "key0"), "0");
    assert_int_equal(fresh->kv.crc, leader->kv.crc);
    assert_int_equal(world_status(fresh).conf->learners.count, 1);

    result = (struct world_result){0};
    assert_ok(
        raft_node_add_member(leader->node, &(struct raft_member){4, fresh->name, fresh->address}, false, world_proposed, &result, err));
    run_until(&world->loop, result.done && world_status(fresh).conf->voters.count == 4);
    world_stop(world, 3); /* and starts from the snapshot that it was sent */
    world_put(world, "kz 26");
    world_start(world, 3, 3, false);
    run_until(&world->loop, world_has(world, 4, "z", "26"));
    assert_string_equal(kv_get(&fresh->kv, "key0"), "0");
}

static void a_removed_member_is_told(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    world_begin(world, 3);
    world_put(world, "ka 1");
    struct world_member *leader = world_leader(world), *gone = &world->members[leader->id % 3];
    world_stop(world, gone->id - 1); /* it misses the news, and is told when it comes back */
    assert_ok(raft_node_remove_member(leader->node, gone->id, world_proposed, &result, err));
    run_until(&world->loop, result.done);
    assert_int_equal(result.err.code, 0);
    assert_fails(
        raft_node_add_member(leader->node, &(struct raft_member){gone->id, gone->name, gone->address}, false, world_proposed, &result, err),
        ERR_PRECONDITION, "under a new id");
    world_start(world, gone->id - 1, 3, true);
    run_until(&world->loop, gone->is_removed);
    world_put(world, "kb 2");
}

static void a_leader_whose_sync_fails_acknowledges_nothing_more(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    world_begin(world, 3);
    world_put(world, "ka 1");
    struct world_member *old = world_leader(world);
    atomic_store(&old->sync_fault, UV_EIO);
    assert_ok(raft_node_propose(old->node, bytes_of_string("kb 2"), world_proposed, &result, err));
    run_until(&world->loop, old->failed.code != 0);
    assert_true(result.done == 1);
    if (result.err.code != 0) /* the followers alone may have committed it before */
        assert_int_equal(result.err.code, ERR_CANCELED);
    assert_fails(raft_node_propose(old->node, bytes_of_string("kc 3"), world_proposed, &result, err), ERR_PRECONDITION, "takes no part");
    run_until(&world->loop, world_leader(world) && world_leader(world) != old);
    world_put(world, "kd 4");
}

static void a_leader_whose_disk_stalls_steps_down(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    world_begin(world, 3);
    world_put(world, "ka 1");
    struct world_member *old = world_leader(world);
    atomic_store(&old->sync_fault, 1);
    assert_ok(raft_node_propose(old->node, bytes_of_string("kb 2"), world_proposed, &result, err));
    run_until(&world->loop, world_leader(world) && world_leader(world) != old);
    world_put(world, "kc 3");
    atomic_store(&old->sync_fault, 0);
    run_until(&world->loop, world_has(world, 3, "c", "3") && result.done);
}

static void another_nodes_certificate_cannot_speak_for_a_member(void **state)
{
    struct world *world = *state;
    world_begin(world, 3);
    world_put(world, "ka 1");
    /* Member 4's certificate under member 3's id. */
    size_t impostor = 3;
    world_stop(world, 2);
    world->members[impostor].id = 3;
    world_start(world, impostor, 3, true);
    run_for(&world->loop, 1000);
    assert_int_equal(world->members[impostor].kv.applied_count, 0);
    assert_int_equal(world_status(&world->members[impostor]).leader, RAFT_NOBODY);
    world_put(world, "kb 2"); /* nobody minded it */
    assert_in_range(world_leader(world)->id, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_member_alone_leads_and_remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(three_members_elect_and_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(proposals_of_one_turn_share_one_append, setup, teardown),
        cmocka_unit_test_setup_teardown(a_follower_refuses_and_names_the_leader, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_at_a_follower_sees_what_was_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_follower_that_was_away_catches_up, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_leader_takes_over, setup, teardown),
        cmocka_unit_test_setup_teardown(leadership_is_handed_over_and_waiting_proposals_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fresh_member_is_sent_a_snapshot_and_is_promoted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_member_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leader_whose_sync_fails_acknowledges_nothing_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leader_whose_disk_stalls_steps_down, setup, teardown),
        cmocka_unit_test_setup_teardown(another_nodes_certificate_cannot_speak_for_a_member, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
