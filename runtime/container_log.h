/* runtime/container_log.h – the file a container's output is kept in, read back byte for byte.
 *
 * conmon's "k8s-file" form, one record per line: `2026-11-23T22:00:01.123456789+00:00 stdout F text`. F ends a line of the container; P is
 * a piece that goes on in the stream's next record, cut wherever conmon's reads happened to end. Pieces are joined here up to
 * CONTAINER_LOG_LINE_BYTES, so that cuts nobody made do not show; a longer line comes as several entries marked partial.
 *
 * Pure: bytes in, entries out. Which file, how far, and when more comes is the reader's business. */
#ifndef SKEP_RUNTIME_CONTAINER_LOG_H
#define SKEP_RUNTIME_CONTAINER_LOG_H

#include "base/buf.h"
#include "runtime/hcs.h"

/* Instants are 0 for no bound. */
struct container_log_filter {
    bool wants_stdout, wants_stderr;
    int64_t since_wall_ns, until_wall_ns;
};

typedef void (*container_log_cb)(void *ctx, const struct hcs_log_entry *entry); /* borrowed */

struct container_log {
    struct container_log_filter filter;
    bool is_paused;         /* set it, from on_entry too: feeding stops behind that entry */
    bool is_past_end;       /* an entry after until_wall_ns was met: nothing more will come */
    uint64_t damaged_count; /* records that were none, and were left out */
    /* the rest is container_log.c's */
    struct buf record;
    bool is_skipping;
    struct container_log_piece {
        struct buf text;
        int64_t wall_ns; /* of its first piece */
    } pieces[2];
};

void container_log_init(struct container_log *log, const struct container_log_filter *filter); /* copied */
void container_log_deinit(struct container_log *log);

/* The next bytes of the file. Returns how many were taken: all, unless is_paused or is_past_end was set on the way; feed the rest later. */
size_t container_log_feed(struct container_log *log, struct bytes bytes, container_log_cb on_entry, void *ctx);

/* Nothing more will come: what was not ended with a newline comes out, marked partial. */
void container_log_flush(struct container_log *log, container_log_cb on_entry, void *ctx);

/* Bytes of a file from @offset: returns how many were read, fewer only at its end; or a negative code. */
typedef int64_t (*container_log_read)(void *self, uint64_t offset, void *data, size_t size, struct error *err);

/* Where the last @lines lines of the wanted streams begin in a file of @size bytes, looking backwards. @found says how many of them there
 * are, when the file has fewer. */
int container_log_find_tail(container_log_read read, void *self, uint64_t size, const struct container_log_filter *filter, uint64_t lines,
                            uint64_t *offset, uint64_t *found, struct error *err);

#endif
