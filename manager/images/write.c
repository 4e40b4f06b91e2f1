/* manager/images/write.c – facts about an image written into the store, and removed. One object for each image: its name is made from the
 * reference, so that two leaders never make two. */
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "google/protobuf/any.pb-c.h"
#include "manager/images/inside.h"

struct write {
    struct image *image;
    struct buf payload;
    char *id; /* of a new object, or of the one that goes */
    char name[sizeof "image-" + 2 * SHA256_SIZE_BYTES];
};

/* Names are compared without their case, and references are not. */
static void make_name(const char *reference, char name[sizeof "image-" + 2 * SHA256_SIZE_BYTES])
{
    uint8_t digest[SHA256_SIZE_BYTES];

    sha256(bytes_of_string(reference), digest);
    memcpy(name, "image-", strlen("image-"));
    encode_hex(bytes_of(digest, sizeof digest), name + strlen("image-"));
}

static const Docker__Swarmkit__V1__Resource *find_own(struct store_tx *tx, const char *name)
{
    struct store_cursor cursor;

    store_tx_find(tx, STORE_RESOURCE, STORE_BY_NAME, name, &cursor);
    return (const void *)store_next(&cursor);
}

static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int put(struct store_tx *tx, void *ctx, struct error *err)
{
    struct write *write = ctx;
    const Docker__Swarmkit__V1__Resource *old = find_own(tx, write->name);
    Docker__Swarmkit__V1__Resource resource = DOCKER__SWARMKIT__V1__RESOURCE__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    Google__Protobuf__Any payload = GOOGLE__PROTOBUF__ANY__INIT;

    label.key = unconst(IMAGES_LABEL_WRITER);
    label.value = unconst(IMAGES_WRITER);
    annotations.name = write->name;
    annotations.labels = labels;
    annotations.n_labels = 1;
    payload.type_url = unconst(IMAGE_FACTS_TYPE);
    payload.value.data = write->payload.data;
    payload.value.len = write->payload.size;
    if (old)
        resource = *old;
    else
        resource.id = write->id;
    resource.kind = unconst(IMAGE_FACTS_KIND);
    resource.annotations = &annotations;
    resource.payload = &payload;
    return old ? store_tx_update(tx, &resource.base, err) : store_tx_create(tx, &resource.base, err);
}

static bool names(const Docker__Swarmkit__V1__ServiceSpec *spec, const char *reference)
{
    const Docker__Swarmkit__V1__ContainerSpec *container = images_container_of(spec);
    return container && strcmp(container->image, reference) == 0;
}

/* A service may have come meanwhile. */
static bool is_named(struct store_tx *tx, const char *reference)
{
    const Docker__Swarmkit__V1__Service *service;
    struct store_cursor cursor;

    store_tx_find(tx, STORE_SERVICE, STORE_ALL, NULL, &cursor);
    while ((service = (const void *)store_next(&cursor)) != NULL)
        if (names(service->spec, reference) || names(service->previous_spec, reference))
            return true;
    return false;
}

static int take_away(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct write *write = ctx;

    if (store_tx_resource(tx, write->id) == NULL || is_named(tx, write->image->reference))
        return 0;
    return store_tx_remove(tx, STORE_RESOURCE, write->id, err);
}

static void done(void *ctx, const struct error *err)
{
    struct write *write = ctx;
    struct image *image = write->image;

    if (err)
        log_warn("images", "what is known of image %s is not written: %s", image->reference, err->message);
    image->has_write_failed = err != NULL;
    image->is_writing = false;
    image->part->writes--;
    part_wake(&image->part->options.host);
    buf_deinit(&write->payload);
    free(write->id);
    free(write);
}

static void send(struct image *image, store_write_fn *fn, const char *id)
{
    struct images_part *part = image->part;
    struct write *write = mem_alloc(sizeof *write);

    write->image = image;
    write->payload = image->payload;
    image->payload = (struct buf){0};
    make_name(image->reference, write->name);
    write->id = mem_string(id);
    image->is_writing = true;
    part->writes++;
    store_update(part->options.host.store, fn, done, write);
}

void images_write(struct image *image)
{
    char id[ID_SIZE_CHARS + 1];

    id_make(&image->part->options.host.random, id);
    send(image, put, id);
}

void images_remove(struct image *image)
{
    send(image, take_away, image->own->id);
}
