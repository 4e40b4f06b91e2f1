/* runtime/log_reader.c – see log_reader.h. */
#include "runtime/log_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/container_log.h"

enum { STEP_BYTES = 64 * 1024, ROTATED_MAX = 100, NO_FILE = -1 };

struct log_reader {
    uv_loop_t *loop;
    char *path;
    struct hcs_log_options options;
    struct hcs_log_sink sink;
    uv_fs_event_t watch;
    uv_timer_t step;
    uv_file file;
    uint64_t inode;
    int64_t offset, tail; /* @tail lines wanted of what is there at the beginning; below 0: all */
    struct container_log records;
    struct buf pending; /* read and not yet taken, where the reader of the entries paused */
    bool is_started, is_paused, is_finished, is_ended, is_closed, is_stepping, saw_successor;
    unsigned handles;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* --- files --- */

static uv_file open_file(const char *path)
{
    uv_fs_t req;
    int result = uv_fs_open(NULL, &req, path, UV_FS_O_RDONLY, 0, NULL);

    uv_fs_req_cleanup(&req);
    return result < 0 ? NO_FILE : result;
}

static void close_file(uv_file file)
{
    uv_fs_t req;

    if (file == NO_FILE)
        return;
    uv_fs_close(NULL, &req, file, NULL);
    uv_fs_req_cleanup(&req);
}

static uint64_t inode_of(const char *path)
{
    uv_fs_t req;
    uint64_t inode = uv_fs_stat(NULL, &req, path, NULL) < 0 ? 0 : req.statbuf.st_ino;

    uv_fs_req_cleanup(&req);
    return inode;
}

static void stat_file(uv_file file, uint64_t *inode, int64_t *size)
{
    uv_fs_t req;

    *inode = 0;
    *size = 0;
    if (uv_fs_fstat(NULL, &req, file, NULL) == 0) {
        *inode = req.statbuf.st_ino;
        *size = (int64_t)req.statbuf.st_size;
    }
    uv_fs_req_cleanup(&req);
}

static int64_t read_at(uv_file file, void *data, size_t size, int64_t offset)
{
    uv_buf_t buf = uv_buf_init(data, (unsigned)size);
    uv_fs_t req;
    int64_t n = uv_fs_read(NULL, &req, file, &buf, 1, offset, NULL);

    uv_fs_req_cleanup(&req);
    return n;
}

static char *rotated_path(const char *path, int64_t number)
{
    return number == 0 ? mem_string(path) : mem_format("%s.%lld", path, (long long)number);
}

static int64_t oldest(const char *path)
{
    int64_t number = 0;

    for (int64_t i = 1; i <= ROTATED_MAX; i++) {
        cleanup_free char *file = rotated_path(path, i);
        if (file_exists(file))
            number = i;
    }
    return number;
}

int log_reader_rotate(const char *path, int64_t files, struct error *err)
{
    int64_t last = files > 1 ? files - 1 : 1; /* one old file always stays until the next time: its readers and its writer are not done */

    for (int64_t i = last; i > 0; i--) {
        cleanup_free char *from = rotated_path(path, i - 1), *to = rotated_path(path, i);
        uv_fs_t req;
        int result = uv_fs_rename(NULL, &req, from, to, NULL);
        uv_fs_req_cleanup(&req);
        if (result < 0 && result != UV_ENOENT)
            return error_set_uv(err, result, "rename %s", from);
    }
    return 0;
}

/* --- where to begin --- */

static int64_t read_tail(void *self, uint64_t offset, void *data, size_t size, struct error *err)
{
    const uv_file *file = self;
    int64_t n = read_at(*file, data, size, (int64_t)offset);

    return n < 0 ? error_set_uv(err, (int)n, "read a log") : n;
}

/* Where the last @lines lines of an open file begin; *lines becomes what is still missing. */
static int64_t find_tail(struct log_reader *log, int64_t size, uint64_t *lines)
{
    uint64_t offset = 0, found = 0;
    struct error err;

    if (container_log_find_tail(read_tail, &log->file, (uint64_t)size, &log->records.filter, *lines, &offset, &found, &err) < 0)
        return 0;
    *lines -= found;
    return (int64_t)offset;
}

/* The file with which the wanted lines begin: the oldest, or going back from the newest until there are enough. */
static void begin(struct log_reader *log)
{
    int64_t last = oldest(log->path), number = log->tail < 0 ? last : 0, size;
    uint64_t lines = log->tail < 0 ? 0 : (uint64_t)log->tail;

    log->is_started = true;
    for (;; number++) {
        cleanup_free char *path = rotated_path(log->path, number);
        close_file(log->file);
        log->file = open_file(path);
        log->offset = 0;
        if (log->file == NO_FILE)
            return;
        stat_file(log->file, &log->inode, &size);
        if (log->tail < 0)
            return;
        log->offset = find_tail(log, size, &lines);
        if (lines == 0 || number >= last)
            return;
    }
}

/* --- reading --- */

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    struct log_reader *log = ctx;

