/* tests/unit/raft/core/test_tracker.c – members, their votes, and the arithmetic of changes. */
#include "raft/core/tracker.h"

#include <stdlib.h>

#include "base/limits.h"
#include "tests/unit/test.h"

static struct raft_tracker begin(uint64_t voters)
{
    struct raft_tracker tracker;

    raft_tracker_init(&tracker, 4, 0);
    for (uint64_t id = 1; id <= voters; id++) {
        struct raft_conf_change_single add = {RAFT_ADD_VOTER, id};
        assert_ok(raft_tracker_change(&tracker, RAFT_CHANGE_SIMPLE, false, &add, 1, 1, err));
    }
    return tracker;
}

static int change(struct raft_tracker *tracker, enum raft_change_kind how, enum raft_conf_change_type type, uint64_t id, struct error *err)
{
    struct raft_conf_change_single single = {type, id};
    return raft_tracker_change(tracker, how, false, &single, 1, 9, err);
}

static void a_refused_change_leaves_everything_as_it_was(void **state)
{
    struct raft_tracker tracker = begin(1);
    struct raft_conf_change_single two[] = {{RAFT_ADD_VOTER, 2}, {RAFT_ADD_VOTER, 3}};
    (void)state;
    raft_inflights_add(&tracker.progress[0].window, 5, 5);
    assert_fails(raft_tracker_change(&tracker, RAFT_CHANGE_SIMPLE, false, two, 2, 9, err), ERR_PRECONDITION, "more than one voter");
    assert_fails(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_REMOVE_MEMBER, 1, err), ERR_PRECONDITION, "removed all voters");
    assert_fails(change(&tracker, RAFT_CHANGE_SIMPLE, (enum raft_conf_change_type)9, 2, err), ERR_INVALID, "unexpected");
    assert_int_equal(tracker.count, 1);
    assert_int_equal(tracker.progress[0].window.count, 1);
    raft_tracker_deinit(&tracker);
}

static void a_members_progress_survives_changes_around_it(void **state)
{
    struct raft_tracker tracker = begin(2);
    (void)state;
    raft_tracker_find(&tracker, 2)->match = 7;
    raft_inflights_add(&raft_tracker_find(&tracker, 2)->window, 8, 1);
    assert_ok(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 1, err));
    assert_ok(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 3, err));
    assert_int_equal(raft_tracker_find(&tracker, 2)->match, 7);
    assert_int_equal(raft_tracker_find(&tracker, 2)->window.count, 1);
    assert_true(raft_tracker_find(&tracker, 1)->is_learner);
    assert_int_equal(raft_tracker_find(&tracker, 3)->next, 9);
    assert_ok(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 3, err)); /* again: as it was */
    assert_ok(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_REMOVE_MEMBER, 3, err));
    assert_ok(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_REMOVE_MEMBER, 3, err));
    assert_null(raft_tracker_find(&tracker, 3));
    raft_tracker_deinit(&tracker);
}

static void a_member_removed_and_added_again_begins_anew(void **state)
{
    struct raft_tracker tracker = begin(2);
    struct raft_conf_change_single again[] = {{RAFT_REMOVE_MEMBER, 2}, {RAFT_ADD_VOTER, 2}};
    (void)state;
    raft_tracker_find(&tracker, 2)->match = 7;
    raft_inflights_add(&raft_tracker_find(&tracker, 2)->window, 8, 1);
    assert_ok(raft_tracker_change(&tracker, RAFT_CHANGE_SIMPLE, false, again, 2, 9, err));
    assert_int_equal(raft_tracker_find(&tracker, 2)->match, 0);
    assert_int_equal(raft_tracker_find(&tracker, 2)->window.count, 0);
    raft_tracker_deinit(&tracker);
}

