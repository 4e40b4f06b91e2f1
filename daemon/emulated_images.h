/* daemon/emulated_images.h – images of a host that only pretends: registries are asked for which systems an image is, and that is all that
 * is fetched. So such a node refuses what the host would refuse. */
#ifndef SKEP_DAEMON_EMULATED_IMAGES_H
#define SKEP_DAEMON_EMULATED_IMAGES_H

#include "agent/image_source.h"
#include "manager/images/asker.h"

struct emulated_images;

/* @os, @architecture, @os_version: the host that chooses from an index, as in a pull; copied. */
struct emulated_images *emulated_images_new(const struct image_asker *registries, const struct image_platform *host);
struct image_source emulated_images_source(struct emulated_images *images); /* borrowed */
void emulated_images_free(struct emulated_images *images);                  /* its pulls were cancelled; NULL is fine */

#endif
