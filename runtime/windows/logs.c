/* runtime/windows/logs.c – readers of systems' logs, which end with them. The files and their rotation are the keeper's. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/log_reader.h"
#include "runtime/windows/host.h"

struct windows_log {
    struct hcs_log base;
    struct windows_host *host;
    struct windows_log *next;
    char *id;
    struct log_reader *log;
};

int windows_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                     struct hcs_log **out, struct error *err)
{
    struct windows_host *host = windows_of(hcs);
    struct windows_system *s = windows_find(host, id);
    struct windows_log *log;

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

void windows_log_pause(struct hcs_log *log, bool is_paused)
{
    log_reader_pause(((struct windows_log *)log)->log, is_paused);
}

static void on_closed(void *ctx)
{
    struct windows_host *host = ctx;

    host->open_handles--;
}

/* One that is in no list any more. */
static void release(struct windows_log *own)
{
    own->host->open_handles++;
    log_reader_close(own->log, on_closed, own->host);
    free(own->id);
    free(own);
}

void windows_log_close(struct hcs_log *log)
{
    struct windows_log *own = (struct windows_log *)log;

    for (struct windows_log **place = &own->host->logs; *place; place = &(*place)->next)
        if (*place == own) {
            *place = own->next;
            break;
        }
    release(own);
}

void windows_logs_drop(struct windows_host *host)
{
    for (struct windows_log *log = steal(&host->logs), *next; log; log = next) {
        next = log->next;
        release(log);
    }
}

void windows_logs_finish(struct windows_host *host, const char *id)
{
    for (struct windows_log *log = host->logs; log; log = log->next)
        if (strcmp(log->id, id) == 0)
            log_reader_finish(log->log);
}
