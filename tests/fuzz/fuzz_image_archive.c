/* An archive of images – `docker save` or an OCI layout, packed or not – taken into a store in memory. Whatever it holds, nothing beside
 * the store may appear, and what the list then names can be read again. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/image/layout.h"
#include "runtime/image/tool/task.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scratch_make();
    cleanup_free char *archive = mem_format("%s/archive", scratch), *store = mem_format("%s/store", scratch);
    cleanup_image_records struct image_records records = {0};
    struct error err = {0};
    struct task task = {.operation = "load", .dir = store, .path = archive, .platform = {.os = "linux", .architecture = "amd64"}};
    if (file_write_volatile(archive, bytes_of(data, size), 0600, &err) < 0)
        abort();
    if (image_task_load(&task, &err) < 0 && (err.code == 0 || err.message[0] == '\0'))
        abort();
    if (file_exists(store) && image_records_read(store, &records, &err) < 0) {
        fprintf(stderr, "the list of images cannot be read any more: %s\n", err.message);
        abort();
    }
    scratch_check("store", "archive");
    if (file_exists(store) && file_remove_tree(store, &err) < 0) {
        fprintf(stderr, "what was loaded cannot be removed: %s\n", err.message);
        abort();
    }
    arena_deinit(&task.arena);
    return 0;
}
