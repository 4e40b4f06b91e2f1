/* tests/unit/base/test_file_tree_windows.c */
#include <stdlib.h>
#include <uv.h>
#include <windows.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "tests/unit/test.h"

static char dir[] = "skep-test-tree-XXXXXX";

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

static void make_file(const char *path)
{
    assert_ok(file_write_volatile(path, bytes_of_string("x"), 0644, err));
}

/* A link by another name, which needs no privilege. */
static void removing_a_tree_does_not_follow_junctions(void **state)
{
    (void)state;
    skip_on_wine("Wine 8 has no reparse points");
    cleanup_free char *kept = mem_format("%s/kept", dir), *file = mem_format("%s/file", kept), *tree = mem_format("%s/tree", dir);
    cleanup_free char *link = mem_format("%s/a/link", tree), *above = mem_format("%s/a", tree);
    uv_fs_t req;
    assert_ok(file_make_dirs(kept, 0755, err));
    assert_ok(file_make_dirs(above, 0755, err));
    make_file(file);
    cleanup_free wchar_t *wide_kept = wide_path(kept);
    cleanup_free char *whole = utf8_from_wide(wide_kept + strlen("\\\\?\\"));
    int made = uv_fs_symlink(NULL, &req, whole, link, UV_FS_SYMLINK_JUNCTION, NULL);
    uv_fs_req_cleanup(&req);
    assert_int_equal(made, 0);
    assert_true(file_exists(link));
    assert_ok(file_remove_tree(tree, err));
    assert_false(file_exists(tree));
    assert_true(file_exists(file));
}

/* Slices of 40 directories, each moved to the bottom of the next: 1,200 levels. */
static void make_deep(const char *tree)
{
    enum { SLICES = 30, LEVELS = 40 };
    cleanup_free char *last = NULL;
    for (int slice = 0; slice < SLICES; slice++) {
        cleanup_free char *top = mem_format("%s-%d", tree, slice);
        cleanup_buf struct buf path = {0};
        buf_append_string(&path, top);
        for (int level = 0; level < LEVELS; level++)
            buf_append_string(&path, "/a-directory");
        cleanup_free char *bottom = mem_string_n((const char *)path.data, path.size), *goal = mem_format("%s/.removed-0", bottom);
        assert_ok(file_make_dirs(bottom, 0755, err));
        cleanup_free wchar_t *wide_last = wide_path(last ? last : "."), *wide_goal = wide_path(goal);
        if (last)
            assert_true(MoveFileExW(wide_last, wide_goal, 0));
        free(last);
        last = steal(&top);
    }
    cleanup_free wchar_t *wide_last = wide_path(last), *wide_tree = wide_path(tree);
    assert_true(MoveFileExW(wide_last, wide_tree, 0));
}

static void a_tree_deeper_than_any_path_is_removed(void **state)
{
    (void)state;
    cleanup_free char *tree = mem_format("%s/deep", dir);
    make_deep(tree);
    assert_ok(file_remove_tree(tree, err));
    assert_false(file_exists(tree));
}

static void what_is_read_only_is_removed_as_well(void **state)
{
    (void)state;
    cleanup_free char *tree = mem_format("%s/guarded", dir), *file = mem_format("%s/x", tree);
    assert_ok(file_make_dirs(tree, 0755, err));
    make_file(file);
    cleanup_free wchar_t *wide_file = wide_path(file), *wide_tree = wide_path(tree);
    assert_true(SetFileAttributesW(wide_file, FILE_ATTRIBUTE_READONLY));
    assert_true(SetFileAttributesW(wide_tree, FILE_ATTRIBUTE_READONLY));
    assert_ok(file_remove_tree(tree, err));
    assert_false(file_exists(tree));
}

static void a_file_that_is_held_is_named(void **state)
{
    (void)state;
    cleanup_free char *tree = mem_format("%s/held", dir), *file = mem_format("%s/by-another", tree);
    assert_ok(file_make_dirs(tree, 0755, err));
    make_file(file);
    cleanup_free wchar_t *wide = wide_path(file);
    HANDLE held = CreateFileW(wide, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(held != INVALID_HANDLE_VALUE);
    assert_fails(file_remove_tree(tree, err), ERR_AGAIN, "by-another");
    CloseHandle(held);
    assert_ok(file_remove_tree(tree, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removing_a_tree_does_not_follow_junctions),
        cmocka_unit_test(a_tree_deeper_than_any_path_is_removed),
        cmocka_unit_test(what_is_read_only_is_removed_as_well),
        cmocka_unit_test(a_file_that_is_held_is_named),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
