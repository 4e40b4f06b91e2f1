/* api/log_frame.c – see log_frame.h. */
#include "api/log_frame.h"

#include <stdio.h>

#include "base/time.h"

static void append_header(struct buf *out, enum hcs_stream stream, size_t size)
{
    const uint8_t header[LOG_FRAME_HEADER_SIZE] = {
        (uint8_t)stream, 0, 0, 0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    buf_append(out, header, sizeof header);
}

void log_frame(struct log_framer *framer, const struct hcs_log_entry *entry, struct buf *out)
{
    char instant[TIME_RFC3339_SIZE], stamp[TIME_RFC3339_SIZE + 1] = "";
    bool *is_inside = &framer->is_inside_line[entry->stream == HCS_STDERR ? 2 : 1];
    if (framer->wants_timestamps && !*is_inside) {
        time_format_rfc3339(entry->wall_ns, instant);
        snprintf(stamp, sizeof stamp, "%s ", instant);
    }
    *is_inside = entry->text.size > 0 && entry->text.data[entry->text.size - 1] != '\n';
    if (!framer->is_raw)
        append_header(out, entry->stream, strlen(stamp) + entry->text.size);
    buf_append_string(out, stamp);
    buf_append(out, entry->text.data, entry->text.size);
}
