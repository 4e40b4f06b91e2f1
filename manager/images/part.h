/* manager/images/part.h – what images are for, kept in the store: a part of the leader's (manager/part.h) that asks registries about the
 * images of services, and writes the answers where the scheduler reads them (manager/scheduler/image_facts.h).
 *
 *     an image that …                                           is
 *     a service names and nobody knows                          asked for; its tasks may be held back meanwhile (on_awaited)
 *     a service was created or updated with since its facts
 *     were written, and that is named by a tag alone            asked for again, and written if its digest is another
 *     its registry says nothing of, or cannot be reached        asked for again after a minute, then ever later; told once
 *     a service names no more, now or before its last update    forgotten: facts that a leader wrote are removed
 *     has facts that somebody else wrote                        left alone
 *
 * That a registry is silent is no failure of a service: its tasks are placed by its spec alone, as in SwarmKit. */
#ifndef SKEP_MANAGER_IMAGES_PART_H
#define SKEP_MANAGER_IMAGES_PART_H

#include "manager/images/asker.h"
#include "manager/part.h"

/* On a Resource of kind IMAGE_FACTS_KIND: a leader wrote it, and a leader may remove it. */
#define IMAGES_LABEL_WRITER "skep.written-by"
#define IMAGES_WRITER       "manager"

struct images_part_options {
    struct part_host host;
    struct image_asker asker; /* zeroed: nothing is ever asked */
    /* The answer about this image comes within IMAGE_ASK_HOLD_MS, or with false: it has come, or is awaited no more. May be NULL. */
    void (*on_awaited)(void *ctx, const char *reference, bool is_awaited);
    void *ctx;
};

/* Its name is "images". */
struct part images_part_new(const struct images_part_options *options);

#endif
