/* tests/unit/proto/test_message.c */
#include "proto/message.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "proto/swarmkit/raftpb.pb-c.h"
#include "tests/unit/test.h"

static int unpack_session(struct bytes bytes, size_t max, Docker__Swarmkit__V1__SessionMessage **out, struct error *err)
{
    return MESSAGE_UNPACK(Docker__Swarmkit__V1__SessionMessage, docker__swarmkit__v1__session_message, bytes, max, out, err);
}

static void what_is_packed_unpacks_and_copies_equal(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__SessionMessage message = DOCKER__SWARMKIT__V1__SESSION_MESSAGE__INIT;
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    message.session_id = (char[]){"abc"};
    node.id = (char[]){"n1"};
    message.node = &node;
    cleanup_buf struct buf packed = {0};
    message_pack(&message.base, &packed);
    Docker__Swarmkit__V1__SessionMessage *back = NULL;
    assert_ok(unpack_session(buf_bytes(&packed), 1000, &back, err));
    assert_string_equal(back->node->id, "n1");
    ProtobufCMessage *copy = message_copy(&back->base);
    assert_true(message_equal(copy, &message.base));
    back->session_id[0] = 'x';
    assert_false(message_equal(copy, &back->base));
    assert_false(message_equal(copy, NULL));
    message_free(copy);
    message_free(&back->base);
    assert_fails(unpack_session(buf_bytes(&packed), 3, &back, err), ERR_LIMIT, "SessionMessage of");
}

static void fields_of_a_newer_version_are_kept(void **state)
{
    (void)state;
    const uint8_t newer[] = {0x0a, 1, 'a', 0xf2, 0x07, 2, 'h', 'i'}; /* field 126 */
    Docker__Swarmkit__V1__SessionMessage *message = NULL;
    assert_ok(unpack_session(bytes_of(newer, sizeof newer), 100, &message, err));
    cleanup_buf struct buf packed = {0};
    message_pack(&message->base, &packed);
    assert_true(bytes_equal(buf_bytes(&packed), bytes_of(newer, sizeof newer)));
    message_free(&message->base);
}

static void hostile_bytes_are_refused_by_name(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__SessionMessage *message = NULL;
    const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"\x0a", 1},
               {"\x0a\x05x", 3},
               {"\x0b", 1},
               {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11},
               {"\x12\xff\xff\xff\xff\x0f", 6},
               {"\x0d\x01", 2},
               {"\x80\x00\x00", 3}}; /* field 0, spelt longer than it need be */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(unpack_session(bytes_of(bad[i].bytes, bad[i].size), 100, &message, err), ERR_INVALID, "SessionMessage");
    assert_null(message);
}

