/* raft/proposals.c – see proposals.h. A callback may add a proposal: the list is in order whenever one is called. */
#include "raft/proposals.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void raft_proposals_deinit(struct raft_proposals *list)
{
    free(list->items);
    *list = (struct raft_proposals){0};
}

int raft_proposals_add(struct raft_proposals *list, enum raft_entry_type type, struct raft_payload *payload, raft_proposed_fn fn, void *ctx,
                       struct error *err)
{
    uint64_t size = payload ? payload->size : 0;

    if (list->count == RAFT_PROPOSALS_COUNT || list->size_bytes + size > RAFT_PROPOSALS_BYTES)
        return error_set(err, ERR_LIMIT, "raft: %zu proposals of %llu bytes wait already: propose again when some are done", list->count,
                         (unsigned long long)list->size_bytes);
    if (list->start > 0 && list->start + list->count == list->capacity) {
        memmove(list->items, list->items + list->start, list->count * sizeof *list->items);
        list->start = 0;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->items = mem_resize(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->start + list->count++] = (struct raft_proposal){{.type = type, .payload = raft_payload_hold(payload)}, fn, ctx};
    list->size_bytes += size;
    return 0;
}

void raft_proposals_next(const struct raft_proposals *list, struct raft_entries *entries)
{
    uint64_t size = 0;

    for (size_t i = list->appended; i < list->count; i++) {
        const struct raft_entry *entry = &list->items[list->start + i].entry;
        size += raft_entry_bytes(entry).size;
        if (entries->count > 0 && size > RAFT_BATCH_BYTES)
            break;
        raft_entries_add(entries, entry);
    }
}

/* In the log it is held by others; whether it is still ours to answer for is told by index and term. */
void raft_proposals_appended(struct raft_proposals *list, size_t count, uint64_t first_index, uint64_t term)
{
    for (size_t i = 0; i < count; i++) {
        struct raft_entry *entry = &list->items[list->start + list->appended + i].entry;
        entry->index = first_index + i;
        entry->term = term;
    }
    list->appended += count;
}

static struct raft_proposal take_first(struct raft_proposals *list)
{
    struct raft_proposal taken = list->items[list->start];

    list->size_bytes -= raft_entry_bytes(&taken.entry).size;
    list->count--;
    list->start = list->count == 0 ? 0 : list->start + 1;
    list->appended--;
    raft_payload_release(taken.entry.payload);
    return taken;
}

void raft_proposals_refused(struct raft_proposals *list, size_t count, const struct error *err)
{
    size_t first = list->start + list->appended;
    struct raft_proposal *refused = mem_copy(&list->items[first], count * sizeof *refused);

    memmove(&list->items[first], &list->items[first + count], (list->count - list->appended - count) * sizeof *refused);
    list->count -= count;
    for (size_t i = 0; i < count; i++)
        list->size_bytes -= raft_entry_bytes(&refused[i].entry).size;
    for (size_t i = 0; i < count; i++) {
        raft_payload_release(refused[i].entry.payload);
        refused[i].fn(refused[i].ctx, 0, err);
    }
    free(refused);
}

void raft_proposals_applied(struct raft_proposals *list, const struct raft_entry *entry)
{
    while (list->appended > 0 && list->items[list->start].entry.index <= entry->index) {
        struct raft_proposal taken = take_first(list);
        struct error err = {0};
        if (taken.entry.index == entry->index && taken.entry.term == entry->term && taken.entry.type == entry->type) {
            taken.fn(taken.ctx, entry->index, NULL);
            continue;
        }
        if (taken.entry.index == entry->index && taken.entry.term == entry->term)
            error_set(&err, ERR_PRECONDITION, "raft: the membership change was not made: another one is under way, or it does not fit");
        else
            error_set(&err, ERR_UNAVAILABLE, "raft: another leader's entry took the place of this proposal: it was not made");
        taken.fn(taken.ctx, 0, &err);
    }
}

void raft_proposals_fail(struct raft_proposals *list, const char *why)
{
    struct raft_proposals old = *list; /* what callbacks add goes to a new one */
    struct error unknown = {0}, refused = {0};

    *list = (struct raft_proposals){0};
    error_set(&unknown, ERR_CANCELED, "raft: %s: the outcome of this proposal is not known: it may still be committed", why);
    error_set(&refused, ERR_UNAVAILABLE, "raft: %s: this proposal was not made", why);
    for (size_t i = 0; i < old.count; i++) {
        struct raft_proposal *item = &old.items[old.start + i];
        raft_payload_release(item->entry.payload);
        item->fn(item->ctx, 0, i < old.appended ? &unknown : &refused);
    }
    free(old.items);
}
