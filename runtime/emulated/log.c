/* runtime/emulated/log.c – the output of emulated systems: `echo` with words wrote one line when it started, everything else is silent. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/emulated/emulated.h"

int emulated_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                      struct hcs_log **out, struct error *err)
{
    struct emulated *host = emulated_of(hcs);
    struct emulated_system *system = emulated_find(host, id);
    struct emulated_log *log;

    if (!system)
        return error_set(err, ERR_NOT_FOUND, "No such container: %s", id);
    if (!system->document.log.is_kept)
        return error_set(err, ERR_UNSUPPORTED, "configured logging driver does not support reading");
    log = mem_alloc(sizeof *log);
    log->base.ops = hcs->ops;
    log->host = host;
    log->is_new = true;
    log->id = mem_string(id);
    log->options = *options;
    log->sink = *sink;
    log->next = host->logs;
    host->logs = log;
    *out = &log->base;
    return 0;
}

void emulated_log_pause(struct hcs_log *log, bool is_paused)
{
    ((struct emulated_log *)log)->is_paused = is_paused;
}

/* Freed by the next step: it may be one of its own callbacks that closes it. */
void emulated_log_close(struct hcs_log *log)
{
    ((struct emulated_log *)log)->is_closed = true;
}

static void show_line(struct emulated_log *log, const struct emulated_system *system)
{
    const struct document_strings *args = &system->document.process.args;
    struct hcs_log_entry entry = {.stream = HCS_STDOUT, .wall_ns = system->started_wall_ns};
    cleanup_buf struct buf line = {0};

    if (strcmp(args->items[0], "echo") != 0 || !log->options.wants_stdout || log->options.tail == 0 ||
        entry.wall_ns < log->options.since_wall_ns || (log->options.until_wall_ns && entry.wall_ns > log->options.until_wall_ns))
        return;
    for (size_t i = 1; i < args->count; i++) {
        buf_append_string(&line, i > 1 ? " " : "");
        buf_append_string(&line, args->items[i]);
    }
    buf_append_string(&line, "\n");
    entry.text = buf_bytes(&line);
    log->sink.on_entry(log->sink.ctx, &entry);
}

static void log_step(struct emulated_log *log)
{
    struct emulated_system *system = emulated_find(log->host, log->id);

    log->is_new = false;
    if (system && system->started_wall_ns && !log->is_shown) {
        log->is_shown = true;
        show_line(log, system);
        if (log->is_closed)
            return;
    }
    if (system && log->options.follow && system->state != HCS_STOPPED)
        return;
    log->is_shown = true;
    log->is_ended = true;
    log->sink.on_end(log->sink.ctx, NULL);
}

void emulated_logs_step(struct emulated *host)
{
    for (struct emulated_log *log = host->logs; log; log = log->next)
        if (!log->is_paused && !log->is_ended && !log->is_closed)
            log_step(log);
    for (struct emulated_log **place = &host->logs; *place;) {
        struct emulated_log *log = *place;
        if (!log->is_closed) {
            place = &log->next;
            continue;
        }
        *place = log->next;
        free(log->id);
        free(log);
    }
}

void emulated_logs_free(struct emulated *host)
{
    struct emulated_log *log;

    while ((log = host->logs) != NULL) {
        host->logs = log->next;
        free(log->id);
        free(log);
    }
}
