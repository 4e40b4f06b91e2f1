/* Manifests, indexes and configs as a registry or an archive may send them. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/image/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_arena struct arena arena = {0};
    struct image_document document;
    struct image_spec spec;
    struct error err;
    const struct image_descriptor *chosen;
    struct image_platform want = {"windows", "amd64", "v2", "10.0.20348.1"};
    if (image_document_parse(bytes_of(data, size), &arena, &document, &err) == 0 && document.kind == IMAGE_DOCUMENT_INDEX)
        image_index_choose(&document, &want, &chosen, &err);
    image_spec_parse(bytes_of(data, size), &arena, &spec, &err);
    return 0;
}
