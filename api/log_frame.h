/* api/log_frame.h – container output as Docker's clients read it: frames that name the stream, or raw for a terminal. Pure.
 *
 * A frame is {stream, 0, 0, 0, size as a big-endian 32-bit number} and the text. Source: Docker Engine API, "Stream format". */
#ifndef SKEP_API_LOG_FRAME_H
#define SKEP_API_LOG_FRAME_H

#include <stdbool.h>

#include "base/buf.h"
#include "runtime/hcs.h"

#define LOG_FRAME_HEADER_SIZE 8

struct log_framer {
    bool is_raw, wants_timestamps;
    bool is_inside_line[3]; /* by stream: a timestamp stands at the beginning of a line only */
};

/* Append the entry to @out. */
void log_frame(struct log_framer *framer, const struct hcs_log_entry *entry, struct buf *out);

#endif
