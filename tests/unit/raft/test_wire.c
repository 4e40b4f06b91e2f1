/* Messages to raftpb bytes and back: known bytes, every field, and what is refused. */
#include "raft/wire.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/raftpb.pb-c.h"
#include "tests/unit/test.h"

static struct raft_payload *text(const char *words)
{
    return raft_payload_new(bytes_of_string(words));
}

static void heartbeat_has_the_bytes_that_docker_writes(void **state)
{
    static const uint8_t want[] = {0x08, 8, 0x10, 2, 0x18, 1, 0x20, 3, 0x28, 0, 0x30, 0, 0x40, 7,
                                   0x4a, 8, 0x12, 6, 0x0a, 0, 0x10, 0, 0x18, 0, 0x50, 0, 0x58, 0};
    struct raft_message message = {.type = RAFT_MESSAGE_HEARTBEAT, .to = 2, .from = 1, .term = 3, .commit = 7};
    cleanup_buf struct buf out = {0};

    (void)state;
    raft_wire_write(&message, &out);
    assert_int_equal(out.size, sizeof want);
    assert_memory_equal(out.data, want, sizeof want);
    assert_int_equal(raft_wire_size_bytes(&message), sizeof want);
}

static struct raft_message full_append(void)
{
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND,
                                   .to = UINT64_C(1) << 62,
                                   .from = 300,
                                   .term = 9,
                                   .log_term = 8,
                                   .index = 1000,
                                   .commit = 999,
                                   .reject = true,
                                   .reject_hint = 5,
                                   .context = text("ctx"),
                                   .entries = mem_array(2, sizeof *message.entries),
                                   .entries_count = 2};
    message.entries[0] = (struct raft_entry){9, 1001, RAFT_ENTRY_NORMAL, text("hello")};
    message.entries[1] = (struct raft_entry){9, 1002, RAFT_ENTRY_CONF_CHANGE_V2, NULL};
    return message;
}

static void every_field_comes_back(void **state)
{
    struct raft_message message = full_append(), back;
    cleanup_buf struct buf out = {0}, again = {0};

    (void)state;
    raft_wire_write(&message, &out);
    assert_ok(raft_wire_read(buf_bytes(&out), &back, NULL, err));
    assert_int_equal(back.type, message.type);
    assert_true(back.to == message.to && back.from == 300 && back.term == 9 && back.log_term == 8 && back.index == 1000);
    assert_true(back.commit == 999 && back.reject && back.reject_hint == 5 && back.entries_count == 2 && !back.snapshot);
    assert_int_equal(back.entries[1].type, RAFT_ENTRY_CONF_CHANGE_V2);
    assert_null(back.entries[1].payload);
    assert_memory_equal(back.entries[0].payload->data, "hello", 5);
    raft_wire_write(&back, &again);
    assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&again)));
    raft_message_deinit(&back);
    raft_message_deinit(&message);
}

static void protobuf_reads_what_we_write(void **state)
{
    struct raft_message message = full_append();
    cleanup_buf struct buf out = {0};
    Raftpb__Message *wire = NULL;

    (void)state;
    raft_wire_write(&message, &out);
    assert_ok(MESSAGE_UNPACK(Raftpb__Message, raftpb__message, buf_bytes(&out), out.size, &wire, err));
    assert_true(wire->has_vote == 0 && wire->term == 9 && wire->snapshot && wire->snapshot->metadata->has_index);
    assert_int_equal(wire->n_entries, 2);
    assert_int_equal(wire->entries[1]->index, 1002);
    assert_int_equal(wire->context.len, 3);
    message_free(&wire->base);
    raft_message_deinit(&message);
}

static void snapshot_parts_carry_their_slice_and_the_members(void **state)
{
    struct raft_message message = {
        .type = RAFT_MESSAGE_SNAPSHOT, .to = 2, .from = 1, .term = 3, .snapshot = mem_alloc(sizeof *message.snapshot)};
    struct raft_message back;
    cleanup_buf struct buf out = {0};
    struct bytes data, envelope, inner;

    (void)state;
    message.snapshot->index = 70;
    message.snapshot->term = 3;
    raft_ids_add(&message.snapshot->conf.voters, 1);
    raft_ids_add(&message.snapshot->conf.voters, 2);
    raft_ids_add(&message.snapshot->conf.learners, 9);
    message.snapshot->conf.auto_leave = true;
    raft_wire_wrap_part(&message, bytes_of_string("slice"), &out);
    envelope = buf_bytes(&out);
    assert_int_equal(raft_wire_unwrap(&envelope, &inner, NULL), 1);
    assert_ok(raft_wire_read(inner, &back, &data, err));
    assert_true(bytes_equal(data, bytes_of_string("slice")));
    assert_null(back.snapshot->data);
    assert_true(back.snapshot->index == 70 && back.snapshot->term == 3 && back.snapshot->conf.auto_leave);
    assert_true(raft_ids_equal(&back.snapshot->conf.voters, &message.snapshot->conf.voters));
    assert_true(raft_ids_has(&back.snapshot->conf.learners, 9));
    assert_int_equal(raft_wire_unwrap(&envelope, &inner, NULL), 0);
    raft_message_deinit(&back);
    raft_message_deinit(&message);
}

static void write_simple(struct raft_message message, struct buf *out)
{
    buf_clear(out);
    raft_wire_write(&message, out);
}

