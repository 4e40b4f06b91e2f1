/* tests/unit/raft/core/test_election.c – who leads, and who does not. */
#include "tests/unit/raft/core/fixture.h"

static void pre_vote(struct raft_config *config)
{
    config->pre_vote = true;
}

static void check_quorum(struct raft_config *config)
{
    config->check_quorum = true;
}

static void both(struct raft_config *config)
{
    config->pre_vote = config->check_quorum = true;
}

static void the_table_of_roles_is_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&raft_roles, RAFT_FOLLOWER));
}

static void a_majority_makes_a_leader(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 5, NULL);
    net_isolate(&net, 4);
    net_isolate(&net, 5);
    net_elect(&net, 1);
    assert_int_equal(net_raft(&net, 2)->leader, 1);
    assert_int_equal(net_raft(&net, 4)->leader, RAFT_NOBODY);
    net_end(&net);
}

static void a_minority_makes_none(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 5, NULL);
    for (uint64_t id = 3; id <= 5; id++)
        net_isolate(&net, id);
    net_campaign(&net, 1);
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    net_end(&net);
}

static void a_single_voter_elects_itself_once_its_vote_is_stable(void **state)
{
    struct net net;
    struct raft_ready *ready;
    (void)state;
    net_begin(&net, 1, NULL);
    assert_ok(raft_campaign(net_raft(&net, 1), err));
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    assert_ok(raft_ready(net_raft(&net, 1), &ready, err));
    assert_true(ready->must_sync);
    assert_int_equal(ready->hard_state.vote, 1);
    assert_ok(raft_advance(net_raft(&net, 1), err));
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_end(&net);
}

static void a_new_leader_appends_an_empty_entry(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    assert_int_equal(net_last(&net, 3), 1);
    assert_int_equal(net_commit(&net, 1), 1);
    assert_null(net.members[3].applied.items[0].payload);
    net_end(&net);
}

static void a_vote_is_cast_once_a_term(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 2, .to = 1, .term = 1}, err));
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 3, .to = 1, .term = 1}, err));
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 2, .to = 1, .term = 1}, err));
    net_ready(&net, 1);
    assert_int_equal(net.wire.count, 3);
    assert_false(net.wire.items[0].reject);
    assert_true(net.wire.items[1].reject);
    assert_false(net.wire.items[2].reject); /* the same candidate again: its answer was lost */
    net_end(&net);
}

static void a_vote_survives_a_restart(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 2, .to = 1, .term = 1}, err));
    net_ready(&net, 1);
    net_restart(&net, 1);
    net_ready(&net, 1);
    raft_messages_clear(&net.wire);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 3, .to = 1, .term = 1}, err));
    net_ready(&net, 1);
    assert_true(net.wire.items[0].reject);
    net_end(&net);
}

static void a_vote_counted_twice_is_one_vote(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 5, NULL);
    net_isolate(&net, 1);
    net_campaign(&net, 1);
    for (int i = 0; i < 2; i++)
        assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE_RESPONSE, .from = 2, .to = 1, .term = 1}, err));
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE_RESPONSE, .from = 3, .to = 1, .term = 1}, err));
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_end(&net);
}

static void a_majority_of_refusals_ends_a_candidacy(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_isolate(&net, 1);
    net_campaign(&net, 1);
    for (uint64_t id = 2; id <= 3; id++)
        assert_ok(
            net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE_RESPONSE, .from = id, .to = 1, .term = 1, .reject = true}, err));
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    assert_int_equal(net_raft(&net, 1)->term, 1);
    net_end(&net);
}

static void a_shorter_log_is_not_elected(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    net_propose(&net, 1, "x");
    net_heal(&net);
    net_campaign(&net, 3);
    assert_int_equal(net_role(&net, 3), RAFT_FOLLOWER);
    assert_int_equal(net_raft(&net, 1)->term, 2); /* but its term was heard */
    net_elect(&net, 2);
    assert_true(net_has_applied(&net, 3, "x"));
    net_end(&net);
}

static void silence_starts_an_election_after_a_random_wait(void **state)
{
    struct net net;
    unsigned shortest = 100, longest = 0;
    (void)state;
    net_begin(&net, 3, NULL);
    for (int round = 0; round < 200; round++) {
        raft_become_follower(net_raft(&net, 1), net_raft(&net, 1)->term, RAFT_NOBODY);
        unsigned ticks = 0;
        while (net_role(&net, 1) == RAFT_FOLLOWER) {
            net_tick(&net, 1, 1);
            ticks++;
        }
        shortest = ticks < shortest ? ticks : shortest;
        longest = ticks > longest ? ticks : longest;
    }
    assert_int_equal(shortest, 10);
    assert_int_equal(longest, 19);
    net_end(&net);
}

