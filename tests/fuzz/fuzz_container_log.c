/* tests/fuzz/fuzz_container_log.c – a damaged log file, read forwards in pieces and backwards: what comes out is never more than went in.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/container_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t total;

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    (void)ctx;
    total += entry->text.size;
}

static int64_t read_bytes(void *self, uint64_t offset, void *out, size_t size, struct error *err)
{
    (void)err;
    memcpy(out, ((const struct bytes *)self)->data + offset, size);
    return (int64_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct container_log_filter filter = {true, true, 0, 0};
    struct container_log log;
    container_log_init(&log, &filter);
    total = 0;
    size_t chunk = size > 0 ? data[0] % 61 + 1u : 1;
    for (size_t at = 0; at < size; at += chunk)
        container_log_feed(&log, bytes_of(data + at, size - at < chunk ? size - at : chunk), on_entry, NULL);
    container_log_flush(&log, on_entry, NULL);
    assert(total <= size);
    container_log_deinit(&log);

    struct bytes whole = bytes_of(data, size);
    uint64_t offset, found;
    struct error err;
    int failed = container_log_find_tail(read_bytes, &whole, size, &filter, chunk, &offset, &found, &err);
    assert(failed == 0 && offset <= size && found <= chunk);
    return 0;
}
