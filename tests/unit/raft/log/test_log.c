/* tests/unit/raft/log/test_log.c – what is stable stays; what is not is never claimed; what breaks a rule is refused. */
#include "tests/unit/raft/log/fixture.h"

static int make(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    fixture_init(f, 1);
    *state = f;
    return fixture_open(f, NULL);
}

static int drop(void **state)
{
    fixture_deinit(*state);
    free(*state);
    return 0;
}

static void a_new_log_is_empty_and_says_so(void **state)
{
    struct fixture *f = *state;
    assert_true(f->state.recovery.is_new);
    assert_int_equal(f->state.last_index, 0);
    assert_int_equal(f->state.first_index, 1);
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    assert_false(f->state.recovery.is_new);
    assert_true(f->state.recovery.was_closed);
}

static void what_was_flushed_survives_the_loss_of_all_that_was_not(void **state)
{
    struct fixture *f = *state;
    assert_ok(append_range(f->log, 1, 10, 3, &(struct raft_hard_state){3, 2, 8}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(append_range(f->log, 11, 12, 3, NULL, err));
    fixture_crash(f, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 10);
    assert_int_equal(f->state.hard.term, 3);
    assert_int_equal(f->state.hard.vote, 2);
    assert_int_equal(f->state.hard.commit, 8);
    for (uint64_t i = 1; i <= 10; i++)
        assert_entry(&f->state, i, 3);
}

static void many_appends_take_one_write_and_one_sync(void **state)
{
    struct fixture *f = *state;
    struct raft_log_status before, after;
    raft_log_status(f->log, &before);
    for (uint64_t i = 1; i <= 50; i++)
        assert_ok(append_range(f->log, i, i, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(raft_log_flush(f->log, err)); /* nothing waits: no work */
    raft_log_status(f->log, &after);
    assert_int_equal(after.flushes_count - before.flushes_count, 1);
    assert_int_equal(after.last_index, 50);
}

static void appending_at_an_index_replaces_what_was_there_and_behind(void **state)
{
    struct fixture *f = *state;
    assert_ok(append_range(f->log, 1, 10, 1, &(struct raft_hard_state){1, 0, 4}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(append_range(f->log, 6, 7, 2, &(struct raft_hard_state){2, 0, 4}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 7);
    assert_entry(&f->state, 5, 1);
    assert_entry(&f->state, 6, 2);
    assert_entry(&f->state, 7, 2);
}

static void what_breaks_a_rule_is_refused_and_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    assert_ok(append_range(f->log, 1, 5, 2, &(struct raft_hard_state){2, 7, 3}, err));
    assert_fails(append_range(f->log, 7, 8, 2, NULL, err), ERR_INVALID, "gap");
    assert_fails(append_range(f->log, 3, 8, 2, NULL, err), ERR_INVALID, "committed");
    assert_fails(append_range(f->log, 6, 8, 1, NULL, err), ERR_INVALID, "does not follow");
    assert_fails(raft_log_append(f->log, &(struct raft_hard_state){1, 0, 3}, NULL, 0, err), ERR_INVALID, "term goes back");
    assert_fails(raft_log_append(f->log, &(struct raft_hard_state){2, 7, 2}, NULL, 0, err), ERR_INVALID, "commit goes back");
    assert_fails(raft_log_append(f->log, &(struct raft_hard_state){2, 8, 3}, NULL, 0, err), ERR_INVALID, "vote of term");
    assert_fails(raft_log_append(f->log, &(struct raft_hard_state){2, 7, 6}, NULL, 0, err), ERR_INVALID, "beyond the last entry");
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 5);
    assert_int_equal(f->state.hard.vote, 7);
}

static void segments_follow_each_other_and_carry_the_state(void **state)
{
    struct fixture *f = *state;
    struct raft_log_status status;
    for (uint64_t i = 1; i <= 300; i++) {
        assert_ok(append_range(f->log, i * 3 - 2, i * 3, 1 + i / 100, &(struct raft_hard_state){1 + i / 100, 0, i * 3 - 2}, err));
        assert_ok(raft_log_flush(f->log, err));
    }
    raft_log_status(f->log, &status);
    assert_true(status.segments_count > 4);
    fixture_crash(f, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 900);
    assert_int_equal(f->state.hard.commit, 898);
    for (uint64_t i = 1; i <= 900; i++)
        assert_entry(&f->state, i, 1 + (i + 2) / 3 / 100);
}

static void an_entry_larger_than_a_segment_gets_one_that_fits(void **state)
{
    struct fixture *f = *state;
    cleanup_buf struct buf large = {0};
    for (int i = 0; i < 10000; i++)
        buf_append_string(&large, "0123456789");
    struct raft_entry entry = {1, 1, RAFT_ENTRY_NORMAL, raft_payload_new(buf_bytes(&large))};
    assert_ok(raft_log_append(f->log, NULL, &entry, 1, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(append_range(f->log, 2, 3, 1, NULL, err));
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 3);
    assert_true(bytes_equal(raft_entry_bytes(&f->state.entries[0]), buf_bytes(&large)));
    raft_payload_release(entry.payload);
}

static void a_directory_in_use_is_refused(void **state)
{
    struct fixture *f = *state;
    struct raft_log *other;
    struct raft_log_state nothing = {0};
    assert_fails(raft_log_open(&f->options, &other, &nothing, err), ERR_AGAIN, "in use by another process");
}

/* --- snapshots and compaction --- */

static void members_and_snapshot_come_back(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot meta;
    uint64_t voters[] = {4, 9}, learners[] = {12};
    struct raft_conf_state conf = {.voters = {voters, 2}, .learners = {learners, 1}, .auto_leave = true};
    assert_ok(append_range(f->log, 1, 20, 1, &(struct raft_hard_state){1, 1, 20}, err));
    assert_ok(write_snapshot(f->log, 15, 1, 100, &meta, err));
    assert_ok(raft_log_append_snapshot(f->log, &meta, false, err));
    assert_ok(raft_log_append_members(f->log, 18, &conf, err));
    assert_fails(raft_log_append_members(f->log, 17, &conf, err), ERR_INVALID, "members of entry 17");
    assert_ok(raft_log_flush(f->log, err));
    fixture_crash(f, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.snapshot.index, 15);
    assert_int_equal(f->state.snapshot.conf.voters.count, 3);
    assert_int_equal(f->state.conf_index, 18);
    assert_int_equal(f->state.conf.voters.items[1], 9);
    assert_int_equal(f->state.conf.learners.items[0], 12);
    assert_true(f->state.conf.auto_leave);
}

static void compaction_keeps_the_tail_and_the_newest_snapshots(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot meta;
    struct raft_log_status before, after;
    f->options.tail_keep_count = 50;
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    for (uint64_t i = 1; i <= 900; i++) {
        assert_ok(append_range(f->log, i, i, 1, &(struct raft_hard_state){1, 0, i}, err));
        assert_ok(raft_log_flush(f->log, err));
        if (i % 200 == 0) {
            assert_ok(write_snapshot(f->log, i, 1, 10, &meta, err));
            assert_ok(raft_log_append_snapshot(f->log, &meta, false, err));
        }
    }
    raft_log_status(f->log, &before);
    assert_ok(raft_log_compact(f->log, err));
    raft_log_status(f->log, &after);
    assert_true(after.segments_count < before.segments_count);
    cleanup_free struct raft_snapshot_name *names = NULL;
    size_t count;
    assert_ok(raft_snapshot_list(raft_log_snapshots(f->log), &names, &count, err));
    assert_int_equal(count, 2);
    assert_int_equal(names[0].index, 800);
    fixture_crash(f, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.first_index, 751);
    assert_int_equal(f->state.last_index, 900);
    assert_entry(&f->state, 751, 1);
}

static void a_snapshot_from_the_leader_begins_the_log_anew(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot meta;
    struct raft_log_status status;
    assert_ok(append_range(f->log, 1, 20, 1, &(struct raft_hard_state){1, 1, 10}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(write_snapshot(f->log, 1000, 5, 100, &meta, err));
    assert_ok(raft_log_append_snapshot(f->log, &meta, true, err));
    assert_ok(append_range(f->log, 1001, 1003, 5, &(struct raft_hard_state){5, 0, 1002}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(raft_log_compact(f->log, err));
    raft_log_status(f->log, &status);
    assert_int_equal(status.segments_count, 1);
    fixture_crash(f, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.first_index, 1001);
    assert_int_equal(f->state.last_index, 1003);
    assert_int_equal(f->state.hard.commit, 1002);
    assert_int_equal(f->state.snapshot.index, 1000);
}

static void a_broken_snapshot_is_set_aside_for_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot meta;
    struct bytes content;
    assert_ok(append_range(f->log, 1, 30, 1, &(struct raft_hard_state){1, 1, 30}, err));
    assert_ok(write_snapshot(f->log, 10, 1, 1000, &meta, err));
    assert_ok(raft_log_append_snapshot(f->log, &meta, false, err));
    assert_ok(write_snapshot(f->log, 20, 1, 1000, &meta, err));
    assert_ok(raft_log_append_snapshot(f->log, &meta, false, err));
    assert_ok(fixture_close(f, err));
    cleanup_free char *newer = raft_snapshot_path(LOG_DIR, 20, 1), *older = raft_snapshot_path(LOG_DIR, 10, 1);
    cleanup_free char *aside = mem_format("%s.broken", newer);
    assert_true(raft_disk_memory_flip(f->memory, newer, 8 * 300));
    for (int i = 0; i < 3; i++) { /* and again: the log still speaks of the broken one */
        assert_ok(fixture_open(f, err));
        assert_int_equal(f->state.snapshot.index, 10);
        assert_int_equal(f->state.last_index, 30);
        assert_non_null(f->state.recovery.broken_snapshot);
        assert_true(raft_disk_memory_get(f->memory, aside, &content));
        assert_ok(fixture_close(f, err));
    }
    assert_true(raft_disk_memory_flip(f->memory, older, 8 * 300));
    assert_ok(fixture_open(f, err)); /* the log reaches back to its first entry: nothing is lost */
    assert_int_equal(f->state.snapshot.index, 0);
    assert_int_equal(f->state.first_index, 1);
}

static void a_log_that_does_not_reach_back_is_refused(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot meta;
    assert_ok(write_snapshot(f->log, 1000, 5, 100, &meta, err));
    assert_ok(raft_log_append_snapshot(f->log, &meta, true, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(raft_log_compact(f->log, err));
    assert_ok(fixture_close(f, err));
    cleanup_free char *path = raft_snapshot_path(LOG_DIR, 1000, 5);
    assert_true(raft_disk_memory_flip(f->memory, path, 8 * 200));
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "re-sync this member from its peers");
    f->log = NULL;
}

static void a_snapshot_nobody_was_told_of_is_removed(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot meta;
    struct bytes content;
    assert_ok(append_range(f->log, 1, 30, 1, &(struct raft_hard_state){1, 1, 30}, err));
    assert_ok(write_snapshot(f->log, 20, 1, 10, &meta, err));
    assert_ok(raft_log_flush(f->log, err));
    fixture_crash(f, RAFT_CRASH_LOSES_NONE);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.snapshot.index, 0);
    cleanup_free char *path = raft_snapshot_path(LOG_DIR, 20, 1);
    assert_false(raft_disk_memory_get(f->memory, path, &content));
}

/* --- keys --- */

static void a_rotation_is_complete_when_nothing_needs_the_old_key(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot meta;
    struct bytes content;
    uint32_t ids[RAFT_KEYS_COUNT];
    size_t count;
    uint8_t second[RAFT_KEY_SIZE_BYTES] = {2};
    assert_ok(append_range(f->log, 1, 10, 1, &(struct raft_hard_state){1, 1, 10}, err));
    assert_ok(fixture_close(f, err));
    use_key(&f->keys, 1, 1); /* from no key to one */
    f->options.tail_keep_count = UINT64_MAX;
    assert_ok(fixture_open(f, err));
    assert_ok(append_range(f->log, 11, 20, 1, &(struct raft_hard_state){1, 1, 20}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(raft_log_keys_needed(f->log, ids, &count, err));
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 1);
    cleanup_free char *path = segment_path(2);
    assert_true(raft_disk_memory_get(f->memory, path, &content));
    assert_null(memmem(content.data, content.size, "entry", 5));

    assert_ok(raft_log_set_key(f->log, 2, second, err));
    assert_fails(raft_log_forget_key(f->log, 1, err), ERR_PRECONDITION, "still needed");
    assert_ok(append_range(f->log, 21, 30, 1, &(struct raft_hard_state){1, 1, 30}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(write_snapshot(f->log, 25, 1, 10, &meta, err));
    assert_ok(raft_log_append_snapshot(f->log, &meta, false, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(raft_log_compact(f->log, err));
    assert_ok(raft_log_keys_needed(f->log, ids, &count, err));
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], 2);
    assert_ok(raft_log_forget_key(f->log, 1, err));
    assert_ok(fixture_close(f, err));

    assert_fails(fixture_open(f, err), ERR_PERMISSION, "key 2, which was not given");
    assert_ok(raft_keys_add(&f->keys, 2, second, err));
    f->keys.current = 2;
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.snapshot.index, 25);
    assert_int_equal(f->state.last_index, 30);
}

static void a_wrong_key_is_said_to_be_one(void **state)
{
    struct fixture *f = *state;
    assert_ok(fixture_close(f, err));
    use_key(&f->keys, 1, 1);
    assert_ok(fixture_open(f, err));
    assert_ok(append_range(f->log, 1, 10, 1, NULL, err));
    assert_ok(fixture_close(f, err));
    f->keys.items[0].bytes[0] ^= 1;
    assert_fails(fixture_open(f, err), ERR_PERMISSION, "the key given under that number is not the one");
    f->log = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
        TEST(a_new_log_is_empty_and_says_so),
        TEST(what_was_flushed_survives_the_loss_of_all_that_was_not),
        TEST(many_appends_take_one_write_and_one_sync),
        TEST(appending_at_an_index_replaces_what_was_there_and_behind),
        TEST(what_breaks_a_rule_is_refused_and_leaves_no_trace),
        TEST(segments_follow_each_other_and_carry_the_state),
        TEST(an_entry_larger_than_a_segment_gets_one_that_fits),
        TEST(a_directory_in_use_is_refused),
        TEST(members_and_snapshot_come_back),
        TEST(compaction_keeps_the_tail_and_the_newest_snapshots),
        TEST(a_snapshot_from_the_leader_begins_the_log_anew),
        TEST(a_broken_snapshot_is_set_aside_for_the_one_before),
        TEST(a_log_that_does_not_reach_back_is_refused),
        TEST(a_snapshot_nobody_was_told_of_is_removed),
        TEST(a_rotation_is_complete_when_nothing_needs_the_old_key),
        TEST(a_wrong_key_is_said_to_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
