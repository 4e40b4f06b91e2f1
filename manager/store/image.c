/* manager/store/image.c – everything at one moment, packed part by part. Objects never change, so holding them is all that freezing takes.
 *
 * Source: SwarmKit's Snapshot {version = 1, membership = 2, store = 3}; a field that comes more than once is one message in parts, so each
 * object is sent in a store field of its own and no size needs to be known beforehand. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/store/inside.h"
#include "proto/fields.h"

#define SNAPSHOT_MEMBERSHIP 2u
#define SNAPSHOT_STORE      3u

struct store_image {
    struct buf membership;
    struct store_object **objects;
    size_t count, at;
    bool has_begun;
};

struct store_image *store_image_open(const struct store *store, struct bytes membership)
{
    struct store_image *image = mem_alloc(sizeof *image);
    size_t count = 0;

    for (unsigned kind = 0; kind < STORE_KINDS_COUNT; kind++)
        count += store->tables[kind].count;
    image->objects = mem_array(count + 1, sizeof(struct store_object *));
    for (unsigned kind = 0; kind < STORE_KINDS_COUNT; kind++)
        for (const struct store_record *record = store->tables[kind].first; record; record = record->after)
            image->objects[image->count++] = store_object_hold(record->committed);
    buf_append(&image->membership, membership.data, membership.size);
    return image;
}

static void put_object(const struct store_object *object, struct buf *out)
{
    uint32_t field = store_kind_info(object->kind)->snapshot_field;
    size_t size = protobuf_c_message_get_packed_size(object->message);

    field_put_length(out, SNAPSHOT_STORE, field_length_size(field, size));
    field_put_length(out, field, size);
    out->size += protobuf_c_message_pack(object->message, buf_reserve(out, size));
    out->data[out->size] = 0;
}

void store_image_read(struct store_image *image, size_t most_bytes, struct buf *out)
{
    size_t start = out->size;

    if (!image->has_begun) {
        field_put_length(out, SNAPSHOT_MEMBERSHIP, image->membership.size);
        buf_append(out, image->membership.data, image->membership.size);
        image->has_begun = true;
    }
    while (image->at < image->count && (out->size == start || out->size - start < most_bytes)) {
        struct store_object **object = &image->objects[image->at];
        size_t before = out->size;
        put_object(*object, out);
        if (before > start && out->size - start > most_bytes) {
            out->size = before; /* for the next part */
            out->data[out->size] = 0;
            return;
        }
        store_object_release(*object);
        *object = NULL;
        image->at++;
    }
}

void store_image_close(struct store_image *image)
{
    if (image == NULL)
        return;
    for (size_t i = image->at; i < image->count; i++)
        store_object_release(image->objects[i]);
    free(image->objects);
    buf_deinit(&image->membership);
    free(image);
}
