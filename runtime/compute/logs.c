/* runtime/compute/logs.c – readers of systems' logs, which end with them. The files and their rotation are the back end's. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/compute/compute.h"
#include "runtime/log_reader.h"

struct compute_log {
    struct hcs_log base;
    struct compute_host *host;
    struct compute_log *next;
    char *id;
    struct log_reader *reader;
};

int compute_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                     struct hcs_log **out, struct error *err)
{
    struct compute_host *host = (struct compute_host *)hcs;
    struct compute_system *s = compute_find(host, id);
    cleanup_arena struct arena arena = {0};
    struct hcs_properties properties;
    struct log_reader *reader;
    struct compute_log *log;

    if (!s || !s->is_made)
        return error_set(err, ERR_NOT_FOUND, "No such container: %s", id);
    host->ops->properties(s, &arena, &properties);
    if (!properties.log_path)
        return error_set(err, ERR_UNSUPPORTED, "configured logging driver does not support reading");
    if (log_reader_open(host->loop, properties.log_path, options, sink, &reader, err) < 0)
        return err->code;
    log = mem_alloc(sizeof *log);
    log->base.ops = hcs->ops;
    log->host = host;
    log->reader = reader;
    log->id = mem_string(id);
    log->next = host->logs;
    host->logs = log;
    if (s->state == HCS_STOPPED)
        log_reader_finish(reader);
    *out = &log->base;
    return 0;
}

void compute_log_pause(struct hcs_log *log, bool is_paused)
{
    log_reader_pause(((struct compute_log *)log)->reader, is_paused);
}

static void on_closed(void *ctx)
{
    struct compute_host *host = ctx;

    host->open_handles--;
}

/* One that is in no list any more. */
static void release(struct compute_log *log)
{
    log->host->open_handles++;
    log_reader_close(log->reader, on_closed, log->host);
    free(log->id);
    free(log);
}

void compute_log_close(struct hcs_log *hcs_log)
{
    struct compute_log *log = (struct compute_log *)hcs_log, **place = &log->host->logs;

    while (*place != log)
        place = &(*place)->next;
    *place = log->next;
    release(log);
}

void compute_logs_drop(struct compute_host *host)
{
    for (struct compute_log *log = steal(&host->logs), *next; log; log = next) {
        next = log->next;
        release(log);
    }
}

void compute_logs_finish(struct compute_host *host, const char *id)
{
    for (struct compute_log *log = host->logs; log; log = log->next)
        if (strcmp(log->id, id) == 0)
            log_reader_finish(log->reader);
}
