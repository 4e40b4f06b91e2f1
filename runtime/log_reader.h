/* runtime/log_reader.h – follows a container's output through the files conmon writes, across rotations.
 *
 * The newest file is PATH, older ones are PATH.1, PATH.2, … A rotation renames PATH and makes conmon open a new one; a reader holds its
 * file open, reads it to its end once its successor is there, and goes on with that one. Reading is done in small steps on the loop. What
 * the records mean is container_log's. */
#ifndef SKEP_RUNTIME_LOG_READER_H
#define SKEP_RUNTIME_LOG_READER_H

#include <uv.h>

#include "runtime/hcs.h"

struct log_reader;

/* Entries and the end come from the loop, never from inside the call. @path copied. ERR_IO when the directory cannot be watched. */
int log_reader_open(uv_loop_t *loop, const char *path, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                    struct log_reader **out, struct error *err);
void log_reader_pause(struct log_reader *reader, bool is_paused);
void log_reader_finish(struct log_reader *reader); /* the writer has ended: the end of the newest file is the end */
void log_reader_close(struct log_reader *reader, void (*closed)(void *ctx), void *ctx); /* @closed once its handles are gone; may be NULL */

/* Rename PATH to PATH.1 and so on; at most @files files stay, and always one old one, whose readers and writer are not done yet. The writer
 * is then told to open PATH anew by the caller. */
int log_reader_rotate(const char *path, int64_t files, struct error *err);

#endif
