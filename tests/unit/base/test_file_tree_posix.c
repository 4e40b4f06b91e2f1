/* tests/unit/base/test_file_tree_posix.c: and what base/file.c does with modes. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-test-tree-XXXXXX";

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

static void writing_sets_the_mode(void **state)
{
    (void)state;
    struct stat st;
    cleanup_free char *path = mem_format("%s/key", dir);
    assert_ok(file_write(path, bytes_of_string("x"), 0600, err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void removing_a_tree_does_not_follow_links(void **state)
{
    (void)state;
    cleanup_free char *kept = mem_format("%s/kept", dir);
    cleanup_free char *deep = mem_format("%s/tree/a/b", dir);
    cleanup_free char *tree = mem_format("%s/tree", dir);
    cleanup_free char *link = mem_format("%s/link", deep);
    cleanup_free char *file = mem_format("%s/file", kept);
    assert_ok(file_make_dirs(deep, 0755, err));
    assert_ok(file_make_dirs(kept, 0755, err));
    assert_ok(file_write(file, bytes_of_string("x"), 0644, err));
    uv_fs_t req;
    assert_int_equal(uv_fs_symlink(NULL, &req, kept, link, 0, NULL), 0);
    uv_fs_req_cleanup(&req);
    assert_ok(file_remove_tree(tree, err));
    assert_false(file_exists(tree));
    assert_true(file_exists(file));
    assert_ok(file_remove_tree(tree, err));
    assert_ok(file_remove(tree, err));
}

static void make_deep(const char *path, const char *name, int levels)
{
    int at = open(path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < levels; i++) {
        assert_int_equal(mkdirat(at, name, 0755), 0);
        int next = openat(at, name, O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(at);
        at = next;
        int file = openat(at, "file", O_WRONLY | O_CREAT, 0600);
        assert_true(file >= 0);
        close(file);
    }
    close(at);
}

static void a_tree_deeper_than_any_path_is_removed(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a-directory", ".removed-0",
        "..."}; /* 1,500 of the first are 18,000 bytes, PATH_MAX is 4,096; a process may have 1,024 files open */
    cleanup_free char *tree = mem_format("%s/deep", dir);
    assert_ok(file_make_dirs(tree, 0755, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        make_deep(tree, names[i], 1500);
    assert_ok(file_remove_tree(tree, err));
    assert_false(file_exists(tree));
}

static void what_is_mounted_in_a_tree_stays(void **state)
{
    (void)state;
    cleanup_free char *tree = mem_format("%s/mounted", dir), *point = mem_format("%s/point", tree), *file = mem_format("%s/x", point);
    if (geteuid() != 0)
        skip();
    assert_ok(file_make_dirs(point, 0755, err));
    assert_int_equal(mount("skep", point, "tmpfs", 0, NULL), 0);
    assert_ok(file_write_volatile(file, bytes_of_string("x"), 0644, err));
    assert_fails(file_remove_tree(tree, err), ERR_PRECONDITION, "something is mounted");
    assert_true(file_exists(file));
    assert_int_equal(umount(point), 0);
    assert_ok(file_remove_tree(tree, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_sets_the_mode),
        cmocka_unit_test(removing_a_tree_does_not_follow_links),
        cmocka_unit_test(a_tree_deeper_than_any_path_is_removed),
        cmocka_unit_test(what_is_mounted_in_a_tree_stays),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
