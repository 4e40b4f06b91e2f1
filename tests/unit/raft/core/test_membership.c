/* tests/unit/raft/core/test_membership.c – members come and go, one change at a time, with both majorities while it is joint. */
#include "tests/unit/raft/core/fixture.h"

static void step_down(struct raft_config *config)
{
    config->step_down_on_removal = true;
}

static void unchecked(struct raft_config *config)
{
    config->no_conf_change_validation = true;
}

static void a_learner_catches_up_and_is_promoted(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 4, 1, NULL);
    net_elect(&net, 1);
    net_propose(&net, 1, "x");
    assert_true(net_has_applied(&net, 4, "x"));
    assert_true(net_progress(&net, 1, 4)->is_learner);
    assert_ok(net_change(&net, 1, RAFT_ADD_VOTER, 4, err));
    assert_false(net_progress(&net, 1, 4)->is_learner);
    net_elect(&net, 4);
    net_end(&net);
}

static void a_learner_does_not_count_towards_a_commit(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 4, 1, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 2);
    net_isolate(&net, 3);
    net_propose(&net, 1, "x");
    assert_int_equal(net_last(&net, 4), 2);
    assert_int_equal(net_commit(&net, 1), 1);
    net_end(&net);
}

static void one_change_is_pending_at_a_time(void **state)
{
    struct net net;
    struct raft_conf_change change = {.is_v1 = true};
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, 3);
    for (int i = 0; i < 2; i++)
        assert_ok(raft_propose_conf_change(net_raft(&net, 1), &change, err));
    net_pump(&net);
    assert_int_equal(net.members[1].applied.items[1].type, RAFT_ENTRY_CONF_CHANGE);
    assert_int_equal(net.members[1].applied.items[2].type, RAFT_ENTRY_NORMAL); /* an empty entry in its place */
    assert_ok(raft_propose_conf_change(net_raft(&net, 1), &change, err));
    net_pump(&net);
    assert_int_equal(net.members[1].applied.items[3].type, RAFT_ENTRY_CONF_CHANGE);
    raft_conf_change_deinit(&change);
    net_end(&net);
}

static void without_validation_changes_go_as_they_come(void **state)
{
    struct net net;
    struct raft_conf_change change = {0};
    (void)state;
    net_begin(&net, 3, unchecked);
    net_elect(&net, 1);
    raft_conf_change_add(&change, RAFT_UPDATE_MEMBER, 3);
    for (int i = 0; i < 2; i++)
        assert_ok(raft_propose_conf_change(net_raft(&net, 1), &change, err));
    net_pump(&net);
    assert_int_equal(net.members[1].applied.items[2].type, RAFT_ENTRY_CONF_CHANGE_V2);
    raft_conf_change_deinit(&change);
    net_end(&net);
}

static void a_malformed_change_is_refused_whole(void **state)
{
    struct net net;
    struct raft_entry entries[2] = {{.type = RAFT_ENTRY_NORMAL}, {.type = RAFT_ENTRY_CONF_CHANGE_V2}};
    (void)state;
    net_begin(&net, 1, NULL);
    net_elect(&net, 1);
    entries[1].payload = raft_payload_new(bytes_of_string("\xff\xff"));
    assert_fails(raft_propose_entries(net_raft(&net, 1), entries, 2, err), ERR_INVALID, "membership change");
    assert_int_equal(net_last(&net, 1), 1);
    raft_payload_release(entries[1].payload);
    net_end(&net);
}

static void a_removed_leader_leads_until_its_removal_is_committed(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    assert_ok(net_change(&net, 1, RAFT_REMOVE_MEMBER, 1, err));
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    assert_fails(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err), ERR_PRECONDITION, "no longer a member");
    net_tick_all(&net, 2);
    assert_int_equal(net_raft(&net, 2)->tracker.count, 2);
    net_end(&net);
}

