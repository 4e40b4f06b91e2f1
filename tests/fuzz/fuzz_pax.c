/* An archive read by libarchive and pax.h together, as unpack.c does: whatever it holds, every entry that is handed out begins where
 * libarchive says, within the archive, and what was found of it is within its limits. In pieces of another size the result is the same. */
#include <stdlib.h>

#include "tests/unit/runtime/image/tool/archives.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    size_t entries, bytes;
};

static int on_entry(void *ctx, struct archive_entry *entry, const struct windows_meta *meta, struct error *err)
{
    struct tally *tally = ctx;
    (void)entry;
    (void)err;
    if (meta->descriptor.size > WINDOWS_DESCRIPTOR_BYTES || (meta->sddl && strlen(meta->sddl) > WINDOWS_DESCRIPTOR_BYTES))
        abort();
    tally->entries++;
    tally->bytes += meta->descriptor.size + meta->attributes + meta->is_junction;
    for (size_t i = 0; i < meta->ea_count; i++) {
        if (strlen(meta->eas[i].name) - 1 >= WINDOWS_EA_NAME_SIZE_BYTES || meta->eas[i].value.size > UINT16_MAX)
            abort();
        tally->bytes += meta->eas[i].value.size;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1 << 16, 100};
    struct tally tallies[2] = {{0, 0}, {0, 0}};
    int results[2];
    for (size_t i = 0; i < 2; i++) {
        struct error err = {0};
        results[i] = read_both(bytes_of(data, size), pieces[i], on_entry, &tallies[i], &err);
        if (results[i] < 0 && err.code != results[i])
            abort();
    }
    /* A damage is met before or after an entry, by how far libarchive looks ahead; a whole archive is whole either way. */
    if ((results[0] == 0) != (results[1] == 0) && results[0] != ERR_CORRUPT && results[1] != ERR_CORRUPT)
        abort();
    if (results[0] == 0 && results[1] == 0 && (tallies[0].entries != tallies[1].entries || tallies[0].bytes != tallies[1].bytes))
        abort();
    return 0;
}
