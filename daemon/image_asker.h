/* daemon/image_asker.h – registries asked by the image store's tool: the daemon's way for manager/images/asker.h. */
#ifndef SKEP_DAEMON_IMAGE_ASKER_H
#define SKEP_DAEMON_IMAGE_ASKER_H

#include "manager/images/asker.h"

struct image_store;

struct image_asker image_asker_of_store(struct image_store *store); /* borrowed */

#endif
