/* manager/scheduler/image_table.c – see image_table.h. Two objects may speak of one image: the newer counts, and when it goes the older
 * counts again, whichever manager leads. */
#include "manager/scheduler/image_table.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "manager/scheduler/image_facts.h"

/* What one object says. */
struct image_table_fact {
    UT_hash_handle hh;
    struct store_object *object; /* held */
    struct image_table_image *image;
    struct image_table_fact *prev, *next; /* of the same image */
    char id[];
};

struct image_table_image {
    UT_hash_handle hh;
    struct image_table_fact *facts; /* at least one */
    char reference[];
};

static const Docker__Swarmkit__V1__Resource *message_of(const struct store_object *object)
{
    return (const void *)object->message;
}

static struct image_table_image *obtain_image(struct image_table *table, const char *reference)
{
    struct image_table_image *image;
    size_t length = strlen(reference);

    HASH_FIND_STR(table->images, reference, image);
    if (image)
        return image;
    image = mem_alloc(sizeof *image + length + 1);
    memcpy(image->reference, reference, length + 1);
    HASH_ADD_STR(table->images, reference, image);
    return image;
}

static bool is_newer(const struct image_table_fact *a, const struct image_table_fact *b)
{
    uint64_t left = store_object_version(a->object), right = store_object_version(b->object);
    return left != right ? left > right : strcmp(a->id, b->id) > 0;
}

static void learn(struct scheduler *scheduler, const char *reference, const struct image_facts *facts)
{
    struct error err = {0};

    if (scheduler_image_set(scheduler, reference, facts ? facts->platforms : NULL, facts ? facts->count : 0, &err) < 0)
        log_warn("scheduler", "tasks of this image are placed without knowing what it is for: %s", err.message);
}

/* The scheduler learns what the newest of its facts says; an image without any is forgotten. */
static void tell(struct image_table *table, struct scheduler *scheduler, struct image_table_image *image)
{
    const struct image_table_fact *fact, *newest = image->facts;
    struct image_facts facts;

    if (newest == NULL) {
        learn(scheduler, image->reference, NULL);
        HASH_DEL(table->images, image);
        free(image);
        return;
    }
    DL_FOREACH (image->facts, fact)
        if (is_newer(fact, newest))
            newest = fact;
    if (image_facts_read(message_of(newest->object), &facts, NULL) < 0)
        return; /* it was read before it came here */
    learn(scheduler, image->reference, &facts);
    image_facts_deinit(&facts);
}

/* Its image is still to be told. */
static struct image_table_image *take_out(struct image_table *table, struct image_table_fact *fact)
{
    struct image_table_image *image = fact->image;

    DL_DELETE(image->facts, fact);
    HASH_DEL(table->facts, fact);
    store_object_release(fact->object);
    free(fact);
    return image;
}

static struct image_table_image *put_in(struct image_table *table, const char *reference, struct store_object *object)
{
    const char *id = store_object_id(object);
    size_t length = strlen(id);
    struct image_table_fact *fact = mem_alloc(sizeof *fact + length + 1);

    memcpy(fact->id, id, length + 1);
    fact->object = store_object_hold(object);
    fact->image = obtain_image(table, reference);
    DL_APPEND(fact->image->facts, fact);
    HASH_ADD_STR(table->facts, id, fact);
    return fact->image;
}

static struct image_table_image *put_in_if_readable(struct image_table *table, struct store_object *object)
{
    struct image_table_image *image;
    struct image_facts facts;
    struct error err = {0};

    if (strcmp(message_of(object)->kind, IMAGE_FACTS_KIND) != 0)
        return NULL;
    if (image_facts_read(message_of(object), &facts, &err) < 0) {
        log_warn("scheduler", "passed over: %s", err.message);
        return NULL;
    }
    image = put_in(table, facts.image, object);
    image_facts_deinit(&facts);
    return image;
}

void image_table_set(struct image_table *table, struct scheduler *scheduler, struct store_object *object)
{
    struct image_table_image *before = NULL, *now;
    struct image_table_fact *fact;

    HASH_FIND_STR(table->facts, store_object_id(object), fact);
    if (fact)
        before = take_out(table, fact);
    now = put_in_if_readable(table, object);
    if (before && before != now)
        tell(table, scheduler, before);
    if (now)
        tell(table, scheduler, now);
}

void image_table_remove(struct image_table *table, struct scheduler *scheduler, const char *id)
{
    struct image_table_fact *fact;

    HASH_FIND_STR(table->facts, id, fact);
    if (fact)
        tell(table, scheduler, take_out(table, fact));
}

void image_table_clear(struct image_table *table)
{
    struct image_table_fact *fact, *next_fact;
    struct image_table_image *image, *next_image;

    HASH_ITER (hh, table->facts, fact, next_fact)
        take_out(table, fact);
    HASH_ITER (hh, table->images, image, next_image) {
        HASH_DEL(table->images, image);
        free(image);
    }
}
