/* tests/unit/base/test_file_replace_windows.c */
#include <stdlib.h>
#include <uv.h>
#include <windows.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "tests/unit/test.h"

static char dir[] = "skep-test-replace-XXXXXX";

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

static void a_file_that_is_read_is_replaced(void **state)
{
    (void)state;
    skip_on_wine("Wine 8 cannot rename over a file that is open");
    cleanup_free char *path = mem_format("%s/read", dir);
    assert_ok(file_write(path, bytes_of_string("old"), 0644, err));
    uv_fs_t req;
    int file = uv_fs_open(NULL, &req, path, UV_FS_O_RDONLY, 0, NULL);
    uv_fs_req_cleanup(&req);
    assert_true(file >= 0);
    char text[4] = "";
    uv_buf_t room = uv_buf_init(text, 3);
    assert_ok(file_write(path, bytes_of_string("new"), 0644, err));
    assert_int_equal(uv_fs_read(NULL, &req, file, &room, 1, 0, NULL), 3);
    uv_fs_req_cleanup(&req);
    uv_fs_close(NULL, &req, file, NULL);
    uv_fs_req_cleanup(&req);
    assert_string_equal(text, "old");
    cleanup_buf struct buf content = {0};
    assert_ok(file_read(path, 100, &content, err));
    assert_string_equal((char *)content.data, "new");
}

static void one_that_nobody_may_delete_stays_as_it_was(void **state)
{
    (void)state;
    cleanup_free char *path = mem_format("%s/held", dir);
    cleanup_free wchar_t *wide = wide_path(path);
    assert_ok(file_write(path, bytes_of_string("old"), 0644, err));
    HANDLE held = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(held != INVALID_HANDLE_VALUE);
    struct error why = {0};
    assert_true(file_write(path, bytes_of_string("new"), 0644, &why) < 0);
    assert_non_null(strstr(why.message, "held"));
    CloseHandle(held);
    cleanup_buf struct buf content = {0};
    assert_ok(file_read(path, 100, &content, err));
    assert_string_equal((char *)content.data, "old");
    assert_ok(file_write(path, bytes_of_string("new"), 0644, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_read_is_replaced),
        cmocka_unit_test(one_that_nobody_may_delete_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
