/* daemon/managing_inside.h – its insides, shared by the files that are it: managing.c (when there is a manager, and which), managing_lock.c
 * (what lies on disk under the cluster's unlock key). */
#ifndef SKEP_DAEMON_MANAGING_INSIDE_H
#define SKEP_DAEMON_MANAGING_INSIDE_H

#include "agent/node.h"
#include "base/encode.h"
#include "base/id.h"
#include "daemon/managing.h"
#include "daemon/vault.h"
#include "manager/ca/found.h"
#include "manager/manager.h"

#define ROOM "manager"

/* `swarm init` under way: the manager first, then the node's identity. */
struct founding {
    char cluster_id[ID_SIZE_CHARS + 1], node_id[ID_SIZE_CHARS + 1];
    char *listen, *advertise, *data_path;
    struct ca_founding papers;
    api_init_done *done; /* NULL: nobody waits any more */
    void *ctx;
};

struct managing {
    struct managing_options options;
    char *dir;
    struct random random;
    struct manager *manager;
    bool is_closing; /* the manager is, and then what is true by then is done */
    bool is_member;  /* what is on the disk says so */
    bool is_removed; /* it was told to be no manager any more: not before the swarm wants it as one again */
    struct founding *founding;
    struct forcing {
        bool is_under_way;
        api_init_done *done; /* NULL: nobody waits any more */
        void *ctx;
    } forcing; /* `swarm init --force-new-cluster`: the manager closes, and goes on alone */
    /* managing_lock.c: who waits for the unlock key, and for being a manager again after unlocking */
    struct key_asking *key_askings;
    struct unlocking {
        api_unlock_done *done; /* NULL: nobody waits */
        void *ctx;
    } unlocking;
    struct patience *patience;
    uv_timer_t retry;
    bool is_freed;
    void (*on_freed)(void *ctx);
    void *freed_ctx;
};

/* --- managing_lock.c --- */

int managing_on_lock(void *managing, struct bytes unlock_key, uint64_t version, struct error *err); /* manager_events.on_lock */

/* A new cluster's first unlock key, into @kek, and the vault under it, before there is anything to lock. */
int managing_lock_first(struct managing *managing, uint8_t kek[UNLOCK_KEY_SIZE_BYTES], struct error *err);

/* This host is no manager, or not any more: what it has lies in clear. */
int managing_lock_end(struct managing *managing, struct error *err);

/* For api_swarm. */
int managing_unlock(void *managing, const char *key, api_unlock_done *done, void *ctx, struct error *err);
void managing_unlock_key(void *managing, api_unlock_key_done *done, void *ctx);
void managing_lock_abandon(struct managing *managing, void *ctx);

void managing_unlocked(struct managing *managing); /* it is a manager again, or is closing: whoever waits for it is told */

#endif
