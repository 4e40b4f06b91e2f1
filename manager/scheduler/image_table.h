/* manager/scheduler/image_table.h – the image facts that lie in the store, by image: keeps a scheduler's knowledge of images as the store
 * has it. */
#ifndef SKEP_MANAGER_SCHEDULER_IMAGE_TABLE_H
#define SKEP_MANAGER_SCHEDULER_IMAGE_TABLE_H

#include "manager/scheduler/scheduler.h"
#include "manager/store/object.h"

struct image_table {
    struct image_table_fact *facts;   /* by the id of the object they are from */
    struct image_table_image *images; /* by reference */
};

/* A store object of kind RESOURCE is new or changed; what is none of ours is passed over. Held. Facts that cannot be read are logged, and
 * are as if they were not there. */
void image_table_set(struct image_table *table, struct scheduler *scheduler, struct store_object *object);
void image_table_remove(struct image_table *table, struct scheduler *scheduler, const char *id);
void image_table_clear(struct image_table *table); /* the scheduler is not told */

#endif
