/* agent/log_source_hcs.c – see log_source_hcs.h. */
#include "agent/log_source_hcs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "runtime/hcs.h"

struct log_source_hcs {
    struct hcs *hcs;
    struct log_source_tasks tasks;
};

struct queued {
    struct queued *next;
    int64_t wall_ns;
    enum log_stream stream;
    size_t size;
    uint8_t data[];
};

/* Entries from @first on wait to be read; @current was given out and lives until the next read. */
struct reader {
    struct hcs_log *log;
    struct queued *first, *last, *current;
    size_t queued_bytes;
    bool is_paused, is_waiting, has_ended;
    struct error end; /* code 0: the log came to its end */
    void (*on_ready)(void *ctx);
    void *ctx;
};

static void wake(struct reader *reader)
{
    if (!reader->is_waiting)
        return;
    reader->is_waiting = false;
    reader->on_ready(reader->ctx);
}

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    struct reader *reader = ctx;
    struct queued *queued = mem_alloc(sizeof *queued + entry->text.size);
    queued->wall_ns = entry->wall_ns;
    queued->stream = entry->stream == HCS_STDERR ? LOG_STREAM_STDERR : LOG_STREAM_STDOUT;
    queued->size = entry->text.size;
    if (entry->text.size > 0)
        memcpy(queued->data, entry->text.data, entry->text.size);
    if (reader->last)
        reader->last->next = queued;
    else
        reader->first = queued;
    reader->last = queued;
    reader->queued_bytes += queued->size;
    if (reader->queued_bytes > LOG_SOURCE_QUEUE_BYTES && !reader->is_paused) {
        reader->is_paused = true;
        hcs_log_pause(reader->log, true);
    }
    wake(reader);
}

static void on_end(void *ctx, const struct error *err)
{
    struct reader *reader = ctx;
    reader->has_ended = true;
    if (err)
        reader->end = *err;
    wake(reader);
}

static void each_task(void *self, void (*each)(void *ctx, const struct log_task *task), void *ctx)
{
    struct log_source_hcs *source = self;
    source->tasks.each(source->tasks.self, each, ctx);
}

static int open_reader(void *self, const char *task_id, const struct log_read_options *options, void (*on_ready)(void *ctx), void *ctx,
                       void **out, struct error *err)
{
    struct log_source_hcs *source = self;
    const char *system_id = source->tasks.system_id(source->tasks.self, task_id);
    if (system_id == NULL)
        return error_set(err, ERR_NOT_FOUND, "task %s has no container", task_id);

    struct reader *reader = mem_alloc(sizeof *reader);
    reader->on_ready = on_ready;
    reader->ctx = ctx;
    struct hcs_log_options wanted = {
        .wants_stdout = options->want_stdout,
        .wants_stderr = options->want_stderr,
        .follow = options->follow,
        .tail = options->tail_lines,
        .since_wall_ns = options->since_wall_ns == INT64_MIN ? 0 : options->since_wall_ns,
    };
    struct hcs_log_sink sink = {on_entry, on_end, reader};
    if (hcs_log_open(source->hcs, system_id, &wanted, &sink, &reader->log, err) < 0) {
        free(reader);
        return err->code;
    }
    *out = reader;
    return 0;
}

static int read_entry(void *self, void *reader_handle, struct log_entry *entry, struct error *err)
{
    (void)self;
    struct reader *reader = reader_handle;
    free(reader->current);
    reader->current = reader->first;
    if (reader->current == NULL) {
        if (reader->has_ended && reader->end.code != 0) {
            *err = reader->end;
            return err->code;
        }
        reader->is_waiting = !reader->has_ended;
        return reader->has_ended ? LOG_READ_END : LOG_READ_WAIT;
    }
    reader->first = reader->current->next;
    if (reader->first == NULL)
        reader->last = NULL;
    reader->queued_bytes -= reader->current->size;
    *entry = (struct log_entry){.wall_ns = reader->current->wall_ns,
                                .stream = reader->current->stream,
                                .data = bytes_of(reader->current->data, reader->current->size)};
    if (reader->is_paused && reader->queued_bytes <= LOG_SOURCE_QUEUE_BYTES / 2) {
        reader->is_paused = false;
        hcs_log_pause(reader->log, false);
    }
    return LOG_READ_ENTRY;
}

static void close_reader(void *self, void *reader_handle)
{
    (void)self;
    struct reader *reader = reader_handle;
    hcs_log_close(reader->log);
    free(reader->current);
    for (struct queued *queued = reader->first, *next; queued; queued = next) {
        next = queued->next;
        free(queued);
    }
    free(reader);
}

struct log_source_hcs *log_source_hcs_new(struct hcs *hcs, const struct log_source_tasks *tasks)
{
    struct log_source_hcs *source = mem_alloc(sizeof *source);
    *source = (struct log_source_hcs){hcs, *tasks};
    return source;
}

void log_source_hcs_free(struct log_source_hcs *source)
{
    free(source);
}

struct log_source log_source_hcs_table(struct log_source_hcs *source)
{
    return (struct log_source){each_task, open_reader, read_entry, close_reader, source};
}
