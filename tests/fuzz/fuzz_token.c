/* tests/fuzz/fuzz_token.c – whatever a person may paste as a join token. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/identity/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = mem_string_n((const char *)data, size);
    struct token token, again;
    struct error err;
    if (token_parse(text, &token, &err) < 0)
        return 0;
    int failed = token_parse(token.text, &again, &err);
    assert(failed == 0 && again.version == token.version && strcmp(again.text, token.text) == 0);
    (void)failed;
    return 0;
}
