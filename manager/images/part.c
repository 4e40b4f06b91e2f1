/* manager/images/part.c – see part.h. Every image that may have something to do is on a list; a step looks at those alone. */
#include "manager/images/part.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "google/protobuf/any.pb-c.h"
#include "manager/images/inside.h"

#define ROOM "images"

typedef Docker__Swarmkit__V1__Service Service;
typedef Docker__Swarmkit__V1__ServiceSpec ServiceSpec;
typedef Docker__Swarmkit__V1__Resource Resource;

/* --- images --- */

static void look_at(struct image *image)
{
    if (image == NULL || image->is_listed)
        return;
    image->is_listed = true;
    DL_APPEND(image->part->list, image);
}

static struct image *need_image(struct images_part *part, const char *reference)
{
    struct image *image;
    size_t length = strlen(reference);

    HASH_FIND_STR(part->images, reference, image);
    if (image == NULL) {
        image = mem_alloc(sizeof *image + length + 1);
        image->part = part;
        memcpy(image->reference, reference, length + 1);
        HASH_ADD_STR(part->images, reference, image);
    }
    look_at(image);
    return image;
}

static void free_image(struct image *image)
{
    if (image->is_listed)
        DL_DELETE(image->part->list, image);
    HASH_DEL(image->part->images, image);
    buf_deinit(&image->payload);
    free(image);
}

/* --- what the store has --- */

static struct image *image_of(struct images_part *part, const ServiceSpec *spec)
{
    const Docker__Swarmkit__V1__ContainerSpec *container = images_container_of(spec);
    return container && !text_empty(container->image) ? need_image(part, container->image) : NULL;
}

static void leave_images(struct image_service *service)
{
    if (service->image)
        service->image->services--;
    if (service->earlier)
        service->earlier->earlier--;
    look_at(service->image);
    look_at(service->earlier);
    service->image = service->earlier = NULL;
}

static void drop_service(struct images_part *part, struct image_service *service)
{
    leave_images(service);
    HASH_DEL(part->services, service);
    free(service);
}

static void take_service(struct images_part *part, const Service *message)
{
    struct image_service *service;
    uint64_t version = message->spec_version ? message->spec_version->index : 0;
    size_t length = strlen(message->id);

    HASH_FIND_STR(part->services, message->id, service);
    if (service == NULL) {
        service = mem_alloc(sizeof *service + length + 1);
        memcpy(service->id, message->id, length + 1);
        HASH_ADD_STR(part->services, id, service);
    }
    leave_images(service);
    service->image = image_of(part, message->spec);
    service->earlier = image_of(part, message->previous_spec);
    if (service->image) {
        service->image->services++;
        if (version > service->image->wanted_version) {
            service->image->wanted_version = version;
            service->image->retry_ns = 0; /* whoever changed it may have put right what was wrong */
        }
    }
    if (service->earlier)
        service->earlier->earlier++;
}

static void drop_fact(struct images_part *part, struct image_fact *fact)
{
    fact->image->facts--;
    if (fact->image->own == fact) {
        fact->image->own = NULL;
        part->own_count--;
    }
    look_at(fact->image);
    HASH_DEL(part->facts, fact);
    free(fact);
}

static void forget_fact(struct images_part *part, const char *id)
{
    struct image_fact *fact;

    HASH_FIND_STR(part->facts, id, fact);
    if (fact)
        drop_fact(part, fact);
}

static bool is_own(const Resource *resource)
{
    const Docker__Swarmkit__V1__Annotations *annotations = resource->annotations;

    for (size_t i = 0; annotations && i < annotations->n_labels; i++)
        if (text_equal(annotations->labels[i]->key, IMAGES_LABEL_WRITER))
            return text_equal(annotations->labels[i]->value, IMAGES_WRITER);
    return false;
}

/* What cannot be read is the scheduler's to complain about. */
static void take_resource(struct images_part *part, const struct store_object *object)
{
    const Resource *resource = (const void *)object->message;
    struct image_facts read;
    struct image_fact *fact;
    size_t length = strlen(resource->id);

    forget_fact(part, resource->id);
    if (strcmp(resource->kind, IMAGE_FACTS_KIND) != 0 || image_facts_read(resource, &read, NULL) < 0)
        return;
    fact = mem_alloc(sizeof *fact + length + 1);
    memcpy(fact->id, resource->id, length + 1);
    fact->image = need_image(part, read.image);
    fact->image->facts++;
    fact->version = store_object_version(object);
    fact->is_own = is_own(resource);
    (void)snprintf(fact->digest, sizeof fact->digest, "%s", read.digest);
    if (fact->is_own && fact->image->own == NULL) {
        fact->image->own = fact;
        part->own_count++;
    }
    HASH_ADD_STR(part->facts, id, fact);
    image_facts_deinit(&read);
}

