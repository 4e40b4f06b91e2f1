/* daemon/managing.h – the manager of this host: one runs while the node's certificate says that it is one, and none otherwise. Between
 * agent/node.h and manager/manager.h, which do not know each other. */
#ifndef SKEP_DAEMON_MANAGING_H
#define SKEP_DAEMON_MANAGING_H

#include <uv.h>

#include "api/provider.h"
#include "base/clock.h"

struct manager;
struct managing;
struct node;
struct store_commit;
struct vault;

struct managing_options {
    uv_loop_t *loop;
    struct clock clock;
    const char *state_dir;                                           /* copied; manager/ lives in it */
    struct node *node;                                               /* borrowed; outlives it */
    struct vault *vault;                                             /* the same */
    struct image_asker images;                                       /* as in manager_options */
    void (*on_commit)(void *ctx, const struct store_commit *commit); /* manager_events' */
    void *ctx;
};

/* Starts the manager where the node is one already. */
struct managing *managing_new(const struct managing_options *options);

/* The node has another certificate, or none: node_options.on_identity. */
void managing_look(struct managing *managing);

struct api_swarm managing_swarm(struct managing *managing); /* for the API */

struct manager *managing_manager(struct managing *managing); /* NULL: none runs here, or it is closing. Borrowed until the loop goes on */

/* Hands leadership over, where it can, and closes. */
void managing_free(struct managing *managing, void (*on_freed)(void *ctx), void *ctx);

#endif
