/* runtime/image/chain.c – see chain.h. */
#include "runtime/image/chain.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"

void image_chain_add(struct image_chain *chain, const char *diff_id)
{
    if (chain->id[0] == '\0') {
        (void)snprintf(chain->id, sizeof chain->id, "%s", diff_id);
        return;
    }
    uint8_t hash[SHA256_SIZE_BYTES];
    cleanup_free char *both = mem_format("%s %s", chain->id, diff_id);
    sha256(bytes_of_string(both), hash);
    memcpy(chain->id, "sha256:", 8);
    encode_hex(bytes_of(hash, sizeof hash), chain->id + 7);
}
