/* Each proposal is answered once, and the answer says what is known. */
#include "raft/proposals.h"

#include "base/mem.h"
#include "tests/unit/test.h"

struct answer {
    int count, code;
    uint64_t index;
    struct raft_proposals *adds_to;
};

static void answered(void *ctx, uint64_t index, const struct error *err)
{
    struct answer *answer = ctx;

    answer->count++;
    answer->index = index;
    answer->code = err ? err->code : 0;
    if (answer->adds_to)
        assert_int_equal(raft_proposals_add(answer->adds_to, RAFT_ENTRY_NORMAL, NULL, answered, ctx, NULL), 0);
    answer->adds_to = NULL;
}

static void put(struct raft_proposals *list, struct answer *answer)
{
    struct raft_payload *payload = raft_payload_new(bytes_of_string("x"));
    assert_ok(raft_proposals_add(list, RAFT_ENTRY_NORMAL, payload, answered, answer, err));
    raft_payload_release(payload);
}

static void each_is_answered_when_its_entry_is_applied(void **state)
{
    struct raft_proposals list = {0};
    struct raft_entries batch = {0};
    struct answer answers[3] = {{0}};

    (void)state;
    for (int i = 0; i < 3; i++)
        put(&list, &answers[i]);
    raft_proposals_next(&list, &batch);
    assert_int_equal(batch.count, 3);
    raft_proposals_appended(&list, 3, 10, 2);
    raft_proposals_applied(&list, &(struct raft_entry){2, 9, RAFT_ENTRY_NORMAL, NULL});
    assert_int_equal(answers[0].count, 0);
    raft_proposals_applied(&list, &(struct raft_entry){2, 10, RAFT_ENTRY_NORMAL, NULL});
    assert_true(answers[0].count == 1 && answers[0].index == 10 && answers[0].code == 0 && answers[1].count == 0);
    raft_proposals_applied(&list, &(struct raft_entry){3, 11, RAFT_ENTRY_NORMAL, NULL}); /* another leader's */
    assert_int_equal(answers[1].code, ERR_UNAVAILABLE);
    raft_proposals_fail(&list, "over");
    assert_int_equal(answers[2].code, ERR_CANCELED);
    raft_entries_deinit(&batch);
    raft_proposals_deinit(&list);
}

static void what_was_not_appended_is_certainly_not_made(void **state)
{
    struct raft_proposals list = {0};
    struct answer appended = {0}, waiting = {0};

    (void)state;
    put(&list, &appended);
    raft_proposals_appended(&list, 1, 10, 2);
    put(&list, &waiting);
    raft_proposals_fail(&list, "over");
    assert_true(appended.code == ERR_CANCELED && waiting.code == ERR_UNAVAILABLE && appended.count == 1 && waiting.count == 1);
    assert_int_equal(list.count, 0);
    raft_proposals_deinit(&list);
}

static void those_that_the_core_refuses_are_taken_out_of_the_middle(void **state)
{
    struct raft_proposals list = {0};
    struct answer answers[4] = {{0}};
    struct error refusal = {.code = ERR_PRECONDITION};

    (void)state;
    for (int i = 0; i < 4; i++)
        put(&list, &answers[i]);
    raft_proposals_appended(&list, 1, 10, 2);
    answers[1].adds_to = &list;
    raft_proposals_refused(&list, 2, &refusal);
    assert_true(answers[1].count == 1 && answers[2].count == 1 && answers[3].count == 0 && answers[0].count == 0);
    assert_int_equal(list.count, 3); /* the appended, the one that waits, the one that was added */
    raft_proposals_fail(&list, "over");
    assert_int_equal(answers[1].count, 2);
    raft_proposals_deinit(&list);
}

static void more_than_the_bounds_is_refused(void **state)
{
    struct raft_proposals list = {0};
    struct answer answer = {0};

    (void)state;
    for (int i = 0; i < RAFT_PROPOSALS_COUNT; i++)
        put(&list, &answer);
    assert_fails(raft_proposals_add(&list, RAFT_ENTRY_NORMAL, NULL, answered, &answer, err), ERR_LIMIT, "wait already");
    raft_proposals_fail(&list, "over");
    assert_int_equal(answer.count, RAFT_PROPOSALS_COUNT);
    raft_proposals_deinit(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_answered_when_its_entry_is_applied),
        cmocka_unit_test(what_was_not_appended_is_certainly_not_made),
        cmocka_unit_test(those_that_the_core_refuses_are_taken_out_of_the_middle),
        cmocka_unit_test(more_than_the_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
