/* manager/store/entry.c – changes as they travel: SwarmKit's InternalRaftRequest {id = 1, action = 2 {action = 1, the object}}. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/store/inside.h"
#include "proto/fields.h"

#define REQUEST_ID     1u
#define REQUEST_ACTION 2u
#define ACTION_KIND    1u

static size_t action_size(const struct store_object *object, size_t message_size)
{
    return 2 + field_length_size(store_kind_info(object->kind)->action_field, message_size);
}

size_t entry_action_size(const struct store_object *object)
{
    size_t size = action_size(object, protobuf_c_message_get_packed_size(object->message));
    return field_length_size(REQUEST_ACTION, size);
}

void entry_begin(struct buf *out, uint64_t request)
{
    field_put_varint(out, REQUEST_ID, request);
}

void entry_add(struct buf *out, enum store_change_action kind, const struct store_object *object)
{
    size_t size = protobuf_c_message_get_packed_size(object->message);

    field_put_length(out, REQUEST_ACTION, action_size(object, size));
    field_put_varint(out, ACTION_KIND, (uint64_t)kind);
    field_put_length(out, store_kind_info(object->kind)->action_field, size);
    out->size += protobuf_c_message_pack(object->message, buf_reserve(out, size));
    out->data[out->size] = 0;
}

void changes_add(struct changes *list, const struct store_change *change)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 8;
        list->items = mem_resize(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->count++] = *change;
    store_object_hold(change->object);
    store_object_hold(change->old);
}

void changes_free(struct changes *list)
{
    for (size_t i = 0; i < list->count; i++) {
        store_object_release(list->items[i].object);
        store_object_release(list->items[i].old);
    }
    free(list->items);
    *list = (struct changes){0};
}

void changes_apply(struct store *store, const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct store_change *change = &changes->items[i];
        struct store_table *table = &store->tables[change->kind];
        struct store_record *record = table_obtain(table, store_object_id(change->object));
        if (record->committed)
            store->size_bytes -= record->committed->size_bytes;
        if (change->action != STORE_REMOVE)
            store->size_bytes += change->object->size_bytes;
        table_set(table, record, change->action == STORE_REMOVE ? NULL : store_object_hold(change->object));
    }
}
