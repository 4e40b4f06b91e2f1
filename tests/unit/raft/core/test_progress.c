/* tests/unit/raft/core/test_progress.c – what a leader knows of a follower. */
#include "raft/core/progress.h"

#include "tests/unit/test.h"

static struct raft_progress begin(enum raft_progress_state state, uint64_t match, uint64_t next)
{
    struct raft_progress progress = {.id = 2, .match = match, .next = next, .state = state};

    raft_inflights_init(&progress.window, 2, 0);
    return progress;
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(raft_progress_state_name(RAFT_PROGRESS_PROBE), "StateProbe");
    assert_string_equal(raft_progress_state_name(RAFT_PROGRESS_SNAPSHOT), "StateSnapshot");
}

static void probing_waits_for_each_answer(void **state)
{
    struct raft_progress progress = begin(RAFT_PROGRESS_PROBE, 0, 5);
    (void)state;
    raft_progress_sent(&progress, 0, 0); /* an empty one does not count */
    assert_false(raft_progress_is_throttled(&progress));
    raft_progress_sent(&progress, 3, 30);
    assert_true(raft_progress_is_throttled(&progress));
    assert_int_equal(progress.next, 5);
    assert_true(raft_progress_acked(&progress, 7));
    assert_false(raft_progress_is_throttled(&progress));
    assert_int_equal(progress.next, 8);
    assert_false(raft_progress_acked(&progress, 7));
}

static void replicating_runs_ahead_of_answers(void **state)
{
    struct raft_progress progress = begin(RAFT_PROGRESS_PROBE, 4, 9);
    (void)state;
    raft_progress_become_replicate(&progress);
    assert_int_equal(progress.next, 5);
    raft_progress_sent(&progress, 2, 20);
    raft_progress_sent(&progress, 1, 10);
    assert_int_equal(progress.next, 8);
    assert_true(raft_progress_is_throttled(&progress)); /* two messages fill this window */
    raft_inflights_deinit(&progress.window);
}

static void a_rejection_goes_back_but_never_behind_what_matches(void **state)
{
    struct raft_progress progress = begin(RAFT_PROGRESS_REPLICATE, 5, 10);
    (void)state;
    progress.sent_commit = 9;
    assert_false(raft_progress_rejected(&progress, 5, 5)); /* old: 5 matches */
    assert_true(raft_progress_rejected(&progress, 9, 3));
    assert_int_equal(progress.next, 6);
    assert_int_equal(progress.sent_commit, 5);
    progress = begin(RAFT_PROGRESS_PROBE, 0, 10);
    assert_false(raft_progress_rejected(&progress, 5, 5)); /* old: the probe is behind 9 */
    assert_true(raft_progress_rejected(&progress, 9, 2));
    assert_int_equal(progress.next, 3);
    assert_true(raft_progress_rejected(&progress, 2, 2)); /* a hint that would repeat the probe */
    assert_int_equal(progress.next, 2);
    assert_true(raft_progress_rejected(&progress, 1, UINT64_MAX));
    assert_int_equal(progress.next, 1);
}

static void behind_a_snapshot_probing_goes_on(void **state)
{
    struct raft_progress progress = begin(RAFT_PROGRESS_REPLICATE, 1, 10);
    (void)state;
    raft_progress_become_snapshot(&progress, 20);
    assert_true(raft_progress_is_throttled(&progress));
    assert_int_equal(progress.next, 21);
    assert_int_equal(progress.sent_commit, 20);
    raft_progress_become_probe(&progress);
    assert_int_equal(progress.next, 21);
    assert_int_equal(progress.pending_snapshot, 0);
    raft_progress_become_probe(&progress);
    assert_int_equal(progress.next, 2);
}

static void a_commit_index_is_sent_where_it_helps(void **state)
{
    struct raft_progress progress = begin(RAFT_PROGRESS_REPLICATE, 5, 6);
    (void)state;
    progress.sent_commit = 3;
    assert_true(raft_progress_can_bump_commit(&progress, 4));
    assert_false(raft_progress_can_bump_commit(&progress, 3));
    progress.sent_commit = 5; /* all it has is known to be committed */
    assert_false(raft_progress_can_bump_commit(&progress, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(probing_waits_for_each_answer),
        cmocka_unit_test(replicating_runs_ahead_of_answers),
        cmocka_unit_test(a_rejection_goes_back_but_never_behind_what_matches),
        cmocka_unit_test(behind_a_snapshot_probing_goes_on),
        cmocka_unit_test(a_commit_index_is_sent_where_it_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
