/* tests/unit/raft/log/test_recovery.c – a torn tail is cut, damage is refused, a full or failing disk is never papered over. */
#include "tests/unit/raft/log/fixture.h"

/* Which operation fails next, and how. */
struct fault {
    enum raft_disk_op op;
    int code, left; /* fails while @left is above 0 */
    const char *path_part;
};

static int on_disk(void *ctx, enum raft_disk_op op, const char *path, uint64_t size)
{
    struct fault *fault = ctx;
    (void)size;
    if (fault->left == 0 || op != fault->op || (fault->path_part && !strstr(path, fault->path_part)))
        return 0;
    fault->left--;
    return fault->code;
}

static struct fault fault;

static int make(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    fault = (struct fault){0};
    fixture_init(f, 7);
    raft_disk_memory_hook(f->memory, on_disk, &fault);
    *state = f;
    return fixture_open(f, NULL);
}

static int drop(void **state)
{
    fixture_deinit(*state);
    free(*state);
    return 0;
}

/* Where the records of segment 1 end, by looking at the file. */
static uint64_t end_of_records(struct fixture *f)
{
    struct bytes content;
    cleanup_free char *path = segment_path(1);
    assert_true(raft_disk_memory_get(f->memory, path, &content));
    while (content.size > 0 && content.data[content.size - 1] == 0)
        content.size--;
    return content.size;
}

/* --- torn or damaged --- */

