/* runtime/linux/seccomp_filters.c – see seccomp_filters.h. */
#include "runtime/linux/seccomp_filters.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"

struct filter {
    uint8_t profile[SHA256_SIZE_BYTES];
    char *base64; /* NULL: free */
};

struct seccomp_filters {
    uv_mutex_t mutex;
    struct filter items[SECCOMP_FILTERS_COUNT];
    size_t next; /* the oldest, or a free one */
};

struct seccomp_filters *seccomp_filters_new(void)
{
    struct seccomp_filters *filters = mem_alloc(sizeof *filters);

    if (uv_mutex_init(&filters->mutex) < 0)
        abort(); /* only without memory */
    return filters;
}

void seccomp_filters_free(struct seccomp_filters *filters)
{
    if (!filters)
        return;
    for (size_t i = 0; i < SECCOMP_FILTERS_COUNT; i++)
        free(filters->items[i].base64);
    uv_mutex_destroy(&filters->mutex);
    free(filters);
}

static const struct filter *find(const struct seccomp_filters *filters, const uint8_t profile[SHA256_SIZE_BYTES])
{
    for (size_t i = 0; i < SECCOMP_FILTERS_COUNT; i++)
        if (filters->items[i].base64 && memcmp(filters->items[i].profile, profile, SHA256_SIZE_BYTES) == 0)
            return &filters->items[i];
    return NULL;
}

char *seccomp_filters_find(struct seccomp_filters *filters, const char *profile)
{
    uint8_t digest[SHA256_SIZE_BYTES];

    sha256(bytes_of_string(profile), digest);
    uv_mutex_lock(&filters->mutex);
    const struct filter *found = find(filters, digest);
    char *base64 = found ? mem_string(found->base64) : NULL;
    uv_mutex_unlock(&filters->mutex);
    return base64;
}

void seccomp_filters_keep(struct seccomp_filters *filters, const char *profile, struct bytes filter)
{
    const size_t instruction_bytes = sizeof(struct sock_filter);
    cleanup_buf struct buf text = {0};
    uint8_t digest[SHA256_SIZE_BYTES];

    if (filter.size == 0 || filter.size % instruction_bytes != 0 || filter.size > BPF_MAXINSNS * instruction_bytes)
        return;
    sha256(bytes_of_string(profile), digest);
    encode_base64(filter, &text);
    uv_mutex_lock(&filters->mutex);
    if (!find(filters, digest)) {
        struct filter *place = &filters->items[filters->next];
        free(place->base64);
        place->base64 = buf_steal_string(&text);
        memcpy(place->profile, digest, sizeof digest);
        filters->next = (filters->next + 1) % SECCOMP_FILTERS_COUNT;
    }
    uv_mutex_unlock(&filters->mutex);
}