static void a_demoted_voter_waits_in_learners_next(void **state)
{
    struct raft_tracker tracker = begin(3);
    struct raft_conf_change_single demote[] = {{RAFT_ADD_LEARNER, 3}, {RAFT_REMOVE_MEMBER, 2}, {RAFT_NOBODY, 0}};
    (void)state;
    assert_ok(raft_tracker_change(&tracker, RAFT_CHANGE_ENTER_JOINT, true, demote, 2, 9, err));
    assert_true(raft_tracker_is_joint(&tracker));
    assert_true(tracker.conf.auto_leave);
    assert_true(raft_tracker_is_voter(&tracker, 3));
    assert_false(raft_tracker_find(&tracker, 3)->is_learner);
    assert_fails(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_ADD_VOTER, 4, err), ERR_PRECONDITION, "joint");
    assert_fails(change(&tracker, RAFT_CHANGE_ENTER_JOINT, RAFT_ADD_VOTER, 4, err), ERR_PRECONDITION, "already joint");
    assert_ok(raft_tracker_change(&tracker, RAFT_CHANGE_LEAVE_JOINT, false, NULL, 0, 9, err));
    assert_true(raft_tracker_find(&tracker, 3)->is_learner);
    assert_null(raft_tracker_find(&tracker, 2));
    assert_true(raft_tracker_is_alone(&tracker));
    raft_tracker_deinit(&tracker);
}

static void a_group_has_a_bound(void **state)
{
    struct raft_tracker tracker = begin(RAFT_MEMBERS_COUNT);
    struct raft_conf_state many = {0};
    (void)state;
    assert_fails(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 1000, err), ERR_LIMIT, "at most");
    assert_int_equal(raft_tracker_commit_index(&tracker), 0);
    raft_tracker_deinit(&tracker);
    for (uint64_t id = 1; id <= 4 * RAFT_MEMBERS_COUNT + 1; id++)
        raft_ids_add(&many.voters, id);
    tracker = begin(0);
    assert_fails(raft_tracker_restore(&tracker, &many, 1, err), ERR_LIMIT, "at most");
    many.voters.count = RAFT_MEMBERS_COUNT + 1;
    assert_fails(raft_tracker_restore(&tracker, &many, 1, err), ERR_LIMIT, "at most");
    raft_conf_state_deinit(&many);
    raft_tracker_deinit(&tracker);
}

static void a_thread_is_no_member(void **state)
{
    struct raft_tracker tracker = begin(1);
    (void)state;
    assert_fails(change(&tracker, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, RAFT_APPLY_THREAD, err), ERR_INVALID, "thread");
    raft_tracker_deinit(&tracker);
}

static void any_membership_that_can_be_reached_is_restored(void **state)
{
    struct raft_tracker tracker = begin(0);
    struct raft_conf_state conf = {.auto_leave = true};
    (void)state;
    for (uint64_t id = 1; id <= 3; id++)
        raft_ids_add(&conf.voters, id);
    for (uint64_t id = 3; id <= 5; id++)
        raft_ids_add(&conf.voters_outgoing, id);
    raft_ids_add(&conf.learners_next, 5);
    raft_ids_add(&conf.learners, 6);
    assert_ok(raft_tracker_restore(&tracker, &conf, 9, err));
    assert_int_equal(tracker.count, 6);
    assert_true(raft_tracker_find(&tracker, 6)->is_learner);
    assert_false(raft_tracker_find(&tracker, 5)->is_learner);
    raft_tracker_deinit(&tracker);
    raft_conf_state_deinit(&conf);
}

static void the_first_vote_of_a_member_counts(void **state)
{
    struct raft_tracker tracker = begin(3);
    (void)state;
    raft_tracker_record_vote(&tracker, 1, true);
    raft_tracker_record_vote(&tracker, 2, false);
    raft_tracker_record_vote(&tracker, 2, true);
    assert_int_equal(raft_tracker_vote_result(&tracker), RAFT_VOTE_PENDING);
    for (uint64_t stranger = 10; stranger < 20; stranger++)
        raft_tracker_record_vote(&tracker, stranger, true);
    assert_int_equal(raft_tracker_vote_result(&tracker), RAFT_VOTE_PENDING);
    raft_tracker_record_vote(&tracker, 3, true);
    assert_int_equal(raft_tracker_vote_result(&tracker), RAFT_VOTE_WON);
    raft_tracker_reset_votes(&tracker);
    assert_int_equal(raft_tracker_vote_result(&tracker), RAFT_VOTE_PENDING);
    raft_tracker_deinit(&tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_change_leaves_everything_as_it_was),
        cmocka_unit_test(a_members_progress_survives_changes_around_it),
        cmocka_unit_test(a_member_removed_and_added_again_begins_anew),
        cmocka_unit_test(a_demoted_voter_waits_in_learners_next),
        cmocka_unit_test(a_group_has_a_bound),
        cmocka_unit_test(a_thread_is_no_member),
        cmocka_unit_test(any_membership_that_can_be_reached_is_restored),
        cmocka_unit_test(the_first_vote_of_a_member_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
