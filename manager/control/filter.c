/* manager/control/filter.c – which objects a list is about. A filter's values are alternatives; filters are all to hold. */
#include <ctype.h>

#include "base/text.h"
#include "manager/control/inside.h"

bool filter_has(struct filter_list list, const char *text)
{
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(list.items[i], text) == 0)
            return true;
    return list.count == 0;
}

bool filter_has_prefix(struct filter_list list, const char *text)
{
    for (size_t i = 0; i < list.count; i++)
        if (text_starts(text, list.items[i]))
            return true;
    return list.count == 0;
}

/* The entries of every map of labels are laid out alike, and are different types. */
#define LABELS_PASS(function, Entry)                                                                                                       \
    static bool function(struct filter_labels wanted, Docker__Swarmkit__V1__##Entry *const *labels, size_t count)                          \
    {                                                                                                                                      \
        for (size_t i = 0; i < wanted.count; i++) {                                                                                        \
            const char *value = NULL;                                                                                                      \
            for (size_t at = 0; at < count; at++)                                                                                          \
                if (strcmp(labels[at]->key, wanted.items[i].key) == 0)                                                                     \
                    value = labels[at]->value;                                                                                             \
            if (value == NULL || (wanted.items[i].value[0] != 0 && strcmp(value, wanted.items[i].value) != 0))                             \
                return false;                                                                                                              \
        }                                                                                                                                  \
        return true;                                                                                                                       \
    }
LABELS_PASS(annotations_pass, Annotations__LabelsEntry)
LABELS_PASS(engine_passes, EngineDescription__LabelsEntry)

bool filter_annotations(struct filter_labels wanted, const Docker__Swarmkit__V1__Annotations *annotations)
{
    return wanted.count == 0 || (annotations && annotations_pass(wanted, annotations->labels, annotations->n_labels));
}

bool filter_engine(struct filter_labels wanted, const Docker__Swarmkit__V1__EngineDescription *engine)
{
    return wanted.count == 0 || (engine && engine_passes(wanted, engine->labels, engine->n_labels));
}

bool filter_passes(const struct filter *filter, const char *name, const char *id, const Docker__Swarmkit__V1__Annotations *annotations)
{
    return filter_has(filter->names, name) && filter_has_prefix(filter->name_prefixes, name) &&
           filter_has_prefix(filter->id_prefixes, id) && filter_annotations(filter->labels, annotations);
}

/* --- as secrets are listed --- */

static bool has_folded(struct filter_list list, const char *text, bool is_prefix)
{
    char folded[STORE_KEY_SIZE_BYTES], wanted[STORE_KEY_SIZE_BYTES];

    store_fold_name(text, folded, sizeof folded);
    for (size_t i = 0; i < list.count; i++) {
        store_fold_name(list.items[i], wanted, sizeof wanted);
        if (is_prefix ? text_starts(folded, wanted) : strcmp(folded, wanted) == 0)
            return true;
    }
    return false;
}

bool filter_passes_any(const struct filter *filter, const char *name, const char *id, const Docker__Swarmkit__V1__Annotations *annotations)
{
    if (!filter_annotations(filter->labels, annotations))
        return false;
    if (filter->names.count + filter->name_prefixes.count + filter->id_prefixes.count == 0)
        return true;
    return has_folded(filter->names, name, false) || has_folded(filter->name_prefixes, name, true) ||
           (filter->id_prefixes.count > 0 && filter_has_prefix(filter->id_prefixes, id));
}

void *filter_room(const struct control *control, enum store_kind kind, struct arena *arena)
{
    return arena_alloc(arena, store_count(control->store, kind, STORE_ALL, NULL) * sizeof(void *));
}

const char *filter_runtime(const Docker__Swarmkit__V1__TaskSpec *spec, struct arena *arena)
{
    if (spec == NULL)
        return NULL;
    switch (spec->runtime_case) {
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER:
        return "container";
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_ATTACHMENT:
        return "attachment";
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC: {
        char *kind = arena_string(arena, spec->generic ? spec->generic->kind : "");
        for (char *at = kind; *at; at++)
            *at = (char)tolower((unsigned char)*at);
        return kind;
    }
    default:
        return NULL;
    }
}
