/* tests/unit/raft/core/test_log.c – storage and tail as one log. */
#include "raft/core/log_view.h"

#include "raft/memory_storage.h"
#include "tests/unit/test.h"

struct world {
    struct raft_memory_storage storage;
    struct raft_log_view log;
    struct error failure;
};

/* Storage holds entries 1 … @stored, the tail those up to @last; term n/10 + 1 for entry n. */
static struct raft_entry entry_at(uint64_t index)
{
    return (struct raft_entry){.term = index / 10 + 1, .index = index};
}

static void begin(struct world *w, uint64_t stored, uint64_t last)
{
    struct raft_storage table = raft_memory_storage_table(&w->storage);

    w->failure = (struct error){0};
    raft_memory_storage_init(&w->storage);
    for (uint64_t index = 1; index <= stored; index++) {
        struct raft_entry entry = entry_at(index);
        assert_ok(raft_memory_storage_append(&w->storage, &entry, 1, err));
    }
    raft_log_view_init(&w->log, &table, UINT64_MAX, &w->failure);
    for (uint64_t index = stored + 1; index <= last; index++) {
        struct raft_entry entry = entry_at(index);
        raft_log_view_append(&w->log, &entry, 1);
    }
}

static void end(struct world *w)
{
    raft_log_view_deinit(&w->log);
    raft_memory_storage_deinit(&w->storage);
}

static void terms_come_from_storage_and_tail(void **state)
{
    struct world w;
    uint64_t term;
    (void)state;
    begin(&w, 15, 25);
    assert_int_equal(raft_log_view_term(&w.log, 9, &term), RAFT_STORED);
    assert_int_equal(term, 1);
    assert_int_equal(raft_log_view_term_or_zero(&w.log, 15), 2);
    assert_int_equal(raft_log_view_term_or_zero(&w.log, 25), 3);
    assert_int_equal(raft_log_view_term(&w.log, 26, &term), RAFT_UNAVAILABLE);
    assert_int_equal(raft_log_view_term(&w.log, UINT64_MAX, &term), RAFT_COMPACTED); /* wraps: not ours in any case */
    assert_ok(raft_memory_storage_compact(&w.storage, 5, err));
    assert_int_equal(raft_log_view_term(&w.log, 4, &term), RAFT_COMPACTED);
    assert_int_equal(raft_log_view_term(&w.log, 5, &term), RAFT_STORED);
    end(&w);
}

static void a_read_crosses_from_storage_into_the_tail(void **state)
{
    struct world w;
    struct raft_entries got = {0};
    uint64_t one_bytes;
    (void)state;
    begin(&w, 5, 9);
    struct raft_entry entry = entry_at(1);
    one_bytes = raft_entry_size_bytes(&entry);
    for (uint64_t fits = 0; fits <= 9; fits++) {
        raft_entries_clear(&got);
        assert_int_equal(raft_log_view_read(&w.log, 1, 10, fits * one_bytes, &got), RAFT_STORED);
        assert_int_equal(got.count, fits > 0 ? fits : 1);
        assert_int_equal(got.items[got.count - 1].index, got.count);
    }
    raft_entries_clear(&got);
    assert_int_equal(raft_log_view_read(&w.log, 7, 9, UINT64_MAX, &got), RAFT_STORED);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.items[0].index, 7);
    assert_ok(raft_memory_storage_compact(&w.storage, 3, err));
    assert_int_equal(raft_log_view_read(&w.log, 3, 9, UINT64_MAX, &got), RAFT_COMPACTED);
    raft_entries_deinit(&got);
    end(&w);
}

