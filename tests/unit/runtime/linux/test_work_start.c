/* tests/unit/runtime/linux/test_work_start.c – how an end is written down; starts are tests/e2e/test_runtime.py's. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/linux/conmon.h"
#include "runtime/linux/linux.h"
#include "tests/unit/test.h"

struct fixture {
    char dir[40], cgroup[40];
    struct linux_host host;
    struct linux_system *system;
    struct linux_op op;
    char *exit_file;
};

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    cleanup_free char *exit_dir = NULL;

    *state = f;
    snprintf(f->dir, sizeof f->dir, "/tmp/skep-work-start-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->cgroup, sizeof f->cgroup, "/skep-unit-%d", (int)getpid());
    f->host = (struct linux_host){.state_dir = f->dir, .run_dir = f->dir, .crun_root = f->dir, .cgroup_parent = f->cgroup};
    f->host.clock = clock_system();
    f->host.run_dir = mem_format("%s/run", f->dir);
    f->system = linux_system_new(&f->host, "c1");
    f->system->document.network.mode = NETWORK_HOST;
    exit_dir = mem_format("%s/" CONMON_EXIT_DIR, f->system->run_dir);
    f->exit_file = mem_format("%s/c1", exit_dir);
    assert_ok(file_make_dirs(exit_dir, 0700, err));
    assert_ok(file_write_volatile(f->exit_file, bytes_of_string("7"), 0600, err));
    f->op = (struct linux_op){.base.host = &f->host.base, .base.system = &f->system->base};
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    HASH_DEL(f->host.base.systems, &f->system->base);
    linux_system_free(f->system);
    assert_ok(file_remove_tree(f->dir, err));
    free(f->host.run_dir);
    free(f->op.outcome.error);
    free(f->exit_file);
    free(f);
    return 0;
}

static void the_exit_code_is_kept_until_it_is_written_down(void **state)
{
    struct fixture *f = *state;

    linux_work_release(&f->op); /* there is no directory for the record */
    assert_int_not_equal(f->op.base.err.code, 0);
    assert_true(file_exists(f->exit_file));
    f->op.base.err = (struct error){0};
    assert_ok(file_make_dirs(f->system->dir, 0700, err));
    linux_work_release(&f->op);
    assert_int_equal(f->op.base.err.code, 0);
    assert_false(file_exists(f->system->run_dir));

    struct linux_system read = {.host = &f->host, .dir = f->system->dir};
    enum linux_phase phase = LINUX_CREATED;
    bool is_of_this_boot;
    assert_ok(linux_record_read(&read, &phase, &is_of_this_boot, err));
    assert_int_equal(phase, LINUX_STOPPED);
    assert_int_equal(read.outcome.exit_code, 7);
    assert_null(read.outcome.error);
}

static void an_end_is_the_operations_until_the_loop_takes_it(void **state)
{
    struct fixture *f = *state;

    assert_ok(file_make_dirs(f->system->dir, 0700, err));
    linux_work_release(&f->op);
    assert_int_equal(f->op.outcome.exit_code, 7);
    assert_int_equal(f->system->outcome.exit_code, 0);
    assert_true(f->system->outcome.finished_wall_ns == 0);
    linux_take_outcome(f->system, &f->op);
    assert_int_equal(f->system->outcome.exit_code, 7);
    assert_true(f->system->outcome.finished_wall_ns > 0);
}

static void a_supervisor_that_left_no_code_was_killed(void **state)
{
    struct fixture *f = *state;

    assert_ok(file_make_dirs(f->system->dir, 0700, err));
    assert_ok(file_remove(f->exit_file, err));
    linux_work_release(&f->op);
    assert_int_equal(f->op.outcome.exit_code, 137);
    assert_non_null(strstr(f->op.outcome.error, "its supervisor (conmon) was killed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_exit_code_is_kept_until_it_is_written_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_is_the_operations_until_the_loop_takes_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_supervisor_that_left_no_code_was_killed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
