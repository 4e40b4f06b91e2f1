/* tests/fuzz/fuzz_store_entry.c – entries of the log as any manager may have written them: each one behind two bytes that are its size.
 * What they make of a store is written as an image that reads as the same. */
#include <assert.h>

#include "manager/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void filled(void *self, void *data, size_t size)
{
    (void)self;
    memset(data, 1, size);
}

static struct store *fresh(void)
{
    return store_new(&(struct store_options){.random = {.fill = filled}, .history_count = 3});
}

static size_t count_all(const struct store *store)
{
    size_t count = 0;
    for (unsigned kind = 0; kind < STORE_KINDS_COUNT; kind++)
        count += store_count(store, (enum store_kind)kind, STORE_ALL, NULL);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *store = fresh(), *other = fresh();
    cleanup_buf struct buf image_bytes = {0}, membership = {0};
    struct error err;
    int failed = 0;

    for (uint64_t index = 1; size >= 2; index++) {
        size_t length = (size_t)data[0] | (size_t)data[1] << 8;
        length = length < size - 2 ? length : size - 2;
        if (store_apply(store, index, bytes_of(data + 2, length), &err) == 0)
            assert(store_version(store) == index);
        data += 2 + length;
        size -= 2 + length;
    }
    struct store_image *image = store_image_open(store, bytes_of(NULL, 0));
    for (size_t before = SIZE_MAX; before != image_bytes.size;) {
        before = image_bytes.size;
        store_image_read(image, 100, &image_bytes);
    }
    store_image_close(image);
    store_restore_begin(other);
    failed = store_restore_add(other, buf_bytes(&image_bytes), &err);
    assert(failed == 0);
    failed = store_restore_end(other, 1, &membership, &err);
    assert(failed == 0);
    assert(count_all(store) == count_all(other));
    assert(store_size_bytes(store) >= store_size_bytes(other)); /* what is behind a zero byte in a text does not travel */
    (void)failed;
    store_free(store);
    store_free(other);
    return 0;
}