static void stable_entries_leave_the_tail_from_the_front(void **state)
{
    struct world w;
    size_t count;
    (void)state;
    begin(&w, 0, 4);
    raft_log_view_hand_out_unstable(&w.log);
    assert_null(raft_log_view_next_unstable(&w.log, &count));
    for (uint64_t index = 1; index <= 100; index++) { /* one in, one out: the memory does not grow with the log */
        struct raft_entry entry = entry_at(index + 4);
        raft_log_view_append(&w.log, &entry, 1);
        assert_int_equal(raft_log_view_next_unstable(&w.log, &count)->index, index + 4);
        raft_log_view_hand_out_unstable(&w.log);
        raft_log_view_stable_to(&w.log, (struct raft_entry_id){index / 10 + 1, index});
        assert_int_equal(w.log.offset, index + 1);
        assert_int_equal(w.log.tail_count, 4);
    }
    assert_true(w.log.tail_capacity <= 16);
    end(&w);
}

static void a_report_about_other_entries_is_ignored(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 2, 4);
    raft_log_view_stable_to(&w.log, (struct raft_entry_id){9, 4}); /* another term: replaced since */
    raft_log_view_stable_to(&w.log, (struct raft_entry_id){1, 2}); /* before the tail */
    raft_log_view_stable_to(&w.log, (struct raft_entry_id){1, 5}); /* behind it */
    raft_log_view_snapshot_stable(&w.log, 5);
    assert_int_equal(w.log.offset, 3);
    assert_int_equal(w.log.tail_count, 2);
    end(&w);
}

static void replaced_entries_are_handed_out_again(void **state)
{
    struct world w;
    size_t count;
    uint64_t last;
    struct raft_entry entries[] = {{.term = 2, .index = 4}, {.term = 2, .index = 5}};
    (void)state;
    begin(&w, 2, 6);
    raft_log_view_hand_out_unstable(&w.log);
    assert_ok(raft_log_view_accept(&w.log, (struct raft_entry_id){1, 3}, entries, 2, &last, err));
    assert_int_equal(last, 5);
    assert_int_equal(raft_log_view_next_unstable(&w.log, &count)->index, 4);
    assert_int_equal(count, 2);
    entries[0] = (struct raft_entry){.term = 3, .index = 2}; /* back into storage */
    assert_ok(raft_log_view_accept(&w.log, (struct raft_entry_id){1, 1}, entries, 1, &last, err));
    assert_int_equal(w.log.offset, 2);
    assert_int_equal(raft_log_view_last_index(&w.log), 2);
    assert_int_equal(raft_log_view_term_or_zero(&w.log, 2), 3);
    end(&w);
}

static void what_is_there_already_changes_nothing(void **state)
{
    struct world w;
    uint64_t last;
    struct raft_entry entries[] = {entry_at(2), entry_at(3)};
    (void)state;
    begin(&w, 2, 6);
    assert_ok(raft_log_view_accept(&w.log, (struct raft_entry_id){1, 1}, entries, 2, &last, err));
    assert_int_equal(last, 3);
    assert_int_equal(raft_log_view_last_index(&w.log), 6); /* a late, shorter append does not cut */
    assert_int_equal(raft_log_view_accept(&w.log, (struct raft_entry_id){9, 1}, entries, 2, &last, NULL), RAFT_UNAVAILABLE);
    end(&w);
}

static void agreement_is_sought_by_terms(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 30, 45);
    assert_int_equal(raft_log_view_find_agreement(&w.log, 45, 3).index, 29);
    assert_int_equal(raft_log_view_find_agreement(&w.log, 45, 3).term, 3);
    assert_int_equal(raft_log_view_find_agreement(&w.log, 45, 9).index, 45);
    assert_int_equal(raft_log_view_find_agreement(&w.log, 45, 0).index, 0);
    assert_int_equal(raft_log_view_find_agreement(&w.log, 99, 3).index, 99); /* not known here: perhaps */
    assert_ok(raft_memory_storage_compact(&w.storage, 20, err));
    assert_int_equal(raft_log_view_find_agreement(&w.log, 45, 1).index, 19);
    assert_int_equal(raft_log_view_find_agreement(&w.log, 45, 1).term, 0);
    end(&w);
}

