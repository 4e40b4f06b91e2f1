/* manager/scheduler/generics.c – see generics.h. A node has a handful of kinds and values: lists do. */
#include "manager/scheduler/generics.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/scheduler/generic_resource.h"
#include "proto/swarmkit/types.pb-c.h"

typedef Docker__Swarmkit__V1__GenericResource GenericResource;

void sched_generics_deinit(struct sched_generics *generics)
{
    for (size_t i = 0; i < generics->count; i++) {
        struct sched_generic_kind *kind = &generics->kinds[i];
        for (size_t k = 0; k < kind->value_count; k++)
            sched_strings_release(generics->strings, kind->values[k].value);
        sched_strings_release(generics->strings, kind->kind);
        free(kind->values);
    }
    free(generics->kinds);
    *generics = (struct sched_generics){.strings = generics->strings};
}

static struct sched_generic_kind *find_kind(const struct sched_generics *generics, const char *kind)
{
    for (size_t i = 0; i < generics->count; i++)
        if (text_equal(generics->kinds[i].kind, kind))
            return &generics->kinds[i];
    return NULL;
}

static struct sched_generic_kind *need_kind(struct sched_generics *generics, const char *name)
{
    struct sched_generic_kind *kind = find_kind(generics, name);
    if (kind)
        return kind;
    generics->kinds = mem_resize(generics->kinds, (generics->count + 1) * sizeof *generics->kinds);
    kind = &generics->kinds[generics->count++];
    *kind = (struct sched_generic_kind){.kind = sched_strings_keep(generics->strings, name)};
    return kind;
}

static struct sched_generic_value *need_value(struct sched_generics *generics, struct sched_generic_kind *kind, const char *text)
{
    for (size_t i = 0; i < kind->value_count; i++)
        if (text_equal(kind->values[i].value, text))
            return &kind->values[i];
    kind->values = mem_resize(kind->values, (kind->value_count + 1) * sizeof *kind->values);
    struct sched_generic_value *value = &kind->values[kind->value_count++];
    *value = (struct sched_generic_value){.value = sched_strings_keep(generics->strings, text)};
    return value;
}

void sched_generics_offer(struct sched_generics *generics, GenericResource *const *offered, size_t count)
{
    for (size_t i = 0; i < generics->count; i++) {
        struct sched_generic_kind *kind = &generics->kinds[i];
        kind->is_offered = kind->is_named = false;
        kind->total = 0;
        for (size_t k = 0; k < kind->value_count; k++)
            kind->values[k].is_offered = false;
    }
    for (size_t i = 0; i < count; i++) {
        if (generic_named(offered[i])) {
            struct sched_generic_kind *kind = need_kind(generics, offered[i]->named_resource_spec->kind);
            kind->is_offered = kind->is_named = true;
            need_value(generics, kind, offered[i]->named_resource_spec->value)->is_offered = true;
        } else if (generic_discrete(offered[i])) {
            struct sched_generic_kind *kind = need_kind(generics, offered[i]->discrete_resource_spec->kind);
            kind->is_offered = true;
            kind->total = offered[i]->discrete_resource_spec->value;
        }
    }
}

static bool is_free(const struct sched_generic_value *value)
{
    return value->is_offered && value->claims_count == 0;
}

int64_t sched_generics_free(const struct sched_generics *generics, const char *name)
{
    const struct sched_generic_kind *kind = find_kind(generics, name);
    if (!kind || !kind->is_offered)
        return 0;
    int64_t free_count = kind->is_named ? 0 : kind->total;
    for (size_t i = 0; kind->is_named && i < kind->value_count; i++)
        free_count += is_free(&kind->values[i]);
    return (int64_t)((uint64_t)free_count - (uint64_t)kind->claimed);
}

static struct sched_grant *new_grant(size_t count)
{
    return mem_alloc(sizeof(struct sched_grant) + count * sizeof(struct scheduler_generic));
}

