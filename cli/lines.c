/* cli/lines.c – see lines.h. */
#include "cli/lines.h"

static int take_line(struct lines *lines, struct bytes text, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    while (text.size > 0 && (text.data[text.size - 1] == '\r' || text.data[text.size - 1] == '\n'))
        text.size--;
    if (text.size == 0)
        return 0;
    if (json_parse(text, CLI_LINE_SIZE_BYTES, &json, err) < 0)
        return error_wrap(err, "the daemon's progress");
    return lines->on_line(lines->ctx, json, err);
}

int lines_add(struct lines *lines, struct bytes data, struct error *err)
{
    while (data.size > 0) {
        const uint8_t *end = memchr(data.data, '\n', data.size);
        size_t length = end ? (size_t)(end - data.data) + 1 : data.size;
        if (lines->pending.size + length > CLI_LINE_SIZE_BYTES)
            return error_set(err, ERR_LIMIT, "the daemon sent a line of more than %u bytes", CLI_LINE_SIZE_BYTES);
        buf_append(&lines->pending, data.data, length);
        data = bytes_of(data.data + length, data.size - length);
        if (end == NULL)
            return 0;
        int code = take_line(lines, buf_bytes(&lines->pending), err);
        buf_clear(&lines->pending);
        if (code < 0)
            return code;
    }
    return 0;
}

int lines_end(struct lines *lines, struct error *err)
{
    return take_line(lines, buf_bytes(&lines->pending), err);
}

void lines_deinit(struct lines *lines)
{
    buf_deinit(&lines->pending);
}
