/* tests/unit/runtime/linux/test_command.c */
#include "runtime/linux/command.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/test.h"

static int run(const char *line, const char *input, unsigned timeout_ms, struct buf *output, struct error *err)
{
    const char *const argv[] = {"sh", "-c", line, NULL};
    return command_run(argv, bytes_of_string(input), timeout_ms, output, err);
}

static void input_goes_in_and_both_outputs_come_out(void **state)
{
    (void)state;
    cleanup_buf struct buf output = {0};
    assert_int_equal(run("cat; echo err >&2; exit 3", "in\n", 5000, &output, NULL), 3);
    assert_string_equal((char *)output.data, "in\nerr\n");
}

static void more_than_a_pipe_holds_goes_both_ways(void **state)
{
    (void)state;
    cleanup_buf struct buf input = {0}, output = {0};
    for (int i = 0; i < 30000; i++)
        buf_append_string(&input, "0123456789\n");
    const char *const argv[] = {"sh", "-c", "cat; exit 0", NULL};
    assert_int_equal(command_run(argv, buf_bytes(&input), 5000, &output, NULL), 0);
    assert_in_range(output.size, COMMAND_OUTPUT_BYTES, COMMAND_OUTPUT_BYTES + 4096);
    assert_memory_equal(output.data, input.data, COMMAND_OUTPUT_BYTES);
}

static void a_signal_a_hang_and_a_missing_program_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(run("kill -9 $$", "", 5000, NULL, NULL), 137);
    assert_fails(run("exec sleep 20", "", 100, NULL, err), ERR_DEADLINE, "within 100 ms");
    const char *const missing[] = {"skep-no-such-program", NULL};
    assert_fails(command_run(missing, bytes_of(NULL, 0), 100, NULL, err), ERR_NOT_FOUND, "skep-no-such-program");
}

static void what_nobody_waits_for_any_more_is_killed(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "exec sleep 20", NULL}, *const closed[] = {"sh", "-c", "exec sleep 20 >&- 2>&-", NULL};
    int stop = eventfd(1, EFD_CLOEXEC);
    assert_fails(command_run_until(argv, bytes_of(NULL, 0), 20000, stop, NULL, err), ERR_CANCELED, "given up");
    assert_fails(command_must_until(closed, bytes_of(NULL, 0), 20000, stop, err), ERR_CANCELED, "given up");
    close(stop);
}

static void nothing_of_our_environment_but_the_path_goes_in(void **state)
{
    (void)state;
    cleanup_buf struct buf output = {0};
    setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    assert_int_equal(run("echo ${NOTIFY_SOCKET-none}; test \"$PATH\" && echo path", "", 5000, &output, NULL), 0);
    unsetenv("NOTIFY_SOCKET");
    assert_string_equal((char *)output.data, "none\npath\n");
}

static void must_names_the_last_line(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "echo first; echo why >&2; exit 2", NULL};
    assert_fails(command_must(argv, bytes_of(NULL, 0), 5000, err), ERR_IO, "exit code 2: why");
    const char *const good[] = {"true", NULL};
    assert_ok(command_must(good, bytes_of(NULL, 0), 5000, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_goes_in_and_both_outputs_come_out),
        cmocka_unit_test(more_than_a_pipe_holds_goes_both_ways),
        cmocka_unit_test(a_signal_a_hang_and_a_missing_program_are_told_apart),
        cmocka_unit_test(what_nobody_waits_for_any_more_is_killed),
        cmocka_unit_test(nothing_of_our_environment_but_the_path_goes_in),
        cmocka_unit_test(must_names_the_last_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
