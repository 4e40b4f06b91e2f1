/* runtime/image/tool/report.h – what the tool says: JSON lines in Docker's form for the daemon, or plain lines for a person. Any thread. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_REPORT_H
#define SKEP_RUNTIME_IMAGE_TOOL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct cJSON;

void report_init(bool as_json); /* once, before anything else; plain lines leave out the progress in bytes */

/* {"status":"Pull complete","id":"a2abf6c4d29d"}; @id NULL: none. */
void report_status(const char *id, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));

/* {"status":"Downloading","id":…,"progressDetail":{"current":…,"total":…}}, at most one per IMAGE_PROGRESS_INTERVAL_MS for each @last_ns
 * (0 at first; the caller keeps it). */
void report_progress(const char *id, const char *status, uint64_t current, uint64_t total, uint64_t *last_ns);

/* {"stream":"Loaded image: busybox:1\n"}: the line end is added. */
void report_stream(const char *format, ...) __attribute__((format(SKEP_PRINTF, 1, 2)));

void report_result(struct cJSON *result);    /* taken; the last line of a job that did it */
int report_failure(const struct error *err); /* the last line of one that did not; returns the exit code */

#endif
