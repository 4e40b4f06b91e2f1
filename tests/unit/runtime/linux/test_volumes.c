/* tests/unit/runtime/linux/test_volumes.c */
#include "runtime/linux/volumes.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

struct fixture {
    char dir[40], root[64];
    struct linux_host host;
    struct linux_system system;
    struct document_mount mount;
    struct bundle_mount out;
    struct arena arena;
};

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    cleanup_free char *data = NULL, *file = NULL;

    *state = f;
    snprintf(f->dir, sizeof f->dir, "/tmp/skep-volumes-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->root, sizeof f->root, "%s/root", f->dir);
    data = mem_format("%s/data", f->root);
    file = mem_format("%s/from-image", data);
    assert_ok(file_make_dirs(data, 0750, err));
    assert_ok(file_write_volatile(file, bytes_of_string("image\n"), 0640, err));
    f->host.state_dir = mem_format("%s/state", f->dir);
    f->system.host = &f->host;
    f->system.dir = mem_format("%s/c1", f->dir);
    f->system.stop_fd = -1;
    f->system.document.mounts = &f->mount;
    f->system.document.mount_count = 1;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_ok(file_remove_tree(f->dir, err));
    arena_deinit(&f->arena);
    free(f->host.state_dir);
    free(f->system.dir);
    free(f);
    return 0;
}

static int prepare(struct fixture *f, struct error *err)
{
    return volumes_prepare(&f->system, f->root, &f->arena, &f->out, err);
}

static bool has(const struct fixture *f, const char *name)
{
    cleanup_free char *path = mem_format("%s/%s", f->out.source, name);

    return file_exists(path);
}

static void a_named_volume_begins_with_what_the_image_has(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *want = mem_format("%s/volumes/named/_data", f->host.state_dir), *labels = NULL, *file = NULL;
    struct document_pair label = {"a", "b"};

    f->mount = (struct document_mount){.type = MOUNT_VOLUME, .source = "named", .target = "/data", .volume_labels = {&label, 1}};
    assert_ok(prepare(f, err));
    assert_string_equal(f->out.source, want);
    assert_true(has(f, "from-image"));
    labels = mem_format("%s/volumes/named/labels.json", f->host.state_dir);
    assert_true(file_exists(labels));
    file = mem_format("%s/from-image", f->out.source);
    assert_ok(file_remove(file, err)); /* a volume that was used keeps what it has, be it less */
    file[strlen(file) - 1] = 'X';
    assert_ok(file_write_volatile(file, bytes_of_string(""), 0600, err));
    assert_ok(prepare(f, err));
    assert_false(has(f, "from-image"));
}

static void a_copy_that_was_cut_off_is_begun_anew(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = mem_string(getenv("PATH")), *bin = mem_format("%s/bin", f->dir), *cp = mem_format("%s/cp", bin),
                      *half = mem_format("%s:%s", bin, path);

    assert_ok(file_make_dirs(bin, 0755, err)); /* a cp that gets as far as one file */
    assert_ok(file_write_volatile(cp, bytes_of_string("#!/bin/sh\nfor last; do :; done\ntouch $last/half\nexit 1\n"), 0755, err));
    f->mount = (struct document_mount){.type = MOUNT_VOLUME, .source = "named", .target = "/data"};
    setenv("PATH", half, 1);
    assert_fails(prepare(f, err), ERR_IO, "copy the image's /data into its volume");
    setenv("PATH", path, 1);
    assert_false(has(f, "half"));
    assert_ok(prepare(f, err));
    assert_true(has(f, "from-image"));
    assert_false(has(f, "half"));
}

static void a_copy_that_was_whole_is_moved_in(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *copied = mem_format("%s/volumes/named/copied", f->host.state_dir), *rest = mem_format("%s/rest", copied),
                      *data = mem_format("%s/volumes/named/_data", f->host.state_dir), *moved = mem_format("%s/moved", data),
                      *both = mem_format("%s/both", data), *other = mem_format("%s/both", copied);
    cleanup_buf struct buf content = {0};
    struct stat st;

    assert_ok(file_make_dirs(copied, 0750, err)); /* as one leaves it that was killed while it moved */
    assert_ok(file_make_dirs(data, 0755, err));
    assert_ok(file_write_volatile(rest, bytes_of_string("x"), 0600, err));
    assert_ok(file_write_volatile(moved, bytes_of_string("x"), 0600, err));
    assert_ok(file_write_volatile(both, bytes_of_string("kept"), 0600, err));
    assert_ok(file_write_volatile(other, bytes_of_string("lost"), 0600, err));
    f->mount = (struct document_mount){.type = MOUNT_VOLUME, .source = "named", .target = "/data"};
    assert_ok(prepare(f, err));
    assert_true(has(f, "rest") && has(f, "moved"));
    assert_false(has(f, "from-image"));
    assert_false(file_exists(copied));
    assert_ok(file_read(both, 10, &content, err));
    assert_string_equal((char *)content.data, "kept");
    assert_int_equal(stat(data, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
}

static void an_anonymous_one_goes_with_its_system(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *want = mem_format("%s/volumes/0/_data", f->system.dir);

    f->mount = (struct document_mount){.type = MOUNT_VOLUME, .source = "", .target = "/data", .no_copy = true};
    assert_ok(prepare(f, err));
    assert_string_equal(f->out.source, want);
    assert_false(has(f, "from-image"));
}

static void a_target_that_leads_out_of_the_image_copies_nothing_of_the_host(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *link = mem_format("%s/out", f->root), *secret = mem_format("%s/secret", f->dir),
                      *file = mem_format("%s/key", secret);

    assert_ok(file_make_dirs(secret, 0700, err));
    assert_ok(file_write_volatile(file, bytes_of_string("x"), 0600, err));
    assert_int_equal(symlink(secret, link), 0);
    f->mount = (struct document_mount){.type = MOUNT_VOLUME, .source = "v", .target = "/out"};
    assert_ok(prepare(f, err));
    assert_false(has(f, "key"));
}

static void a_bind_source_must_be_there_unless_it_may_be_made(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *source = mem_format("%s/host/deep", f->dir);

    f->mount = (struct document_mount){.type = MOUNT_BIND, .source = source, .target = "/x"};
    assert_fails(prepare(f, err), ERR_NOT_FOUND, "bind mount source, source path not found");
    f->mount.creates_mountpoint = true;
    assert_ok(prepare(f, err));
    assert_true(file_exists(source));
    assert_string_equal(f->out.source, source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_named_volume_begins_with_what_the_image_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_that_was_cut_off_is_begun_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_that_was_whole_is_moved_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_anonymous_one_goes_with_its_system, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_target_that_leads_out_of_the_image_copies_nothing_of_the_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bind_source_must_be_there_unless_it_may_be_made, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
