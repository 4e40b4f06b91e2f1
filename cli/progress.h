/* cli/progress.h – Docker's progress messages as a person reads them: one line per layer that is written over on a terminal, one line per
 * step elsewhere. */
#ifndef SKEP_CLI_PROGRESS_H
#define SKEP_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"

#define PROGRESS_ITEMS_COUNT 256 /* layers shown; an image has at most 127 */

struct progress {
    FILE *out;
    bool is_tty, is_quiet;
    size_t count;
    char *ids[PROGRESS_ITEMS_COUNT];
    char last_status[PROGRESS_ITEMS_COUNT][64];
};

/* Shows one message. ERR_PEER with the daemon's words when it is an error. Use as lines.on_line with the progress as its ctx. */
int progress_line(void *progress, const cJSON *line, struct error *err);

/* "[====>    ]  1.2MB/3.4MB" */
void progress_bar(int64_t current, int64_t total, char *out, size_t size);

void progress_deinit(struct progress *progress);

#endif
