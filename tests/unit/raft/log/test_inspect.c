/* tests/unit/raft/log/test_inspect.c – a stopped log shown, checked and mended. */
#include "raft/log/inspect.h"

#include "tests/unit/raft/log/fixture.h"

struct look {
    struct fixture f;
    struct raft_inspect_options options;
    FILE *out;
    char *text;
    size_t size;
};

static int make(void **state)
{
    struct look *look = mem_alloc(sizeof *look);
    fixture_init(&look->f, 1);
    look->options = (struct raft_inspect_options){.disk = &look->f.disk, .dir = LOG_DIR, .keys = &look->f.keys};
    look->out = open_memstream(&look->text, &look->size);
    *state = look;
    return fixture_open(&look->f, NULL);
}

static int drop(void **state)
{
    struct look *look = *state;
    fixture_deinit(&look->f);
    fclose(look->out);
    free(look->text);
    free(look);
    return 0;
}

static void assert_says(struct look *look, const char *text)
{
    fflush(look->out);
    if (!strstr(look->text, text))
        fail_msg("\"%s\" is not in:\n%s", text, look->text);
}

/* Flushes that fill @segments segments, closed; a later one has term 5 and a vote. */
static void write_log(struct look *look, uint64_t segments)
{
    struct raft_log_status status;
    uint64_t i = 1;
    do {
        assert_ok(append_range(look->f.log, i, i + 9, 1, &(struct raft_hard_state){1, 1, i}, err));
        assert_ok(raft_log_flush(look->f.log, err));
        raft_log_status(look->f.log, &status);
        i += 10;
    } while (status.segments_count < segments);
    assert_ok(append_range(look->f.log, i, i, 5, &(struct raft_hard_state){5, 3, i}, err));
    assert_ok(fixture_close(&look->f, err));
}

static void a_dump_shows_every_kind_of_record(void **state)
{
    struct look *look = *state;
    struct raft_snapshot meta;
    look->options.with_data = true;
    assert_ok(append_range(look->f.log, 1, 3, 1, &(struct raft_hard_state){1, 0xab, 3}, err));
    assert_ok(write_snapshot(look->f.log, 2, 1, 5, &meta, err));
    assert_ok(raft_log_append_snapshot(look->f.log, &meta, false, err));
    assert_ok(raft_log_append_members(look->f.log, 3, &meta.conf, err));
    assert_fails(raft_inspect_dump(&look->options, look->out, err), ERR_AGAIN, "stop the manager first");
    assert_ok(fixture_close(&look->f, err));
    assert_ok(raft_inspect_dump(&look->options, look->out, err));
    assert_says(look, "term 1 vote ab commit 3");
    assert_says(look, "entries, ");
    assert_says(look, "EntryNormal 17 bytes 656e747279"); /* "entry…" */
    assert_says(look, "snapshot, 72 bytes 2 term 1: voters 1,2,3");
    assert_says(look, "members, 56 bytes as of 3: voters 1,2,3");
    assert_says(look, "snapshot 2 of term 1: whole, 5 bytes");
    assert_says(look, "closed in order");
}

static void what_is_encrypted_is_checked_without_its_key(void **state)
{
    struct look *look = *state;
    struct raft_keys none = {0};
    assert_ok(fixture_close(&look->f, err));
    use_key(&look->f.keys, 1, 1);
    assert_ok(fixture_open(&look->f, err));
    write_log(look, 3);
    look->options.keys = &none;
    assert_ok(raft_inspect_check(&look->options, look->out, err));
    assert_says(look, "their key was not given");
    cleanup_free char *path = segment_path(2);
    assert_true(raft_disk_memory_flip(look->f.memory, path, 8 * 5000));
    assert_fails(raft_inspect_check(&look->options, look->out, err), ERR_CORRUPT, "damaged");
    assert_fails(raft_inspect_repair(&look->options, true, look->out, err), ERR_PERMISSION, "--key-file");
}

static void mending_asks_first_then_cuts_and_keeps_what_it_cut(void **state)
{
    struct look *look = *state;
    struct fixture *f = &look->f;
    struct bytes content;
    write_log(look, 4);
    cleanup_free char *path = segment_path(2), *later = segment_path(3);
    assert_true(raft_disk_memory_flip(f->memory, path, 8 * 9000));
    assert_fails(raft_inspect_check(&look->options, look->out, err), ERR_CORRUPT, "0000000000000002.seg at ");
    assert_fails(raft_inspect_repair(&look->options, false, look->out, err), ERR_PRECONDITION, "nothing was changed");
    assert_true(raft_disk_memory_get(f->memory, later, &content));
    assert_ok(raft_inspect_repair(&look->options, true, look->out, err));
    assert_says(look, "What this means for the quorum");
    assert_says(look, "are gone from it");
    assert_false(raft_disk_memory_get(f->memory, later, &content));
    cleanup_free char *aside = mem_format("%s.cut", later);
    assert_true(raft_disk_memory_get(f->memory, aside, &content));
    assert_ok(raft_inspect_check(&look->options, look->out, err));
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.hard.term, 5); /* read behind the damage: this member does not vote twice in term 5 */
    assert_int_equal(f->state.hard.vote, 3);
    for (uint64_t i = 1; i <= f->state.last_index; i++)
        assert_entry(&f->state, i, 1);
    assert_ok(append_range(f->log, f->state.last_index + 1, f->state.last_index + 1, 6, NULL, err));
    assert_ok(raft_log_flush(f->log, err));
}

static void a_sound_or_torn_log_needs_no_mending(void **state)
{
    struct look *look = *state;
    write_log(look, 2);
    assert_ok(raft_inspect_repair(&look->options, true, look->out, err));
    assert_says(look, "nothing to mend");
}

static void where_the_header_is_damaged_the_segment_before_is_kept(void **state)
{
    struct look *look = *state;
    struct fixture *f = &look->f;
    write_log(look, 3);
    cleanup_free char *second = segment_path(2), *first = segment_path(1);
    assert_true(raft_disk_memory_flip(f->memory, second, 8 * 20));
    assert_ok(raft_inspect_repair(&look->options, true, look->out, err));
    assert_ok(fixture_open(f, err));
    assert_true(f->state.last_index > 50);
    assert_ok(fixture_close(f, err));
    assert_true(raft_disk_memory_flip(f->memory, first, 8 * 20));
    assert_fails(raft_inspect_repair(&look->options, true, look->out, err), ERR_CORRUPT, "nothing could be kept");
}

static void a_directory_without_a_log_is_said_to_be_one(void **state)
{
    struct look *look = *state;
    look->options.dir = "/elsewhere";
    assert_fails(raft_inspect_check(&look->options, look->out, err), ERR_NOT_FOUND, "holds no raft log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
        TEST(a_dump_shows_every_kind_of_record),
        TEST(what_is_encrypted_is_checked_without_its_key),
        TEST(mending_asks_first_then_cuts_and_keeps_what_it_cut),
        TEST(a_sound_or_torn_log_needs_no_mending),
        TEST(where_the_header_is_damaged_the_segment_before_is_kept),
        TEST(a_directory_without_a_log_is_said_to_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
