/* tests/unit/raft/core/test_quorum.c – what a majority, or two, agree on. */
#include "raft/core/quorum.h"

#include "tests/unit/test.h"

struct known {
    uint64_t index[8]; /* by id; 0: nothing known */
    enum raft_vote vote[8];
};

static bool acked(const void *context, uint64_t id, uint64_t *index)
{
    *index = ((const struct known *)context)->index[id];
    return *index != 0;
}

static enum raft_vote voted(const void *context, uint64_t id)
{
    return ((const struct known *)context)->vote[id];
}

static struct raft_ids ids(uint64_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i] = i + 1;
    return (struct raft_ids){items, count};
}

static void a_majority_has_the_middle_index(void **state)
{
    uint64_t items[5];
    struct known known = {.index = {0, 5, 1, 4, 2, 3}};
    static const uint64_t expected[] = {UINT64_MAX, 5, 1, 4, 2, 3};
    (void)state;
    for (size_t count = 0; count <= 5; count++) {
        struct raft_ids voters = ids(items, count);
        assert_int_equal(raft_majority_index(&voters, acked, &known), expected[count]);
    }
}

static void who_is_not_heard_has_acknowledged_nothing(void **state)
{
    uint64_t items[3];
    struct known known = {.index = {0, 9, 0, 0}};
    struct raft_ids voters = ids(items, 3);
    (void)state;
    assert_int_equal(raft_majority_index(&voters, acked, &known), 0);
    known.index[2] = 7;
    assert_int_equal(raft_majority_index(&voters, acked, &known), 7);
}

static void both_majorities_must_have_it(void **state)
{
    uint64_t old_items[] = {1, 2, 3}, new_items[] = {3, 4, 5};
    struct raft_ids old = {old_items, 3}, new = {new_items, 3}, none = {0};
    struct known known = {.index = {0, 9, 9, 9, 2, 1}};
    (void)state;
    assert_int_equal(raft_joint_index(&old, &new, acked, &known), 2);
    assert_int_equal(raft_joint_index(&new, &old, acked, &known), 2);
    assert_int_equal(raft_joint_index(&old, &none, acked, &known), 9);
}

static void a_vote_is_won_lost_or_pending(void **state)
{
    uint64_t items[4];
    struct raft_ids voters = ids(items, 4), none = {0};
    struct known known = {.vote = {[1] = RAFT_VOTE_GRANTED, [2] = RAFT_VOTE_GRANTED}};
    (void)state;
    assert_int_equal(raft_majority_vote(&voters, voted, &known), RAFT_VOTE_PENDING);
    known.vote[3] = RAFT_VOTE_REFUSED;
    assert_int_equal(raft_majority_vote(&voters, voted, &known), RAFT_VOTE_PENDING);
    known.vote[4] = RAFT_VOTE_GRANTED;
    assert_int_equal(raft_majority_vote(&voters, voted, &known), RAFT_VOTE_WON);
    known.vote[4] = RAFT_VOTE_REFUSED; /* half is no majority */
    assert_int_equal(raft_majority_vote(&voters, voted, &known), RAFT_VOTE_LOST);
    assert_int_equal(raft_majority_vote(&none, voted, &known), RAFT_VOTE_WON);
}

static void a_joint_vote_is_lost_when_either_is(void **state)
{
    uint64_t old_items[] = {1}, new_items[] = {2};
    struct raft_ids old = {old_items, 1}, new = {new_items, 1};
    struct known known = {.vote = {[1] = RAFT_VOTE_GRANTED}};
    (void)state;
    assert_int_equal(raft_joint_vote(&old, &new, voted, &known), RAFT_VOTE_PENDING);
    known.vote[2] = RAFT_VOTE_REFUSED;
    assert_int_equal(raft_joint_vote(&old, &new, voted, &known), RAFT_VOTE_LOST);
    known.vote[2] = RAFT_VOTE_GRANTED;
    assert_int_equal(raft_joint_vote(&old, &new, voted, &known), RAFT_VOTE_WON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_majority_has_the_middle_index),     cmocka_unit_test(who_is_not_heard_has_acknowledged_nothing),
        cmocka_unit_test(both_majorities_must_have_it),        cmocka_unit_test(a_vote_is_won_lost_or_pending),
        cmocka_unit_test(a_joint_vote_is_lost_when_either_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
