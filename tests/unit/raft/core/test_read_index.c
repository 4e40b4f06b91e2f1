/* tests/unit/raft/core/test_read_index.c – reads that see every write acknowledged before them. */
#include "tests/unit/raft/core/fixture.h"

static void lease(struct raft_config *config)
{
    config->check_quorum = true;
    config->read_mode = RAFT_READ_LEASE;
}

static void async(struct raft_config *config)
{
    config->async_storage_writes = true;
}

static int read_at(struct net *net, uint64_t id, const char *context, struct error *err)
{
    int result = raft_read_index(net_raft(net, id), bytes_of_string(context), err);

    net_pump(net);
    return result;
}

static void a_leader_answers_once_a_majority_confirmed_it(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_propose(&net, 1, "x");
    assert_ok(read_at(&net, 1, "r1", err));
    assert_int_equal(net.members[1].read_index, 2);
    assert_string_equal(net.members[1].read_context, "r1");
    net_end(&net);
}

static void a_leader_that_was_cut_off_answers_no_read(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    assert_ok(read_at(&net, 1, "r1", err));
    net_elect(&net, 2);
    net_propose(&net, 2, "newer");
    net_tick(&net, 1, 5);
    net_pump(&net);
    assert_int_equal(net.members[1].reads_count, 0);
    net_heal(&net);
    net_tick_all(&net, 3);
    assert_int_equal(net.members[1].reads_count, 0); /* nor later: it does not lead any more */
    net_end(&net);
}

static void a_followers_read_is_passed_on(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    assert_ok(read_at(&net, 3, "r3", err));
    assert_int_equal(net.members[3].read_index, 1);
    assert_string_equal(net.members[3].read_context, "r3");
    net_end(&net);
}

static void many_reads_share_heartbeats_and_keep_their_order(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 3; i++)
            assert_ok(raft_read_index(net_raft(&net, 1), bytes_of_string(i == 2 ? "last" : "first"), err));
        if (round % 2 == 0)
            net_pump(&net);
    }
    net_pump(&net);
    assert_int_equal(net.members[1].reads_count, 90);
    assert_string_equal(net.members[1].read_context, "last");
    assert_int_equal(net_raft(&net, 1)->reads.count, 0);
    net_end(&net);
}

static void a_lost_heartbeat_is_made_good_by_the_next(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    assert_ok(read_at(&net, 1, "r", err));
    net_heal(&net);
    net_tick_all(&net, 1);
    assert_int_equal(net.members[1].reads_count, 1);
    net_end(&net);
}

/* Thesis §6.4: before its first commit a leader does not know how far its predecessors had come. */
static void no_read_is_served_before_the_leader_committed_in_its_term(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 2);
    net_propose(&net, 2, "x");
    net.dropped_type = RAFT_MESSAGE_APPEND;
    net_elect(&net, 1);
    net_tick_all(&net, 1); /* so that 3 knows whom to ask */
    assert_ok(read_at(&net, 1, "r1", err));
    assert_ok(read_at(&net, 3, "r3", err));
    net_tick_all(&net, 1);
    assert_int_equal(net.members[1].reads_count, 0);
    net_heal(&net);
    net_tick_all(&net, 2);
    assert_int_equal(net.members[1].reads_count, 1);
    assert_int_equal(net.members[3].reads_count, 1);
    assert_int_equal(net.members[1].read_index, 3);
    net_end(&net);
}

static void a_leader_alone_answers_at_once(void **state)
{
    struct net net;
    (void)state;
    net_begin_with(&net, 2, 1, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 2);
    assert_ok(read_at(&net, 1, "r", err));
    assert_int_equal(net.members[1].read_index, 1);
    net_heal(&net);
    assert_ok(read_at(&net, 2, "l", err)); /* a learner's read */
    assert_string_equal(net.members[2].read_context, "l");
    net_end(&net);
}

