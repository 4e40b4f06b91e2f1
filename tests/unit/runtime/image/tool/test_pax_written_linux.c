/* pax.h beside libarchive, over an archive that libarchive wrote. Its writer is not built for Windows. */
#include <locale.h>

#include "tests/unit/runtime/image/tool/archives.h"
#include "tests/unit/test.h"

static int count(void *ctx, struct archive_entry *entry, const struct windows_meta *meta, struct error *err)
{
    size_t *entries = ctx;
    (void)entry, (void)meta, (void)err;
    ++*entries;
    return 0;
}

static void an_archive_of_another_writer_is_walked_alike(void **state)
{
    (void)state;
    static char room[1 << 20];
    size_t used = 0;
    struct archive *archive = archive_write_new();
    archive_write_set_format_pax(archive);
    archive_write_set_bytes_in_last_block(archive, 1);
    assert_int_equal(archive_write_open_memory(archive, room, sizeof room, &used), ARCHIVE_OK);
    for (int i = 0; i < 50; i++) {
        struct archive_entry *entry = archive_entry_new();
        cleanup_free char *name = mem_format("Files/%0*d\xC3\xA9", i * 5 + 1, i);
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, i % 5 == 0 ? AE_IFDIR : AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, i % 5 == 0 ? 0 : i * 37);
        archive_entry_xattr_add_entry(entry, "user.x", "value", 5);
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        for (int k = 0; i % 5 != 0 && k < i * 37; k++)
            archive_write_data(archive, "y", 1);
        archive_entry_free(entry);
    }
    archive_write_close(archive);
    archive_write_free(archive);
    for (size_t piece = 1; piece < sizeof room; piece *= 3) {
        size_t entries = 0;
        assert_ok(read_both(bytes_of(room, used), piece, count, &entries, err));
        assert_int_equal(entries, 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_archive_of_another_writer_is_walked_alike)};
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
