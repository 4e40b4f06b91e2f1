/* tests/unit/raft/test_memory_storage.c – a log in memory answers like one on disk. */
#include "raft/memory_storage.h"

#include "tests/unit/test.h"

static void fill(struct raft_memory_storage *storage, uint64_t first, uint64_t last, uint64_t term)
{
    for (uint64_t index = first; index <= last; index++) {
        struct raft_entry entry = {.term = term, .index = index, .payload = raft_payload_new(bytes_of_string("payload"))};
        assert_ok(raft_memory_storage_append(storage, &entry, 1, err));
        raft_payload_release(entry.payload);
    }
}

static void an_empty_log_begins_at_one(void **state)
{
    struct raft_memory_storage storage;
    struct raft_snapshot snapshot;
    uint64_t term = 9;
    (void)state;
    raft_memory_storage_init(&storage);
    struct raft_storage table = raft_memory_storage_table(&storage);
    assert_int_equal(table.first_index(table.self), 1);
    assert_int_equal(table.last_index(table.self), 0);
    assert_int_equal(table.term(table.self, 0, &term, NULL), RAFT_STORED);
    assert_int_equal(term, 0);
    assert_int_equal(table.snapshot(table.self, &snapshot, NULL), RAFT_UNAVAILABLE);
    raft_memory_storage_deinit(&storage);
}

static void entries_replace_from_their_index_on(void **state)
{
    struct raft_memory_storage storage;
    struct raft_entry hole = {.term = 1, .index = 12};
    uint64_t term;
    (void)state;
    raft_memory_storage_init(&storage);
    struct raft_storage table = raft_memory_storage_table(&storage);
    fill(&storage, 1, 10, 1);
    fill(&storage, 5, 7, 2);
    assert_int_equal(table.last_index(table.self), 7);
    assert_int_equal(table.term(table.self, 5, &term, NULL), RAFT_STORED);
    assert_int_equal(term, 2);
    assert_fails(raft_memory_storage_append(&storage, &hole, 1, err), ERR_INVALID, "does not follow");
    raft_memory_storage_deinit(&storage);
}

static void compaction_keeps_the_term_before_the_first(void **state)
{
    struct raft_memory_storage storage;
    struct raft_entries got = {0};
    uint64_t term;
    (void)state;
    raft_memory_storage_init(&storage);
    struct raft_storage table = raft_memory_storage_table(&storage);
    fill(&storage, 1, 100, 3);
    for (uint64_t index = 10; index <= 90; index += 10)
        assert_ok(raft_memory_storage_compact(&storage, index, err));
    assert_int_equal(table.first_index(table.self), 91);
    assert_int_equal(table.term(table.self, 90, &term, NULL), RAFT_STORED);
    assert_int_equal(term, 3);
    assert_int_equal(table.term(table.self, 89, &term, NULL), RAFT_COMPACTED);
    assert_int_equal(table.term(table.self, 101, &term, NULL), RAFT_UNAVAILABLE);
    assert_int_equal(table.entries(table.self, 90, 95, UINT64_MAX, &got, NULL), RAFT_COMPACTED);
    assert_int_equal(table.entries(table.self, 95, 102, UINT64_MAX, &got, NULL), RAFT_UNAVAILABLE);
    assert_int_equal(table.entries(table.self, 91, 101, UINT64_MAX, &got, NULL), RAFT_STORED);
    assert_int_equal(got.count, 10);
    assert_int_equal(got.items[9].index, 100);
    assert_fails(raft_memory_storage_compact(&storage, 50, err), ERR_PRECONDITION, "already");
    assert_fails(raft_memory_storage_compact(&storage, 101, err), ERR_INVALID, "last entry");
    fill(&storage, 80, 92, 4); /* what is compacted is skipped */
    assert_int_equal(table.last_index(table.self), 92);
    raft_entries_deinit(&got);
    raft_memory_storage_deinit(&storage);
}

static void a_read_takes_what_fits_and_at_least_one(void **state)
{
    struct raft_memory_storage storage;
    struct raft_entries got = {0};
    (void)state;
    raft_memory_storage_init(&storage);
    struct raft_storage table = raft_memory_storage_table(&storage);
    fill(&storage, 1, 10, 1);
    assert_int_equal(table.entries(table.self, 3, 10, 0, &got, NULL), RAFT_STORED);
    assert_int_equal(got.count, 1);
    assert_int_equal(table.entries(table.self, 4, 10, 3 * raft_entry_size_bytes(&got.items[0]), &got, NULL), RAFT_STORED);
    assert_int_equal(got.count, 4);
    raft_entries_deinit(&got);
    raft_memory_storage_deinit(&storage);
}

static void a_snapshot_is_made_from_the_log_or_replaces_it(void **state)
{
    struct raft_memory_storage storage;
    struct raft_conf_state conf = {0};
    struct raft_snapshot got, newer = {.index = 50, .term = 7};
    (void)state;
    raft_memory_storage_init(&storage);
    struct raft_storage table = raft_memory_storage_table(&storage);
    fill(&storage, 1, 10, 2);
    raft_ids_add(&conf.voters, 1);
    struct raft_payload *data = raft_payload_new(bytes_of_string("data"));
    assert_ok(raft_memory_storage_create_snapshot(&storage, 5, &conf, data, err));
    raft_payload_release(data);
    assert_int_equal(table.snapshot(table.self, &got, NULL), RAFT_STORED);
    assert_int_equal(got.term, 2);
    assert_int_equal(got.data->size, 4);
    raft_snapshot_deinit(&got);
    assert_fails(raft_memory_storage_create_snapshot(&storage, 5, &conf, NULL, err), ERR_PRECONDITION, "not newer");
    assert_fails(raft_memory_storage_create_snapshot(&storage, 11, &conf, NULL, err), ERR_INVALID, "no entry 11");
    assert_ok(raft_memory_storage_apply_snapshot(&storage, &newer, err));
    assert_int_equal(table.first_index(table.self), 51);
    assert_fails(raft_memory_storage_apply_snapshot(&storage, &newer, err), ERR_PRECONDITION, "not newer");
    raft_conf_state_deinit(&conf);
    raft_memory_storage_deinit(&storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_log_begins_at_one),
        cmocka_unit_test(entries_replace_from_their_index_on),
        cmocka_unit_test(compaction_keeps_the_term_before_the_first),
        cmocka_unit_test(a_read_takes_what_fits_and_at_least_one),
        cmocka_unit_test(a_snapshot_is_made_from_the_log_or_replaces_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