/* Its commit index need not be on its disk: after a restart it leads before it has committed again what it had acknowledged. */
static void a_leader_alone_answers_only_what_includes_its_whole_log(void **state)
{
    struct net net;
    struct net_member *member = &net.members[1];
    (void)state;
    net_begin(&net, 1, async);
    net_elect(&net, 1);
    net_propose(&net, 1, "x");
    assert_int_equal(net_commit(&net, 1), 2);
    raft_memory_storage_set_hard_state(&member->storage, &(struct raft_hard_state){.term = 1, .vote = 1});
    raft_entries_clear(&member->applied);
    net_restart(&net, 1);
    member->is_disk_held = true;
    net_campaign(&net, 1);
    net_write_one(&net, member); /* its vote */
    net_pump(&net);
    assert_int_equal(net_role(&net, 1), RAFT_LEADER);
    assert_ok(read_at(&net, 1, "r", err));
    assert_int_equal(member->reads_count, 0);
    member->is_disk_held = false;
    net_pump(&net);
    assert_int_equal(member->reads_count, 1);
    assert_int_equal(member->read_index, 3);
    net_end(&net);
}

static void a_lease_answers_without_asking(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, lease);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    assert_ok(read_at(&net, 1, "r", err));
    assert_int_equal(net.members[1].reads_count, 1);
    assert_ok(raft_forget_leader(net_raft(&net, 2), err)); /* nobody may forget while leases rest on it */
    assert_int_equal(net_raft(&net, 2)->leader, 1);
    net_end(&net);
}

static void a_read_is_refused_where_no_leader_is_known(void **state)
{
    struct net net;
    struct raft_entry context = {0};
    (void)state;
    net_begin(&net, 3, NULL);
    assert_fails(read_at(&net, 1, "r", err), ERR_UNAVAILABLE, "no leader");
    assert_ok(
        net_step(&net,
                 (struct raft_message){
                     .type = RAFT_MESSAGE_READ_INDEX, .from = 2, .to = 1, .entries = raft_entries_copy(&context, 1), .entries_count = 1},
                 err)); /* another's is dropped: it asks again */
    net_isolate(&net, 1);
    net_campaign(&net, 1);
    assert_fails(read_at(&net, 1, "r", err), ERR_UNAVAILABLE, "election");
    net_end(&net);
}

static void reads_beyond_the_bound_are_refused(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net.dropped_type = RAFT_MESSAGE_APPEND;
    net_elect(&net, 1);
    for (int i = 0; i < RAFT_READS_COUNT; i++)
        assert_ok(raft_read_index(net_raft(&net, 1), bytes_of_string("r"), err));
    assert_fails(raft_read_index(net_raft(&net, 1), bytes_of_string("r"), err), ERR_LIMIT, "wait for a majority");
    net_end(&net);
}

static void strange_answers_confirm_nothing(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 1);
    assert_ok(read_at(&net, 1, "r", err));
    static const char *const contexts[] = {"short", "\xff\xff\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < 2; i++)
        assert_ok(net_step(&net,
                           (struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT_RESPONSE,
                                                 .from = 2,
                                                 .to = 1,
                                                 .term = 1,
                                                 .context = raft_payload_new(bytes_of_string(contexts[i]))},
                           err));
    net_pump(&net);
    assert_int_equal(net.members[1].reads_count, 0);
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_READ_INDEX, .from = 2, .to = 1}, err), ERR_INVALID,
                 "contexts, not one");
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_READ_INDEX_RESPONSE, .from = 1, .to = 2, .term = 1}, err),
                 ERR_INVALID, "contexts, not one");
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_answers_once_a_majority_confirmed_it),
        cmocka_unit_test(a_leader_that_was_cut_off_answers_no_read),
        cmocka_unit_test(a_followers_read_is_passed_on),
        cmocka_unit_test(many_reads_share_heartbeats_and_keep_their_order),
        cmocka_unit_test(a_lost_heartbeat_is_made_good_by_the_next),
        cmocka_unit_test(no_read_is_served_before_the_leader_committed_in_its_term),
        cmocka_unit_test(a_leader_alone_answers_at_once),
        cmocka_unit_test(a_leader_alone_answers_only_what_includes_its_whole_log),
        cmocka_unit_test(a_lease_answers_without_asking),
        cmocka_unit_test(a_read_is_refused_where_no_leader_is_known),
        cmocka_unit_test(reads_beyond_the_bound_are_refused),
        cmocka_unit_test(strange_answers_confirm_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