static void nesting_is_bounded_before_anything_recurses(void **state)
{
    (void)state;
    /* raftpb.Message has responses (14) of its own type: the one message that nests without end. */
    cleanup_buf struct buf nested = {0};
    for (int i = 0; i < 3000; i++) {
        struct buf outer = {0};
        uint8_t head[8] = {14 << 3 | 2};
        size_t size = 1;
        for (size_t rest = nested.size;; rest >>= 7) {
            head[size++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
            if (rest <= 0x7f)
                break;
        }
        buf_append(&outer, head, size);
        buf_append(&outer, nested.data, nested.size);
        buf_deinit(&nested);
        nested = outer;
    }
    Raftpb__Message *message = NULL;
    assert_fails(MESSAGE_UNPACK(Raftpb__Message, raftpb__message, buf_bytes(&nested), 1000000, &message, err), ERR_LIMIT,
                 "Message: nested deeper");
}

static void few_bytes_that_would_fill_memory_are_refused(void **state)
{
    (void)state;
    enum { CHANGES = 2 * 1000 * 1000 };
    Docker__Swarmkit__V1__AssignmentsMessage *message = NULL;
    cleanup_buf struct buf packed = {0};
    for (int i = 0; i < CHANGES; i++)
        buf_append(&packed, "\x22\x04\x0a\x02\x0a\x00", 6); /* a change to a task without a field: 12 MB, and some 1 GB unpacked */
    assert_fails(MESSAGE_UNPACK(Docker__Swarmkit__V1__AssignmentsMessage, docker__swarmkit__v1__assignments_message, buf_bytes(&packed),
                                packed.size, &message, err),
                 ERR_LIMIT, "AssignmentsMessage: 12000000 bytes that take more than");
    assert_null(message);
    packed.size = 6 * 1000; /* as few as this harm nobody */
    assert_ok(MESSAGE_UNPACK(Docker__Swarmkit__V1__AssignmentsMessage, docker__swarmkit__v1__assignments_message, buf_bytes(&packed),
                             packed.size, &message, err));
    assert_int_equal(message->n_changes, 1000);
    message_free(&message->base);
}

static void long_list_of_removed_tasks_is_taken(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__AssignmentsMessage *message = NULL;
    cleanup_buf struct buf packed = {0};
    for (int i = 0; i < 100000; i++)
        buf_append(&packed, "\x22\x21\x0a\x1d\x0a\x1b\x0a\x19ttttttttttttttttttttttttt\x10\x01", 35);
    assert_ok(MESSAGE_UNPACK(Docker__Swarmkit__V1__AssignmentsMessage, docker__swarmkit__v1__assignments_message, buf_bytes(&packed),
                             packed.size, &message, err));
    assert_int_equal(message->n_changes, 100000);
    message_free(&message->base);
}

static void instants_and_durations_convert_and_clamp(void **state)
{
    (void)state;
    Google__Protobuf__Timestamp timestamp;
    Google__Protobuf__Duration duration;
    message_set_timestamp(&timestamp, -1);
    assert_int_equal(timestamp.seconds, -1);
    assert_int_equal(timestamp.nanos, 999999999);
    assert_int_equal(message_timestamp_ns(&timestamp, 0), -1);
    message_set_duration(&duration, -1500000000);
    assert_int_equal(duration.seconds, -1);
    assert_int_equal(duration.nanos, -500000000);
    assert_int_equal(message_duration_ns(&duration, 0), -1500000000);
    assert_int_equal(message_duration_ns(NULL, 7), 7);
    duration.seconds = INT64_MAX;
    assert_true(message_duration_ns(&duration, 0) == INT64_MAX);
    timestamp.seconds = INT64_MIN;
    assert_true(message_timestamp_ns(&timestamp, 0) == INT64_MIN);
}

static void fields_are_set_again_and_emptied(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Certificate *certificate = MESSAGE_NEW(Docker__Swarmkit__V1__Certificate, docker__swarmkit__v1__certificate);
    message_set_string(&certificate->cn, "first");
    message_set_string(&certificate->cn, "second");
    message_set_bytes(&certificate->csr, bytes_of_string("request"));
    message_set_bytes(&certificate->csr, bytes_of("a\0b", 3));
    Docker__Swarmkit__V1__Certificate *copy = MESSAGE_COPY(certificate);
    assert_string_equal(copy->cn, "second");
    assert_int_equal(copy->csr.len, 3);
    assert_memory_equal(copy->csr.data, "a\0b", 3);
    message_set_string(&copy->cn, NULL);
    message_set_bytes(&copy->csr, bytes_of(NULL, 0));
    assert_string_equal(copy->cn, "");
    assert_int_equal(protobuf_c_message_get_packed_size(&copy->base), 0);
    message_free(&copy->base);
    message_free(&certificate->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_unpacks_and_copies_equal),
        cmocka_unit_test(fields_of_a_newer_version_are_kept),
        cmocka_unit_test(hostile_bytes_are_refused_by_name),
        cmocka_unit_test(nesting_is_bounded_before_anything_recurses),
        cmocka_unit_test(few_bytes_that_would_fill_memory_are_refused),
        cmocka_unit_test(long_list_of_removed_tasks_is_taken),
        cmocka_unit_test(instants_and_durations_convert_and_clamp),
        cmocka_unit_test(fields_are_set_again_and_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