static void a_removed_leader_steps_down_if_it_is_to(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, step_down);
    net_elect(&net, 1);
    assert_ok(net_change(&net, 1, RAFT_REMOVE_MEMBER, 1, err));
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    net_campaign(&net, 1); /* and does not stand again */
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    net_end(&net);
}

static void removing_a_member_may_commit_what_waited_for_it(void **state)
{
    struct net net;
    struct raft_conf_change change = {0};
    (void)state;
    net_begin(&net, 4, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 4);
    raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, 4);
    assert_ok(raft_propose_conf_change(net_raft(&net, 1), &change, err));
    raft_conf_change_deinit(&change);
    assert_ok(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err));
    net_pump(&net);
    assert_true(net_has_applied(&net, 2, "x"));
    net_isolate(&net, 3); /* two of three are enough now */
    net_propose(&net, 1, "y");
    assert_true(net_has_applied(&net, 2, "y"));
    net_end(&net);
}

static void enter_joint(struct net *net, enum raft_transition transition)
{
    struct raft_conf_change change = {.transition = transition};

    raft_conf_change_add(&change, RAFT_ADD_VOTER, 4);
    raft_conf_change_add(&change, RAFT_ADD_VOTER, 5);
    raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, 2);
    raft_conf_change_add(&change, RAFT_ADD_LEARNER, 3);
    assert_ok(raft_propose_conf_change(net_raft(net, 1), &change, err));
    raft_conf_change_deinit(&change);
    net_pump(net);
}

/* From (1 2 3) to (1 4 5) with learner 3. */
static void a_joint_configuration_needs_both_majorities(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 5, 2, NULL);
    net_elect(&net, 1);
    enter_joint(&net, RAFT_TRANSITION_EXPLICIT);
    assert_true(raft_tracker_is_joint(&net_raft(&net, 1)->tracker));
    uint64_t before = net_commit(&net, 1);
    net_isolate(&net, 2);
    net_isolate(&net, 3);
    net_propose(&net, 1, "x"); /* 1 4 5: all of the new, one of the old */
    assert_int_equal(net_commit(&net, 1), before);
    net_heal(&net);
    net_isolate(&net, 4);
    net_isolate(&net, 5);
    net_tick_all(&net, 2);
    net_propose(&net, 1, "y"); /* 1 2 3: all of the old, one of the new */
    assert_true(net_commit(&net, 1) <= before + 1);
    net_heal(&net);
    net_tick_all(&net, 2);
    assert_int_equal(net_commit(&net, 1), net_last(&net, 1));
    net_end(&net);
}

static void an_explicit_joint_configuration_is_left_on_request(void **state)
{
    struct net net;
    struct raft_conf_change leave = {0};
    (void)state;
    net_begin_with(&net, 5, 2, NULL);
    net_elect(&net, 1);
    enter_joint(&net, RAFT_TRANSITION_EXPLICIT);
    assert_true(raft_ids_has(&net_raft(&net, 1)->tracker.conf.learners_next, 3));
    assert_ok(net_change(&net, 1, RAFT_ADD_VOTER, 2, err)); /* not in between */
    assert_true(raft_tracker_is_joint(&net_raft(&net, 1)->tracker));
    assert_ok(raft_propose_conf_change(net_raft(&net, 1), &leave, err));
    net_pump(&net);
    assert_false(raft_tracker_is_joint(&net_raft(&net, 1)->tracker));
    assert_true(net_progress(&net, 1, 3)->is_learner);
    assert_null(net_progress(&net, 1, 2));
    uint64_t last = net_last(&net, 1);
    assert_ok(raft_propose_conf_change(net_raft(&net, 1), &leave, err)); /* there is nothing to leave now */
    net_pump(&net);
    assert_int_equal(net_last(&net, 1), last + 1);
    net_end(&net);
}

static void an_implicit_joint_configuration_leaves_itself(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 5, 2, NULL);
    net_elect(&net, 1);
    enter_joint(&net, RAFT_TRANSITION_AUTO);
    net_tick_all(&net, 2);
    assert_false(raft_tracker_is_joint(&net_raft(&net, 1)->tracker));
    assert_false(raft_tracker_is_joint(&net_raft(&net, 4)->tracker));
    net_end(&net);
}

