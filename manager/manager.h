/* manager/manager.h – a manager of the cluster, whole: its copy of the store on Raft, one port on which nodes and managers call, and, while
 * it leads, the parts that do the leader's work.
 *
 * It runs beside a node (agent/node.h) whose certificate says that it is a manager, and knows nothing of it: whoever owns both starts one
 * when the certificate says so and ends it when it no longer does.
 *
 *     manager_open(&options, &manager, err)    // a new cluster, one to join, or the one that is in @dir
 *     …events.on_ready
 *     manager_call(manager, METHOD_Control_ListNodes, …)
 *     manager_close(manager, …)
 *
 * One loop, no threads but those of raft/node.h. */
#ifndef SKEP_MANAGER_MANAGER_H
#define SKEP_MANAGER_MANAGER_H

#include "base/metrics.h"
#include "manager/control/control.h"
#include "manager/images/asker.h"
#include "manager/logs/broker.h"
#include "manager/replica/replica.h"

struct manager;

/* All on the loop, never inside a function of this header. Any may be NULL. */
struct manager_events {
    /* It takes part: a new cluster's first objects are in the store, or this one was let in, or it knows of a leader again. Once. */
    void (*on_ready)(void *ctx);
    /* It does nothing more: close it. ERR_PERMISSION: it was removed from the managers, and its directory is of no more use. */
    void (*on_failed)(void *ctx, const struct error *err);
    /* The cluster as of @version has this unlock key (a secret, borrowed until it returns); empty: its managers do not lock themselves.
     * Told at first and when the cluster has changed, also with the same key; what is told first after a start may be history. The owner
     * makes of it what lies on disk, with manager_set_lock() for what is this manager's. Where that fails it is told again. */
    int (*on_lock)(void *ctx, struct bytes unlock_key, uint64_t version, struct error *err);
    /* What changed in the cluster since it was ready, entry by entry; leading or not. Borrowed. What comes as an image is not told. */
    void (*on_commit)(void *ctx, const struct store_commit *commit);
    void *ctx;
};

struct manager_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    const char *dir;                     /* copied; made where missing, 0700. What makes this manager that member: see member.h */
    struct tls_credentials *credentials; /* borrowed; the node's, with a manager's certificate */
    const char *node_id, *cluster_id;    /* copied; what that certificate says */
    const char *listen_address;          /* copied; "0.0.0.0:2377" */
    const char *advertise_address; /* copied; "10.0.0.7:2377", where the others reach it. A joiner's "0.0.0.0:2377": where it is seen */

    /* Where @dir has no member: one of these two. Copied. */
    const struct control_bootstrap_options *bootstrap; /* found a cluster */
    const char *join;                                  /* a manager to ask, "10.0.0.1:2377" */

    const uint8_t *lock; /* copied; SEALED_KEY_SIZE_BYTES, or NULL: see manager_set_lock() */
    bool is_new_cluster; /* of what is in @dir go on alone, as the only manager: a quorum was lost for good */

    int (*check_image)(void *self, const char *reference, struct error *err); /* as in control_rules */
    /* The node's chain and its key in clear, as they are now, for external CAs; borrowed until the loop goes on. NULL: none is asked. */
    int (*papers)(void *self, struct bytes *chain_pem, struct bytes *key_pem, struct error *err);
    void *host;                /* the self of both */
    struct image_asker images; /* copied; the way to registries. Zeroed: images are placed by what services say of them alone */
    struct manager_events events;
};

/* Begins; what is wrong at once: ERR_EXISTS (the port is taken), ERR_INVALID (an address), what member_open() and replica_open() fail
 * with. */
int manager_open(const struct manager_options *options, struct manager **out, struct error *err);

/* Hands leadership over where it leads others, stops serving, and closes. Whoever waits for an answer has it before. */
void manager_close(struct manager *manager, void (*on_closed)(void *ctx), void *ctx);

/* The keys of its log are sealed with @lock (copied) in member.json from now on; NULL: they lie there in clear. A key that did so is
 * replaced in the log, too. After an error all is as before. */
int manager_set_lock(struct manager *manager, const uint8_t *lock, struct error *err);

bool manager_is_leading(const struct manager *manager);
struct store *manager_store(struct manager *manager);       /* NULL: not yet a member */
struct replica *manager_replica(struct manager *manager);   /* the same */
const char *manager_address(const struct manager *manager); /* where the others reach it; "" until that is known. Borrowed */

/* Any method of Control, or CA/GetUnlockKey, done here where this manager leads, else by who does. As control_call(); without a leader:
 * ERR_UNAVAILABLE in SwarmKit's words. @request is copied where it is kept. */
void manager_call(struct manager *manager, enum method_id method, const ProtobufCMessage *request, control_done_fn *done, void *ctx);
void manager_abandon(struct manager *manager, void *ctx); /* the asker is gone: @done is not called for @ctx any more */

/* --- looking in --- */

/* Troubles are words for a person, "" where there is none. */
struct manager_health {
    bool is_leading;
    bool has_quorum;                       /* the managers can decide, as this one sees it: it leads, or hears of who does */
    bool is_ready;                         /* and this one takes part, and has applied what they decided */
    size_t members_count, reachable_count; /* managers that vote; this one counts as reachable */
    char quorum_trouble[160], ready_trouble[160];
};
void manager_health(struct manager *manager, struct manager_health *out);

/* Families of swarm_… and skep_…; docs/metrics.md has what they mean. Of the cluster's objects only where this manager leads. */
void manager_metrics(struct manager *manager, struct metrics *metrics);

/* What tasks print, as Logs/SubscribeLogs: manager/logs/broker.h. @out until the reader's end() or close. end() may come inside
 * …_writable(). */
struct manager_logs;
int manager_logs_open(struct manager *manager, const Docker__Swarmkit__V1__SubscribeLogsRequest *request, const struct log_reader *reader,
                      struct manager_logs **out, struct error *err);
void manager_logs_writable(struct manager_logs *logs);
void manager_logs_close(struct manager_logs *logs);

#endif
