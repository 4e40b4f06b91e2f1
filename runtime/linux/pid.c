/* runtime/linux/pid.c – processes that are not our children. */
#include <dirent.h>
#include <errno.h>
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

enum { STAT_FIELD_STATE = 3, STAT_FIELD_START = 22 };

bool linux_pid_look_up(pid_t pid, struct linux_pid *out)
{
    cleanup_free char *path = mem_format("/proc/%d/stat", (int)pid);
    char text[1024];
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    char *field;

    if (file)
        fclose(file);
    text[n] = '\0';
    field = strrchr(text, ')'); /* the name before it may hold anything */
    if (!field || field[1] == '\0' || field[2] == 'Z' || field[2] == 'X')
        return false;
    for (int i = STAT_FIELD_STATE; i < STAT_FIELD_START; i++) {
        field = strchr(field + 2, ' ');
        if (!field)
            return false;
        field--;
    }
    out->pid = pid;
    out->start_ticks = strtoull(field + 2, NULL, 10);
    return true;
}

int linux_pid_open(const struct linux_pid *pid)
{
    struct linux_pid now;
    int fd = pid->pid > 0 ? (int)syscall(SYS_pidfd_open, pid->pid, 0) : -1;

    if (fd < 0)
        return -1;
    if (linux_pid_look_up(pid->pid, &now) && now.start_ticks == pid->start_ticks)
        return fd;
    close(fd);
    return -1;
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
    struct pollfd ended = {linux_pid_open(pid), POLLIN, 0};

    if (ended.fd < 0)
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
