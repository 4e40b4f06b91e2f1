/* tests/unit/raft/core/test_transfer.c – leadership goes where it is wished, or stays. */
#include "tests/unit/raft/core/fixture.h"

static void guarded(struct raft_config *config)
{
    config->check_quorum = config->pre_vote = true;
}

static void leadership_goes_to_an_up_to_date_member_at_once(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, guarded); /* nobody stands by a leader that wishes to go */
    net_elect(&net, 1);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err));
    net_pump(&net);
    assert_int_equal(net_role(&net, 3), RAFT_LEADER);
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    net_end(&net);
}

static void a_follower_passes_the_wish_on(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    assert_ok(raft_transfer_leader(net_raft(&net, 2), 2, err)); /* no leader: nobody to tell */
    net_elect(&net, 1);
    assert_ok(raft_transfer_leader(net_raft(&net, 2), 2, err));
    net_pump(&net);
    assert_int_equal(net_role(&net, 2), RAFT_LEADER);
    net_end(&net);
}

static void a_member_behind_is_brought_up_to_date_first(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    net_propose(&net, 1, "x");
    net_heal(&net);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err));
    net_tick_all(&net, 2);
    assert_int_equal(net_role(&net, 3), RAFT_LEADER);
    assert_true(net_has_applied(&net, 3, "x"));
    net_end(&net);
}

static void proposals_wait_during_a_transfer_and_it_ends_by_itself(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err));
    assert_fails(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err), ERR_PRECONDITION, "going over to 3");
    net_tick_all(&net, 10);
    assert_int_equal(net_raft(&net, 1)->transferee, RAFT_NOBODY);
    net_propose(&net, 1, "x");
    assert_true(net_has_applied(&net, 2, "x"));
    net_end(&net);
}

static void a_new_wish_replaces_the_old_one(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err));
    net_tick(&net, 1, 3);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err)); /* the same: goes on */
    assert_int_equal(net_raft(&net, 1)->election_elapsed, 3);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 2, err));
    net_pump(&net);
    assert_int_equal(net_role(&net, 2), RAFT_LEADER);
    net_end(&net);
}

static void a_wish_for_the_leader_itself_only_ends_a_transfer(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err));
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 1, err));
    assert_int_equal(net_raft(&net, 1)->transferee, RAFT_NOBODY);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_end(&net);
}

static void learners_and_strangers_are_not_given_leadership(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 3, 1, NULL);
    net_elect(&net, 1);
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err));
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 9, err));
    assert_int_equal(net_raft(&net, 1)->transferee, RAFT_NOBODY);
    net_end(&net);
}

static void removing_the_chosen_one_ends_the_transfer(void **state)
{
    struct net net;
    struct raft_conf_change change = {0};
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, 3);
    assert_ok(raft_propose_conf_change(net_raft(&net, 1), &change, err));
    assert_ok(raft_transfer_leader(net_raft(&net, 1), 3, err));
    net_pump(&net);
    assert_int_equal(net_raft(&net, 1)->transferee, RAFT_NOBODY);
    raft_conf_change_deinit(&change);
    net_end(&net);
}

static void a_candidate_ignores_a_late_call(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_isolate(&net, 1);
    net_campaign(&net, 1);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_TIMEOUT_NOW, .from = 2, .to = 1, .term = 1}, err));
    assert_int_equal(net_raft(&net, 1)->term, 1);
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leadership_goes_to_an_up_to_date_member_at_once),
        cmocka_unit_test(a_follower_passes_the_wish_on),
        cmocka_unit_test(a_member_behind_is_brought_up_to_date_first),
        cmocka_unit_test(proposals_wait_during_a_transfer_and_it_ends_by_itself),
        cmocka_unit_test(a_new_wish_replaces_the_old_one),
        cmocka_unit_test(a_wish_for_the_leader_itself_only_ends_a_transfer),
        cmocka_unit_test(learners_and_strangers_are_not_given_leadership),
        cmocka_unit_test(removing_the_chosen_one_ends_the_transfer),
        cmocka_unit_test(a_candidate_ignores_a_late_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