static void grant_value(struct sched_grant *grant, struct sched_generics *generics, struct sched_generic_kind *kind,
                        struct sched_generic_value *value)
{
    value->claims_count++;
    grant->items[grant->count++] = (struct scheduler_generic){.kind = sched_strings_keep(generics->strings, kind->kind),
                                                              .value = sched_strings_keep(generics->strings, value->value),
                                                              .amount = 1};
}

static void grant_amount(struct sched_grant *grant, struct sched_generics *generics, struct sched_generic_kind *kind, int64_t amount)
{
    kind->claimed = (int64_t)((uint64_t)kind->claimed + (uint64_t)amount);
    grant->items[grant->count++] =
        (struct scheduler_generic){.kind = sched_strings_keep(generics->strings, kind->kind), .value = NULL, .amount = amount};
}

struct sched_grant *sched_generics_claim(struct sched_generics *generics, const struct sched_generic_need *needs, size_t count)
{
    size_t items = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sched_generic_kind *kind = find_kind(generics, needs[i].kind);
        items += kind && kind->is_named ? kind->value_count : 1;
    }
    if (count == 0)
        return NULL;
    struct sched_grant *grant = new_grant(items);
    for (size_t i = 0; i < count; i++) {
        struct sched_generic_kind *kind = need_kind(generics, needs[i].kind);
        int64_t wanted = needs[i].amount;
        for (size_t k = 0; kind->is_named && k < kind->value_count && wanted > 0; k++) {
            if (!is_free(&kind->values[k]))
                continue;
            grant_value(grant, generics, kind, &kind->values[k]);
            wanted--;
        }
        if (!kind->is_named)
            grant_amount(grant, generics, kind, wanted);
    }
    return grant;
}

struct sched_grant *sched_generics_claim_recorded(struct sched_generics *generics, GenericResource *const *recorded, size_t count)
{
    if (count == 0)
        return NULL;
    struct sched_grant *grant = new_grant(count);
    for (size_t i = 0; i < count; i++) {
        if (generic_named(recorded[i])) {
            struct sched_generic_kind *kind = need_kind(generics, recorded[i]->named_resource_spec->kind);
            grant_value(grant, generics, kind, need_value(generics, kind, recorded[i]->named_resource_spec->value));
        } else if (generic_discrete(recorded[i])) {
            grant_amount(grant, generics, need_kind(generics, recorded[i]->discrete_resource_spec->kind),
                         recorded[i]->discrete_resource_spec->value);
        }
    }
    return grant;
}

static bool is_same(const struct scheduler_generic *item, const GenericResource *record)
{
    if (generic_named(record))
        return item->value && text_equal(item->kind, record->named_resource_spec->kind) &&
               text_equal(item->value, record->named_resource_spec->value);
    return generic_discrete(record) && !item->value && text_equal(item->kind, record->discrete_resource_spec->kind) &&
           item->amount == record->discrete_resource_spec->value;
}

bool sched_grant_equals(const struct sched_grant *grant, GenericResource *const *recorded, size_t count)
{
    if ((grant ? grant->count : 0) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < count && !is_there; k++)
            is_there = is_same(&grant->items[i], recorded[k]);
        if (!is_there)
            return false;
    }
    return true;
}

void sched_generics_release(struct sched_generics *generics, struct sched_grant *grant)
{
    for (size_t i = 0; grant && i < grant->count; i++) {
        const struct scheduler_generic *item = &grant->items[i];
        struct sched_generic_kind *kind = find_kind(generics, item->kind);
        assert(kind);
        for (size_t k = 0; item->value && k < kind->value_count; k++)
            if (text_equal(kind->values[k].value, item->value))
                kind->values[k].claims_count--;
        if (!item->value)
            kind->claimed = (int64_t)((uint64_t)kind->claimed - (uint64_t)item->amount);
        sched_strings_release(generics->strings, item->value);
        sched_strings_release(generics->strings, item->kind);
    }
    free(grant);
}
