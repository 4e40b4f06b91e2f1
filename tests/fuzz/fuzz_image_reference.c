/* Names of images, and what follows WWW-Authenticate. A name that is accepted must read back as itself. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/image/reference.h"
#include "runtime/image/tool/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = mem_string_n((const char *)data, size);
    struct image_reference reference, again;
    struct challenge challenge;
    struct credentials credentials;
    if (image_reference_parse(text, &reference, NULL) == 0) {
        cleanup_free char *full = image_reference_full(&reference), *familiar = image_reference_familiar(&reference);
        if (image_reference_parse(full, &again, NULL) < 0 || strcmp(again.path, reference.path) != 0)
            abort();
        if (image_reference_parse(familiar, &again, NULL) < 0 || strcmp(again.path, reference.path) != 0 ||
            strcmp(again.domain, reference.domain) != 0)
            abort();
    }
    challenge_parse(text, &challenge);
    challenge_deinit(&challenge);
    if (credentials_parse(text, &credentials, NULL) == 0)
        credentials_deinit(&credentials);
    return 0;
}
