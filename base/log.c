/* base/log.c – see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/time.h"

static const char *const level_names[] = {
#define X(level, name) [LOG_##level] = (name),
    LOG_LEVELS(X)
#undef X
};

static struct {
    enum log_format format;
    enum log_level lowest;
    FILE *out;
    log_observer_cb observer;
    void *observer_ctx;
} target = {LOG_TEXT, LOG_INFO, NULL, NULL, NULL};

void log_init(enum log_format format, enum log_level lowest, FILE *out)
{
    target.format = format;
    target.lowest = lowest;
    target.out = out;
}

void log_observe(log_observer_cb observer, void *ctx)
{
    target.observer = observer;
    target.observer_ctx = ctx;
}

bool log_level_parse(const char *text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_enabled(enum log_level level)
{
    return level >= target.lowest;
}

struct line {
    char text[LOG_LINE_SIZE_BYTES];
    size_t size;
};

static void put(struct line *line, const char *text, size_t length)
{
    size_t room = sizeof line->text - 4 - line->size; /* keeps place for `"}` and the end of the line */
    if (length > room)
        length = room;
    memcpy(line->text + line->size, text, length);
    line->size += length;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Control characters are escaped in both formats: what a peer sent must not be able to forge a line. */
static void put_escaped(struct line *line, const char *text, bool quotes)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char escape[8];
        if (c == '\n')
            put_string(line, "\\n");
        else if (quotes && (c == '"' || c == '\\'))
            put(line, (char[]){'\\', (char)c}, 2);
        else if (c < 0x20 || c == 0x7f)
            put(line, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
        else
            put(line, text, 1);
    }
}

static void put_json_member(struct line *line, const char *key, const char *value)
{
    put_string(line, line->size == 0 ? "{\"" : ",\"");
    put_escaped(line, key, true);
    put_string(line, "\":\"");
    put_escaped(line, value, true);
    put_string(line, "\"");
}

static void put_sentence(struct line *line, const char *room, const char *message, const struct log_field *fields, size_t field_count)
{
    put_string(line, room);
    put_string(line, ": ");
    put_escaped(line, message, false);
    for (size_t i = 0; i < field_count; i++)
        if (fields[i].value) {
            put_string(line, " ");
            put_string(line, fields[i].key);
            put_string(line, "=");
            put_escaped(line, fields[i].value, false);
        }
}

static void tell_observer(enum log_level level, const char *room, const char *message, const struct log_field *fields, size_t field_count)
{
    struct line line = {.size = 0};
    put_sentence(&line, room, message, fields, field_count);
    line.text[line.size] = '\0';
    target.observer(target.observer_ctx, level, line.text);
}

void log_write(enum log_level level, const char *room, const struct log_field *fields, size_t field_count, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    char message[LOG_LINE_SIZE_BYTES / 2], when[TIME_RFC3339_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    struct clock clock = clock_system();
    time_format_rfc3339(clock_wall_ns(&clock), when);

    struct line line = {.size = 0};
    if (target.format == LOG_JSON) {
        put_json_member(&line, "time", when);
        put_json_member(&line, "level", level_names[level]);
        put_json_member(&line, "room", room);
        put_json_member(&line, "msg", message);
        for (size_t i = 0; i < field_count; i++)
            if (fields[i].value)
                put_json_member(&line, fields[i].key, fields[i].value);
        line.text[line.size++] = '}';
    } else {
        put_string(&line, when);
        put_string(&line, " ");
        for (const char *c = level_names[level]; *c; c++)
            put(&line, (char[]){(char)(*c - 'a' + 'A')}, 1);
        put_string(&line, " ");
        put_sentence(&line, room, message, fields, field_count);
    }
    line.text[line.size++] = '\n';
    FILE *out = target.out ? target.out : stderr;
    fwrite(line.text, 1, line.size, out);
    fflush(out);
    if (target.observer)
        tell_observer(level, room, message, fields, field_count);
}
