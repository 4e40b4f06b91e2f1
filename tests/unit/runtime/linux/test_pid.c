/* tests/unit/runtime/linux/test_pid.c */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"
#include "tests/unit/test.h"

static pid_t sleep_in(const char *dir)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (dir && chdir(dir) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    return pid;
}

static void a_process_is_known_by_its_start_too(void **state)
{
    struct linux_pid self, other;
    int fd;

    (void)state;
    assert_int_equal(linux_pid_look_up(getpid(), &self), 0);
    assert_true(self.start_ticks > 0);
    assert_int_equal(linux_pid_open(&self, &fd), 0);
    close(fd);
    other = (struct linux_pid){self.pid, self.start_ticks + 1};
    assert_int_equal(linux_pid_open(&other, &fd), ERR_NOT_FOUND);
    assert_int_equal(linux_pid_open(&(struct linux_pid){0, 0}, &fd), ERR_NOT_FOUND);
}

static void without_descriptors_nobody_is_taken_for_ended(void **state)
{
    struct linux_pid self, found;
    struct rlimit limit, none;
    int fd, looked_up, opened;

    (void)state;
    assert_int_equal(linux_pid_look_up(getpid(), &self), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    looked_up = linux_pid_look_up(getpid(), &found);
    opened = linux_pid_open(&self, &fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(looked_up, ERR_IO);
    assert_int_equal(opened, ERR_IO);
}

static void a_pid_file_counts_for_the_process_that_was_given_it(void **state)
{
    char path[] = "/tmp/skep-pid-XXXXXX";
    cleanup_free char *text = NULL;
    struct linux_pid found = {0};
    pid_t child;

    (void)state;
    close(mkstemp(path));
    child = fork();
    if (child == 0) {
        execlp("sh", "sh", "-c", "kill -STOP $$", "-P", path, NULL);
        _exit(1);
    }
    text = mem_format("%d\n", (int)child);
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
    for (int i = 0; i < 500 && linux_pid_find(path, &found) < 0; i++) /* until it is what it becomes */
        usleep(10000);
    assert_int_equal(found.pid, child);
    found = (struct linux_pid){0};
    free(text);
    text = mem_format("%d\n", (int)getpid());
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
    assert_int_equal(linux_pid_find(path, &found), ERR_NOT_FOUND);
    assert_int_equal(found.pid, 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    unlink(path);
}

static void kill_waits_for_the_end_and_spares_a_successor(void **state)
{
    struct linux_pid child, impostor;
    int status = 0;

    (void)state;
    assert_int_equal(linux_pid_look_up(sleep_in(NULL), &child), 0);
    impostor = (struct linux_pid){child.pid, child.start_ticks + 1};
    linux_pid_kill(&impostor, 100);
    assert_int_equal(waitpid(child.pid, &status, WNOHANG), 0);
    linux_pid_kill(&child, 5000);
    assert_int_equal(waitpid(child.pid, &status, WNOHANG), child.pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(linux_pid_look_up(child.pid, &child), ERR_NOT_FOUND);
}

static void all_in_a_directory_are_killed_and_nobody_else(void **state)
{
    char dir[] = "/tmp/skep-pid-XXXXXX";
    pid_t in, out;
    int status = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    in = sleep_in(dir);
    out = sleep_in("/");
    for (int i = 0; i < 500 && waitpid(in, &status, WNOHANG) == 0; i++) { /* until it is there */
        linux_pid_kill_in(dir);
        usleep(10000);
    }
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(waitpid(out, &status, WNOHANG), 0);
    kill(out, SIGKILL);
    waitpid(out, &status, 0);
    rmdir(dir);
}

static void a_pid_file_holds_a_number(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {{"42", 0}, {"42\n", 0}, {"", ERR_CORRUPT}, {"x", ERR_CORRUPT}, {"-1", ERR_CORRUPT}, {"99999999999", ERR_CORRUPT}};
    char path[] = "/tmp/skep-pid-XXXXXX";
    pid_t pid = 0;

    (void)state;
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(file_write_volatile(path, bytes_of_string(cases[i].text), 0600, err));
        assert_int_equal(linux_pid_read_file(path, &pid), cases[i].code);
        assert_int_equal(pid, 42);
    }
    unlink(path);
    assert_int_equal(linux_pid_read_file(path, &pid), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_known_by_its_start_too),
        cmocka_unit_test(without_descriptors_nobody_is_taken_for_ended),
        cmocka_unit_test(a_pid_file_counts_for_the_process_that_was_given_it),
        cmocka_unit_test(kill_waits_for_the_end_and_spares_a_successor),
        cmocka_unit_test(all_in_a_directory_are_killed_and_nobody_else),
        cmocka_unit_test(a_pid_file_holds_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
