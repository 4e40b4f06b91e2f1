/* runtime/linux/pid.c – processes that are not our children. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/linux/linux.h"

enum { STAT_FIELD_STATE = 3, STAT_FIELD_START = 22, ARGUMENTS_BYTES = 64 * 1024 };

static int code_of_failure(int number)
{
    return number == ENOENT || number == ESRCH ? ERR_NOT_FOUND : ERR_IO;
}

/* What /proc/<pid>/<name> says, as a string. */
static int read_proc(pid_t pid, const char *name, char *out, size_t size, size_t *out_length)
{
    char path[64];
    int fd, failed = 0;
    size_t length = 0;
    ssize_t n = 0;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return code_of_failure(errno);
    while (length < size - 1 && (n = read(fd, out + length, size - 1 - length)) > 0)
        length += (size_t)n;
    if (n < 0)
        failed = code_of_failure(errno);
    close(fd);
    out[length] = '\0';
    *out_length = length;
    return failed;
}

int linux_pid_look_up(pid_t pid, struct linux_pid *out)
{
    char text[1024], *field;
    size_t length;
    int failed = read_proc(pid, "stat", text, sizeof text, &length);

    if (failed)
        return failed;
    field = strrchr(text, ')'); /* the name before it may hold anything */
    if (!field || field[1] == '\0')
        return ERR_IO;
    if (field[2] == 'Z' || field[2] == 'X')
        return ERR_NOT_FOUND;
    for (int i = STAT_FIELD_STATE; i < STAT_FIELD_START; i++) {
        field = strchr(field + 2, ' ');
        if (!field)
            return ERR_IO;
        field--;
    }
    out->pid = pid;
    out->start_ticks = strtoull(field + 2, NULL, 10);
    return 0;
}

int linux_pid_open(const struct linux_pid *pid, int *out_fd)
{
    struct linux_pid now;
    int fd, failed;

    if (pid->pid <= 0)
        return ERR_NOT_FOUND;
    fd = (int)syscall(SYS_pidfd_open, pid->pid, 0);
    if (fd < 0)
        return code_of_failure(errno);
    failed = linux_pid_look_up(pid->pid, &now);
    if (failed == 0 && now.start_ticks == pid->start_ticks) {
        *out_fd = fd;
        return 0;
    }
    close(fd);
    return failed ? failed : ERR_NOT_FOUND;
}

int linux_pid_find(const char *path, struct linux_pid *out)
{
    cleanup_free char *text = mem_alloc(ARGUMENTS_BYTES);
    struct linux_pid found;
    size_t length = 0;
    pid_t pid = 0;
    int failed = linux_pid_read_file(path, &pid);

    if (failed == 0)
        failed = linux_pid_look_up(pid, &found);
    if (failed == 0)
        failed = read_proc(pid, "cmdline", text, ARGUMENTS_BYTES, &length);
    if (failed)
        return failed;
    for (const char *word = text; word < text + length; word += strlen(word) + 1)
        if (strcmp(word, path) == 0) {
            *out = found;
            return 0;
        }
    return ERR_NOT_FOUND;
}

int linux_pid_read_file(const char *path, pid_t *out)
{
    cleanup_buf struct buf text = {0};
    struct error err;
    int64_t value;

    if (file_read(path, 64, &text, &err) < 0)
        return err.code;
    while (text.size > 0 && text.data[text.size - 1] == '\n')
        text.data[--text.size] = '\0';
    if (text.size == 0 || text_parse_i64((const char *)text.data, 1, INT32_MAX, &value, &err) < 0)
        return ERR_CORRUPT;
    *out = (pid_t)value;
    return 0;
}

void linux_pid_kill(const struct linux_pid *pid, unsigned wait_ms)
{
    struct pollfd ended = {-1, POLLIN, 0};

    if (linux_pid_open(pid, &ended.fd) < 0)
        return;
    syscall(SYS_pidfd_send_signal, ended.fd, SIGKILL, NULL, 0);
    poll(&ended, 1, (int)wait_ms);
    close(ended.fd);
}

void linux_pid_kill_in(const char *dir)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc)) != NULL) {
        char path[64], target[PATH_MAX];
        int pid = (int)strtol(entry->d_name, NULL, 10);
        ssize_t length;
        if (pid <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/%d/cwd", pid);
        length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        if (strcmp(target, dir) == 0)
            kill(pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}
