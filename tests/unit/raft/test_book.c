/* Who the members are, and who was one. */
#include "raft/book.h"

#include "tests/unit/test.h"

static void members_are_found_changed_and_removed_for_good(void **state)
{
    struct raft_book book = {0};

    (void)state;
    assert_ok(raft_book_put(&book, &(struct raft_member){7, "n7", "10.0.0.7:2377"}, err));
    assert_ok(raft_book_put(&book, &(struct raft_member){3, "n3", "10.0.0.3:2377"}, err));
    assert_ok(raft_book_put(&book, &(struct raft_member){7, raft_book_find(&book, 7)->node_id, "10.0.0.8:2377"}, err));
    assert_int_equal(book.count, 2);
    assert_string_equal(raft_book_find(&book, 7)->node_id, "n7");
    assert_string_equal(raft_book_find(&book, 7)->address, "10.0.0.8:2377");
    raft_book_remove(&book, 7);
    assert_null(raft_book_find(&book, 7));
    assert_true(raft_book_is_removed(&book, 7));
    assert_fails(raft_book_put(&book, &(struct raft_member){7, "n7", "10.0.0.8:2377"}, err), ERR_PRECONDITION, "under a new id");
    assert_fails(raft_book_put(&book, &(struct raft_member){0, "n0", ""}, err), ERR_INVALID, "its id is 0");
    for (uint64_t id = 100; id < 100 + 2 * RAFT_REMOVED_COUNT; id++)
        raft_book_remove(&book, id);
    assert_int_equal(book.removed_count, RAFT_REMOVED_COUNT);
    raft_book_deinit(&book);
}

static void a_member_is_written_with_its_empty_status(void **state)
{
    static const uint8_t want[] = {0x08, 5, 0x12, 2, 'n', '5', 0x1a, 3, 'a', ':', '1', 0x22, 0};
    cleanup_buf struct buf out = {0};
    struct raft_member back;

    (void)state;
    raft_member_write(&(struct raft_member){5, "n5", "a:1"}, &out);
    assert_int_equal(out.size, sizeof want);
    assert_memory_equal(out.data, want, sizeof want);
    assert_ok(raft_member_read(buf_bytes(&out), &back, err));
    assert_true(back.id == 5);
    assert_string_equal(back.address, "a:1");
    raft_member_deinit(&back);
    assert_fails(raft_member_read(bytes_of("\x0a\x05", 2), &back, err), ERR_INVALID, "raft member");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_changed_and_removed_for_good),
        cmocka_unit_test(a_member_is_written_with_its_empty_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
