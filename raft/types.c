/* Names, shared bytes, and the life of messages. */
#include "raft/types.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *raft_message_type_name(int type)
{
    static const char *const names[] = {
#define X(name, number, text) [number] = (text),
        RAFT_MESSAGE_TYPES(X)
#undef X
    };

    return type >= 0 && (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

const char *raft_entry_type_name(int type)
{
    static const char *const names[] = {
#define X(name, number, text) [number] = (text),
        RAFT_ENTRY_TYPES(X)
#undef X
    };

    return type >= 0 && (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

struct raft_payload *raft_payload_new(struct bytes bytes)
{
    struct raft_payload *payload;

    if (bytes.size == 0)
        return NULL;
    payload = mem_alloc(sizeof *payload + bytes.size);
    payload->holders = 1;
    payload->size = bytes.size;
    memcpy(payload->data, bytes.data, bytes.size);
    return payload;
}

struct raft_payload *raft_payload_hold(struct raft_payload *payload)
{
    if (payload)
        payload->holders++;
    return payload;
}

void raft_payload_release(struct raft_payload *payload)
{
    if (payload && --payload->holders == 0)
        free(payload);
}

static uint64_t varint_size_bytes(uint64_t value)
{
    uint64_t size_bytes = 1;

    for (; value >= 0x80; value >>= 7)
        size_bytes++;
    return size_bytes;
}

uint64_t raft_entry_size_bytes(const struct raft_entry *entry)
{
    uint64_t size_bytes = 3 + varint_size_bytes((uint64_t)entry->type) + varint_size_bytes(entry->term) + varint_size_bytes(entry->index);

    if (entry->payload)
        size_bytes += 1 + varint_size_bytes(entry->payload->size) + entry->payload->size;
    return size_bytes;
}

/* Room for one more in a list of @size-byte items. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 4;
    return mem_resize(items, *capacity * size);
}

void raft_entries_add(struct raft_entries *list, const struct raft_entry *entry)
{
    list->items = grow(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count] = *entry;
    raft_payload_hold(entry->payload);
    list->count++;
}

void raft_entries_clear(struct raft_entries *list)
{
    for (size_t i = 0; i < list->count; i++)
        raft_payload_release(list->items[i].payload);
    list->count = 0;
}

void raft_entries_deinit(struct raft_entries *list)
{
    raft_entries_clear(list);
    free(list->items);
    *list = (struct raft_entries){0};
}

struct raft_entry *raft_entries_copy(const struct raft_entry *entries, size_t count)
{
    struct raft_entry *copy = mem_copy(entries, count * sizeof *entries);

    for (size_t i = 0; i < count; i++)
        raft_payload_hold(copy[i].payload);
    return copy;
}

/* Where @id is, or belongs. */
static size_t ids_place(const struct raft_ids *ids, uint64_t id)
{
    size_t low = 0, high = ids->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ids->items[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool raft_ids_has(const struct raft_ids *ids, uint64_t id)
{
    size_t place = ids_place(ids, id);
    return place < ids->count && ids->items[place] == id;
}

void raft_ids_add(struct raft_ids *ids, uint64_t id)
{
    size_t place = ids_place(ids, id);

    if (place < ids->count && ids->items[place] == id)
        return;
    ids->items = mem_resize(ids->items, (ids->count + 1) * sizeof *ids->items);
    memmove(ids->items + place + 1, ids->items + place, (ids->count - place) * sizeof *ids->items);
    ids->items[place] = id;
    ids->count++;
}

bool raft_ids_remove(struct raft_ids *ids, uint64_t id)
{
    size_t place = ids_place(ids, id);

    if (place == ids->count || ids->items[place] != id)
        return false;
    ids->count--;
    memmove(ids->items + place, ids->items + place + 1, (ids->count - place) * sizeof *ids->items);
    return true;
}

bool raft_ids_equal(const struct raft_ids *a, const struct raft_ids *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof *a->items) == 0);
}

static void copy_ids(struct raft_ids *to, const struct raft_ids *from)
{
    to->items = mem_copy(from->items, from->count * sizeof *from->items);
    to->count = from->count;
}

void raft_conf_state_copy(struct raft_conf_state *to, const struct raft_conf_state *from)
{
    copy_ids(&to->voters, &from->voters);
    copy_ids(&to->learners, &from->learners);
    copy_ids(&to->voters_outgoing, &from->voters_outgoing);
    copy_ids(&to->learners_next, &from->learners_next);
    to->auto_leave = from->auto_leave;
}

void raft_conf_state_deinit(struct raft_conf_state *conf)
{
    free(conf->voters.items);
    free(conf->learners.items);
    free(conf->voters_outgoing.items);
    free(conf->learners_next.items);
    *conf = (struct raft_conf_state){0};
}

void raft_snapshot_copy(struct raft_snapshot *to, const struct raft_snapshot *from)
{
    to->index = from->index;
    to->term = from->term;
    raft_conf_state_copy(&to->conf, &from->conf);
    to->data = raft_payload_hold(from->data);
}

void raft_snapshot_deinit(struct raft_snapshot *snapshot)
{
    raft_conf_state_deinit(&snapshot->conf);
    raft_payload_release(snapshot->data);
    *snapshot = (struct raft_snapshot){0};
}

void raft_message_copy(struct raft_message *to, const struct raft_message *from)
{
    *to = *from;
    to->entries = raft_entries_copy(from->entries, from->entries_count);
    raft_payload_hold(to->context);
    if (from->snapshot) {
        to->snapshot = mem_alloc(sizeof *to->snapshot);
        raft_snapshot_copy(to->snapshot, from->snapshot);
    }
    to->responses = mem_copy(from->responses, from->responses_count * sizeof *from->responses);
    for (size_t i = 0; i < from->responses_count; i++)
        raft_message_copy(&to->responses[i], &from->responses[i]);
}

void raft_message_deinit(struct raft_message *message)
{
    for (size_t i = 0; i < message->entries_count; i++)
        raft_payload_release(message->entries[i].payload);
    free(message->entries);
    for (size_t i = 0; i < message->responses_count; i++)
        raft_message_deinit(&message->responses[i]);
    free(message->responses);
    if (message->snapshot)
        raft_snapshot_deinit(message->snapshot);
    free(message->snapshot);
    raft_payload_release(message->context);
    *message = (struct raft_message){0};
}

void raft_messages_add(struct raft_messages *list, struct raft_message *message)
{
    list->items = grow(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = *message;
    *message = (struct raft_message){0};
}

void raft_messages_clear(struct raft_messages *list)
{
    for (size_t i = 0; i < list->count; i++)
        raft_message_deinit(&list->items[i]);
    list->count = 0;
}

void raft_messages_deinit(struct raft_messages *list)
{
    raft_messages_clear(list);
    free(list->items);
    *list = (struct raft_messages){0};
}
