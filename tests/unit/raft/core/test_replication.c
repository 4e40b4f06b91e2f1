/* tests/unit/raft/core/test_replication.c – the log reaches its followers, and only what may be committed is. */
#include "tests/unit/raft/core/fixture.h"

static void small_window(struct raft_config *config)
{
    config->inflight_most_count = 2;
    config->message_most_bytes = 0; /* one entry each */
}

static void window_of_bytes(struct raft_config *config)
{
    config->message_most_bytes = 16;
    config->inflight_most_bytes = 20;
}

static void bounded(struct raft_config *config)
{
    config->uncommitted_most_bytes = 8;
}

static void no_forwarding(struct raft_config *config)
{
    config->no_proposal_forwarding = true;
}

static void a_proposal_reaches_every_member(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_propose(&net, 1, "a");
    net_propose(&net, 3, "b"); /* passed on */
    for (uint64_t id = 1; id <= 3; id++) {
        assert_true(net_has_applied(&net, id, "a"));
        assert_true(net_has_applied(&net, id, "b"));
    }
    net_end(&net);
}

static void a_proposal_is_refused_where_no_leader_is_known(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    assert_fails(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err), ERR_UNAVAILABLE, "no leader");
    net_isolate(&net, 1);
    net_campaign(&net, 1);
    assert_fails(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err), ERR_UNAVAILABLE, "election");
    net_end(&net);
}

static void a_follower_that_does_not_forward_names_the_leader(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, no_forwarding);
    net_elect(&net, 1);
    assert_fails(raft_propose(net_raft(&net, 2), bytes_of_string("x"), err), ERR_UNAVAILABLE, "propose to 1");
    net_end(&net);
}

static void an_empty_proposal_is_refused(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 1, NULL);
    net_elect(&net, 1);
    assert_fails(raft_propose_entries(net_raft(&net, 1), NULL, 0, err), ERR_INVALID, "without entries");
    net_end(&net);
}

static void proposals_beyond_the_bound_are_refused_until_some_commit(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, bounded);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    net_propose(&net, 1, "much more than eight bytes"); /* alone, of any size */
    assert_fails(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err), ERR_LIMIT, "8");
    assert_ok(raft_propose(net_raft(&net, 1), bytes_of_string(""), err)); /* an empty one costs nothing */
    net_heal(&net);
    net_tick_all(&net, 2);
    net_propose(&net, 1, "1234");
    net_propose(&net, 1, "5678");
    assert_true(net_has_applied(&net, 2, "5678"));
    net_end(&net);
}

static void acknowledge(struct net *net, uint64_t leader, uint64_t from, uint64_t index)
{
    assert_ok(
        net_step(net,
                 (struct raft_message){
                     .type = RAFT_MESSAGE_APPEND_RESPONSE, .from = from, .to = leader, .term = net_raft(net, leader)->term, .index = index},
                 err));
}

/* Raft thesis, figure 3.7: an entry of an older term on a majority may still be lost, and must not be committed by counting. */
static void an_entry_of_an_older_term_is_not_committed_by_counting(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 5, NULL);
    net_elect(&net, 1);
    for (uint64_t id = 3; id <= 5; id++)
        net_isolate(&net, id);
    net_propose(&net, 1, "old"); /* entry 2, of term 1, at 1 and 2 only */
    net_heal(&net);
    net_isolate(&net, 1);
    net_isolate(&net, 2);
    net.dropped_type = RAFT_MESSAGE_APPEND;
    net_elect(&net, 5); /* by 3 and 4: its entry 2 has term 2, and stays its own */
    net_heal(&net);
    net.dropped_type = RAFT_MESSAGE_APPEND;
    net_tick(&net, 5, 1); /* 1 hears that it was deposed */
    net_pump(&net);
    net_isolate(&net, 5);
    net_elect(&net, 1); /* term 3 */
    assert_int_equal(net_raft(&net, 1)->term, 3);
    acknowledge(&net, 1, 2, 2);
    acknowledge(&net, 1, 3, 2); /* entry 2 is on three of five */
    assert_int_equal(net_commit(&net, 1), 1);
    acknowledge(&net, 1, 2, 3);
    acknowledge(&net, 1, 3, 3); /* with one of its own term, all before it is committed */
    assert_int_equal(net_commit(&net, 1), 3);
    net_end(&net);
}

static void an_uncommitted_tail_is_replaced_by_the_new_leaders(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    for (int i = 0; i < 20; i++)
        net_propose(&net, 1, "lost");
    net_elect(&net, 2);
    net_propose(&net, 2, "kept");
    net_heal(&net);
    net_tick_all(&net, 2);
    assert_int_equal(net_last(&net, 1), net_last(&net, 2));
    assert_int_equal(net_commit(&net, 1), net_commit(&net, 2));
    assert_false(net_has_applied(&net, 1, "lost"));
    net_end(&net);
}

