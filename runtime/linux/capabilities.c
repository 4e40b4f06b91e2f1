/* runtime/linux/capabilities.c – see capabilities.h. */
#include "runtime/linux/capabilities.h"

#include <strings.h>

#include "base/state.h"

static const char *const names[] = {
#define X(name, is_default) "CAP_" #name,
    CAPABILITIES(X)
#undef X
};

/* NOLINTBEGIN(bugprone-macro-parentheses): each is a part of one expression. */
static const capability_set default_set =
#define X(name, is_default) ((is_default) ? BIT(CAPABILITY_##name) : 0) |
    CAPABILITIES(X) 0;
#undef X
/* NOLINTEND(bugprone-macro-parentheses) */

const char *capability_name(enum capability capability)
{
    return names[capability];
}

struct wish {
    capability_set named;
    bool is_all;
};

static int collect(const struct document_strings *words, struct wish *out, struct error *err)
{
    *out = (struct wish){0};
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        size_t n;
        if (strcasecmp(word, "ALL") == 0 || strcasecmp(word, "CAP_ALL") == 0) {
            out->is_all = true;
            continue;
        }
        if (strncasecmp(word, "CAP_", 4) == 0)
            word += 4;
        for (n = 0; n < CAPABILITY_COUNT; n++)
            if (strcasecmp(word, names[n] + 4) == 0)
                break;
        if (n == CAPABILITY_COUNT)
            return error_set(err, ERR_INVALID, "invalid capability: \"%s\"", words->items[i]);
        out->named |= BIT(n);
    }
    return 0;
}

/* Docker's order (oci/caps): with ALL added, what is dropped by name is missing; with ALL dropped, what is added is all there is. */
int capabilities_apply(const struct document_strings *add, const struct document_strings *drop, int last, capability_set *out,
                       struct error *err)
{
    capability_set all = (last >= 63 ? UINT64_MAX : BIT(last + 1) - 1) & (BIT(CAPABILITY_COUNT) - 1);
    struct wish added, dropped;

    if (collect(add, &added, err) < 0 || collect(drop, &dropped, err) < 0)
        return err->code;
    if (added.is_all)
        *out = all & ~dropped.named;
    else if (dropped.is_all)
        *out = all & added.named;
    else
        *out = all & ((default_set & ~dropped.named) | added.named);
    return 0;
}
