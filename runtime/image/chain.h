/* runtime/image/chain.h – what a layer and all below it are together: OCI's chain id. On Windows an unpacked layer is bound to those below
 * it, and is kept under that. Pure. */
#ifndef SKEP_RUNTIME_IMAGE_CHAIN_H
#define SKEP_RUNTIME_IMAGE_CHAIN_H

#include "runtime/image/reference.h"

struct image_chain {
    char id[IMAGE_DIGEST_SIZE_CHARS + 1]; /* "": nothing yet */
};

/* The lowest layer's is its diff id. @diff_id is valid. */
void image_chain_add(struct image_chain *chain, const char *diff_id);

#endif
