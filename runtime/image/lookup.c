/* runtime/image/lookup.c – see lookup.h. */
#include "runtime/image/lookup.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/platform.h"

bool image_record_is_named(const struct image_record *record, const struct image_reference *reference, const char *full)
{
    if (!reference->digest[0])
        return strcmp(record->name, full) == 0;
    cleanup_free char *repository = mem_format("%s/%s", reference->domain, reference->path);
    return strcmp(record->repository, repository) == 0 &&
           (strcmp(record->served, reference->digest) == 0 || strcmp(record->manifest, reference->digest) == 0);
}

int image_records_find_id(const struct image_records *records, const char *text, int *at, struct error *err)
{
    const char *hex = text_starts(text, "sha256:") ? text + strlen("sha256:") : text;
    size_t length = strlen(hex);
    *at = -1;
    if (length == 0 || length > 64 || strspn(hex, "0123456789abcdef") != length)
        return 0;
    for (size_t i = 0; i < records->count; i++) {
        const struct image_record *record = &records->items[i];
        bool is_other_digest = strcmp(record->served, text) == 0 || strcmp(record->manifest, text) == 0;
        if (strncmp(record->config + strlen("sha256:"), hex, length) != 0 && !is_other_digest)
            continue;
        if (*at >= 0 && strcmp(records->items[*at].config, record->config) != 0)
            return error_set(err, ERR_INVALID, "ambiguous id: several images start with %.64s", hex);
        *at = (int)i;
    }
    return 0;
}

int image_not_found(const char *reference, const struct image_platform *platform, struct error *err)
{
    struct image_reference parsed;
    bool is_name = image_reference_parse(reference, &parsed, NULL) == 0;
    cleanup_free char *shown = is_name ? image_reference_familiar(&parsed) : mem_format("%.300s", reference);
    if (!platform)
        return error_set(err, ERR_NOT_FOUND, "No such image: %s", shown);
    cleanup_free char *wanted = image_platform_text(platform);
    return error_set(err, ERR_NOT_FOUND, "No such image: %s for %s", shown, wanted);
}
