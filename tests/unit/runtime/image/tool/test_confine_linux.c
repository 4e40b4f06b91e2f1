/* tests/unit/runtime/image/tool/test_confine_linux.c – each in a process of its own, as there is no way back. */
#include "runtime/image/tool/confine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-confine-XXXXXX";

/* The code that confine() gives in a child whose standard output is @output. */
static int code_in_child(int output)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct error err = {0};
        dup2(output, STDOUT_FILENO);
        _exit(-confine(dir, true, &err));
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -1000;
}

static void a_child_of_process_1_is_not_taken_for_an_orphan(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int ends[2], status = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t outside = fork();
    if (outside == 0) {
        if (unshare(CLONE_NEWPID) < 0)
            _exit(2);
        pid_t first = fork(); /* process 1 of the new namespace */
        if (first == 0)
            _exit(getpid() == 1 && code_in_child(ends[1]) == 0 ? 0 : 1);
        waitpid(first, &status, 0);
        _exit(WEXITSTATUS(status));
    }
    waitpid(outside, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    close(ends[0]);
    close(ends[1]);
}

static void whoever_started_us_and_is_gone_is_noticed(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    assert_int_equal(code_in_child(ends[1]), ERR_CANCELED);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_of_process_1_is_not_taken_for_an_orphan),
        cmocka_unit_test(whoever_started_us_and_is_gone_is_noticed),
    };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
