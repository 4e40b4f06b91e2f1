/* runtime/container_log.c – see container_log.h. */
#include "runtime/container_log.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"

struct record {
    int64_t wall_ns;
    enum hcs_stream stream;
    bool is_partial;
    struct bytes text;
};

/* "<time> <stream> <F|P>[:tags] <text>" without the line's end. */
static bool parse(struct bytes line, struct record *out)
{
    char when[TIME_RFC3339_SIZE];
    const uint8_t *space = memchr(line.data, ' ', line.size);
    size_t length = space ? (size_t)(space - line.data) : line.size;
    if (space == NULL || length >= sizeof when)
        return false;
    memcpy(when, line.data, length);
    when[length] = '\0';
    if (time_parse(when, &out->wall_ns, NULL) < 0)
        return false;
    struct bytes rest = bytes_of(line.data + length + 1, line.size - length - 1);
    if (rest.size < 8 || (memcmp(rest.data, "stdout ", 7) != 0 && memcmp(rest.data, "stderr ", 7) != 0))
        return false;
    out->stream = rest.data[3] == 'o' ? HCS_STDOUT : HCS_STDERR;
    if (rest.data[7] != 'F' && rest.data[7] != 'P')
        return false;
    out->is_partial = rest.data[7] == 'P';
    const uint8_t *text = memchr(rest.data + 7, ' ', rest.size - 7);
    if (text == NULL)
        return false;
    text++;
    out->text = bytes_of(text, rest.size - (size_t)(text - rest.data));
    return true;
}

static bool is_wanted(const struct container_log_filter *filter, enum hcs_stream stream)
{
    return stream == HCS_STDOUT ? filter->wants_stdout : filter->wants_stderr;
}

static void emit(struct container_log *log, enum hcs_stream stream, bool is_partial, container_log_cb on_entry, void *ctx)
{
    struct container_log_piece *piece = &log->pieces[stream - 1];
    struct hcs_log_entry entry = {stream, piece->wall_ns, buf_bytes(&piece->text), is_partial};
    if (piece->text.size > 0 && piece->wall_ns >= log->filter.since_wall_ns)
        on_entry(ctx, &entry);
    buf_clear(&piece->text);
}

static void take(struct container_log *log, struct bytes line, container_log_cb on_entry, void *ctx)
{
    struct record record;
    if (!parse(line, &record)) {
        log->damaged_count++;
        return;
    }
    if (log->filter.until_wall_ns != 0 && record.wall_ns > log->filter.until_wall_ns) {
        log->is_past_end = true;
        return;
    }
    if (!is_wanted(&log->filter, record.stream))
        return;
    struct container_log_piece *piece = &log->pieces[record.stream - 1];
    if (piece->text.size == 0)
        piece->wall_ns = record.wall_ns;
    buf_append(&piece->text, record.text.data, record.text.size);
    if (!record.is_partial)
        buf_append(&piece->text, "\n", 1);
    if (!record.is_partial || piece->text.size >= CONTAINER_LOG_LINE_BYTES)
        emit(log, record.stream, record.is_partial, on_entry, ctx);
}

void container_log_init(struct container_log *log, const struct container_log_filter *filter)
{
    *log = (struct container_log){.filter = *filter};
}

void container_log_deinit(struct container_log *log)
{
    buf_deinit(&log->record);
    buf_deinit(&log->pieces[0].text);
    buf_deinit(&log->pieces[1].text);
}

size_t container_log_feed(struct container_log *log, struct bytes bytes, container_log_cb on_entry, void *ctx)
{
    size_t taken = 0;
    while (taken < bytes.size && !log->is_paused && !log->is_past_end) {
        const uint8_t *start = bytes.data + taken, *end = memchr(start, '\n', bytes.size - taken);
        size_t length = end ? (size_t)(end - start) : bytes.size - taken;
        taken += length + (end != NULL);
        if (log->record.size + length > CONTAINER_LOG_RECORD_BYTES) /* longer than conmon makes them: not one of its own */
            log->is_skipping = true;
        if (!log->is_skipping && end && log->record.size == 0) {
            take(log, bytes_of(start, length), on_entry, ctx);
            continue;
        }
        if (!log->is_skipping)
            buf_append(&log->record, start, length);
        if (end == NULL)
            continue;
        if (log->is_skipping)
            log->damaged_count++;
        else
            take(log, buf_bytes(&log->record), on_entry, ctx);
        log->is_skipping = false;
        buf_clear(&log->record);
    }
    return taken;
}

void container_log_flush(struct container_log *log, container_log_cb on_entry, void *ctx)
{
    emit(log, HCS_STDOUT, true, on_entry, ctx);
    emit(log, HCS_STDERR, true, on_entry, ctx);
}

/* --- tail --- */

struct tail {
    const struct container_log_filter *filter;
    uint64_t lines, found, offset;
    bool ends_open[2]; /* the stream's last line has no end yet: it counts */
    bool has_end[2];
    bool is_done;
};

/* Records come newest first. The line that ends before the oldest one wanted marks the place. */
static void count(struct tail *tail, struct bytes line, uint64_t offset)
{
    struct record record;
    if (tail->is_done || !parse(line, &record) || !is_wanted(tail->filter, record.stream))
        return;
    unsigned stream = record.stream == HCS_STDERR;
    bool is_line = !record.is_partial || (!tail->has_end[stream] && !tail->ends_open[stream]);
    if (record.is_partial && is_line)
        tail->ends_open[stream] = true;
    if (!record.is_partial)
        tail->has_end[stream] = true;
    if (is_line && tail->found == tail->lines) {
        tail->is_done = true;
        return;
    }
    tail->found += is_line;
    tail->offset = offset;
}

int container_log_find_tail(container_log_read read, void *self, uint64_t size, const struct container_log_filter *filter, uint64_t lines,
                            uint64_t *offset, uint64_t *found, struct error *err)
{
    struct tail tail = {.filter = filter, .lines = lines, .offset = size};
    cleanup_buf struct buf block = {0}; /* from `at` on; its first line may have begun earlier */
    uint64_t at = size;
    while (at > 0 && !tail.is_done && lines > 0) {
        size_t piece = at < CONTAINER_LOG_BLOCK_BYTES ? (size_t)at : CONTAINER_LOG_BLOCK_BYTES;
        struct buf wider = {0};
        int64_t got = read(self, at - piece, buf_reserve(&wider, piece), piece, err);
        if (got < 0) {
            buf_deinit(&wider);
            return (int)got;
        }
        wider.size = (size_t)got;
        buf_append(&wider, block.data, block.size);
        buf_deinit(&block);
        block = wider;
        at -= piece;
        /* Take whole lines from the end; what is left is the tail of a line that began in an earlier block. */
        while (!tail.is_done && block.size > 0) {
            size_t end = block.size;
            if (block.data[end - 1] == '\n')
                end--;
            size_t start = end;
            while (start > 0 && block.data[start - 1] != '\n')
                start--;
            if (start == 0 && at > 0)
                break;
            if (end < block.size)
                count(&tail, bytes_of(block.data + start, end - start), at + start);
            block.size = start;
        }
        if (block.size > CONTAINER_LOG_RECORD_BYTES) /* no record is that long: damage, left out as feeding does */
            block.size = 0;
    }
    *offset = tail.is_done || lines == 0 ? tail.offset : 0;
    *found = tail.found;
    return 0;
}