static void a_snapshot_replaces_everything(void **state)
{
    struct world w;
    struct raft_snapshot snapshot = {.index = 100, .term = 7};
    (void)state;
    begin(&w, 5, 9);
    raft_log_view_restore(&w.log, &snapshot);
    assert_int_equal(raft_log_view_first_index(&w.log), 101);
    assert_int_equal(raft_log_view_last_index(&w.log), 100);
    assert_int_equal(raft_log_view_term_or_zero(&w.log, 100), 7);
    assert_int_equal(w.log.committed, 100);
    assert_non_null(raft_log_view_next_snapshot(&w.log));
    assert_false(raft_log_view_has_next_committed(&w.log, true));
    raft_log_view_hand_out_unstable(&w.log);
    assert_null(raft_log_view_next_snapshot(&w.log));
    raft_log_view_snapshot_stable(&w.log, 100);
    assert_false(w.log.has_snapshot);
    end(&w);
}

static int broken_term(void *self, uint64_t index, uint64_t *term, struct error *err)
{
    (void)self;
    (void)index;
    (void)term;
    return error_set(err, ERR_IO, "the disk is gone");
}

static int nothing_read(void *self, uint64_t low, uint64_t high, uint64_t size_bytes, struct raft_entries *out, struct error *err)
{
    (void)self;
    (void)low;
    (void)high;
    (void)size_bytes;
    (void)out;
    (void)err;
    return RAFT_STORED;
}

static void the_first_failure_is_the_one_that_is_kept(void **state)
{
    struct world w;
    struct raft_entries got = {0};
    uint64_t term;
    (void)state;
    begin(&w, 5, 5);
    w.log.storage.term = broken_term;
    w.log.storage.entries = nothing_read;
    assert_int_equal(raft_log_view_term(&w.log, 3, &term), RAFT_UNAVAILABLE);
    assert_int_equal(raft_log_view_read(&w.log, 1, 3, UINT64_MAX, &got), RAFT_UNAVAILABLE);
    assert_int_equal(w.failure.code, ERR_IO);
    assert_string_equal(w.failure.message, "raft: read a term from the log: the disk is gone");
    end(&w);
}

static void entries_that_should_be_there_and_are_not_are_damage(void **state)
{
    struct world w;
    struct raft_entries got = {0};
    (void)state;
    begin(&w, 5, 5);
    w.log.storage.entries = nothing_read;
    assert_int_equal(raft_log_view_read(&w.log, 1, 3, UINT64_MAX, &got), RAFT_UNAVAILABLE);
    assert_int_equal(w.failure.code, ERR_CORRUPT);
    end(&w);
}

static void compaction_beyond_what_was_applied_is_damage(void **state)
{
    struct world w;
    struct raft_entries got = {0};
    (void)state;
    begin(&w, 5, 5);
    raft_log_view_commit_to(&w.log, 5);
    assert_ok(raft_memory_storage_compact(&w.storage, 3, err));
    raft_log_view_read_committed(&w.log, true, &got);
    assert_int_equal(w.failure.code, ERR_CORRUPT);
    assert_non_null(strstr(w.failure.message, "compacted before it was applied"));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_come_from_storage_and_tail),
        cmocka_unit_test(a_read_crosses_from_storage_into_the_tail),
        cmocka_unit_test(stable_entries_leave_the_tail_from_the_front),
        cmocka_unit_test(a_report_about_other_entries_is_ignored),
        cmocka_unit_test(replaced_entries_are_handed_out_again),
        cmocka_unit_test(what_is_there_already_changes_nothing),
        cmocka_unit_test(agreement_is_sought_by_terms),
        cmocka_unit_test(a_snapshot_replaces_everything),
        cmocka_unit_test(the_first_failure_is_the_one_that_is_kept),
        cmocka_unit_test(entries_that_should_be_there_and_are_not_are_damage),
        cmocka_unit_test(compaction_beyond_what_was_applied_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
