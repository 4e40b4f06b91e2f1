/* tests/fuzz/fuzz_keyfile.c – a key file that someone else wrote; what was read prints to what reads the same. */
#include <assert.h>

#include "proto/identity/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keyfile key, again;
    struct error err;
    if (keyfile_parse(bytes_of(data, size), &key, &err) < 0)
        return 0;
    cleanup_buf struct buf text = {0};
    keyfile_print(&key, &text);
    int failed = keyfile_parse(buf_bytes(&text), &again, &err);
    assert(failed == 0 && again.header_count == key.header_count && bytes_equal(buf_bytes(&again.body_pem), buf_bytes(&key.body_pem)));
    (void)failed;
    keyfile_deinit(&key);
    keyfile_deinit(&again);
    return 0;
}
