/* tests/unit/base/test_file.c */
#include "base/file.h"

#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-test-file-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    uv_fs_t req;
    int made = uv_fs_mkdtemp(NULL, &req, dir, NULL);
    if (made == 0)
        memcpy(dir, req.path, sizeof dir);
    uv_fs_req_cleanup(&req);
    return made;
}

static int drop_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static void writing_replaces_the_whole_content(void **state)
{
    (void)state;
    cleanup_free char *path = mem_format("%s/key", dir);
    assert_ok(file_write(path, bytes_of_string("a longer first content"), 0600, err));
    assert_ok(file_write(path, bytes_of_string("second"), 0600, err));
    cleanup_buf struct buf content = {0};
    assert_ok(file_read(path, 100, &content, err));
    assert_string_equal((char *)content.data, "second");
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
    (void)state;
    cleanup_free char *path = mem_format("%s/as-dir", dir);
    cleanup_free char *inside = mem_format("%s/x", path);
    assert_ok(file_make_dirs(inside, 0755, err));
    struct error why = {0};
    int failed = file_write(path, bytes_of_string("x"), 0600, &why);
    assert_true(failed == ERR_IO || failed == ERR_PERMISSION); /* as the system calls it */
    assert_non_null(strstr(why.message, "as-dir"));
    uv_fs_t req;
    uv_dirent_t entry;
    uv_fs_scandir(NULL, &req, dir, 0, NULL);
    while (uv_fs_scandir_next(&req, &entry) != UV_EOF)
        assert_null(strstr(entry.name, ".tmp"));
    uv_fs_req_cleanup(&req);
}

static void reading_is_bounded_and_names_the_path(void **state)
{
    (void)state;
    cleanup_free char *path = mem_format("%s/large", dir);
    cleanup_buf struct buf large = {0}, content = {0};
    for (int i = 0; i < 100000; i++)
        buf_append_string(&large, "x");
    assert_ok(file_write_volatile(path, buf_bytes(&large), 0644, err));
    assert_fails(file_read(path, 99999, &content, err), ERR_LIMIT, "large");
    buf_clear(&content);
    assert_ok(file_read(path, 100000, &content, err));
    assert_int_equal(content.size, 100000);
    assert_fails(file_read("/nonexistent/x", 10, &content, err), ERR_NOT_FOUND, "/nonexistent/x");
}

static void a_wide_tree_is_removed_whole(void **state)
{
    (void)state;
    cleanup_free char *tree = mem_format("%s/wide", dir);
    for (int i = 0; i < 3000; i++) {
        cleanup_free char *inner = mem_format("%s/%d", tree, i), *file = mem_format("%s/x", inner);
        assert_ok(file_make_dirs(inner, 0755, err));
        if (i % 3 == 0)
            assert_ok(file_write_volatile(file, bytes_of_string("x"), 0644, err));
    }
    assert_ok(file_remove_tree(tree, err));
    assert_false(file_exists(tree));
    assert_ok(file_remove_tree(tree, err));
    assert_ok(file_remove(tree, err));
}

static void what_stands_beside_the_program_is_found(void **state)
{
    (void)state;
    cleanup_free char *own = file_beside_program("unit_base_file"), *windows_own = mem_format("%s.exe", own);
    assert_true(file_exists(own) || file_exists(windows_own));
}

static void renaming_moves(void **state)
{
    (void)state;
    cleanup_free char *from = mem_format("%s/from", dir);
    cleanup_free char *to = mem_format("%s/to", dir);
    assert_ok(file_write(from, bytes_of_string("x"), 0644, err));
    assert_ok(file_rename(from, to, err));
    assert_false(file_exists(from));
    assert_fails(file_rename(from, to, err), ERR_NOT_FOUND, "from");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_replaces_the_whole_content),      cmocka_unit_test(a_failed_write_leaves_nothing_behind),
        cmocka_unit_test(reading_is_bounded_and_names_the_path),   cmocka_unit_test(a_wide_tree_is_removed_whole),
        cmocka_unit_test(what_stands_beside_the_program_is_found), cmocka_unit_test(renaming_moves),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
