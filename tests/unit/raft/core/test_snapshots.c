/* tests/unit/raft/core/test_snapshots.c – a member that is too far behind gets a snapshot, and goes on from there. */
#include "tests/unit/raft/core/fixture.h"

/* 3 is away while the others go on and compact what it lacks. */
static void leave_3_behind(struct net *net, net_options_fn *options)
{
    net_begin(net, 3, options);
    net_elect(net, 1);
    net_isolate(net, 3);
    for (int i = 0; i < 10; i++)
        net_propose(net, 1, "x");
    net_compact(net, 1, 8);
    net_heal(net);
}

static void async(struct raft_config *config)
{
    config->async_storage_writes = true;
}

static void a_member_too_far_behind_gets_a_snapshot(void **state)
{
    struct net net;
    (void)state;
    for (int round = 0; round < 2; round++) {
        leave_3_behind(&net, round == 0 ? NULL : async);
        net_tick_all(&net, 3);
        assert_int_equal(net.members[3].storage.snapshot.index, 8);
        assert_int_equal(net.members[3].storage.snapshot.data->size, 5);
        assert_int_equal(net_last(&net, 3), net_last(&net, 1));
        assert_int_equal(net_commit(&net, 3), net_commit(&net, 1));
        assert_int_equal(net_progress(&net, 1, 3)->state, RAFT_PROGRESS_REPLICATE);
        net_end(&net);
    }
}

/* Up to where the snapshot is sent, and lost. */
static void lose_the_snapshot(struct net *net)
{
    leave_3_behind(net, NULL);
    net->dropped_type = RAFT_MESSAGE_SNAPSHOT;
    net_tick_all(net, 3);
    assert_int_equal(net_progress(net, 1, 3)->state, RAFT_PROGRESS_SNAPSHOT);
    assert_int_equal(net_progress(net, 1, 3)->pending_snapshot, 8);
    net_heal(net);
}

static void nothing_else_is_sent_while_a_snapshot_is_under_way(void **state)
{
    struct net net;
    (void)state;
    lose_the_snapshot(&net);
    net_propose(&net, 1, "y");
    net_tick_all(&net, 5);
    assert_int_equal(net_last(&net, 3), 1);
    net_end(&net);
}

static void a_failed_snapshot_is_sent_again(void **state)
{
    struct net net;
    (void)state;
    lose_the_snapshot(&net);
    assert_ok(raft_report_snapshot(net_raft(&net, 1), 3, false, err));
    assert_int_equal(net_progress(&net, 1, 3)->state, RAFT_PROGRESS_PROBE);
    assert_int_equal(net_progress(&net, 1, 3)->next, 2);
    net_tick_all(&net, 3);
    assert_int_equal(net_last(&net, 3), net_last(&net, 1));
    net_end(&net);
}

static void a_reported_success_probes_behind_the_snapshot(void **state)
{
    struct net net;
    (void)state;
    lose_the_snapshot(&net);
    assert_ok(raft_report_snapshot(net_raft(&net, 1), 3, true, err));
    assert_int_equal(net_progress(&net, 1, 3)->next, 9);
    assert_true(net_progress(&net, 1, 3)->is_paused);
    assert_ok(raft_report_snapshot(net_raft(&net, 1), 3, true, err)); /* twice says nothing new */
    net_tick_all(&net, 4);
    assert_int_equal(net_last(&net, 3), net_last(&net, 1));
    net_end(&net);
}

static int not_now(void *self, struct raft_snapshot *out, struct error *err)
{
    (void)self;
    (void)out;
    (void)err;
    return RAFT_UNAVAILABLE;
}

static void a_snapshot_that_is_not_ready_is_asked_for_again(void **state)
{
    struct net net;
    (void)state;
    leave_3_behind(&net, NULL);
    net_raft(&net, 1)->config.storage.snapshot = not_now;
    net_tick_all(&net, 3);
    assert_int_equal(net_last(&net, 3), 1);
    net_raft(&net, 1)->config.storage = net.members[1].config.storage;
    net_tick_all(&net, 3);
    assert_int_equal(net_last(&net, 3), net_last(&net, 1));
    net_end(&net);
}

static int broken(void *self, struct raft_snapshot *out, struct error *err)
{
    (void)self;
    (void)out;
    return error_set(err, ERR_IO, "the disk is gone");
}

static int empty(void *self, struct raft_snapshot *out, struct error *err)
{
    (void)self;
    (void)err;
    *out = (struct raft_snapshot){0};
    return RAFT_STORED;
}

static void a_snapshot_that_cannot_be_read_stops_the_core(void **state)
{
    struct net net;
    (void)state;
    leave_3_behind(&net, NULL);
    struct raft_progress *progress = raft_tracker_find(&net_raft(&net, 1)->tracker, 3);
    progress->next = 2;
    progress->is_recently_active = true;
    net_raft(&net, 1)->config.storage.snapshot = broken;
    assert_false(raft_send_append_if(net_raft(&net, 1), progress, true));
    assert_fails(raft_tick(net_raft(&net, 1), err), ERR_IO, "the disk is gone");
    assert_fails(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err), ERR_IO, "the disk is gone");
    net_end(&net);
}

static void a_snapshot_to_a_silent_member_waits(void **state)
{
    struct net net;
    (void)state;
    leave_3_behind(&net, NULL);
    struct raft_progress *progress = raft_tracker_find(&net_raft(&net, 1)->tracker, 3);
    progress->is_recently_active = false;
    progress->next = 2;
    progress->is_paused = false;
    assert_false(raft_send_append_if(net_raft(&net, 1), progress, true));
    assert_int_equal(progress->state, RAFT_PROGRESS_REPLICATE);
    net_end(&net);
}

