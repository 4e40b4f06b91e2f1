/* tests/unit/raft/test_types.c – lists, shared payloads, and sizes as the wire counts them. */
#include "raft/types.h"

#include "tests/unit/test.h"

static void names_are_the_fields(void **state)
{
    (void)state;
    assert_string_equal(raft_message_type_name(RAFT_MESSAGE_APPEND), "MsgApp");
    assert_string_equal(raft_entry_type_name(RAFT_ENTRY_CONF_CHANGE_V2), "EntryConfChangeV2");
    assert_string_equal(raft_message_type_name(99), "unknown");
    assert_string_equal(raft_entry_type_name(-1), "unknown");
}

static void an_entrys_size_is_its_encodings(void **state)
{
    struct raft_entry entry = {.term = 1, .index = 1};
    (void)state;
    assert_int_equal(raft_entry_size_bytes(&entry), 6);
    entry.index = 300;
    assert_int_equal(raft_entry_size_bytes(&entry), 7);
    entry.payload = raft_payload_new(bytes_of_string("abc"));
    assert_int_equal(raft_entry_size_bytes(&entry), 12);
    raft_payload_release(entry.payload);
}

static void a_copy_shares_payloads_and_owns_the_rest(void **state)
{
    struct raft_entry entry = {.term = 1, .index = 1, .payload = raft_payload_new(bytes_of_string("abc"))};
    struct raft_snapshot snapshot = {.index = 4, .data = entry.payload};
    struct raft_message response = {.type = RAFT_MESSAGE_APPEND_RESPONSE};
    struct raft_message message = {.entries = &entry,
                                   .entries_count = 1,
                                   .snapshot = &snapshot,
                                   .responses = &response,
                                   .responses_count = 1,
                                   .context = entry.payload};
    struct raft_message copy;
    struct raft_messages list = {0};
    (void)state;
    raft_message_copy(&copy, &message);
    assert_int_equal(entry.payload->holders, 4);
    raft_messages_add(&list, &copy);
    assert_null(copy.entries); /* taken */
    assert_int_equal(list.items[0].snapshot->index, 4);
    raft_messages_deinit(&list);
    assert_int_equal(entry.payload->holders, 1);
    raft_payload_release(entry.payload);
}

static void ids_stay_sorted_and_without_repeats(void **state)
{
    static const uint64_t in[] = {5, 1, 3, 5, 2, 4, 1};
    struct raft_conf_state conf = {0}, same = {0};
    (void)state;
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        raft_ids_add(&conf.voters, in[i]);
    assert_int_equal(conf.voters.count, 5);
    for (uint64_t id = 1; id <= 5; id++) {
        assert_int_equal(conf.voters.items[id - 1], id);
        raft_ids_add(&same.voters, id);
    }
    assert_true(raft_ids_equal(&conf.voters, &same.voters));
    assert_true(raft_ids_remove(&conf.voters, 3));
    assert_false(raft_ids_remove(&conf.voters, 3));
    assert_false(raft_ids_has(&conf.voters, 3));
    assert_false(raft_ids_equal(&conf.voters, &same.voters));
    raft_conf_state_deinit(&conf);
    raft_conf_state_deinit(&same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_fields),
        cmocka_unit_test(an_entrys_size_is_its_encodings),
        cmocka_unit_test(a_copy_shares_payloads_and_owns_the_rest),
        cmocka_unit_test(ids_stay_sorted_and_without_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
