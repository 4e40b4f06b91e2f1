/* cli/lines.h – a stream of JSON lines as it arrives in pieces: progress of pulls, loads and joins. Pure. */
#ifndef SKEP_CLI_LINES_H
#define SKEP_CLI_LINES_H

#include "base/buf.h"
#include "base/json.h"

#define CLI_LINE_SIZE_BYTES (1 * MIB) /* one line of progress is some hundred bytes */

struct lines {
    struct buf pending;
    int (*on_line)(void *ctx, const cJSON *line, struct error *err); /* borrowed; non-zero ends it */
    void *ctx;
};

/* ERR_LIMIT for a line longer than CLI_LINE_SIZE_BYTES, ERR_INVALID for one that is no JSON, or what on_line gives. */
int lines_add(struct lines *lines, struct bytes data, struct error *err);
int lines_end(struct lines *lines, struct error *err); /* a last line without its end */
void lines_deinit(struct lines *lines);

#endif
