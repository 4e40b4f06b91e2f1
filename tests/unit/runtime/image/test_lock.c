/* tests/unit/runtime/image/test_lock.c */
#include "runtime/image/lock.h"

#include <stdlib.h>
#include <uv.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static char dir[] = "skep-test-lock-XXXXXX";

static int make_dir(void **state)
{
    uv_fs_t req;
    (void)state;
    int made = uv_fs_mkdtemp(NULL, &req, dir, NULL);
    if (made == 0)
        memcpy(dir, req.path, sizeof dir);
    uv_fs_req_cleanup(&req);
    cleanup_free char *locks = mem_format("%s/locks", dir);
    return made < 0 ? made : file_make_dirs(locks, 0700, NULL);
}

static int drop_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static void one_that_is_exclusive_lets_in_nobody(void **state)
{
    (void)state;
    cleanup_image_lock struct image_lock first = {0}, second = {0};
    assert_ok(image_lock_take(&first, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err));
    assert_fails(image_lock_take(&second, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err), ERR_AGAIN, "a is held by another process");
    assert_fails(image_lock_take(&second, dir, "a", IMAGE_LOCK_SHARED, false, err), ERR_AGAIN, "is held");
    assert_ok(image_lock_take(&second, dir, "b", IMAGE_LOCK_EXCLUSIVE, false, err));
    image_lock_drop(&second);
    image_lock_drop(&first);
    assert_ok(image_lock_take(&second, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err));
}

static void those_that_share_keep_out_who_does_not(void **state)
{
    (void)state;
    cleanup_image_lock struct image_lock first = {0}, second = {0}, third = {0};
    assert_ok(image_lock_take(&first, dir, "a", IMAGE_LOCK_SHARED, false, err));
    assert_ok(image_lock_take(&second, dir, "a", IMAGE_LOCK_SHARED, false, err));
    assert_fails(image_lock_take(&third, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err), ERR_AGAIN, "is held");
    image_lock_drop(&first);
    image_lock_drop(&second);
    assert_ok(image_lock_take(&third, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err));
}

static void taking_it_again_changes_its_kind(void **state)
{
    (void)state;
    cleanup_image_lock struct image_lock first = {0}, second = {0};
    assert_ok(image_lock_take(&first, dir, "a", IMAGE_LOCK_SHARED, false, err));
    assert_ok(image_lock_take(&first, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err));
    assert_fails(image_lock_take(&second, dir, "a", IMAGE_LOCK_SHARED, false, err), ERR_AGAIN, "is held");
    assert_ok(image_lock_take(&first, dir, "a", IMAGE_LOCK_SHARED, false, err));
    assert_ok(image_lock_take(&second, dir, "a", IMAGE_LOCK_SHARED, false, err));
    assert_fails(image_lock_take(&first, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err), ERR_AGAIN, "is held");
    assert_false(first.is_held);
}

struct waiter {
    struct image_lock lock;
    uv_sem_t is_asking;
    int result;
};

static void wait_for_it(void *ctx)
{
    struct waiter *waiter = ctx;
    uv_sem_post(&waiter->is_asking);
    waiter->result = image_lock_take(&waiter->lock, dir, "a", IMAGE_LOCK_EXCLUSIVE, true, NULL);
}

static void who_waits_gets_a_file_that_is_there_though_it_was_removed(void **state)
{
    (void)state;
    cleanup_free char *path = mem_format("%s/locks/a", dir);
    cleanup_image_lock struct image_lock first = {0}, other = {0};
    struct waiter waiter = {.result = 1};
    uv_thread_t thread;
    assert_ok(image_lock_take(&first, dir, "a", IMAGE_LOCK_EXCLUSIVE, false, err));
    uv_sem_init(&waiter.is_asking, 0);
    assert_int_equal(uv_thread_create(&thread, wait_for_it, &waiter), 0);
    uv_sem_wait(&waiter.is_asking);
    uv_sleep(20); /* most likely it waits by now; if not, less is tested */
    assert_ok(file_remove(path, err));
    image_lock_drop(&first);
    uv_thread_join(&thread);
    uv_sem_destroy(&waiter.is_asking);
    assert_int_equal(waiter.result, 0);
    assert_true(file_exists(path));
    assert_fails(image_lock_take(&other, dir, "a", IMAGE_LOCK_SHARED, false, err), ERR_AGAIN, "is held");
    image_lock_drop(&waiter.lock);
}

static void a_missing_directory_is_named(void **state)
{
    (void)state;
    struct image_lock lock = {0};
    assert_fails(image_lock_take(&lock, "/nonexistent", "a", IMAGE_LOCK_SHARED, false, err), ERR_NOT_FOUND, "/nonexistent/locks/a");
    assert_false(lock.is_held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_exclusive_lets_in_nobody), cmocka_unit_test(those_that_share_keep_out_who_does_not),
        cmocka_unit_test(taking_it_again_changes_its_kind),     cmocka_unit_test(who_waits_gets_a_file_that_is_there_though_it_was_removed),
        cmocka_unit_test(a_missing_directory_is_named),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
