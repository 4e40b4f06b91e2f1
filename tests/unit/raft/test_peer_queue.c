/* What waits for a peer, and what does not. */
#include "raft/peer_queue.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void add(struct raft_peer_queue *queue, struct raft_message message, bool is_connected)
{
    raft_peer_queue_add(queue, &message, is_connected);
}

static struct raft_message append(uint64_t index, size_t size)
{
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND, .to = 2, .from = 1, .term = 3, .index = index};
    if (size > 0) {
        cleanup_free uint8_t *bytes = mem_alloc(size);
        message.entries = mem_array(1, sizeof *message.entries);
        message.entries_count = 1;
        message.entries[0] = (struct raft_entry){3, index + 1, RAFT_ENTRY_NORMAL, raft_payload_new(bytes_of(bytes, size))};
    }
    return message;
}

static struct raft_message simple(enum raft_message_type type, uint64_t commit)
{
    return (struct raft_message){.type = type, .to = 2, .from = 1, .term = 3, .commit = commit};
}

static void a_newer_heartbeat_takes_the_place_of_one_that_waits(void **state)
{
    struct raft_peer_queue queue = {0};

    (void)state;
    add(&queue, simple(RAFT_MESSAGE_HEARTBEAT, 1), true);
    add(&queue, append(5, 10), true);
    add(&queue, simple(RAFT_MESSAGE_HEARTBEAT, 9), true);
    assert_int_equal(raft_peer_queue_count(&queue), 2);
    assert_int_equal(raft_peer_queue_first(&queue)->commit, 9);
    assert_false(raft_peer_queue_take_loss(&queue));
    raft_peer_queue_deinit(&queue);
}

static void an_append_takes_the_place_of_an_empty_one_before_it(void **state)
{
    struct raft_peer_queue queue = {0};

    (void)state;
    add(&queue, append(5, 0), true);
    add(&queue, append(5, 10), true);
    assert_int_equal(raft_peer_queue_count(&queue), 1);
    assert_int_equal(raft_peer_queue_first(&queue)->entries_count, 1);
    add(&queue, append(6, 10), true); /* entries are never replaced */
    assert_int_equal(raft_peer_queue_count(&queue), 2);
    raft_peer_queue_deinit(&queue);
}

static void only_empty_appends_are_news(void **state)
{
    struct raft_peer_queue queue = {0};

    (void)state;
    assert_false(raft_peer_queue_has_only_news(&queue));
    add(&queue, append(5, 0), true);
    assert_true(raft_peer_queue_has_only_news(&queue));
    add(&queue, simple(RAFT_MESSAGE_HEARTBEAT, 1), true);
    assert_false(raft_peer_queue_has_only_news(&queue));
    raft_peer_queue_drop(&queue);
    assert_false(raft_peer_queue_has_only_news(&queue));
    raft_peer_queue_drop(&queue);
    add(&queue, append(5, 10), true);
    assert_false(raft_peer_queue_has_only_news(&queue));
    raft_peer_queue_deinit(&queue);
}

static void without_a_connection_appends_are_lost_and_told(void **state)
{
    struct raft_peer_queue queue = {0};

    (void)state;
    add(&queue, append(5, 10), false);
    for (uint64_t i = 1; i <= 100; i++) {
        add(&queue, simple(RAFT_MESSAGE_PRE_VOTE, i), false);
        add(&queue, simple(RAFT_MESSAGE_VOTE, i), false);
    }
    assert_int_equal(raft_peer_queue_count(&queue), 2);
    assert_int_equal(raft_peer_queue_first(&queue)->commit, 100);
    assert_true(raft_peer_queue_take_loss(&queue));
    assert_false(raft_peer_queue_take_loss(&queue));
    raft_peer_queue_deinit(&queue);
}

static void a_connection_that_breaks_leaves_the_newest_of_each_kind(void **state)
{
    struct raft_peer_queue queue = {0};

    (void)state;
    add(&queue, append(5, 10), true);
    add(&queue, simple(RAFT_MESSAGE_APPEND_RESPONSE, 1), true);
    add(&queue, simple(RAFT_MESSAGE_APPEND_RESPONSE, 2), true);
    raft_peer_queue_disconnected(&queue);
    assert_int_equal(raft_peer_queue_count(&queue), 1);
    assert_int_equal(raft_peer_queue_first(&queue)->commit, 2);
    assert_true(raft_peer_queue_take_loss(&queue));
    raft_peer_queue_drop(&queue);
    assert_int_equal(queue.size_bytes, 0);
    raft_peer_queue_deinit(&queue);
}

static void it_never_grows_beyond_its_bounds(void **state)
{
    struct raft_peer_queue queue = {0};

    (void)state;
    for (uint64_t i = 0; i < RAFT_PEER_QUEUE_COUNT + 10; i++)
        add(&queue, append(i, 1), true);
    assert_int_equal(raft_peer_queue_count(&queue), RAFT_PEER_QUEUE_COUNT);
    assert_int_equal(queue.dropped_count, 10);
    while (raft_peer_queue_first(&queue))
        raft_peer_queue_drop(&queue);
    for (uint64_t i = 0; i < 40; i++)
        add(&queue, append(i, MIB), true);
    assert_in_range(queue.size_bytes, 30 * MIB, RAFT_PEER_QUEUE_BYTES);
    for (uint64_t i = 0; i < 3 * RAFT_PEER_QUEUE_COUNT; i++) { /* as a ring */
        raft_peer_queue_drop(&queue);
        add(&queue, append(i, 1), true);
    }
    assert_true(queue.messages.capacity <= 4 * RAFT_PEER_QUEUE_COUNT);
    raft_peer_queue_deinit(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newer_heartbeat_takes_the_place_of_one_that_waits),
        cmocka_unit_test(an_append_takes_the_place_of_an_empty_one_before_it),
        cmocka_unit_test(only_empty_appends_are_news),
        cmocka_unit_test(without_a_connection_appends_are_lost_and_told),
        cmocka_unit_test(a_connection_that_breaks_leaves_the_newest_of_each_kind),
        cmocka_unit_test(it_never_grows_beyond_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
