/* tests/unit/raft/test_conf_change.c – membership changes to bytes and back. */
#include "raft/conf_change.h"

#include "tests/unit/test.h"

static void both_encodings_come_back_as_they_went(void **state)
{
    (void)state;
    for (int is_v1 = 0; is_v1 < 2; is_v1++) {
        struct raft_conf_change change = {.is_v1 = is_v1 == 1}, got;
        struct raft_entry entry;
        raft_conf_change_add(&change, RAFT_ADD_LEARNER, 300);
        change.context = raft_payload_new(bytes_of_string("who"));
        assert_ok(raft_conf_change_encode(&change, &entry, err));
        assert_int_equal(entry.type, is_v1 ? RAFT_ENTRY_CONF_CHANGE : RAFT_ENTRY_CONF_CHANGE_V2);
        assert_ok(raft_conf_change_decode(&entry, &got, err));
        assert_int_equal(got.is_v1, is_v1);
        assert_int_equal(got.count, 1);
        assert_int_equal(got.changes[0].type, RAFT_ADD_LEARNER);
        assert_int_equal(got.changes[0].id, 300);
        assert_memory_equal(got.context->data, "who", 3);
        raft_conf_change_deinit(&got);
        raft_conf_change_deinit(&change);
        raft_payload_release(entry.payload);
    }
}

static void the_old_encoding_has_the_fields_bytes(void **state)
{
    static const uint8_t expected[] = {0x08, 0, 0x10, 1, 0x18, 5}; /* id 0, RemoveNode, node 5: zeros are written */
    struct raft_conf_change change = {.is_v1 = true};
    struct raft_entry entry;
    (void)state;
    raft_conf_change_add(&change, RAFT_REMOVE_MEMBER, 5);
    assert_ok(raft_conf_change_encode(&change, &entry, err));
    assert_int_equal(entry.payload->size, sizeof expected);
    assert_memory_equal(entry.payload->data, expected, sizeof expected);
    raft_payload_release(entry.payload);
    raft_conf_change_deinit(&change);
}

static void the_old_encoding_says_one_change_only(void **state)
{
    struct raft_conf_change change = {.is_v1 = true};
    struct raft_entry entry;
    (void)state;
    assert_fails(raft_conf_change_encode(&change, &entry, err), ERR_INVALID, "one change");
}

static void no_bytes_leave_a_joint_configuration(void **state)
{
    struct raft_entry entry = {.type = RAFT_ENTRY_CONF_CHANGE_V2};
    struct raft_conf_change change;
    bool auto_leave;
    (void)state;
    assert_ok(raft_conf_change_decode(&entry, &change, err));
    assert_true(raft_conf_change_leaves_joint(&change));
    assert_false(raft_conf_change_enters_joint(&change, &auto_leave));
    change.transition = RAFT_TRANSITION_EXPLICIT;
    assert_true(raft_conf_change_enters_joint(&change, &auto_leave));
    assert_false(auto_leave);
}

static void damage_and_unknown_numbers_are_refused(void **state)
{
    static const struct {
        enum raft_entry_type type;
        const char *bytes, *text;
    } cases[] = {
        {RAFT_ENTRY_NORMAL, "", "another type"},
        {RAFT_ENTRY_CONF_CHANGE, "\xff", "membership change"},
        {RAFT_ENTRY_CONF_CHANGE, "\x10\x09\x18\x01", "unknown type 9"},
        {RAFT_ENTRY_CONF_CHANGE_V2, "\x08\x07", "unknown transition 7"},
        {RAFT_ENTRY_CONF_CHANGE_V2, "\x12\x02\x08\x09", "unknown type 9"},
        {RAFT_ENTRY_CONF_CHANGE_V2, "\x12\x7f", "membership change"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct raft_entry entry = {.type = cases[i].type, .payload = raft_payload_new(bytes_of_string(cases[i].bytes))};
        struct raft_conf_change change;
        assert_fails(raft_conf_change_decode(&entry, &change, err), ERR_INVALID, cases[i].text);
        raft_payload_release(entry.payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_encodings_come_back_as_they_went),  cmocka_unit_test(the_old_encoding_has_the_fields_bytes),
        cmocka_unit_test(the_old_encoding_says_one_change_only),  cmocka_unit_test(no_bytes_leave_a_joint_configuration),
        cmocka_unit_test(damage_and_unknown_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