    log->sink.on_entry(log->sink.ctx, entry);
    log->records.is_paused = log->is_paused || log->is_closed;
}

static void end(struct log_reader *log)
{
    if (!log->records.is_past_end)
        container_log_flush(&log->records, on_entry, log);
    if (log->is_closed)
        return;
    log->is_ended = true;
    uv_fs_event_stop(&log->watch);
    log->sink.on_end(log->sink.ctx, NULL);
}

static void emit_pending(struct log_reader *log)
{
    log->records.is_paused = false;
    buf_consume(&log->pending, container_log_feed(&log->records, buf_bytes(&log->pending), on_entry, log));
    if (log->records.is_past_end && !log->is_closed)
        end(log);
}

/* The file behind the one that was read to its end; false when there is none yet. */
static bool open_next(struct log_reader *log)
{
    int64_t number = -1, last = oldest(log->path);
    cleanup_free char *path = NULL;
    uv_file next;
    int64_t size;

    for (int64_t i = 0; i <= last && number < 0; i++) {
        cleanup_free char *candidate = rotated_path(log->path, i);
        if (inode_of(candidate) == log->inode)
            number = i;
    }
    if (number == 0)
        return false;
    path = rotated_path(log->path, number < 0 ? last : number - 1);
    next = open_file(path);
    if (next == NO_FILE)
        return false;
    if (log->file != NO_FILE && !log->saw_successor) { /* what was written before the successor came is read first */
        log->saw_successor = true;
        close_file(next);
        return true;
    }
    log->saw_successor = false;
    close_file(log->file);
    log->file = next;
    log->offset = 0;
    stat_file(next, &log->inode, &size);
    return true;
}

/* True when there may be more at once. */
static bool read_step(struct log_reader *log)
{
    int64_t n;

    if (!log->is_started)
        begin(log);
    if (log->pending.size > 0) {
        emit_pending(log);
        return true;
    }
    n = log->file == NO_FILE ? 0 : read_at(log->file, buf_reserve(&log->pending, STEP_BYTES), STEP_BYTES, log->offset);
    if (n > 0) {
        log->pending.size += (size_t)n;
        log->offset += n;
        emit_pending(log);
        return true;
    }
    if (open_next(log))
        return true;
    if (!log->options.follow || log->is_finished)
        end(log);
    return false;
}

static void on_step(uv_timer_t *timer)
{
    struct log_reader *log = timer->data;

    if (log->is_paused || log->is_ended || log->is_closed)
        return;
    if (read_step(log) && !log->is_closed && !log->is_ended)
        uv_timer_start(&log->step, on_step, 0, 0);
}

static void wake(struct log_reader *log)
{
    if (!log->is_closed && !log->is_ended && !log->is_paused)
        uv_timer_start(&log->step, on_step, 0, 0);
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    wake(watch->data);
}

int log_reader_open(uv_loop_t *loop, const char *path, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                    struct log_reader **out, struct error *err)
{
    struct log_reader *log = mem_alloc(sizeof *log);
    cleanup_free char *dir = mem_string(path);
    char *slash = strrchr(dir, '/');
    int result = 0;

    log->loop = loop;
    log->path = mem_string(path);
    log->options = *options;
    log->sink = *sink;
    log->tail = options->tail;
    container_log_init(&log->records, &(struct container_log_filter){options->wants_stdout, options->wants_stderr, options->since_wall_ns,
                                                                     options->until_wall_ns});
    log->file = NO_FILE;
    log->watch.data = log->step.data = log;
    log->handles = 2;
    uv_fs_event_init(loop, &log->watch);
    uv_timer_init(loop, &log->step);
    if (slash)
        *slash = '\0';
    if (options->follow)
        result = uv_fs_event_start(&log->watch, on_change, slash ? dir : ".", 0);
    if (result < 0) {
        log_reader_close(log, NULL, NULL);
        return error_set_uv(err, result, "watch %s", dir);
    }
    wake(log);
    *out = log;
    return 0;
}

void log_reader_pause(struct log_reader *log, bool is_paused)
{
    log->is_paused = is_paused;
    wake(log);
}

void log_reader_finish(struct log_reader *log)
{
    log->is_finished = true;
    wake(log);
}

static void on_closed(uv_handle_t *handle)
{
    struct log_reader *log = handle->data;

    if (--log->handles > 0)
        return;
    close_file(log->file);
    buf_deinit(&log->pending);
    container_log_deinit(&log->records);
    free(log->path);
    if (log->closed)
        log->closed(log->closed_ctx);
    free(log);
}

void log_reader_close(struct log_reader *log, void (*closed)(void *ctx), void *ctx)
{
    log->is_closed = true;
    log->closed = closed;
    log->closed_ctx = ctx;
    uv_close((uv_handle_t *)&log->watch, on_closed);
    uv_close((uv_handle_t *)&log->step, on_closed);
}
