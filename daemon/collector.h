/* daemon/collector.h – gives back, from time to time, the space of images that were pulled and then superseded, and of all content that no
 * image needs. Images that someone has loaded, or that have a name, stay: those are a person's to remove. */
#ifndef SKEP_DAEMON_COLLECTOR_H
#define SKEP_DAEMON_COLLECTOR_H

#include <stdint.h>
#include <uv.h>

struct collector;
struct image_store;

/* Collects every @every_ms; 0: never. @store is borrowed. */
struct collector *collector_new(uv_loop_t *loop, struct image_store *store, uint64_t every_ms);

/* A collection under way is ended. @on_freed is called from the loop. */
void collector_free(struct collector *collector, void (*on_freed)(void *ctx), void *ctx);

#endif
