/* tests/unit/raft/core/test_ready.c – what is to be done, in which order, and what waits for the disk. */
#include "tests/unit/raft/core/fixture.h"

static void async(struct raft_config *config)
{
    config->async_storage_writes = true;
}

static void one_at_a_time(struct raft_config *config)
{
    config->committed_most_bytes = 1;
}

static void async_one_at_a_time(struct raft_config *config)
{
    config->async_storage_writes = true;
    config->committed_most_bytes = 1;
}

static void an_idle_member_has_nothing_to_do(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    assert_false(raft_has_ready(net_raft(&net, 1)));
    net_elect(&net, 1);
    for (uint64_t id = 1; id <= 3; id++)
        assert_false(raft_has_ready(net_raft(&net, id)));
    net_end(&net);
}

static void a_ready_must_be_advanced_before_the_next(void **state)
{
    struct net net;
    struct raft_ready *ready;
    (void)state;
    net_begin(&net, 1, NULL);
    assert_ok(raft_campaign(net_raft(&net, 1), err));
    assert_ok(raft_ready(net_raft(&net, 1), &ready, err));
    assert_fails(raft_ready(net_raft(&net, 1), &ready, err), ERR_PRECONDITION, "not advanced");
    assert_ok(raft_advance(net_raft(&net, 1), err));
    assert_ok(raft_ready(net_raft(&net, 1), &ready, err));
    net_end(&net);
}

static void asynchronous_storage_is_not_advanced(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 1, async);
    assert_fails(raft_advance(net_raft(&net, 1), err), ERR_PRECONDITION, "asynchronously");
    net_end(&net);
}

static void a_moved_commit_index_alone_need_not_be_synced(void **state)
{
    struct net net;
    struct raft_ready *ready;
    (void)state;
    net_begin(&net, 2, NULL);
    net_elect(&net, 1);
    net_raft(&net, 2)->said_hard.commit = 0;
    assert_ok(raft_ready(net_raft(&net, 2), &ready, err));
    assert_true(ready->has_hard_state);
    assert_false(ready->must_sync);
    assert_ok(raft_advance(net_raft(&net, 2), err));
    net_end(&net);
}

static void a_group_on_asynchronous_storage_works_as_one(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, async);
    net_elect(&net, 1);
    for (int i = 0; i < 20; i++)
        net_propose(&net, (uint64_t)i % 3 + 1, "x");
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(net_commit(&net, id), 21);
        assert_int_equal(net.members[id].applied.count, 21);
        assert_false(raft_log_view_has_unstable(&net_raft(&net, id)->log));
    }
    net_end(&net);
}

static void a_leader_commits_without_its_own_disk(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, async);
    net_elect(&net, 1);
    net.members[1].is_disk_held = true;
    net_propose(&net, 1, "x");
    assert_int_equal(net_commit(&net, 1), 2);
    assert_false(net_has_applied(&net, 1, "x")); /* what is not stable here is not applied here */
    assert_true(net_has_applied(&net, 2, "x"));
    net.members[1].is_disk_held = false;
    net_pump(&net);
    assert_true(net_has_applied(&net, 1, "x"));
    net_end(&net);
}

static void nothing_is_acknowledged_before_it_is_stable(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, async);
    net_elect(&net, 1);
    net.members[2].is_disk_held = net.members[3].is_disk_held = true;
    net_propose(&net, 1, "x");
    assert_int_equal(net_last(&net, 2), 2);
    assert_int_equal(net_commit(&net, 1), 1);
    net.members[2].is_disk_held = false;
    net_pump(&net);
    assert_int_equal(net_commit(&net, 1), 2);
    net_end(&net);
}

static void no_vote_leaves_before_it_is_stable(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, async);
    net.members[2].is_disk_held = net.members[3].is_disk_held = true;
    net_campaign(&net, 1);
    assert_int_equal(net_role(&net, 1), RAFT_CANDIDATE);
    net.members[3].is_disk_held = false;
    net_pump(&net);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    net_end(&net);
}

static struct raft_message append(uint64_t from, uint64_t term, uint64_t entry_term)
{
    struct raft_entry entry = {.term = entry_term, .index = 1};

    return (struct raft_message){
        .type = RAFT_MESSAGE_APPEND, .from = from, .to = 1, .term = term, .entries = raft_entries_copy(&entry, 1), .entries_count = 1};
}

/* A, then B, then A again are under way to the disk: the first A's answer must not pass for the last one's. */
static void an_answer_of_an_older_term_does_not_cut_the_tail(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 5, async);
    net.members[1].is_disk_held = true;
    assert_ok(net_step(&net, append(2, 1, 1), err));
    net_pump(&net);
    assert_ok(net_step(&net, append(3, 2, 2), err));
    net_pump(&net);
    assert_ok(net_step(&net, append(2, 3, 1), err));
    net_pump(&net);
    assert_int_equal(net.members[1].disk.count, 3);
    net_isolate(&net, 1);
    for (int i = 0; i < 2; i++) {
        net_write_one(&net, &net.members[1]);
        net_deliver(&net);
        assert_true(raft_log_view_has_unstable(&net_raft(&net, 1)->log));
        assert_int_equal(raft_log_view_term_or_zero(&net_raft(&net, 1)->log, 1), 1);
    }
    net_write_one(&net, &net.members[1]);
    net_deliver(&net);
    assert_false(raft_log_view_has_unstable(&net_raft(&net, 1)->log));
    assert_int_equal(raft_log_view_term_or_zero(&net_raft(&net, 1)->log, 1), 1);
    net_end(&net);
}

