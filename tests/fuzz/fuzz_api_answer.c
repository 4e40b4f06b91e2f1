/* tests/fuzz/fuzz_api_answer.c – what a daemon may send to the command: lines of progress and frames of logs. */
#include "cli/lines.h"
#include "cli/log_demux.h"
#include "cli/progress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_text(void *ctx, int stream, struct bytes text)
{
    *(size_t *)ctx += text.size * (size_t)stream;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    size_t sum = 0;
    static FILE *nowhere;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    struct progress progress = {.out = nowhere, .is_tty = size % 2 == 0};
    struct lines lines = {.on_line = progress_line, .ctx = &progress};
    struct log_demux demux = {.on_text = on_text, .ctx = &sum};
    if (lines_add(&lines, bytes_of(data, size), &err) == 0)
        lines_end(&lines, &err);
    log_demux_add(&demux, bytes_of(data, size), &err);
    lines_deinit(&lines);
    progress_deinit(&progress);
    return 0;
}
