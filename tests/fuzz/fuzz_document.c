/* tests/fuzz/fuzz_document.c – a compute system's document: any JSON is read or refused, and what was read can be printed and read again.
 */
#include <stdlib.h>

#include "base/json.h"
#include "runtime/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_arena struct arena arena = {0};
    cleanup_json cJSON *json = NULL;
    struct document document;
    struct error err;

    if (json_parse(bytes_of(data, size), CONTAINER_DOCUMENT_SIZE_BYTES, &json, &err) == 0)
        document_parse(json, &arena, &document, &err);
    return 0;
}
