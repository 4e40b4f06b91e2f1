/* tests/unit/raft/core/test_stall.c – a leader whose own disk has stalled goes, and does not come back with it. */
#include "tests/unit/raft/core/fixture.h"

static void watched(struct raft_config *config)
{
    config->async_storage_writes = true;
    config->storage_stall_ticks = 5;
}

static void asking(struct raft_config *config)
{
    watched(config);
    config->pre_vote = config->check_quorum = true;
}

static void unwatched(struct raft_config *config)
{
    config->async_storage_writes = true;
}

static void a_leader_with_a_stalled_disk_steps_down(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, watched);
    net_elect(&net, 1);
    net_tick_all(&net, 20); /* an idle disk is not a stalled one */
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net.members[1].is_disk_held = true;
    net_propose(&net, 1, "x");
    net_tick(&net, 1, 5);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_tick(&net, 1, 1);
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    assert_int_equal(net_raft(&net, 1)->leader, RAFT_NOBODY);
    net_end(&net);
}

static void the_others_elect_another_and_go_on(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, watched);
    net_elect(&net, 1);
    net.members[1].is_disk_held = true;
    net_propose(&net, 1, "x");
    net_tick_all(&net, 60);
    uint64_t leader = net_role(&net, 2) == RAFT_LEADER ? 2 : 3;
    assert_int_equal(net_role(&net, leader), RAFT_LEADER);
    net_propose(&net, leader, "y");
    assert_true(net_has_applied(&net, 2, "y"));
    net_end(&net);
}

static void a_stalled_disk_does_not_stand_for_election(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, watched);
    net_elect(&net, 1);
    net.members[1].is_disk_held = true;
    net_propose(&net, 1, "x");
    net_isolate(&net, 1);
    net_tick(&net, 1, 100);
    assert_ok(raft_campaign(net_raft(&net, 1), err)); /* nor when it is told to */
    net_pump(&net);
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    assert_int_equal(net_raft(&net, 1)->term, 1);
    net.members[1].is_disk_held = false;
    net_pump(&net);
    net_tick(&net, 1, 40);
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    net_end(&net);
}

/* Member 1's log waits for nothing: only its votes show what its disk is like. It asks all the time, as raft/node.c may. */
static void a_disk_that_writes_no_votes_stops_no_election(void **state)
{
    struct net net;
    (void)state;
    for (int is_asking = 0; is_asking < 2; is_asking++) {
        uint64_t leader = 0;
        net_begin(&net, 5, is_asking ? asking : watched);
        net_elect(&net, 5);
        net_isolate(&net, 5);
        net.members[1].is_disk_held = true;
        for (int round = 0; round < 60 && leader == 0; round++) {
            net_campaign(&net, 1);
            for (uint64_t id = 2; id <= 4; id++) {
                net_tick(&net, id, 1);
                leader = net_role(&net, id) == RAFT_LEADER ? id : leader;
            }
        }
        assert_in_range(leader, 2, 4);
        net_propose(&net, leader, "y");
        assert_true(net_has_applied(&net, 3, "y"));
        net_end(&net);
    }
}

static void a_busy_disk_is_not_a_stalled_one(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, watched);
    net_elect(&net, 1);
    net.members[1].is_disk_held = true;
    for (int round = 0; round < 50; round++) { /* always three ticks behind */
        net_propose(&net, 1, "x");
        net_tick_all(&net, 1);
        while (round >= 3 && net.members[1].disk.count > 3)
            net_write_one(&net, &net.members[1]);
        net_pump(&net);
        assert_int_equal(net_role(&net, 1), RAFT_LEADER);
        assert_true(raft_log_view_has_unstable(&net_raft(&net, 1)->log));
    }
    net_end(&net);
}

static void unless_asked_nobody_minds(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, unwatched);
    net_elect(&net, 1);
    net.members[1].is_disk_held = true;
    net_propose(&net, 1, "x");
    net_tick_all(&net, 100);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_with_a_stalled_disk_steps_down),    cmocka_unit_test(the_others_elect_another_and_go_on),
        cmocka_unit_test(a_stalled_disk_does_not_stand_for_election), cmocka_unit_test(a_disk_that_writes_no_votes_stops_no_election),
        cmocka_unit_test(a_busy_disk_is_not_a_stalled_one),           cmocka_unit_test(unless_asked_nobody_minds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
