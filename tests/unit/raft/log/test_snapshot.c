/* tests/unit/raft/log/test_snapshot.c – an image comes back as it was, from any offset, or is called broken. */
#include "raft/log/snapshot.h"

#include "tests/unit/raft/log/fixture.h"

static void write_and_compare(struct fixture *f, size_t size)
{
    struct raft_snapshot meta;
    struct raft_snapshot_reader *reader;
    struct bytes part;
    assert_ok(write_snapshot(f->log, 5 + size, 2, size, &meta, err));
    assert_ok(raft_snapshot_reader_open(raft_log_snapshots(f->log), 5 + size, 2, &reader, err));
    assert_int_equal(raft_snapshot_reader_size(reader), size);
    assert_int_equal(raft_snapshot_reader_meta(reader)->conf.voters.count, 3);
    assert_ok(raft_snapshot_reader_verify(reader, err));
    for (uint64_t offset = size / 3; offset < size; offset += part.size) { /* as a resumed transfer */
        assert_ok(raft_snapshot_reader_read(reader, offset, &part, err));
        assert_true(part.size > 0);
        for (size_t i = 0; i < part.size; i += 97)
            assert_int_equal(part.data[i], (uint8_t)((offset + i) * 7 + 5 + size));
    }
    assert_ok(raft_snapshot_reader_read(reader, size, &part, err));
    assert_int_equal(part.size, 0);
    raft_snapshot_reader_close(reader);
}

static void images_of_any_size_come_back_from_any_offset(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, RAFT_SNAPSHOT_CHUNK_BYTES - 1, RAFT_SNAPSHOT_CHUNK_BYTES, RAFT_SNAPSHOT_CHUNK_BYTES + 1, 3 * RAFT_SNAPSHOT_CHUNK_BYTES};
    for (int keyed = 0; keyed < 2; keyed++) {
        struct fixture f;
        fixture_init(&f, 3);
        if (keyed)
            use_key(&f.keys, 4, 9);
        assert_ok(fixture_open(&f, err));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            write_and_compare(&f, sizes[i]);
        fixture_deinit(&f);
    }
}

static void damage_anywhere_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct raft_snapshot meta;
    struct raft_snapshot_reader *reader;
    struct bytes content;
    fixture_init(&f, 3);
    assert_ok(fixture_open(&f, err));
    assert_ok(write_snapshot(f.log, 9, 2, 300, &meta, err));
    cleanup_free char *path = raft_snapshot_path(LOG_DIR, 9, 2);
    assert_true(raft_disk_memory_get(f.memory, path, &content));
    for (uint64_t bit = 0; bit < 8 * content.size; bit++) {
        assert_true(raft_disk_memory_flip(f.memory, path, bit));
        struct error err = {0};
        int failed = raft_snapshot_reader_open(raft_log_snapshots(f.log), 9, 2, &reader, &err);
        if (failed == 0) {
            failed = raft_snapshot_reader_verify(reader, &err);
            raft_snapshot_reader_close(reader);
        }
        if (failed == 0)
            fail_msg("bit %llu changed and nobody noticed", (unsigned long long)bit);
        assert_true(failed == ERR_CORRUPT || failed == ERR_PERMISSION);
        assert_true(raft_disk_memory_flip(f.memory, path, bit));
    }
    uint8_t *copy = mem_copy(content.data, content.size);
    size_t whole = content.size;
    for (size_t size = 0; size < whole; size++) {
        raft_disk_memory_put(f.memory, path, bytes_of(copy, size));
        assert_fails(raft_snapshot_reader_open(raft_log_snapshots(f.log), 9, 2, &reader, err), ERR_CORRUPT, "damaged");
    }
    free(copy);
    fixture_deinit(&f);
}

static void what_was_not_finished_leaves_no_file(void **state)
{
    (void)state;
    struct fixture f;
    struct raft_snapshot meta = {.index = 3, .term = 1};
    struct raft_snapshot_writer *writer;
    struct raft_names names;
    fixture_init(&f, 3);
    assert_ok(fixture_open(&f, err));
    assert_ok(raft_snapshot_writer_open(raft_log_snapshots(f.log), &meta, &writer, err));
    assert_ok(raft_snapshot_writer_add(writer, bytes_of_string("half"), err));
    assert_int_equal(raft_snapshot_writer_size(writer), 4);
    raft_snapshot_writer_abandon(writer);
    raft_disk_memory_set_capacity(f.memory, raft_disk_memory_used(f.memory));
    assert_fails(write_snapshot(f.log, 9, 2, 300000, &meta, err), ERR_NO_SPACE, ".tmp");
    assert_ok(raft_disk_list(&f.disk, LOG_DIR, &names, err));
    for (size_t i = 0; i < names.count; i++)
        assert_null(strstr(names.items[i], "snap"));
    raft_names_deinit(&names);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_any_size_come_back_from_any_offset),
        cmocka_unit_test(damage_anywhere_is_found),
        cmocka_unit_test(what_was_not_finished_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