static void a_long_divergent_tail_is_skipped_by_terms(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    for (int i = 0; i < 500; i++)
        net_propose(&net, 1, "lost");
    net_elect(&net, 2);
    for (int i = 0; i < 500; i++)
        net_propose(&net, 2, "kept");
    net_heal(&net);
    net.delivered_count = 0;
    net_tick_all(&net, 2);
    assert_int_equal(net_last(&net, 1), net_last(&net, 2));
    assert_true(net.delivered_count < 40); /* entry by entry it would be a thousand */
    net_end(&net);
}

static void the_leader_skips_terms_that_a_follower_cannot_have(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    for (uint64_t round = 0; round < 6; round++)
        net_elect(&net, round % 2 + 1);
    net_elect(&net, 1);
    struct raft *raft = net_raft(&net, 1);
    uint64_t last = net_last(&net, 1);
    raft_messages_clear(&net.wire);
    raft_progress_become_probe(raft_tracker_find(&raft->tracker, 3));
    raft_tracker_find(&raft->tracker, 3)->match = 0;
    raft_tracker_find(&raft->tracker, 3)->next = last + 1;
    assert_ok(net_step(&net,
                       (struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE,
                                             .from = 3,
                                             .to = 1,
                                             .term = raft->term,
                                             .index = last,
                                             .reject = true,
                                             .reject_hint = last - 1,
                                             .log_term = 2},
                       err));
    net_ready(&net, 1);
    assert_int_equal(net_find(&net, RAFT_MESSAGE_APPEND, 3)->log_term, 2);
    net_end(&net);
}

static void appends_follow_each_other_until_the_window_is_full(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, small_window);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    for (int i = 0; i < 5; i++)
        net_propose(&net, 1, "x");
    assert_int_equal(net_progress(&net, 1, 3)->window.count, 2);
    assert_true(net_progress(&net, 1, 3)->is_paused);
    net_heal(&net);
    net_tick_all(&net, 3); /* an empty append after a heartbeat finds out what was lost */
    assert_int_equal(net_last(&net, 3), net_last(&net, 1));
    assert_int_equal(net_progress(&net, 1, 3)->window.count, 0);
    net_end(&net);
}

static void the_window_counts_bytes(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, window_of_bytes);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    for (int i = 0; i < 5; i++)
        net_propose(&net, 1, "0123456789");
    assert_int_equal(net_progress(&net, 1, 3)->window.count, 2);
    assert_int_equal(net_progress(&net, 1, 3)->window.total_bytes, 20);
    net_heal(&net);
    net_tick_all(&net, 8);
    assert_int_equal(net_last(&net, 3), net_last(&net, 1));
    net_end(&net);
}

static void a_lost_append_is_found_by_reporting_unreachable(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    net_propose(&net, 1, "x");
    assert_ok(raft_report_unreachable(net_raft(&net, 1), 3, err));
    assert_int_equal(net_progress(&net, 1, 3)->state, RAFT_PROGRESS_PROBE);
    assert_ok(raft_report_unreachable(net_raft(&net, 1), 3, err));
    assert_ok(raft_report_unreachable(net_raft(&net, 1), 9, err)); /* nobody */
    net_heal(&net);
    net_tick_all(&net, 2);
    assert_true(net_has_applied(&net, 3, "x"));
    net_end(&net);
}

static void repeated_and_reordered_messages_do_no_harm(void **state)
{
    struct net net;
    struct raft_messages seen = {0};
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    for (int i = 0; i < 10; i++) {
        assert_ok(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err));
        while (raft_has_ready(net_raft(&net, 1)))
            net_ready(&net, 1);
        for (size_t m = 0; m < net.wire.count; m++) {
            struct raft_message copy;
            raft_message_copy(&copy, &net.wire.items[m]);
            raft_messages_add(&seen, &copy);
        }
        net_pump(&net);
    }
    while (seen.count > 0) {
        raft_messages_add(&net.wire, &seen.items[--seen.count]);
        net_pump(&net);
    }
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(net_commit(&net, id), 11);
    raft_messages_deinit(&seen);
    net_end(&net);
}

static void an_append_with_a_hole_is_refused_as_damaged(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    struct raft_entry *entries = mem_array(2, sizeof *entries);
    entries[0] = (struct raft_entry){.term = 1, .index = 1};
    entries[1] = (struct raft_entry){.term = 1, .index = 3};
    assert_fails(
        net_step(&net,
                 (struct raft_message){.type = RAFT_MESSAGE_APPEND, .from = 2, .to = 1, .term = 1, .entries = entries, .entries_count = 2},
                 err),
        ERR_CORRUPT, "do not follow each other");
    assert_int_equal(net_last(&net, 1), 0);
    net_end(&net);
}