static void what_no_peer_may_say_is_refused(void **state)
{
    static const enum raft_message_type local[] = {RAFT_MESSAGE_HUP,
                                                   RAFT_MESSAGE_BEAT,
                                                   RAFT_MESSAGE_UNREACHABLE,
                                                   RAFT_MESSAGE_CHECK_QUORUM,
                                                   RAFT_MESSAGE_FORGET_LEADER,
                                                   RAFT_MESSAGE_SNAPSHOT_STATUS,
                                                   RAFT_MESSAGE_STORAGE_APPEND,
                                                   RAFT_MESSAGE_STORAGE_APPEND_RESPONSE,
                                                   RAFT_MESSAGE_STORAGE_APPLY,
                                                   RAFT_MESSAGE_STORAGE_APPLY_RESPONSE};
    cleanup_buf struct buf out = {0};
    struct raft_message back;

    (void)state;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        write_simple((struct raft_message){.type = local[i], .to = 2, .from = 1}, &out);
        assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "does not come from a peer");
    }
    write_simple((struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .to = 2, .from = RAFT_APPEND_THREAD}, &out);
    assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "no members");
    write_simple((struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .to = RAFT_APPLY_THREAD, .from = 1}, &out);
    assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "no members");
    write_simple((struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT, .to = 2, .from = 1}, &out);
    assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "without one");
    write_simple((struct raft_message){.type = (enum raft_message_type)77, .to = 2, .from = 1}, &out);
    assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "unknown (77)");
}

/* What is one more than the largest would be 0: the end of a log that nothing can follow. */
static void numbers_at_the_end_of_their_type_are_refused(void **state)
{
    struct raft_message cases[] = {{.term = UINT64_MAX}, {.log_term = UINT64_MAX}, {.index = UINT64_MAX}, {.commit = RAFT_NUMBER_MOST + 1}};
    struct raft_snapshot snapshots[] = {{.index = UINT64_MAX}, {.index = 1, .term = UINT64_MAX}};
    struct raft_entry entries[] = {{.index = UINT64_MAX}, {.term = UINT64_MAX}};
    cleanup_buf struct buf out = {0};
    struct raft_message back;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cases[i].type = RAFT_MESSAGE_APPEND;
        cases[i].to = 2;
        cases[i].from = 1;
        write_simple(cases[i], &out);
        assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "too large to be one");
    }
    for (size_t i = 0; i < 2; i++) {
        write_simple((struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT, .to = 2, .from = 1, .snapshot = &snapshots[i]}, &out);
        assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "too large to be one");
        write_simple((struct raft_message){.type = RAFT_MESSAGE_APPEND, .to = 2, .from = 1, .entries = &entries[i], .entries_count = 1},
                     &out);
        assert_fails(raft_wire_read(buf_bytes(&out), &back, NULL, err), ERR_INVALID, "too large to be one");
    }
    write_simple((struct raft_message){.type = RAFT_MESSAGE_APPEND, .to = 2, .from = 1, .term = RAFT_NUMBER_MOST}, &out);
    assert_ok(raft_wire_read(buf_bytes(&out), &back, NULL, err));
    raft_message_deinit(&back);
}

static void malformed_bytes_are_refused(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t size;
    } cases[] = {
        {{0x08}, 1},                                                              /* a number is missing */
        {{0x08, 0x80, 0x80}, 3},                                                  /* cut inside a number */
        {{0x3a, 9, 0}, 3},                                                        /* an entry longer than the message */
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 11}, /* more than 64 bits */
        {{0x00, 0}, 2},                                                           /* field zero */
        {{0x0b}, 1},                                                              /* a group */
        {{0x3a, 2, 0x08, 0x03}, 4},                                               /* an entry of an unknown type */
        {{0x4a, 2, 0x12, 0x05}, 4},                                               /* a snapshot cut short */
    };
    struct raft_message back;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails(raft_wire_read(bytes_of(cases[i].bytes, cases[i].size), &back, NULL, err), ERR_INVALID, "raft message");
    cleanup_free uint8_t *large = mem_alloc(RAFT_MESSAGE_SIZE_BYTES + 1);
    assert_fails(raft_wire_read(bytes_of(large, RAFT_MESSAGE_SIZE_BYTES + 1), &back, NULL, err), ERR_LIMIT, "more than");
}

static void unknown_fields_are_skipped(void **state)
{
    static const uint8_t more[] = {0x6d, 1, 2, 3, 4, 0x71, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 1, 'x', 0xf8, 0x01, 5, 0x68, 4};
    cleanup_buf struct buf out = {0};
    struct raft_message back;

    (void)state;
    write_simple((struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .to = 2, .from = 1, .term = 6}, &out);
    buf_append(&out, more, sizeof more);
    assert_ok(raft_wire_read(buf_bytes(&out), &back, NULL, err));
    assert_true(back.term == 6 && back.vote == 4);
    raft_message_deinit(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heartbeat_has_the_bytes_that_docker_writes),
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(protobuf_reads_what_we_write),
        cmocka_unit_test(snapshot_parts_carry_their_slice_and_the_members),
        cmocka_unit_test(what_no_peer_may_say_is_refused),
        cmocka_unit_test(numbers_at_the_end_of_their_type_are_refused),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(unknown_fields_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
