/* runtime/linux/command.c – see command.h. posix_spawn, not fork: the daemon may be large and has threads. */
#include "runtime/linux/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "runtime/linux/environment.h"

struct pipes {
    int in[2], out[2];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int open_pipes(struct pipes *pipes)
{
    if (pipe2(pipes->in, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(pipes->out, O_CLOEXEC) < 0) {
        int failed = -errno;
        close_fd(&pipes->in[0]);
        close_fd(&pipes->in[1]);
        return failed;
    }
    fcntl(pipes->in[1], F_SETFL, O_NONBLOCK);
    fcntl(pipes->out[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static int spawn(const char *const *argv, const struct pipes *pipes, pid_t *pid)
{
    const char *const environment[] = {environment_path(), NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes->in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, pipes->out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, pipes->out[1], 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -failed;
}

static void feed(int *fd, struct bytes *input)
{
    ssize_t wrote = input->size > 0 ? write(*fd, input->data, input->size) : 0;
    if (wrote > 0)
        *input = bytes_of(input->data + wrote, input->size - (size_t)wrote);
    if (input->size == 0 || (wrote < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(fd);
}

static void drain(int *fd, struct buf *output)
{
    char piece[4096];
    ssize_t size = read(*fd, piece, sizeof piece);
    if (size > 0 && output && output->size < COMMAND_OUTPUT_BYTES)
        buf_append(output, piece, (size_t)size);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(fd);
}

/* Move bytes until both ends are closed, time is up, or nobody wants it any more. A child that leaves a grandchild with our pipe is given
 * up at the deadline too. */
static bool exchange(struct pipes *pipes, struct bytes input, uint64_t deadline_ns, int stop_fd, struct buf *output)
{
    if (input.size == 0)
        close_fd(&pipes->in[1]);
    while (pipes->in[1] >= 0 || pipes->out[0] >= 0) {
        uint64_t now_ns = uv_hrtime();
        if (now_ns >= deadline_ns)
            return false;
        struct pollfd polled[3] = {{pipes->out[0], POLLIN, 0}, {pipes->in[1], POLLOUT, 0}, {stop_fd, POLLIN, 0}};
        if ((poll(polled, 3, (int)((deadline_ns - now_ns) / 1000000 + 1)) < 0 && errno != EINTR) || polled[2].revents)
            return false;
        if (polled[0].revents)
            drain(&pipes->out[0], output);
        if (polled[1].revents)
            feed(&pipes->in[1], &input);
    }
    return true;
}

/* waitpid with a deadline, through a pidfd. False: it had to be killed. */
static bool wait_for(pid_t pid, uint64_t deadline_ns, int stop_fd, int *status)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool in_time = true;
    if (pidfd >= 0) {
        uint64_t now_ns = uv_hrtime();
        struct pollfd polled[2] = {{pidfd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
        int left_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / 1000000 + 1) : 0;
        int ready;
        while ((ready = poll(polled, 2, left_ms)) < 0 && errno == EINTR)
            ;
        in_time = ready > 0 && polled[0].revents;
        close(pidfd);
    }
    if (!in_time)
        kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return in_time;
}

static bool is_readable(int fd)
{
    struct pollfd polled = {fd, POLLIN, 0};
    return fd >= 0 && poll(&polled, 1, 0) > 0;
}

int command_run_until(const char *const *argv, struct bytes input, unsigned timeout_ms, int stop_fd, struct buf *output, struct error *err)
{
    struct pipes pipes;
    int failed = open_pipes(&pipes);
    if (failed < 0)
        return error_set_uv(err, failed, "run %s", argv[0]);
    pid_t pid = 0;
    failed = spawn(argv, &pipes, &pid);
    close_fd(&pipes.in[0]);
    close_fd(&pipes.out[1]);
    if (failed < 0) {
        close_fd(&pipes.in[1]);
        close_fd(&pipes.out[0]);
        return error_set_uv(err, failed, "run %s", argv[0]);
    }
    uint64_t deadline_ns = uv_hrtime() + (uint64_t)timeout_ms * 1000000;
    exchange(&pipes, input, deadline_ns, stop_fd, output);
    close_fd(&pipes.in[1]);
    close_fd(&pipes.out[0]);
    int status = 0;
    if (!wait_for(pid, deadline_ns, stop_fd, &status))
        return is_readable(stop_fd) ? error_set(err, ERR_CANCELED, "%s: given up before it ended", argv[0])
                                    : error_set(err, ERR_DEADLINE, "%s: did not end within %u ms", argv[0], timeout_ms);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int command_run(const char *const *argv, struct bytes input, unsigned timeout_ms, struct buf *output, struct error *err)
{
    return command_run_until(argv, input, timeout_ms, -1, output, err);
}

/* The line that says what went wrong: the first that calls itself an error, else the last. Cuts the output up. */
static const char *telling_line(struct buf *output)
{
    char *text = (char *)output->data, *last = NULL, *rest = NULL;
    for (char *line = text ? strtok_r(text, "\r\n", &rest) : NULL; line; line = strtok_r(NULL, "\r\n", &rest)) {
        if (strstr(line, "rror:"))
            return line;
        last = line;
    }
    return last ? last : "no output";
}

int command_must_until(const char *const *argv, struct bytes input, unsigned timeout_ms, int stop_fd, struct error *err)
{
    cleanup_buf struct buf output = {0};
    int code = command_run_until(argv, input, timeout_ms, stop_fd, &output, err);
    if (code <= 0)
        return code;
    return error_set(err, ERR_IO, "%s: exit code %d: %s", argv[0], code, telling_line(&output));
}

int command_must(const char *const *argv, struct bytes input, unsigned timeout_ms, struct error *err)
{
    return command_must_until(argv, input, timeout_ms, -1, err);
}