static void a_torn_tail_is_cut_reported_and_cleared(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = segment_path(1);
    assert_ok(append_range(f->log, 1, 10, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    uint64_t stable = end_of_records(f);
    assert_ok(append_range(f->log, 11, 12, 1, NULL, err));
    assert_ok(append_range(f->log, 13, 90, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    fixture_crash(f, RAFT_CRASH_LOSES_NONE);
    /* The first record of the last flush is bad, those behind it are whole: one flush, in any order. */
    assert_true(raft_disk_memory_flip(f->memory, path, 8 * (stable + 60)));
    assert_ok(fixture_open(f, err));
    assert_true(f->state.recovery.is_torn);
    assert_true(f->state.recovery.cut_bytes > 1000);
    assert_true(f->state.recovery.cut_offset >= stable && f->state.recovery.cut_offset < stable + 8);
    assert_string_equal(f->state.recovery.cut_path, path);
    assert_int_equal(f->state.last_index, 10);
    assert_true(end_of_records(f) <= stable);
    assert_ok(append_range(f->log, 11, 11, 2, NULL, err));
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    assert_false(f->state.recovery.is_torn);
    assert_int_equal(f->state.last_index, 11);
    assert_entry(&f->state, 11, 2);
}

static void damage_before_a_later_flush_is_refused_with_place_and_way_out(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = segment_path(1);
    assert_ok(append_range(f->log, 1, 10, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    uint64_t first = end_of_records(f);
    assert_ok(append_range(f->log, 11, 12, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    fixture_crash(f, RAFT_CRASH_LOSES_NONE);
    assert_true(raft_disk_memory_flip(f->memory, path, 8 * (first - 5)));
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "0000000000000001.seg at 4");
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "re-sync it from them");
    f->log = NULL;
}

static void a_clean_close_makes_damage_in_the_last_flush_visible(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = segment_path(1);
    assert_ok(append_range(f->log, 1, 10, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    uint64_t first = end_of_records(f);
    assert_ok(fixture_close(f, err));
    assert_true(raft_disk_memory_flip(f->memory, path, 8 * (first - 5)));
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "later flush");
}

static void a_lost_sector_of_zeros_is_damage_too(void **state)
{
    struct fixture *f = *state;
    struct bytes content;
    cleanup_free char *path = segment_path(1);
    for (int i = 0; i < 40; i++) {
        assert_ok(append_range(f->log, (uint64_t)i + 1, (uint64_t)i + 1, 1, NULL, err));
        assert_ok(raft_log_flush(f->log, err));
    }
    assert_ok(fixture_close(f, err));
    assert_true(raft_disk_memory_get(f->memory, path, &content));
    uint8_t *copy = mem_copy(content.data, content.size);
    memset(copy + 4096 + 512, 0, 512);
    raft_disk_memory_put(f->memory, path, bytes_of(copy, content.size));
    free(copy);
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "damaged");
}

static void every_flipped_bit_is_noticed(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = segment_path(1);
    assert_ok(append_range(f->log, 1, 3, 1, &(struct raft_hard_state){1, 2, 3}, err));
    assert_ok(raft_log_flush(f->log, err));
    uint64_t end = end_of_records(f);
    assert_ok(fixture_close(f, err));
    for (uint64_t bit = 0; bit < 8 * end; bit++) {
        if (bit / 8 >= 96 && bit / 8 < 4096)
            continue; /* nothing is there */
        assert_true(raft_disk_memory_flip(f->memory, path, bit));
        struct error err = {0};
        if (fixture_open(f, &err) == 0) { /* padding, which says nothing */
            assert_int_equal(f->state.last_index, 3);
            assert_int_equal(f->state.hard.vote, 2);
            raft_log_abandon(f->log);
        } else {
            assert_true(err.code == ERR_CORRUPT);
        }
        f->log = NULL;
        assert_true(raft_disk_memory_flip(f->memory, path, bit));
    }
}

static void a_missing_segment_is_refused(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = segment_path(2);
    for (uint64_t i = 1; i <= 40; i++) {
        assert_ok(append_range(f->log, i * 20 - 19, i * 20, 1, NULL, err));
        assert_ok(raft_log_flush(f->log, err));
    }
    assert_ok(fixture_close(f, err));
    assert_int_equal(f->disk.unlink(f->disk.self, path), 0);
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "missing between");
}

static void a_shortened_file_is_refused(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = segment_path(1);
    int file;
    assert_ok(append_range(f->log, 1, 20, 1, NULL, err));
    assert_ok(fixture_close(f, err));
    assert_ok(raft_disk_open(&f->disk, path, RAFT_DISK_WRITE, &file, err));
    assert_int_equal(f->disk.truncate(f->disk.self, file, 4096 + 100), 0);
    raft_disk_close(&f->disk, &file);
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "damaged");
}

static void segments_of_two_logs_are_not_mixed(void **state)
{
    struct fixture *f = *state;
    struct fixture other;
    struct bytes content;
    cleanup_free char *path = segment_path(2);
    fixture_init(&other, 99);
    assert_ok(fixture_open(&other, err));
    for (uint64_t i = 1; i <= 30; i++) {
        assert_ok(append_range(f->log, i * 20 - 19, i * 20, 1, NULL, err));
        assert_ok(raft_log_flush(f->log, err));
        assert_ok(append_range(other.log, i * 20 - 19, i * 20, 1, NULL, err));
        assert_ok(raft_log_flush(other.log, err));
    }
    assert_ok(fixture_close(f, err));
    assert_true(raft_disk_memory_get(other.memory, path, &content));
    raft_disk_memory_put(f->memory, path, content);
    assert_fails(fixture_open(f, err), ERR_CORRUPT, "different logs");
    fixture_deinit(&other);
}

/* --- a disk that fails --- */

static void a_failed_sync_ends_all_acknowledgements(void **state)
{
    struct fixture *f = *state;
    assert_ok(append_range(f->log, 1, 5, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(append_range(f->log, 6, 6, 1, NULL, err));
    fault = (struct fault){.op = RAFT_DISK_OP_SYNC, .code = UV_EIO, .left = 1};
    assert_fails(raft_log_flush(f->log, err), ERR_IO, "acknowledges nothing more");
    assert_fails(raft_log_flush(f->log, err), ERR_IO, "sync"); /* the disk would say "fine" now; nothing is tried */
    assert_fails(append_range(f->log, 7, 7, 1, NULL, err), ERR_IO, "re-sync the member");
    assert_fails(fixture_close(f, err), ERR_IO, "sync");
    raft_disk_memory_crash(f->memory, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 5);
}

static void a_failed_write_ends_them_too(void **state)
{
    struct fixture *f = *state;
    assert_ok(append_range(f->log, 1, 5, 1, NULL, err));
    fault = (struct fault){.op = RAFT_DISK_OP_WRITE, .code = UV_EIO, .left = 1};
    assert_fails(raft_log_flush(f->log, err), ERR_IO, "write /raft/");
    assert_fails(raft_log_flush(f->log, err), ERR_IO, "write /raft/");
}

static void a_segment_that_cannot_be_renamed_ends_them_too(void **state)
{
    struct fixture *f = *state;
    fault = (struct fault){.op = RAFT_DISK_OP_SYNC_DIR, .code = UV_EIO, .left = 1};
    struct error err = {0};
    for (uint64_t i = 1; err.code == 0; i++)
        if (append_range(f->log, i, i, 1, NULL, &err) == 0)
            raft_log_flush(f->log, &err);
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.message, "sync directory"));
}

/* --- a full disk --- */

/* Append and flush until there is no room; the last index that is stable. */
static uint64_t fill(struct fixture *f, uint64_t from)
{
    struct error err = {0};
    for (uint64_t i = from;; i++) {
        assert_int_equal(append_range(f->log, i, i, 1, &(struct raft_hard_state){1, 0, i - 1}, &err), 0);
        if (raft_log_flush(f->log, &err) < 0) {
            assert_int_equal(err.code, ERR_NO_SPACE);
            return i - 1;
        }
    }
}

static void without_room_nothing_is_acknowledged_until_there_is(void **state)
{
    struct fixture *f = *state;
    struct raft_log_status status;
    raft_disk_memory_set_capacity(f->memory, raft_disk_memory_used(f->memory) + 20 * KIB);
    uint64_t stable = fill(f, 1);
    raft_log_status(f->log, &status);
    assert_true(status.is_full);
    assert_false(status.has_failed);
    assert_int_equal(status.last_index, stable);
    assert_fails(raft_log_flush(f->log, err), ERR_NO_SPACE, "until there is room");
    assert_ok(append_range(f->log, stable + 2, stable + 3, 1, NULL, err));
    raft_disk_memory_set_capacity(f->memory, UINT64_MAX);
    assert_ok(raft_log_flush(f->log, err));
    raft_log_status(f->log, &status);
    assert_false(status.is_full);
    assert_int_equal(status.last_index, stable + 3);
    fixture_crash(f, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, stable + 3);
}

static void the_reserve_lets_a_full_log_close_with_all_that_waits(void **state)
{
    struct fixture *f = *state;
    raft_disk_memory_set_capacity(f->memory, raft_disk_memory_used(f->memory) + 20 * KIB);
    uint64_t stable = fill(f, 1);
    assert_ok(raft_log_append(f->log, &(struct raft_hard_state){9, 3, stable}, NULL, 0, err));
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.hard.term, 9);
    assert_int_equal(f->state.hard.vote, 3);
    assert_int_equal(f->state.last_index, stable + 1);
    assert_true(f->state.recovery.was_closed);
}

static void where_even_the_reserve_is_too_small_the_hard_state_is_kept(void **state)
{
    struct fixture *f = *state;
    raft_disk_memory_set_capacity(f->memory, raft_disk_memory_used(f->memory) + 20 * KIB);
    uint64_t stable = fill(f, 1);
    assert_ok(append_range(f->log, stable + 2, stable + 1000, 1, &(struct raft_hard_state){9, 3, stable + 500}, err));
    assert_fails(fixture_close(f, err), ERR_NO_SPACE, "closed in order");
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.hard.term, 9);
    assert_int_equal(f->state.hard.vote, 3);
    assert_int_equal(f->state.hard.commit, stable);
    assert_int_equal(f->state.last_index, stable);
}

static void a_write_that_finds_no_room_is_done_again_as_a_whole(void **state)
{
    struct fixture *f = *state;
    use_key(&f->keys, 1, 1);
    assert_ok(fixture_close(f, err));
    assert_ok(fixture_open(f, err));
    assert_ok(append_range(f->log, 1, 5, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(append_range(f->log, 6, 7, 1, NULL, err));
    fault = (struct fault){.op = RAFT_DISK_OP_WRITE, .code = UV_ENOSPC, .left = 1};
    assert_fails(raft_log_flush(f->log, err), ERR_NO_SPACE, "until there is room");
    assert_ok(append_range(f->log, 8, 8, 1, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
    fixture_crash(f, RAFT_CRASH_LOSES_ALL);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
        TEST(a_torn_tail_is_cut_reported_and_cleared),
        TEST(damage_before_a_later_flush_is_refused_with_place_and_way_out),
        TEST(a_clean_close_makes_damage_in_the_last_flush_visible),
        TEST(a_lost_sector_of_zeros_is_damage_too),
        TEST(every_flipped_bit_is_noticed),
        TEST(a_missing_segment_is_refused),
        TEST(a_shortened_file_is_refused),
        TEST(segments_of_two_logs_are_not_mixed),
        TEST(a_failed_sync_ends_all_acknowledgements),
        TEST(a_failed_write_ends_them_too),
        TEST(a_segment_that_cannot_be_renamed_ends_them_too),
        TEST(without_room_nothing_is_acknowledged_until_there_is),
        TEST(the_reserve_lets_a_full_log_close_with_all_that_waits),
        TEST(where_even_the_reserve_is_too_small_the_hard_state_is_kept),
        TEST(a_write_that_finds_no_room_is_done_again_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
