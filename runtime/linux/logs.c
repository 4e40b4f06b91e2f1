/* runtime/linux/logs.c – rotation of systems' logs, by renaming and conmon's control pipe. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"
#include "runtime/log_reader.h"

#define CONMON_REOPEN_LOGS "2 0 0\n" /* conmon's ctl pipe: message type 2 */

static void log_failure(const struct linux_system *s, const char *why)
{
    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its log could not be rotated: %s", why);
}

/* Rename it if it is there (@is_there), and have conmon open a new one. */
static void rotate(const struct linux_system *s, bool is_there)
{
    cleanup_free char *control = mem_format("%s/bundle/ctl", s->run_dir);
    struct error err = {0};
    int fd = open(control, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0 && is_there && log_reader_rotate(s->log_path, s->document.log.max_files, &err) < 0)
        log_failure(s, err.message);
    else if (fd < 0 || write(fd, CONMON_REOPEN_LOGS, strlen(CONMON_REOPEN_LOGS)) < 0)
        log_failure(s, strerror(errno));
    if (fd >= 0)
        close(fd);
}

void linux_logs_rotate(struct linux_host *host)
{
    for (struct linux_system *s = linux_first(host); s; s = s->base.hh.next) {
        struct stat st;
        if (s->base.state != HCS_RUNNING || !s->document.log.is_kept)
            continue;
        if (stat(s->log_path, &st) == 0) {
            if (st.st_size > s->document.log.max_size_bytes)
                rotate(s, true);
        } else if (errno == ENOENT) { /* renamed by a daemon that was killed before it said so to conmon */
            rotate(s, false);
        }
    }
}
