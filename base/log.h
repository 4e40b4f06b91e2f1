/* base/log.h – one line per event, as text for people or as JSON lines for machines. Never a secret: tokens, keys and payloads are not
 * logged at any level. */
#ifndef SKEP_BASE_LOG_H
#define SKEP_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define LOG_LEVELS(X)                                                                                                                      \
    X(DEBUG, "debug")                                                                                                                      \
    X(INFO, "info")                                                                                                                        \
    X(WARN, "warn")                                                                                                                        \
    X(ERROR, "error")

enum log_level {
#define X(level, name) LOG_##level,
    LOG_LEVELS(X)
#undef X
};

enum log_format { LOG_TEXT, LOG_JSON };

/* What an event is about, beside its sentence: {"task", "x7…"}. A NULL value is left out. */
struct log_field {
    const char *key, *value;
};

void log_init(enum log_format format, enum log_level lowest, FILE *out); /* out borrowed; the default is text, info, stderr */

/* Whoever else is to have each line, from its room on and without the time: a system's own log. NULL: nobody. */
typedef void (*log_observer_cb)(void *ctx, enum log_level level, const char *line);
void log_observe(log_observer_cb observer, void *ctx);

bool log_level_parse(const char *text, enum log_level *level);
bool log_enabled(enum log_level level);

/* @room is where it happened ("session", "worker"). Text: `2026-11-23T22:00:01.123Z INFO worker: message task=…`. */
void log_write(enum log_level level, const char *room, const struct log_field *fields, size_t field_count, const char *format, ...)
    __attribute__((format(SKEP_PRINTF, 5, 6)));

#define log_debug(room, ...) log_write(LOG_DEBUG, room, NULL, 0, __VA_ARGS__)
#define log_info(room, ...)  log_write(LOG_INFO, room, NULL, 0, __VA_ARGS__)
#define log_warn(room, ...)  log_write(LOG_WARN, room, NULL, 0, __VA_ARGS__)
#define log_error(room, ...) log_write(LOG_ERROR, room, NULL, 0, __VA_ARGS__)

/* log_with(LOG_INFO, "worker", LOG_FIELDS({"task", id}, {"service", name}), "moved to %s", state); */
#define LOG_FIELDS(...)                                                                                                                    \
    ((const struct log_field[]){__VA_ARGS__}), sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)
#define log_with(level, room, fields, ...)     log_with_(level, room, fields, __VA_ARGS__)
#define log_with_(level, room, fields, n, ...) log_write(level, room, fields, n, __VA_ARGS__)

#endif
