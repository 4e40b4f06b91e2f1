/* tests/unit/runtime/linux/test_process.c – a process that cannot be begun; those that can are tests/e2e/test_runtime.py's. */
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-process-XXXXXX";

static void on_created(void *ctx, struct hcs_process *process, const struct error *err)
{
    struct error *out = ctx;
    assert_null(process);
    *out = *err;
}

static void a_spawn_that_fails_leaves_no_handle_behind(void **state)
{
    uv_loop_t loop;
    char missing[] = "/nonexistent/crun";
    struct linux_host host = {
        .base.loop = &loop, .crun_path = missing, .crun_root = dir, .run_dir = dir, .state_dir = dir, .last_capability = 40};
    cleanup_json cJSON *parameters = cJSON_Parse("{\"CommandArgs\":[\"true\"]}");
    struct linux_system *s;

    (void)state;
    assert_non_null(mkdtemp(dir));
    uv_loop_init(&loop);
    s = linux_system_new(&host, "c1");
    s->base.is_made = true;
    s->base.state = HCS_RUNNING;
    s->document.hostname = s->document.process.user = "";
    s->document.process.working_dir = "/";
    assert_ok(file_make_dirs(s->run_dir, 0700, err));
    {
        cleanup_free char *root = mem_format("%s/rootfs", s->run_dir);
        assert_ok(file_make_dirs(root, 0700, err));
    }
    for (int i = 0; i < 3; i++) { /* the second walks over what the first left in the loop */
        struct error said = {0};
        linux_process_create(&host.base.hcs, "c1", parameters, 100, on_created, &said);
        while (host.base.open_handles > 0)
            uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(said.code, ERR_NOT_FOUND);
        assert_int_equal(host.process_count, 0);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    HASH_DEL(host.base.systems, &s->base);
    linux_system_free(s);
    assert_ok(file_remove_tree(dir, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spawn_that_fails_leaves_no_handle_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
