/* A layer's archive, unpacked for real into a directory in memory. Whatever it holds, nothing beside that directory may appear. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/image/tool/unpack.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scratch_make();
    cleanup_free char *blob = mem_format("%s/blob", scratch), *tree = mem_format("%s/tree", scratch);
    struct error err = {0};
    struct unpack unpack = {.blob = blob, .directory = tree, .max_bytes = MIB, .max_entries = 1000};
    if (file_write_volatile(blob, bytes_of(data, size), 0600, &err) < 0 || file_make_dirs(tree, 0755, &err) < 0)
        abort();
    if (unpack_layer(&unpack, &err) < 0 && err.code == 0)
        abort();
    scratch_check("tree", "blob");
    if (file_remove_tree(tree, &err) < 0) {
        fprintf(stderr, "what was unpacked cannot be removed: %s\n", err.message);
        abort();
    }
    return 0;
}
