/* tests/unit/raft/test_describe.c – consensus in words. */
#include "raft/describe.h"

#include "tests/unit/test.h"

static void expect(struct buf *out, const char *text)
{
    assert_string_equal(out->size > 0 ? (const char *)out->data : "", text);
    buf_deinit(out);
}

static void entries_are_quoted(void **state)
{
    struct raft_entry entry = {.term = 2, .index = 7, .payload = raft_payload_new(bytes_of("a\"\\\n\0\x7f", 6))};
    struct buf out = {0};
    (void)state;
    raft_describe_entry(&entry, &out);
    expect(&out, "2/7 EntryNormal \"a\\\"\\\\\\n\\x00\\x7f\"");
    raft_payload_release(entry.payload);
}

static void a_damaged_change_says_so(void **state)
{
    struct raft_entry entry = {.type = RAFT_ENTRY_CONF_CHANGE, .payload = raft_payload_new(bytes_of_string("\xff"))};
    struct buf out = {0};
    (void)state;
    raft_describe_entry(&entry, &out);
    assert_non_null(strstr((const char *)out.data, "membership change"));
    buf_deinit(&out);
    raft_payload_release(entry.payload);
}

static void a_message_names_what_it_carries(void **state)
{
    struct raft_message response = {.type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 10, .to = 0, .term = 3, .reject = true, .reject_hint = 4};
    struct raft_message message = {.type = RAFT_MESSAGE_STORAGE_APPEND,
                                   .from = 10,
                                   .to = RAFT_APPEND_THREAD,
                                   .vote = 2,
                                   .commit = 5,
                                   .responses = &response,
                                   .responses_count = 1};
    struct buf out = {0};
    (void)state;
    raft_describe_message(&message, &out);
    expect(&out, "a->AppendThread MsgStorageAppend Term:0 Log:0/0 Commit:5 Vote:2 Responses:[\n"
                 "  a->None MsgAppResp Term:3 Log:0/0 Rejected (Hint: 4)\n]");
}

static void members_are_listed_by_their_part(void **state)
{
    uint64_t one[] = {1}, two[] = {1, 2}, three[] = {3}, four[] = {2};
    struct raft_conf_state conf = {{two, 2}, {three, 1}, {one, 1}, {four, 1}, true};
    struct buf out = {0};
    (void)state;
    raft_describe_members(&conf, &out);
    expect(&out, "voters=(1 2)&&(1) learners=(3) learners_next=(2) autoleave");
}

static void a_ready_lists_what_is_to_be_done(void **state)
{
    struct raft_read_state reads[] = {{7, raft_payload_new(bytes_of_string("ab"))}, {8, NULL}};
    struct raft_ready ready = {.has_soft_state = true, .soft_state = {2, RAFT_FOLLOWER}, .read_states = reads, .read_states_count = 2};
    struct raft_ready empty = {0};
    struct buf out = {0};
    (void)state;
    raft_describe_ready(&ready, &out);
    expect(&out, "Ready MustSync=false:\nLead:2 State:StateFollower\nReadStates [{7 [97 98]} {8 []}]\n");
    raft_describe_ready(&empty, &out);
    expect(&out, "<empty Ready>");
    raft_payload_release(reads[0].context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_quoted),
        cmocka_unit_test(a_damaged_change_says_so),
        cmocka_unit_test(a_message_names_what_it_carries),
        cmocka_unit_test(members_are_listed_by_their_part),
        cmocka_unit_test(a_ready_lists_what_is_to_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