/* Entry 2 is committed at 2, while an append that follows entry 1 claims another one there: only a broken leader sends that. */
static void an_append_that_would_replace_what_is_committed_is_refused(void **state)
{
    struct net net;
    struct raft_entry entries[2] = {{.term = 1, .index = 2}, {.term = 5, .index = 3}};
    uint64_t last_new = 0;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_propose(&net, 1, "x");
    struct raft_log_view *log = &net_raft(&net, 2)->log;
    entries[0].term = 5;
    assert_fails(raft_log_view_accept(log, (struct raft_entry_id){1, 1}, entries, 2, &last_new, err), ERR_CORRUPT, "two logs have parted");
    assert_int_equal(raft_log_view_term_or_zero(log, 2), 1);
    assert_ok(net_step(&net,
                       (struct raft_message){.type = RAFT_MESSAGE_APPEND,
                                             .from = 3,
                                             .to = 2,
                                             .term = 5,
                                             .index = 1,
                                             .log_term = 1,
                                             .entries = raft_entries_copy(entries, 2),
                                             .entries_count = 2},
                       err)); /* as a message it is old news: all up to the commit index matches */
    net_ready(&net, 2);
    assert_int_equal(net_find(&net, RAFT_MESSAGE_APPEND_RESPONSE, 3)->index, 2);
    assert_int_equal(net_last(&net, 2), 2);
    net_end(&net);
}

static void a_leader_that_believes_we_hold_what_we_lost_is_told(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .from = 2, .to = 1, .term = 1, .commit = 9}, err),
                 ERR_CORRUPT, "lost what it had acknowledged");
    assert_int_equal(net_commit(&net, 1), 0);
    net_end(&net);
}

static void an_acknowledgement_beyond_our_log_is_refused(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    assert_fails(
        net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 2, .to = 1, .term = 1, .index = 99}, err),
        ERR_CORRUPT, "acknowledges entry 99");
    net_end(&net);
}

static void an_old_refusal_changes_nothing(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_propose(&net, 1, "x");
    assert_ok(net_step(
        &net, (struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 2, .to = 1, .term = 1, .index = 1, .reject = true}, err));
    assert_int_equal(net_progress(&net, 1, 2)->state, RAFT_PROGRESS_REPLICATE);
    assert_int_equal(net_progress(&net, 1, 2)->next, 3);
    net_end(&net);
}

static void a_refusal_while_replicating_goes_back_to_probing(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 2);
    net_propose(&net, 1, "x");
    assert_ok(
        net_step(&net,
                 (struct raft_message){
                     .type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 2, .to = 1, .term = 1, .index = 2, .reject = true, .reject_hint = 1},
                 err));
    assert_int_equal(net_progress(&net, 1, 2)->state, RAFT_PROGRESS_PROBE);
    assert_int_equal(net_progress(&net, 1, 2)->next, 2);
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proposal_reaches_every_member),
        cmocka_unit_test(a_proposal_is_refused_where_no_leader_is_known),
        cmocka_unit_test(a_follower_that_does_not_forward_names_the_leader),
        cmocka_unit_test(an_empty_proposal_is_refused),
        cmocka_unit_test(proposals_beyond_the_bound_are_refused_until_some_commit),
        cmocka_unit_test(an_entry_of_an_older_term_is_not_committed_by_counting),
        cmocka_unit_test(an_uncommitted_tail_is_replaced_by_the_new_leaders),
        cmocka_unit_test(a_long_divergent_tail_is_skipped_by_terms),
        cmocka_unit_test(the_leader_skips_terms_that_a_follower_cannot_have),
        cmocka_unit_test(appends_follow_each_other_until_the_window_is_full),
        cmocka_unit_test(the_window_counts_bytes),
        cmocka_unit_test(a_lost_append_is_found_by_reporting_unreachable),
        cmocka_unit_test(repeated_and_reordered_messages_do_no_harm),
        cmocka_unit_test(an_append_with_a_hole_is_refused_as_damaged),
        cmocka_unit_test(an_append_that_would_replace_what_is_committed_is_refused),
        cmocka_unit_test(a_leader_that_believes_we_hold_what_we_lost_is_told),
        cmocka_unit_test(an_acknowledgement_beyond_our_log_is_refused),
        cmocka_unit_test(an_old_refusal_changes_nothing),
        cmocka_unit_test(a_refusal_while_replicating_goes_back_to_probing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
