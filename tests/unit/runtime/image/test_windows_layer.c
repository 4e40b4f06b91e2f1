/* What skep-image leaves beside the layers of a Windows image, and who imports them reads. */
#include "runtime/image/windows_layer.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static const char dir[] = "windows-layer-test.tmp";

static int set_up(void **state)
{
    (void)state;
    struct error err;
    return file_remove_tree(dir, &err) < 0 || file_make_dirs(dir, 0755, &err) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static void put(const char *name, const char *text)
{
    cleanup_free char *path = mem_format("%s/%s", dir, name);
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct windows_layer_info info = {i & 1 ? WINDOWS_LAYER_CHILD : WINDOWS_LAYER_BASE, i & 2}, read = {WINDOWS_LAYER_BASE, false};
        assert_ok(windows_layer_write(dir, &info, err));
        assert_ok(windows_layer_read(dir, &read, err));
        assert_int_equal(read.kind, info.kind);
        assert_int_equal(read.has_utility_vm, info.has_utility_vm);
    }
}

static void what_is_no_layer_is_told(void **state)
{
    (void)state;
    struct windows_layer_info info;
    assert_fails(windows_layer_read(dir, &info, err), ERR_NOT_FOUND, "layer.json");
    put("layer.json", "{");
    assert_fails(windows_layer_read(dir, &info, err), ERR_CORRUPT, "is damaged");
    put("layer.json", "{\"version\":2,\"kind\":\"base\"}");
    assert_fails(windows_layer_read(dir, &info, err), ERR_VERSION, "has version 2");
    put("layer.json", "{\"version\":1,\"kind\":\"basement\"}");
    assert_fails(windows_layer_read(dir, &info, err), ERR_CORRUPT, "\"basement\"");
}

static int gather(void *ctx, const char *path, const char *target, struct error *err)
{
    struct buf *text = ctx;
    (void)err;
    buf_append_format(text, "%s>%s;", path, target ? target : "");
    return 0;
}

static int gather_path(void *ctx, const char *path, struct error *err)
{
    return gather(ctx, path, NULL, err);
}

static int give_up(void *ctx, const char *path, struct error *err)
{
    (void)ctx;
    return error_set(err, ERR_CANCELED, "at %s", path);
}

static void lists_have_the_paths_of_windows(void **state)
{
    (void)state;
    cleanup_buf struct buf tombstones = {0}, links = {0}, text = {0};
    assert_ok(windows_layer_list_add(&tombstones, "Files/a b/c", NULL, err));
    assert_ok(windows_layer_list_add(&tombstones, "Files/d", NULL, err));
    assert_ok(windows_layer_list_add(&links, "Files/x", "Files/y/z", err));
    assert_string_equal((char *)tombstones.data, "Files\\a b\\c\nFiles\\d\n");
    put(WINDOWS_LAYER_TOMBSTONES, (char *)tombstones.data);
    put(WINDOWS_LAYER_LINKS, (char *)links.data);
    assert_ok(windows_layer_tombstones(dir, gather_path, &text, err));
    assert_ok(windows_layer_links(dir, gather, &text, err));
    assert_string_equal((char *)text.data, "Files\\a b\\c>;Files\\d>;Files\\x>Files\\y\\z;");
    assert_fails(windows_layer_tombstones(dir, give_up, NULL, err), ERR_CANCELED, "at Files\\a b\\c");
}

static void lists_that_are_not_there_are_empty_and_damaged_ones_are_told(void **state)
{
    (void)state;
    cleanup_buf struct buf text = {0};
    assert_ok(windows_layer_tombstones(dir, gather_path, &text, err));
    assert_ok(windows_layer_links(dir, gather, &text, err));
    assert_int_equal(text.size, 0);
    put(WINDOWS_LAYER_TOMBSTONES, "Files\\a");
    assert_fails(windows_layer_tombstones(dir, gather_path, &text, err), ERR_CORRUPT, "last line is not whole");
    put(WINDOWS_LAYER_TOMBSTONES, "Files\\a\tFiles\\b\n");
    assert_fails(windows_layer_tombstones(dir, gather_path, &text, err), ERR_CORRUPT, "tombstones.txt is damaged");
    put(WINDOWS_LAYER_LINKS, "Files\\a\n");
    assert_fails(windows_layer_links(dir, gather, &text, err), ERR_CORRUPT, "links.txt is damaged");
}

static void a_list_has_a_limit(void **state)
{
    (void)state;
    cleanup_buf struct buf list = {0};
    buf_reserve(&list, WINDOWS_LAYER_LIST_BYTES);
    list.size = WINDOWS_LAYER_LIST_BYTES - 5;
    assert_ok(windows_layer_list_add(&list, "1234", NULL, err));
    assert_fails(windows_layer_list_add(&list, "1", NULL, err), ERR_LIMIT, "whiteouts take more than");
    assert_fails(windows_layer_list_add(&list, "1", "2", err), ERR_LIMIT, "hard links take more than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_layer_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_have_the_paths_of_windows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_that_are_not_there_are_empty_and_damaged_ones_are_told, set_up, tear_down),
        cmocka_unit_test(a_list_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
