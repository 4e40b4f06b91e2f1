/* runtime/linux/conmon.c – see conmon.h. */
#include "runtime/linux/conmon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/linux/spawn.h"

enum { FORK_TIMEOUT_MS = 10000, CREATE_TIMEOUT_MS = 40000, ANSWER_BYTES = 32 * 1024, ARGUMENTS = 48 };

struct arguments {
    const char **items;
    size_t count;
};

static void add(struct arguments *a, const char *flag, const char *value)
{
    a->items[a->count++] = flag;
    if (value)
        a->items[a->count++] = value;
}

const char *const *conmon_arguments(const struct linux_system *s, const char *crun, struct arena *arena)
{
    const struct linux_host *h = s->host;
    struct arguments a = {arena_alloc(arena, ARGUMENTS * sizeof *a.items), 0};

    add(&a, h->conmon_path, NULL);
    add(&a, "--api-version", "1");
    add(&a, "--full-attach", NULL);
    add(&a, "--no-sync-log", NULL);
    add(&a, "--no-new-keyring", NULL);
    add(&a, "-c", s->id);
    add(&a, "-u", s->id);
    add(&a, "-r", crun);
    add(&a, "-b", arena_format(arena, "%s/bundle", s->run_dir));
    add(&a, "-p", arena_format(arena, "%s/pid", s->run_dir));
    add(&a, "-P", arena_format(arena, "%s/" CONMON_PID_FILE, s->run_dir));
    add(&a, "--exit-dir", arena_format(arena, "%s/" CONMON_EXIT_DIR, s->run_dir));
    add(&a, "-l", s->document.log.is_kept ? arena_format(arena, "k8s-file:%s", s->log_path) : "none:");
    add(&a, "--runtime-arg", arena_format(arena, "--root=%s", h->crun_root));
    add(&a, "--runtime-arg", "--cgroup-manager=cgroupfs");
    if (s->document.process.has_tty)
        add(&a, "-t", NULL);
    if (s->document.process.has_stdin)
        add(&a, "-i", NULL);
    a.items[a.count] = NULL;
    return a.items;
}

static int fork_conmon(const struct linux_system *s, int sync_fd, struct error *err)
{
    cleanup_free char *crun = sealed_program_path(s->host->crun);
    cleanup_arena struct arena arena = {0};
    const char *bundle = arena_format(&arena, "%s/bundle", s->run_dir);
    int exit_code = 0;

    if (spawn_daemon(conmon_arguments(s, crun, &arena), bundle, sync_fd, "_OCI_SYNCPIPE=3", FORK_TIMEOUT_MS, s->stop_fd, &exit_code, err) <
        0)
        return err->code;
    return exit_code ? error_set(err, ERR_PEER, "conmon ended with exit code %d before it started crun", exit_code) : 0;
}

static int wait_for_answer(int fd, int stop_fd, struct buf *answer, struct error *err)
{
    struct clock clock = clock_system();
    uint64_t deadline = clock_monotonic_ns(&clock) + CREATE_TIMEOUT_MS * NS_PER_MS, now;
    char chunk[4096];

    while ((now = clock_monotonic_ns(&clock)) < deadline && answer->size < ANSWER_BYTES) {
        struct pollfd polled[2] = {{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
        ssize_t n = poll(polled, 2, (int)((deadline - now) / NS_PER_MS) + 1);
        if (n > 0 && polled[1].revents)
            return error_set(err, ERR_CANCELED, "given up while crun made the container");
        if (n <= 0)
            continue;
        n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno != EINTR)
            return error_set_uv(err, -errno, "read conmon's answer");
        if (n == 0)
            return error_set(err, ERR_PEER, "conmon ended without an answer");
        buf_append(answer, chunk, (size_t)(n > 0 ? n : 0));
        if (answer->size > 0 && memchr(answer->data, '\n', answer->size))
            return 0;
    }
    return error_set(err, ERR_DEADLINE, "crun create did not end within %d ms", CREATE_TIMEOUT_MS);
}

int conmon_read_answer(struct bytes text, pid_t *out, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    cleanup_free char *message = NULL;
    int64_t pid;
    size_t length;

    if (json_parse(text, ANSWER_BYTES + 4096, &json, err) < 0)
        return error_wrap(err, "conmon's answer");
    pid = json_int(json, "data", -1);
    if (pid > 0 && pid <= INT32_MAX) {
        *out = (pid_t)pid;
        return 0;
    }
    message = mem_string(json_string(json, "message", "no message"));
    length = strlen(message);
    while (length > 0 && message[length - 1] == '\n')
        message[--length] = '\0';
    return error_set(err, ERR_PEER, "%s", message);
}

static int take_answer(struct bytes text, struct linux_run *run, struct error *err)
{
    pid_t pid = 0;
    int result;

    if (conmon_read_answer(text, &pid, err) < 0)
        return err->code;
    result = linux_pid_look_up(pid, &run->init);
    if (result == ERR_NOT_FOUND)
        return error_set(err, ERR_PEER, "the container ended before it was started");
    return result < 0 ? error_set(err, result, "cannot look at the container's process %d", (int)pid) : 0;
}

int conmon_launch(const struct linux_system *s, struct linux_run *run, struct error *err)
{
    cleanup_free char *exit_dir = mem_format("%s/" CONMON_EXIT_DIR, s->run_dir), *pid_file = mem_format("%s/" CONMON_PID_FILE, s->run_dir);
    cleanup_buf struct buf answer = {0};
    int sync_pipe[2], result;

    if (s->host->missing)
        return error_set(err, ERR_NOT_FOUND, "%s", s->host->missing);
    if (file_make_dirs(exit_dir, 0700, err) < 0)
        return err->code;
    if (pipe2(sync_pipe, O_CLOEXEC) < 0)
        return error_set_uv(err, -errno, "make a pipe");
    result = fork_conmon(s, sync_pipe[1], err);
    close(sync_pipe[1]);
    linux_pid_find(pid_file, &run->conmon);
    if (result == 0)
        result = wait_for_answer(sync_pipe[0], s->stop_fd, &answer, err);
    close(sync_pipe[0]);
    return result < 0 ? result : take_answer(buf_bytes(&answer), run, err);
}
