/* tests/unit/runtime/linux/test_sealed_program.c */
#include "runtime/linux/sealed_program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/linux/command.h"
#include "tests/unit/test.h"

static char *dir, *script;

static int set_up(void **state)
{
    (void)state;
    char name[] = "/tmp/skep-sealed-XXXXXX";
    dir = mem_string(mkdtemp(name));
    script = mem_format("%s/program", dir);
    return 0;
}

static int tear_down(void **state)
{
    struct error err;
    (void)state;
    int failed = file_remove_tree(dir, &err);
    free(dir);
    free(script);
    return failed;
}

static void write_script(const char *text)
{
    assert_ok(file_write(script, bytes_of_string(text), 0755, err));
}

static int run(struct sealed_program *program)
{
    cleanup_free char *path = sealed_program_path(program);
    const char *const argv[] = {path, NULL};
    return command_run(argv, bytes_of(NULL, 0), 5000, NULL, NULL);
}

static void a_copy_runs_and_cannot_be_written(void **state)
{
    (void)state;
    write_script("#!/bin/sh\nexit 7\n");
    struct sealed_program *program = sealed_program_new(script);
    cleanup_free char *path = sealed_program_path(program);
    assert_string_not_equal(path, script);
    assert_int_equal(run(program), 7);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd < 0 || write(fd, "x", 1) < 0);
    if (fd >= 0)
        close(fd);
    sealed_program_free(program);
}

static void a_program_that_was_replaced_is_copied_anew_at_the_same_path(void **state)
{
    (void)state;
    write_script("#!/bin/sh\nexit 1\n");
    struct sealed_program *program = sealed_program_new(script);
    cleanup_free char *before = sealed_program_path(program);
    write_script("#!/bin/sh\nexit 23\n");
    cleanup_free char *after = sealed_program_path(program);
    assert_string_equal(before, after);
    assert_int_equal(run(program), 23);
    sealed_program_free(program);
}

static void a_program_that_is_missing_keeps_its_name(void **state)
{
    (void)state;
    struct sealed_program *program = sealed_program_new("/nowhere/crun");
    cleanup_free char *path = sealed_program_path(program);
    assert_string_equal(path, "/nowhere/crun");
    sealed_program_free(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_runs_and_cannot_be_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_that_was_replaced_is_copied_anew_at_the_same_path, set_up, tear_down),
        cmocka_unit_test(a_program_that_is_missing_keeps_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
