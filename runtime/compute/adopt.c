/* runtime/compute/adopt.c – systems that an earlier life of the process has left on disk. */
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "runtime/compute/compute.h"

int compute_read_document(const char *path, cJSON **json, struct arena *arena, struct document *out, struct error *err)
{
    cleanup_buf struct buf text = {0};

    if (file_read(path, 2 * (size_t)CONTAINER_DOCUMENT_SIZE_BYTES, &text, err) < 0 ||
        json_parse(buf_bytes(&text), 2 * (size_t)CONTAINER_DOCUMENT_SIZE_BYTES, json, err) < 0)
        return error_wrap(err, "%s", path);
    return document_parse(*json, arena, out, err);
}

static int by_creation(const struct compute_system *a, const struct compute_system *b)
{
    return a->created_wall_ns < b->created_wall_ns ? -1 : a->created_wall_ns > b->created_wall_ns;
}

void compute_sort(struct compute_host *host)
{
    HASH_SORT(host->systems, by_creation);
}
