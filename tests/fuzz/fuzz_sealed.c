/* tests/fuzz/fuzz_sealed.c – a sealed secret as somebody may have left it on disk: nothing opens but what was sealed. */
#include <stdlib.h>

#include "base/mem.h"
#include "proto/identity/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[SEALED_KEY_SIZE_BYTES] = {7};
    struct random_seeded seed;
    random_seeded_init(&seed, size);
    struct random random = random_from_seeded(&seed);
    struct error err;
    cleanup_free char *text = mem_string_n((const char *)data, size);
    cleanup_buf struct buf out = {.is_secret = true}, sealed = {0}, again = {.is_secret = true};
    if (sealed_open(key, "fuzz", text, &out, &err) == 0 || out.size > 0)
        abort();
    struct bytes secret = bytes_of(data, size < SEALED_SECRET_SIZE_BYTES ? size : SEALED_SECRET_SIZE_BYTES);
    sealed_print(key, "fuzz", secret, &random, &sealed);
    if (sealed_open(key, "fuzz", (const char *)sealed.data, &again, &err) < 0 || !bytes_equal(secret, buf_bytes(&again)))
        abort();
    return 0;
}
