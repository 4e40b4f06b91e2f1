/* runtime/linux/capabilities.c – see capabilities.h. */
#include "runtime/linux/capabilities.h"

#include <strings.h>

#include "base/state.h"

static const char *const names[] = {
#define X(name, is_default) "CAP_" #name,
    CAPABILITIES(X)
#undef X
};

static const capability_set default_set =
#define X(name, is_default) ((is_default) ? BIT(CAPABILITY_##name) : 0) |
    CAPABILITIES(X) 0;
#undef X

const char *capability_name(enum capability capability)
{
    return names[capability];
}

/* Bits of the names given. */
static int collect(const struct document_strings *words, capability_set all, capability_set *out, struct error *err)
{
    *out = 0;
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        size_t n;
        if (strcasecmp(word, "ALL") == 0 || strcasecmp(word, "CAP_ALL") == 0) {
            *out = all;
            continue;
        }
        if (strncasecmp(word, "CAP_", 4) == 0)
            word += 4;
        for (n = 0; n < CAPABILITY_COUNT; n++)
            if (strcasecmp(word, names[n] + 4) == 0)
                break;
        if (n == CAPABILITY_COUNT)
            return error_set(err, ERR_INVALID, "invalid capability: \"%s\"", words->items[i]);
        *out |= BIT(n);
    }
    return 0;
}

int capabilities_apply(const struct document_strings *add, const struct document_strings *drop, int last, capability_set *out,
                       struct error *err)
{
    capability_set all = last >= 63 ? UINT64_MAX : BIT(last + 1) - 1, added, dropped;

    all &= BIT(CAPABILITY_COUNT) - 1;
    if (collect(add, all, &added, err) < 0 || collect(drop, all, &dropped, err) < 0)
        return err->code;
    *out = ((default_set & ~dropped) | added) & all;
    return 0;
}
