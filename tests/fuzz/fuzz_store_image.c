/* tests/fuzz/fuzz_store_image.c – an image of the store as a leader may send it, in parts as long as the first byte says. However it is cut
 * it reads as the same. */
#include <assert.h>

#include "manager/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void filled(void *self, void *data, size_t size)
{
    (void)self;
    memset(data, 1, size);
}

static int restore(struct store *store, struct bytes rest, size_t part)
{
    cleanup_buf struct buf membership = {0};
    struct error err;
    int failed = 0;

    store_restore_begin(store);
    while (failed == 0 && rest.size > 0) {
        size_t size = part < rest.size ? part : rest.size;
        failed = store_restore_add(store, bytes_of(rest.data, size), &err);
        rest = bytes_of(rest.data + size, rest.size - size);
    }
    int ended = store_restore_end(store, 5, &membership, &err);
    return failed < 0 ? failed : ended;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct store *in_parts = store_new(&(struct store_options){.random = {.fill = filled}});
    struct store *at_once = store_new(&(struct store_options){.random = {.fill = filled}});
    int first = restore(in_parts, bytes_of(data + 1, size - 1), (size_t)data[0] + 1);
    int second = restore(at_once, bytes_of(data + 1, size - 1), size);
    assert((first == 0) == (second == 0));
    assert(store_size_bytes(in_parts) == store_size_bytes(at_once));
    (void)first;
    (void)second;
    store_free(in_parts);
    store_free(at_once);
    return 0;
}
