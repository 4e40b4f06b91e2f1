/* runtime/linux/spawn.c – see spawn.h. */
#include "runtime/linux/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/linux/environment.h"

enum { PASSED_FD = 3 };

static void reset_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(attr, &none); /* libuv's worker threads block everything */
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int launch(const char *const *argv, const char *dir, int passed_fd, const char *variable, pid_t *pid)
{
    const char *env[] = {environment_path(), variable, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int result;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    reset_signals(&attr);
    posix_spawn_file_actions_addchdir_np(&actions, dir);
    posix_spawn_file_actions_adddup2(&actions, passed_fd, PASSED_FD);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    result = posix_spawnp(pid, argv[0], &actions, &attr, (char *const *)argv, (char *const *)env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

int spawn_daemon(const char *const *argv, const char *dir, int passed_fd, const char *variable, uint32_t timeout_ms, int stop_fd,
                 int *exit_code, struct error *err)
{
    pid_t pid = 0;
    int result = launch(argv, dir, passed_fd, variable, &pid), status = 0, pid_fd;
    bool in_time = true, is_wanted = true;

    if (result == ENOENT || result == EACCES)
        return error_set(err, ERR_NOT_FOUND, "%s is not installed on this host, or not in PATH", argv[0]);
    if (result != 0)
        return error_set_uv(err, -result, "run %s", argv[0]);
    pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pid_fd >= 0) {
        struct pollfd polled[2] = {{pid_fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
        in_time = poll(polled, 2, (int)timeout_ms) != 0;
        is_wanted = polled[0].revents || !polled[1].revents;
        close(pid_fd);
    }
    if (!in_time || !is_wanted)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!is_wanted)
        return error_set(err, ERR_CANCELED, "%s: given up before it ended", argv[0]);
    if (!in_time)
        return error_set(err, ERR_DEADLINE, "%s did not end within %u ms", argv[0], timeout_ms);
    *exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 0;
}