static void heartbeats_keep_followers_quiet(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_tick_all(&net, 200);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    assert_int_equal(net_raft(&net, 2)->term, 1);
    net_end(&net);
}

static void a_stale_leader_steps_down_when_it_hears_of_a_newer_term(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    net_propose(&net, 1, "lost");
    net_elect(&net, 2);
    net_propose(&net, 2, "kept");
    assert_int_equal(net_role(&net, 1), RAFT_LEADER); /* it cannot know */
    assert_int_equal(net_commit(&net, 1), 1);         /* and commits nothing */
    net_heal(&net);
    net_tick_all(&net, 2);
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    assert_true(net_has_applied(&net, 1, "kept"));
    assert_false(net_has_applied(&net, 1, "lost"));
    net_end(&net);
}

static void a_pre_candidate_that_cannot_win_disturbs_nobody(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, pre_vote);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    net_propose(&net, 1, "x");
    net_tick(&net, 3, 100);
    net_pump(&net);
    assert_int_equal(net_role(&net, 3), RAFT_PRE_CANDIDATE);
    assert_int_equal(net_raft(&net, 3)->term, 1);
    net_heal(&net);
    net_tick(&net, 3, 20);
    net_pump(&net);
    net_tick_all(&net, 2);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    assert_int_equal(net_raft(&net, 1)->term, 1);
    assert_int_equal(net_raft(&net, 3)->leader, 1);
    net_end(&net);
}

static void a_pre_candidate_behind_in_term_learns_it_from_a_refusal(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, pre_vote);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    net_elect(&net, 2);
    net_elect(&net, 1);
    net_heal(&net);
    net_cut(&net, 1, 3);
    net_campaign(&net, 3);
    assert_int_equal(net_raft(&net, 3)->term, 3);
    assert_int_equal(net_role(&net, 3), RAFT_FOLLOWER);
    net_end(&net);
}

/* Member 2 granted a pre-vote for term 2 that came when term 2 had begun without us: it is none for term 3. */
static void a_late_pre_vote_does_not_count_in_the_next_pre_election(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 5, pre_vote);
    net_raft(&net, 1)->term = 2;
    net_isolate(&net, 1);
    net_campaign(&net, 1);
    assert_int_equal(net_role(&net, 1), RAFT_PRE_CANDIDATE);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_PRE_VOTE_RESPONSE, .from = 2, .to = 1, .term = 2}, err));
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_PRE_VOTE_RESPONSE, .from = 3, .to = 1, .term = 3}, err));
    assert_int_equal(net_role(&net, 1), RAFT_PRE_CANDIDATE);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_PRE_VOTE_RESPONSE, .from = 2, .to = 1, .term = 3}, err));
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    net_end(&net);
}

static void async_writes(struct raft_config *config)
{
    config->async_storage_writes = true;
}

/* Else it could crash, and lead the same term once more with other entries. */
static void nobody_leads_before_its_own_vote_is_stable(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, async_writes);
    net.members[1].is_disk_held = true;
    net_campaign(&net, 1);
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    assert_int_equal(net_raft(&net, 2)->vote, 1);
    assert_int_equal(net_raft(&net, 3)->vote, 1);
    net.members[1].is_disk_held = false;
    net_pump(&net);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_end(&net);
}

static void a_late_pre_vote_is_no_vote(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, pre_vote);
    net_isolate(&net, 1);
    net_campaign(&net, 1);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_PRE_VOTE_RESPONSE, .from = 2, .to = 1, .term = 1}, err));
    net_pump(&net);
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_PRE_VOTE_RESPONSE, .from = 3, .to = 1, .term = 1}, err));
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    net_end(&net);
}

static void voters_stand_by_a_leader_they_hear(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, check_quorum);
    net_elect(&net, 1);
    net_cut(&net, 1, 3);
    net_campaign(&net, 3);
    assert_int_equal(net_role(&net, 3), RAFT_CANDIDATE); /* 2 did not even answer */
    assert_int_equal(net_raft(&net, 2)->term, 1);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_tick(&net, 2, 10); /* once it has heard nothing for an election's wait it is free */
    net_campaign(&net, 3);
    assert_int_equal(net_role(&net, 3), RAFT_LEADER);
    net_end(&net);
}

static void a_stuck_candidate_is_freed_by_its_answer_to_the_leader(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, check_quorum);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    net_campaign(&net, 3);
    net_heal(&net);
    net_tick(&net, 1, 1);
    net_pump(&net); /* 3 answers the heartbeat with its higher term */
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    assert_int_equal(net_raft(&net, 1)->term, 2);
    net_end(&net);
}

static void a_leader_without_a_majority_steps_down(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, check_quorum);
    net_elect(&net, 1);
    net_tick_all(&net, 30);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_isolate(&net, 1);
    net_tick(&net, 1, 20);
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    assert_int_equal(net_raft(&net, 1)->leader, RAFT_NOBODY);
    net_end(&net);
}

