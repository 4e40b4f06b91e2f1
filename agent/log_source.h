/* agent/log_source.h – where tasks' output comes from, as the log publisher sees it: a table of functions that the worker fills with the
 * runtime's container logs, and tests with theirs.
 *
 * The publisher pulls, so that a slow manager holds up the reader and nothing piles up between them. */
#ifndef SKEP_AGENT_LOG_SOURCE_H
#define SKEP_AGENT_LOG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum log_stream { LOG_STREAM_STDOUT = 1, LOG_STREAM_STDERR = 2 }; /* LogStream's numbers */

struct log_read_options {
    bool want_stdout, want_stderr;
    bool follow;
    int64_t tail_lines;    /* the last so many lines; -1: all */
    int64_t since_wall_ns; /* entries at or after this instant; INT64_MIN: all */
};

struct log_attr {
    const char *key, *value;
};

/* One entry as the container wrote it, newline included where it wrote one. Borrowed until the next read or close. */
struct log_entry {
    int64_t wall_ns;
    enum log_stream stream;
    struct bytes data;
    const struct log_attr *attrs;
    size_t attr_count;
};

enum log_read { LOG_READ_ENTRY, LOG_READ_WAIT /* nothing yet: on_ready will be called */, LOG_READ_END };

/* A task whose logs can be asked for. Borrowed until control returns to the loop. */
struct log_task {
    const char *task_id, *service_id, *node_id;
};

struct log_source {
    /* Every task of this node that has or had a container. Calls @each for each one. */
    void (*tasks)(void *self, void (*each)(void *ctx, const struct log_task *task), void *ctx);

    /* Begin to read one task's log. @on_ready is called from the loop, never from inside another of these functions, when a read that
     * answered LOG_READ_WAIT may have more. ERR_NOT_FOUND when the task has no log. */
    int (*open)(void *self, const char *task_id, const struct log_read_options *options, void (*on_ready)(void *ctx), void *ctx,
                void **reader, struct error *err);
    int (*read)(void *self, void *reader, struct log_entry *entry,
                struct error *err);          /* an enum log_read, or an error: the log ends here */
    void (*close)(void *self, void *reader); /* no more on_ready after this */
    void *self;
};

#endif
