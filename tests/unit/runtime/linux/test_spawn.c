/* tests/unit/runtime/linux/test_spawn.c */
#include "runtime/linux/spawn.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/test.h"

static int spawn(const char *script, const char *dir, int passed_fd, uint32_t timeout_ms, int stop_fd, int *code, struct error *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    return spawn_daemon(argv, dir, passed_fd, "SKEP_VARIABLE=3", timeout_ms, stop_fd, code, err);
}

static void it_has_its_directory_descriptor_and_variable(void **state)
{
    int fds[2], code = -1;
    char text[64] = "";

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_ok(spawn("echo $PWD $SKEP_VARIABLE >&3; exit 4", "/usr", fds[1], 5000, -1, &code, err));
    assert_int_equal(code, 4);
    assert_true(read(fds[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "/usr 3\n");
    close(fds[0]);
    close(fds[1]);
}

static void a_hang_ends_at_the_deadline_or_when_nobody_waits(void **state)
{
    int stop = eventfd(1, EFD_CLOEXEC), code = 0;

    (void)state;
    assert_fails(spawn("exec sleep 20", "/", 0, 100, -1, &code, err), ERR_DEADLINE, "within 100 ms");
    assert_fails(spawn("exec sleep 20", "/", 0, 20000, stop, &code, err), ERR_CANCELED, "given up");
    close(stop);
}

static void a_program_that_is_missing_is_named(void **state)
{
    const char *const argv[] = {"skep-no-such-program", NULL};
    int code = 0;

    (void)state;
    assert_fails(spawn_daemon(argv, "/", 0, "A=1", 1000, -1, &code, err), ERR_NOT_FOUND, "skep-no-such-program is not installed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_its_directory_descriptor_and_variable),
        cmocka_unit_test(a_hang_ends_at_the_deadline_or_when_nobody_waits),
        cmocka_unit_test(a_program_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