static void a_compacted_log_without_a_snapshot_is_damage(void **state)
{
    struct net net;
    (void)state;
    leave_3_behind(&net, NULL);
    struct raft_progress *progress = raft_tracker_find(&net_raft(&net, 1)->tracker, 3);
    progress->next = 2;
    progress->is_recently_active = true;
    net_raft(&net, 1)->config.storage.snapshot = empty;
    assert_false(raft_send_append_if(net_raft(&net, 1), progress, true));
    assert_fails(raft_tick(net_raft(&net, 1), err), ERR_CORRUPT, "there is no snapshot");
    net_end(&net);
}

static struct raft_snapshot *snapshot_of(uint64_t index, uint64_t term, uint64_t voters)
{
    struct raft_snapshot *snapshot = mem_alloc(sizeof *snapshot);

    *snapshot = (struct raft_snapshot){.index = index, .term = term};
    for (uint64_t id = 1; id <= voters; id++)
        raft_ids_add(&snapshot->conf.voters, id);
    return snapshot;
}

static void take(struct net *net, struct raft_snapshot *snapshot)
{
    assert_ok(
        net_step(net, (struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT, .from = 1, .to = 2, .term = 3, .snapshot = snapshot}, err));
}

static void a_snapshot_of_what_we_have_only_moves_the_commit_index(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 3);
    assert_ok(raft_propose(net_raft(&net, 1), bytes_of_string("x"), err));
    net.dropped_type = RAFT_MESSAGE_APPEND_RESPONSE;
    net_pump(&net);
    assert_int_equal(net_commit(&net, 2), 1);
    take(&net, snapshot_of(2, 1, 3));
    assert_int_equal(net_commit(&net, 2), 2);
    assert_false(net_raft(&net, 2)->log.has_snapshot);
    net_end(&net);
}

static void an_old_or_a_strangers_snapshot_is_ignored(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    net_propose(&net, 1, "x");
    take(&net, snapshot_of(1, 1, 3));
    take(&net, snapshot_of(9, 2, 1)); /* it does not name us */
    take(&net, NULL);
    net_ready(&net, 2);
    assert_int_equal(net_find(&net, RAFT_MESSAGE_APPEND_RESPONSE, 1)->index, 2);
    assert_int_equal(net_last(&net, 2), 2);
    net_end(&net);
}

static void a_snapshot_with_an_impossible_membership_is_refused(void **state)
{
    struct net net;
    struct raft_snapshot *snapshot = snapshot_of(9, 2, 2);
    (void)state;
    net_begin(&net, 3, NULL);
    raft_ids_add(&snapshot->conf.learners, 2); /* a voter as well */
    assert_fails(
        net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT, .from = 1, .to = 2, .term = 3, .snapshot = snapshot}, err),
        ERR_CORRUPT, "membership");
    assert_int_equal(net_last(&net, 2), 0);
    assert_int_equal(net_raft(&net, 2)->tracker.count, 3);
    net_end(&net);
}

static void a_snapshot_brings_its_membership_in_any_order(void **state)
{
    struct net net;
    struct raft_snapshot *snapshot = mem_alloc(sizeof *snapshot);
    (void)state;
    net_begin(&net, 3, NULL);
    *snapshot = (struct raft_snapshot){.index = 9, .term = 2};
    snapshot->conf.voters.items = mem_array(4, sizeof(uint64_t));
    for (uint64_t id = 4; id >= 1; id--)
        snapshot->conf.voters.items[snapshot->conf.voters.count++] = id;
    take(&net, snapshot);
    assert_int_equal(net_raft(&net, 2)->tracker.count, 4);
    assert_int_equal(net_last(&net, 2), 9);
    assert_false(raft_is_promotable(net_raft(&net, 2)));
    net_ready(&net, 2);
    assert_true(raft_is_promotable(net_raft(&net, 2)));
    net_end(&net);
}

static void a_snapshot_under_way_to_disk_is_what_we_pass_on(void **state)
{
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    take(&net, snapshot_of(9, 2, 3));
    struct raft *raft = net_raft(&net, 2);
    struct raft_progress *progress = raft_tracker_find(&raft->tracker, 3);
    progress->next = 2;
    progress->is_recently_active = true;
    assert_true(raft_send_append_if(raft, progress, true));
    assert_int_equal(raft->messages.items[0].snapshot->index, 9);
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_too_far_behind_gets_a_snapshot),
        cmocka_unit_test(nothing_else_is_sent_while_a_snapshot_is_under_way),
        cmocka_unit_test(a_failed_snapshot_is_sent_again),
        cmocka_unit_test(a_reported_success_probes_behind_the_snapshot),
        cmocka_unit_test(a_snapshot_that_is_not_ready_is_asked_for_again),
        cmocka_unit_test(a_snapshot_that_cannot_be_read_stops_the_core),
        cmocka_unit_test(a_snapshot_to_a_silent_member_waits),
        cmocka_unit_test(a_compacted_log_without_a_snapshot_is_damage),
        cmocka_unit_test(a_snapshot_of_what_we_have_only_moves_the_commit_index),
        cmocka_unit_test(an_old_or_a_strangers_snapshot_is_ignored),
        cmocka_unit_test(a_snapshot_with_an_impossible_membership_is_refused),
        cmocka_unit_test(a_snapshot_brings_its_membership_in_any_order),
        cmocka_unit_test(a_snapshot_under_way_to_disk_is_what_we_pass_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
