/* manager/images/inside.h – what the part knows, shared by the files that are it: part.c (following, asking), write.c (what becomes of an
 * answer). */
#ifndef SKEP_MANAGER_IMAGES_INSIDE_H
#define SKEP_MANAGER_IMAGES_INSIDE_H

#include "base/buf.h"
#include "base/hash.h"
#include "manager/images/part.h"
#include "manager/scheduler/image_facts.h"

struct images_part;

/* An image that services name, or that there are facts about. */
struct image {
    UT_hash_handle hh;
    struct images_part *part;
    struct image *prev, *next; /* among those with something to do */
    bool is_listed;
    size_t services, earlier; /* whose spec names it; whose spec before the last update does */
    uint64_t wanted_version;  /* of the newest spec that names it */
    size_t facts;             /* objects that speak of it */
    struct image_fact *own;   /* the one that a leader wrote; NULL: none */

    void *call; /* the question under way */
    uint64_t call_end_ns, asked_version;
    bool is_answered, is_writing, has_write_failed;
    struct error failure; /* of an answer: why there is none */
    struct buf payload;   /* of an answer: the facts, as they are to be written */
    char digest[80];

    uint64_t settled_version; /* as new as this is what is known */
    uint64_t retry_ns;
    unsigned failures;
    bool is_told;
    bool is_awaited, was_awaited;
    uint64_t awaited_until_ns;
    char reference[];
};

/* A store object that speaks of an image. */
struct image_fact {
    UT_hash_handle hh;
    struct image *image;
    bool is_own;
    uint64_t version;
    char digest[80];
    char id[];
};

struct image_service {
    UT_hash_handle hh;
    struct image *image, *earlier; /* NULL: none */
    char id[];
};

struct images_part {
    struct images_part_options options;
    struct store_watcher *watcher; /* NULL: nothing was listed yet */
    struct image *images, *list;
    struct image_fact *facts;
    struct image_service *services;
    size_t calls, writes, own_count;
    uint64_t now_ns, due_ns;
};

/* NULL: this service runs no containers. */
static inline const Docker__Swarmkit__V1__ContainerSpec *images_container_of(const Docker__Swarmkit__V1__ServiceSpec *spec)
{
    const Docker__Swarmkit__V1__TaskSpec *task = spec ? spec->task : NULL;
    return task && task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? task->container : NULL;
}

/* write.c: image->payload becomes the facts in the store, or they go. is_writing until then. */
void images_write(struct image *image);
void images_remove(struct image *image);

#endif