static void a_forgotten_leader_frees_a_pre_vote(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, both);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    assert_ok(raft_forget_leader(net_raft(&net, 2), err));
    assert_int_equal(net_raft(&net, 2)->leader, RAFT_NOBODY);
    net_campaign(&net, 3);
    assert_int_equal(net_role(&net, 3), RAFT_LEADER);
    assert_ok(raft_forget_leader(net_raft(&net, 3), err)); /* a leader knows better */
    assert_int_equal(net_raft(&net, 3)->leader, 3);
    net_end(&net);
}

static void a_learner_votes_and_never_stands(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 3, 1, NULL);
    net_campaign(&net, 3);
    net_tick(&net, 3, 50);
    assert_int_equal(net_role(&net, 3), RAFT_FOLLOWER);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 1, .to = 3, .term = 1}, err));
    net_ready(&net, 3);
    assert_false(net_find(&net, RAFT_MESSAGE_VOTE_RESPONSE, 1)->reject);
    net_end(&net);
}

static void a_candidate_follows_the_leader_of_its_term(void **state)
{
    static const enum raft_message_type types[] = {RAFT_MESSAGE_APPEND, RAFT_MESSAGE_HEARTBEAT, RAFT_MESSAGE_SNAPSHOT};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct net net;
        net_begin(&net, 3, NULL);
        net_isolate(&net, 1);
        net_campaign(&net, 1);
        assert_ok(net_step(&net, (struct raft_message){.type = types[i], .from = 2, .to = 1, .term = 1}, err));
        assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
        assert_int_equal(net_raft(&net, 1)->leader, 2);
        net_end(&net);
    }
}

static void nobody_campaigns_over_a_change_it_has_not_applied(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 2, NULL);
    net_elect(&net, 1);
    struct raft_conf_change change = {0};
    raft_conf_change_add(&change, RAFT_ADD_LEARNER, 3);
    assert_ok(raft_propose_conf_change(net_raft(&net, 1), &change, err));
    raft_conf_change_deinit(&change);
    struct raft *raft = net_raft(&net, 2);
    while (raft->log.committed < 2) { /* until 2 knows that it is committed, but has not been told to apply it */
        if (raft_has_ready(net_raft(&net, 1)))
            net_ready(&net, 1);
        net_deliver(&net);
        if (raft->log.committed < 2 && raft_has_ready(raft))
            net_ready(&net, 2);
    }
    assert_ok(raft_campaign(raft, err));
    assert_int_equal(raft_role(raft), RAFT_FOLLOWER);
    net_pump(&net);
    assert_ok(raft_campaign(raft, err));
    assert_int_equal(raft_role(raft), RAFT_CANDIDATE);
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_roles_is_sound),
        cmocka_unit_test(a_majority_makes_a_leader),
        cmocka_unit_test(a_minority_makes_none),
        cmocka_unit_test(a_single_voter_elects_itself_once_its_vote_is_stable),
        cmocka_unit_test(a_new_leader_appends_an_empty_entry),
        cmocka_unit_test(a_vote_is_cast_once_a_term),
        cmocka_unit_test(a_vote_survives_a_restart),
        cmocka_unit_test(a_vote_counted_twice_is_one_vote),
        cmocka_unit_test(a_majority_of_refusals_ends_a_candidacy),
        cmocka_unit_test(a_shorter_log_is_not_elected),
        cmocka_unit_test(silence_starts_an_election_after_a_random_wait),
        cmocka_unit_test(heartbeats_keep_followers_quiet),
        cmocka_unit_test(a_stale_leader_steps_down_when_it_hears_of_a_newer_term),
        cmocka_unit_test(a_pre_candidate_that_cannot_win_disturbs_nobody),
        cmocka_unit_test(a_pre_candidate_behind_in_term_learns_it_from_a_refusal),
        cmocka_unit_test(a_late_pre_vote_does_not_count_in_the_next_pre_election),
        cmocka_unit_test(nobody_leads_before_its_own_vote_is_stable),
        cmocka_unit_test(a_late_pre_vote_is_no_vote),
        cmocka_unit_test(voters_stand_by_a_leader_they_hear),
        cmocka_unit_test(a_stuck_candidate_is_freed_by_its_answer_to_the_leader),
        cmocka_unit_test(a_leader_without_a_majority_steps_down),
        cmocka_unit_test(a_forgotten_leader_frees_a_pre_vote),
        cmocka_unit_test(a_learner_votes_and_never_stands),
        cmocka_unit_test(a_candidate_follows_the_leader_of_its_term),
        cmocka_unit_test(nobody_campaigns_over_a_change_it_has_not_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
