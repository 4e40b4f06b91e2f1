/* runtime/linux/logs.c – the logs of systems: readers that end with them, and rotation by renaming and conmon's control pipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"
#include "runtime/log_reader.h"

#define CONMON_REOPEN_LOGS "2 0 0\n" /* conmon's ctl pipe: message type 2 */

struct linux_log {
    struct hcs_log base;
    struct linux_host *host;
    struct linux_log *next;
    char *id;
    struct log_reader *log;
};

int linux_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                   struct hcs_log **out, struct error *err)
{
    struct linux_host *host = linux_of(hcs);
    struct linux_system *s = linux_find(host, id);
    struct linux_log *log;

    if (!s || !s->is_made)
        return error_set(err, ERR_NOT_FOUND, "No such container: %s", id);
    if (!s->document.log.is_kept)
        return error_set(err, ERR_UNSUPPORTED, "configured logging driver does not support reading");
    log = mem_alloc(sizeof *log);
    log->base.ops = hcs->ops;
    log->host = host;
    if (log_reader_open(host->loop, s->log_path, options, sink, &log->log, err) < 0) {
        free(log);
        return err->code;
    }
    log->id = mem_string(id);
    log->next = host->logs;
    host->logs = log;
    if (s->state == HCS_STOPPED)
        log_reader_finish(log->log);
    *out = &log->base;
    return 0;
}

void linux_log_pause(struct hcs_log *log, bool is_paused)
{
    log_reader_pause(((struct linux_log *)log)->log, is_paused);
}

static void on_closed(void *ctx)
{
    struct linux_host *host = ctx;

    host->open_handles--;
}

/* One that is in no list any more. */
static void release(struct linux_log *own)
{
    own->host->open_handles++;
    log_reader_close(own->log, on_closed, own->host);
    free(own->id);
    free(own);
}

void linux_log_close(struct hcs_log *log)
{
    struct linux_log *own = (struct linux_log *)log;

    for (struct linux_log **place = &own->host->logs; *place; place = &(*place)->next)
        if (*place == own) {
            *place = own->next;
            break;
        }
    release(own);
}

void linux_logs_drop(struct linux_host *host)
{
    for (struct linux_log *log = steal(&host->logs), *next; log; log = next) {
        next = log->next;
        release(log);
    }
}

void linux_logs_finish(struct linux_host *host, const char *id)
{
    for (struct linux_log *log = host->logs; log; log = log->next)
        if (strcmp(log->id, id) == 0)
            log_reader_finish(log->log);
}

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
    for (struct linux_system *s = host->systems; s; s = s->hh.next) {
        struct stat st;
        if (s->state != HCS_RUNNING || !s->document.log.is_kept)
            continue;
        if (stat(s->log_path, &st) == 0) {
            if (st.st_size > s->document.log.max_size_bytes)
                rotate(s, true);
        } else if (errno == ENOENT) { /* renamed by a daemon that was killed before it said so to conmon */
            rotate(s, false);
        }
    }
}