static void a_joint_election_needs_both_majorities(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 5, 2, NULL);
    net_elect(&net, 1);
    enter_joint(&net, RAFT_TRANSITION_EXPLICIT);
    net_tick_all(&net, 2);
    net_isolate(&net, 2);
    net_isolate(&net, 3);
    net_campaign(&net, 4);
    assert_int_equal(net_role(&net, 4), RAFT_CANDIDATE);
    net_heal(&net);
    net_campaign(&net, 4);
    assert_int_equal(net_role(&net, 4), RAFT_LEADER);
    net_end(&net);
}

static void a_change_that_contradicts_the_configuration_is_refused(void **state)
{
    struct net net;
    struct raft_conf_change change = {0}, leave = {0};
    (void)state;
    net_begin(&net, 1, NULL);
    raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, 1);
    assert_fails(raft_apply_conf_change(net_raft(&net, 1), &change, NULL, err), ERR_PRECONDITION, "removed all voters");
    assert_fails(raft_apply_conf_change(net_raft(&net, 1), &leave, NULL, err), ERR_PRECONDITION, "non-joint");
    assert_int_equal(net_raft(&net, 1)->tracker.count, 1);
    raft_conf_change_deinit(&change);
    net_end(&net);
}

static void removing_the_last_other_member_lets_the_leader_commit_alone(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 2, NULL);
    net_elect(&net, 1);
    assert_ok(net_change(&net, 1, RAFT_REMOVE_MEMBER, 2, err));
    net_isolate(&net, 2);
    net_propose(&net, 1, "x");
    assert_true(net_has_applied(&net, 1, "x"));
    net_end(&net);
}

static void an_answer_from_a_removed_member_is_refused(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    assert_ok(net_change(&net, 1, RAFT_REMOVE_MEMBER, 3, err));
    assert_fails(
        net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 3, .to = 1, .term = 1, .index = 2}, err),
        ERR_NOT_FOUND, "no member");
    net_end(&net);
}

static void the_new_membership_is_given_to_whoever_applies_it(void **state)
{
    struct net net;
    struct raft_conf_change change = {0};
    struct raft_conf_state conf;
    (void)state;
    net_begin(&net, 2, NULL);
    raft_conf_change_add(&change, RAFT_ADD_LEARNER, 9);
    assert_ok(raft_apply_conf_change(net_raft(&net, 1), &change, &conf, err));
    assert_true(raft_ids_has(&conf.learners, 9));
    raft_conf_state_deinit(&conf);
    raft_conf_change_deinit(&change);
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learner_catches_up_and_is_promoted),
        cmocka_unit_test(a_learner_does_not_count_towards_a_commit),
        cmocka_unit_test(one_change_is_pending_at_a_time),
        cmocka_unit_test(without_validation_changes_go_as_they_come),
        cmocka_unit_test(a_malformed_change_is_refused_whole),
        cmocka_unit_test(a_removed_leader_leads_until_its_removal_is_committed),
        cmocka_unit_test(a_removed_leader_steps_down_if_it_is_to),
        cmocka_unit_test(removing_a_member_may_commit_what_waited_for_it),
        cmocka_unit_test(a_joint_configuration_needs_both_majorities),
        cmocka_unit_test(an_explicit_joint_configuration_is_left_on_request),
        cmocka_unit_test(an_implicit_joint_configuration_leaves_itself),
        cmocka_unit_test(a_joint_election_needs_both_majorities),
        cmocka_unit_test(a_change_that_contradicts_the_configuration_is_refused),
        cmocka_unit_test(removing_the_last_other_member_lets_the_leader_commit_alone),
        cmocka_unit_test(an_answer_from_a_removed_member_is_refused),
        cmocka_unit_test(the_new_membership_is_given_to_whoever_applies_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
