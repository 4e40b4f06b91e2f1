/* manager/store/image_read.c – a store from an image that arrives in parts. Hostile until each object was unpacked within its limit: only
 * the one that is under way is kept as bytes. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/store/inside.h"
#include "proto/fields.h"

#define SNAPSHOT_MEMBERSHIP 2u
#define SNAPSHOT_STORE      3u
#define HEADER_SIZE_MOST    (2 * FIELD_VARINT_SIZE_MOST)

struct restore {
    struct store_table tables[STORE_KINDS_COUNT];
    size_t size_bytes;
    struct buf rest;
    uint64_t inside_left; /* of the store field under way */
    struct buf membership;
    struct error failure;
};

void store_restore_begin(struct store *store)
{
    restore_drop(store);
    store->restore = mem_alloc(sizeof *store->restore);
    store->restore->rest.is_secret = true;
    for (unsigned i = 0; i < STORE_KINDS_COUNT; i++)
        store->restore->tables[i].kind = (enum store_kind)i;
}

void restore_drop(struct store *store)
{
    struct restore *restore = store->restore;

    if (restore == NULL)
        return;
    for (unsigned i = 0; i < STORE_KINDS_COUNT; i++)
        table_clear(&restore->tables[i]);
    buf_deinit(&restore->rest);
    buf_deinit(&restore->membership);
    free(restore);
    store->restore = NULL;
}

static int put_object(struct restore *restore, const struct field *field, struct error *err)
{
    enum store_kind kind;
    struct store_object *object;

    if (field->type != FIELD_LENGTH || !store_kind_of_snapshot(field->number, &kind))
        return 0; /* a kind of a later version: as SwarmKit, it is passed over */
    int failed = object_unpack(kind, field->bytes, &object, err);
    if (failed < 0)
        return failed;
    struct store_record *record = table_obtain(&restore->tables[kind], store_object_id(object));
    if (record->committed) {
        failed = error_set(err, ERR_CORRUPT, "%s %s is there twice", store_kind_info(kind)->name, record->id);
        store_object_release(object);
        return failed;
    }
    restore->size_bytes += object->size_bytes;
    table_set(&restore->tables[kind], record, object);
    return 0;
}

/* How long the field at the front is. False: not known yet. */
static bool measure(struct bytes rest, struct field *field, size_t *header, uint64_t *whole)
{
    struct bytes at = rest;
    uint64_t key, length;

    if (!field_take_varint(&at, &key))
        return false;
    field->number = (uint32_t)(key >> 3);
    field->type = (enum field_type)(key & 7);
    if (field->type == FIELD_LENGTH) {
        if (!field_take_varint(&at, &length))
            return false;
        *header = rest.size - at.size;
        *whole = length > UINT64_MAX - *header ? UINT64_MAX : *header + length;
        return true;
    }
    *header = rest.size - at.size;
    if (field->type == FIELD_VARINT) {
        if (!field_take_varint(&at, &length))
            return false;
        *whole = rest.size - at.size;
        return true;
    }
    *whole = *header + (field->type == FIELD_FIXED64 ? 8 : 4); /* what is neither is found malformed when it is taken */
    return true;
}

static int take_field(struct restore *restore, struct bytes whole, struct error *err)
{
    struct field field;

    if (!field_take(&whole, &field))
        return error_set(err, ERR_CORRUPT, "a field is malformed");
    if (restore->inside_left > 0)
        return put_object(restore, &field, err);
    if (field.number == SNAPSHOT_MEMBERSHIP && field.type == FIELD_LENGTH)
        buf_append(&restore->membership, field.bytes.data, field.bytes.size); /* parts of one message may follow each other */
    if (restore->membership.size > STORE_OBJECT_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "a membership of more than %u bytes", STORE_OBJECT_SIZE_BYTES);
    return 0;
}

/* Takes what is complete off the front of @rest. */
static int take_fields(struct restore *restore, struct bytes *rest, struct error *err)
{
    struct field field = {0};
    size_t header;
    uint64_t whole;

    while (rest->size > 0) {
        if (!measure(*rest, &field, &header, &whole)) {
            if (rest->size >= HEADER_SIZE_MOST)
                return error_set(err, ERR_CORRUPT, "a field's key or length is malformed");
            return 0;
        }
        if (restore->inside_left > 0 && whole > restore->inside_left)
            return error_set(err, ERR_CORRUPT, "an object is longer than what holds it");
        if (restore->inside_left == 0 && field.number == SNAPSHOT_STORE && field.type == FIELD_LENGTH) {
            restore->inside_left = whole - header;
            *rest = bytes_of(rest->data + header, rest->size - header);
            continue;
        }
        if (whole - header > STORE_OBJECT_SIZE_BYTES)
            return error_set(err, ERR_LIMIT, "an object of %llu bytes: more than %u", (unsigned long long)(whole - header),
                             STORE_OBJECT_SIZE_BYTES);
        if (whole > rest->size)
            return 0;
        int failed = take_field(restore, bytes_of(rest->data, (size_t)whole), err);
        if (failed < 0)
            return failed;
        if (restore->inside_left > 0)
            restore->inside_left -= whole;
        *rest = bytes_of(rest->data + whole, rest->size - (size_t)whole);
    }
    return 0;
}

int store_restore_add(struct store *store, struct bytes part, struct error *err)
{
    struct restore *restore = store->restore;

    if (restore->failure.code != 0) {
        if (err)
            *err = restore->failure;
        return restore->failure.code;
    }
    buf_append(&restore->rest, part.data, part.size);
    struct bytes rest = buf_bytes(&restore->rest);
    if (take_fields(restore, &rest, &restore->failure) < 0) {
        error_wrap(&restore->failure, "store: image");
        if (err)
            *err = restore->failure;
        return restore->failure.code;
    }
    buf_consume(&restore->rest, restore->rest.size - rest.size);
    return 0;
}

int store_restore_end(struct store *store, uint64_t index, struct buf *membership, struct error *err)
{
    struct restore *restore = store->restore;
    int failed = restore->failure.code;

    if (failed < 0 && err)
        *err = restore->failure;
    if (failed == 0 && (restore->rest.size > 0 || restore->inside_left > 0))
        failed = error_set(err, ERR_CORRUPT, "store: image: it is cut short");
    if (failed == 0) {
        batch_undo_to(store, 0); /* what it would have changed is no more */
        for (unsigned i = 0; i < STORE_KINDS_COUNT; i++) {
            struct store_table old = store->tables[i];
            store->tables[i] = restore->tables[i];
            restore->tables[i] = old;
        }
        store->size_bytes = restore->size_bytes;
        store->version = index;
        buf_append(membership, restore->membership.data, restore->membership.size);
    }
    restore_drop(store);
    if (failed == 0)
        history_forget(store);
    return failed;
}