static void the_answer_to_a_new_terms_write_frees_an_older_tail(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, async);
    net.members[1].is_disk_held = true;
    assert_ok(net_step(&net, append(2, 1, 1), err));
    net_pump(&net);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .from = 3, .to = 1, .term = 2}, err));
    net_pump(&net);
    net_write_one(&net, &net.members[1]);
    net_deliver(&net);
    assert_true(raft_log_view_has_unstable(&net_raft(&net, 1)->log));
    net_write_one(&net, &net.members[1]);
    net_deliver(&net);
    assert_false(raft_log_view_has_unstable(&net_raft(&net, 1)->log));
    net_end(&net);
}

static void a_snapshot_of_an_older_term_still_counts_once_written(void **state)
{
    struct net net;
    struct raft_snapshot *snapshot = mem_alloc(sizeof *snapshot);
    (void)state;
    net_begin(&net, 3, async);
    net.members[1].is_disk_held = true;
    *snapshot = (struct raft_snapshot){.index = 7, .term = 1};
    for (uint64_t id = 1; id <= 3; id++)
        raft_ids_add(&snapshot->conf.voters, id);
    assert_ok(
        net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT, .from = 2, .to = 1, .term = 1, .snapshot = snapshot}, err));
    net_pump(&net);
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .from = 3, .to = 1, .term = 2}, err));
    net_campaign(&net, 1); /* not while the snapshot is being written */
    assert_int_equal(net_role(&net, 1), RAFT_FOLLOWER);
    net_write_one(&net, &net.members[1]);
    net_deliver(&net);
    assert_false(net_raft(&net, 1)->log.has_snapshot);
    assert_int_equal(net_raft(&net, 1)->log.applied, 7);
    net_end(&net);
}

static void entries_to_apply_are_handed_out_within_the_bound(void **state)
{
    struct net net;
    struct raft_ready *ready;
    (void)state;
    net_begin(&net, 1, one_at_a_time);
    net_elect(&net, 1);
    for (int i = 0; i < 3; i++)
        assert_ok(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err));
    net_ready(&net, 1);
    for (uint64_t index = 2; index <= 4; index++) {
        assert_ok(raft_ready(net_raft(&net, 1), &ready, err));
        assert_int_equal(ready->committed.count, 1);
        assert_int_equal(ready->committed.items[0].index, index);
        net_apply(&net.members[1], ready->committed.items, 1);
        assert_ok(raft_advance(net_raft(&net, 1), err));
    }
    net_end(&net);
}

static void applying_pauses_until_it_is_reported(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, async_one_at_a_time);
    net_elect(&net, 1);
    for (int i = 0; i < 5; i++)
        net_propose(&net, 1, "x");
    assert_int_equal(net.members[1].applied.count, 6);
    assert_int_equal(net_raft(&net, 1)->log.applying_bytes, 0);
    net_end(&net);
}

static void a_report_of_what_was_not_handed_out_is_refused(void **state)
{
    struct net net;
    struct raft_entry entry = {.term = 1, .index = 9};
    (void)state;
    net_begin(&net, 1, async);
    assert_fails(net_step(&net,
                          (struct raft_message){.type = RAFT_MESSAGE_STORAGE_APPLY_RESPONSE,
                                                .from = RAFT_APPLY_THREAD,
                                                .to = 1,
                                                .entries = raft_entries_copy(&entry, 1),
                                                .entries_count = 1},
                          err),
                 ERR_INVALID, "entry 9 was reported applied");
    assert_ok(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_STORAGE_APPLY_RESPONSE, .from = RAFT_APPLY_THREAD, .to = 1}, err));
    net_end(&net);
}

static void a_restart_applies_only_what_was_not_applied(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    for (int i = 0; i < 5; i++)
        net_propose(&net, 1, "x");
    net_restart(&net, 2);
    net_pump(&net);
    assert_int_equal(net.members[2].applied.count, 6); /* net_apply checks that none comes twice */
    net_elect(&net, 2);
    assert_int_equal(net.members[2].applied.count, 7);
    net_end(&net);
}

static void a_ready_never_taken_is_freed_with_its_member(void **state)
{
    struct net net;
    struct raft_ready *ready;
    (void)state;
    net_begin(&net, 1, async);
    net_elect(&net, 1);
    assert_ok(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err));
    assert_ok(raft_read_index(net_raft(&net, 1), bytes_of_string("r"), err));
    assert_ok(raft_ready(net_raft(&net, 1), &ready, err));
    assert_ok(raft_read_index(net_raft(&net, 1), bytes_of_string("s"), err));
    assert_ok(raft_propose(net_raft(&net, 1), bytes_of_string("y"), err));
    net_end(&net); /* the leak checker speaks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_member_has_nothing_to_do),
        cmocka_unit_test(a_ready_must_be_advanced_before_the_next),
        cmocka_unit_test(asynchronous_storage_is_not_advanced),
        cmocka_unit_test(a_moved_commit_index_alone_need_not_be_synced),
        cmocka_unit_test(a_group_on_asynchronous_storage_works_as_one),
        cmocka_unit_test(a_leader_commits_without_its_own_disk),
        cmocka_unit_test(nothing_is_acknowledged_before_it_is_stable),
        cmocka_unit_test(no_vote_leaves_before_it_is_stable),
        cmocka_unit_test(an_answer_of_an_older_term_does_not_cut_the_tail),
        cmocka_unit_test(the_answer_to_a_new_terms_write_frees_an_older_tail),
        cmocka_unit_test(a_snapshot_of_an_older_term_still_counts_once_written),
        cmocka_unit_test(entries_to_apply_are_handed_out_within_the_bound),
        cmocka_unit_test(applying_pauses_until_it_is_reported),
        cmocka_unit_test(a_report_of_what_was_not_handed_out_is_refused),
        cmocka_unit_test(a_restart_applies_only_what_was_not_applied),
        cmocka_unit_test(a_ready_never_taken_is_freed_with_its_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