static void take(struct images_part *part, const struct store_object *object, bool is_there)
{
    struct image_service *service;

    if (object->kind == STORE_RESOURCE && is_there)
        take_resource(part, object);
    else if (object->kind == STORE_RESOURCE)
        forget_fact(part, store_object_id(object));
    else if (object->kind == STORE_SERVICE && is_there)
        take_service(part, (const void *)object->message);
    else if (object->kind == STORE_SERVICE) {
        HASH_FIND_STR(part->services, store_object_id(object), service);
        if (service)
            drop_service(part, service);
    }
}

static void take_all(struct images_part *part, enum store_kind kind)
{
    struct store *store = part->options.host.store;
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(store, kind, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL)
        take(part, store_get_object(store, kind, store_message_id(kind, message)), true);
}

static void forget_all(struct images_part *part)
{
    struct image_service *service, *next_service;
    struct image_fact *fact, *next_fact;

    HASH_ITER (hh, part->services, service, next_service)
        drop_service(part, service);
    HASH_ITER (hh, part->facts, fact, next_fact)
        drop_fact(part, fact);
}

/* Everything anew, as a new leader does; questions that are under way go on. */
static void list(struct images_part *part)
{
    forget_all(part);
    take_all(part, STORE_RESOURCE);
    take_all(part, STORE_SERVICE);
}

static void on_ready(void *ctx)
{
    part_wake(&((struct images_part *)ctx)->options.host);
}

static void follow(struct images_part *part)
{
    const struct store_commit *commit;
    struct error err = {0};
    int result;

    if (part->watcher == NULL) {
        part->watcher = store_watch(part->options.host.store, on_ready, part);
        list(part);
    }
    while ((result = store_watch_next(part->watcher, &commit, &err)) != ERR_NOT_FOUND) {
        if (result < 0) {
            log_info(ROOM, "%s", err.message);
            list(part);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++)
            take(part, commit->changes[i].object, commit->changes[i].action != STORE_REMOVE);
    }
}

/* --- asking --- */

/* A name with a digest stands for one thing for ever. */
static bool is_pinned(const struct image *image)
{
    return strchr(image->reference, '@') != NULL;
}

static bool is_wanting(const struct image *image)
{
    if (image->services == 0 || image->part->options.asker.start == NULL)
        return false;
    if (image->facts == 0)
        return image->part->own_count < SCHEDULER_IMAGES_COUNT;
    if (image->facts > 1 || image->own == NULL || is_pinned(image))
        return false;
    return image->own->version < image->wanted_version && image->settled_version < image->wanted_version;
}

static void await(struct image *image, bool is_awaited)
{
    const struct images_part_options *options = &image->part->options;

    if (image->is_awaited == is_awaited)
        return;
    image->is_awaited = is_awaited;
    image->was_awaited = true;
    image->awaited_until_ns = image->part->now_ns + IMAGE_ASK_HOLD_MS * NS_PER_MS;
    if (options->on_awaited)
        options->on_awaited(options->ctx, image->reference, is_awaited);
}

static void fail(struct image *image, const struct error *err)
{
    uint64_t wait_ms = (uint64_t)IMAGE_ASK_RETRY_MS << (image->failures < 10 ? image->failures : 10);

    image->failures++;
    image->retry_ns = image->part->now_ns + (wait_ms < IMAGE_ASK_RETRY_MOST_MS ? wait_ms : IMAGE_ASK_RETRY_MOST_MS) * NS_PER_MS;
    if (!image->is_told)
        log_info(ROOM, "for which systems image %s is, its registry does not say: %s; its tasks are placed by their service's spec alone",
                 image->reference, err->message);
    image->is_told = true;
    await(image, false);
}

/* The answer as facts; attestations beside the images are none. */
static int keep_answer(struct image *image, const struct image_answer *answer, struct error *err)
{
    struct scheduler_platform *platforms = mem_array(answer->count + 1, sizeof *platforms);
    struct image_facts facts = {.image = image->reference, .digest = answer->digest, .platforms = platforms};

    for (size_t i = 0; i < answer->count; i++)
        if (!text_equal(answer->platforms[i].os, "unknown"))
            platforms[facts.count++] =
                (struct scheduler_platform){answer->platforms[i].os, answer->platforms[i].architecture, answer->platforms[i].os_version};
    buf_clear(&image->payload);
    int failed = image_facts_print(&facts, &image->payload, err);
    (void)snprintf(image->digest, sizeof image->digest, "%s", answer->digest);
    free(platforms);
    return failed;
}

static void on_answer(void *ctx, const struct error *err, const struct image_answer *answer)
{
    struct image *image = ctx;

    image->call = NULL;
    image->part->calls--;
    image->is_answered = true;
    image->failure = (struct error){0};
    if (err)
        image->failure = *err;
    else
        keep_answer(image, answer, &image->failure);
    look_at(image);
    part_wake(&image->part->options.host);
}

/* Whatever service names it: they may not all be allowed to see it, but one of them is as good as another to try. */
static const char *find_auth(const struct image *image)
{
    const struct images_part *part = image->part;
    const struct image_service *service;
    const char *auth = "";

    for (service = part->services; service; service = service->hh.next) {
        const Service *message = service->image == image ? store_service(part->options.host.store, service->id) : NULL;
        const Docker__Swarmkit__V1__ContainerSpec *container = message ? images_container_of(message->spec) : NULL;
        if (container && container->pull_options && !text_empty(container->pull_options->registry_auth))
            auth = container->pull_options->registry_auth;
    }
    return auth;
}

static void ask(struct image *image)
{
    struct images_part *part = image->part;
    const struct image_asker *asker = &part->options.asker;
    struct error err = {0};

    image->asked_version = image->wanted_version;
    image->call_end_ns = part->now_ns + IMAGE_ASK_TIMEOUT_MS * NS_PER_MS;
    if (asker->start(asker->self, image->reference, find_auth(image), on_answer, image, &image->call, &err) == 0)
        part->calls++;
    else
        fail(image, &err);
}

static void cancel(struct image *image)
{
    const struct image_asker *asker = &image->part->options.asker;

    asker->cancel(asker->self, image->call);
    image->call = NULL;
    image->part->calls--;
}

static void give_up(struct image *image)
{
    struct error err = {0};

    cancel(image);
    part_wake(&image->part->options.host); /* another may be asked about */
    error_set(&err, ERR_DEADLINE, "no answer within %d seconds", IMAGE_ASK_TIMEOUT_MS / 1000);
    fail(image, &err);
}

/* An answer is here: it is written, if it is news. */
static void settle(struct image *image)
{
    image->is_answered = false;
    if (image->failure.code) {
        fail(image, &image->failure);
        return;
    }
    image->failures = 0;
    image->is_told = false;
    image->settled_version = image->asked_version;
    if (image->services > 0 && (image->own == NULL || strcmp(image->own->digest, image->digest) != 0))
        images_write(image);
}

static void settle_write(struct image *image)
{
    image->has_write_failed = false;
    image->settled_version = 0;
    image->retry_ns = image->part->now_ns + SCHEDULER_RETRY_MS * NS_PER_MS;
}

/* --- a step --- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void begin(struct image *image)
{
    struct images_part *part = image->part;
    bool is_unused = image->services == 0 && image->earlier == 0;

    if (is_unused && image->own && image->retry_ns <= part->now_ns)
        images_remove(image);
    else if (is_wanting(image) && image->facts == 0 && image->failures == 0 && !image->was_awaited)
        await(image, true);
    if (!image->is_writing && is_wanting(image) && image->retry_ns <= part->now_ns && part->calls < IMAGE_ASKS_COUNT)
        ask(image);
}

static void act(struct image *image)
{
    struct images_part *part = image->part;

    if (image->has_write_failed)
        settle_write(image);
    if (image->call && part->now_ns >= image->call_end_ns)
        give_up(image);
    if (image->call && image->services == 0) {
        cancel(image);
        part_wake(&part->options.host);
    }
    if (image->is_answered)
        settle(image);
    if (!image->call && !image->is_writing)
        begin(image);
    if (image->is_awaited && (image->facts > 0 || image->services == 0 || part->now_ns >= image->awaited_until_ns))
        await(image, false);
}

/* When to look at it again, if nothing happens; 0: there is nothing to do about it. */
static uint64_t due_of(const struct image *image)
{
    const struct images_part *part = image->part;
    bool is_removable = image->services == 0 && image->earlier == 0 && image->own;
    uint64_t due = PART_NEVER;

    if (image->is_awaited)
        due = image->awaited_until_ns;
    if (image->call)
        return earlier(due, image->call_end_ns);
    if (image->is_writing)
        return due;
    if (is_removable || is_wanting(image)) /* with as many under way as may be, the next that ends wakes us */
        return earlier(due, image->retry_ns > part->now_ns ? image->retry_ns : PART_NEVER);
    return image->is_awaited ? due : 0;
}

static void look(struct images_part *part)
{
    struct image *image, *next;

    part->due_ns = PART_NEVER;
    DL_FOREACH_SAFE (part->list, image, next) {
        act(image);
        uint64_t due = due_of(image);
        if (due > 0) {
            part->due_ns = earlier(part->due_ns, due);
            continue;
        }
        image->is_listed = false;
        DL_DELETE(part->list, image);
        if (image->services == 0 && image->earlier == 0 && image->facts == 0)
            free_image(image);
    }
}

static void step(void *self, uint64_t now_ns)
{
    struct images_part *part = self;

    part->now_ns = now_ns;
    follow(part);
    look(part);
}

static uint64_t deadline_ns(const void *self)
{
    return ((const struct images_part *)self)->due_ns;
}

static void free_part(void *self)
{
    struct images_part *part = self;
    struct image *image, *next;

    assert(part->writes == 0); /* part.h: they have been told */
    store_unwatch(part->watcher);
    forget_all(part);
    HASH_ITER (hh, part->images, image, next) {
        if (image->call)
            cancel(image);
        free_image(image);
    }
    free(part);
}

struct part images_part_new(const struct images_part_options *options)
{
    struct images_part *part = mem_alloc(sizeof *part);

    part->options = *options;
    part->due_ns = PART_NEVER;
    return (struct part){.name = "images", .step = step, .deadline_ns = deadline_ns, .free = free_part, .self = part};
}
