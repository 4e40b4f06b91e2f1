/* agent/node.h – the node as the rest of the daemon sees it: outside a swarm, joining, or in one.
 *
 * Owns identity, certificate renewal, session and worker; the API and the command drive it through these calls. One loop, no threads. */
#ifndef SKEP_AGENT_NODE_H
#define SKEP_AGENT_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent/image_source.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"

struct hcs;
struct node;
struct tls_credentials;

struct node_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    const char *state_dir;     /* copied; node/ and worker.db live in it */
    const char *run_dir;       /* copied; what a reboot may lose: secrets (on tmpfs), sockets */
    const char *hostname;      /* copied; NULL: the system's */
    const char *const *labels; /* "k=v", copied */
    size_t label_count;
    const char *default_isolation; /* "process" or "hyperv", copied */
    struct hcs *hcs;               /* borrowed */
    struct image_source images;    /* copied */
    bool can_manage;               /* this host can be a manager: tokens that make it one are taken */
    bool is_locked;                /* it waits for node_unlock() before it goes on in its swarm, even if its key could be read */
    /* Another certificate, or none any more, or news of whose the managers are and whether this node is to be one: what node_info() says of
     * that may be different. May be NULL. */
    void (*on_identity)(void *ctx);
    void *ctx;
};

/* As in Docker's `info`: Swarm.LocalNodeState. */
#define NODE_LOCAL_STATES(X)                                                                                                               \
    X(INACTIVE, "inactive") /* in no swarm */                                                                                              \
    X(PENDING, "pending")   /* joining, or joined and without a session yet */                                                             \
    X(ACTIVE, "active")                                                                                                                    \
    X(ERROR, "error")   /* needs a person: see node_info.error */                                                                          \
    X(LOCKED, "locked") /* a manager whose key waits for node_unlock(): its containers go on running, nothing else does */

/* Docker's words for what a locked one answers to nearly everything. */
#define NODE_LOCKED_TEXT                                                                                                                   \
    "Swarm is encrypted and needs to be unlocked before it can be used. Please use \"docker swarm unlock\" to unlock it."

enum node_local_state {
#define X(name, text) NODE_##name,
    NODE_LOCAL_STATES(X)
#undef X
};
const char *node_local_state_text(enum node_local_state state);

struct node_manager {
    const char *node_id, *addr;
};

/* Borrowed until control returns to the loop. Strings are "" where not known. */
struct node_info {
    enum node_local_state state;
    const char *error;
    const char *node_id, *node_addr, *cluster_id;
    int64_t certificate_expires_wall_ns; /* 0: no certificate */
    const struct node_manager *managers;
    size_t manager_count;
    const char *role;                                          /* "worker" or "manager": what the certificate says */
    const char *availability;                                  /* "active", "pause", "drain": as last heard */
    const char *listen_addr, *advertise_addr, *data_path_addr; /* as given when it joined */
    bool has_skep_managers;                                    /* as last heard: the swarm's managers are Skep's own */
    bool is_renewing;                                          /* another certificate is asked for: of another role, it may be */
    bool is_to_be_manager;                                     /* as heard in the session that it has; false without one */
};

struct node_join_request {
    const char *token;
    const char *const *remotes; /* "host:port" */
    size_t remote_count;
    const char *advertise_addr, *listen_addr, *data_path_addr; /* "" or NULL: not given */
    const char *availability;                                  /* "active", "pause", "drain"; NULL: active */
};

/* Opens the state directory and, when the node is in a swarm, resumes: running tasks first, managers after. */
int node_new(const struct node_options *options, struct node **out, struct error *err);
void node_free(struct node *node, void (*on_freed)(void *ctx), void *ctx); /* containers go on running */

/* Brings the node into a swarm. @on_phase is called as each phase begins with words for a person ("requesting a certificate"); @on_done
 * once. ERR_EXISTS at once when it is in a swarm already; ERR_TOKEN, ERR_INVALID for a request that cannot be right. After a failure the
 * node is outside again, unless the certificate was already issued: then it goes on trying, and says so. */
typedef void (*node_phase_cb)(void *ctx, const char *phase);
typedef void (*node_done_cb)(void *ctx, const struct error *err); /* NULL on success */
int node_join(struct node *node, const struct node_join_request *request, node_phase_cb on_phase, node_done_cb on_done, void *ctx,
              struct error *err);
void node_join_abandon(struct node *node, void *ctx); /* the asker went away: no more callbacks for @ctx; the join itself goes on */

/* A cluster was founded here: this node is its first manager, with these papers (copied), and is in it from now on; its session goes to the
 * manager at @advertise_addr. ERR_EXISTS when it is in a swarm already. */
struct node_papers {
    struct bytes root_pem, chain_pem, key_pem;
    const char *listen_addr, *advertise_addr, *data_path_addr;
};
int node_found_swarm(struct node *node, const struct node_papers *papers, struct error *err);

/* Its certificate's chain and the key in clear, as they are now; borrowed until the loop goes on. ERR_PRECONDITION: it has none. */
int node_papers(const struct node *node, struct bytes *chain_pem, struct bytes *key_pem, struct error *err);

/* What node.key is encrypted with on disk: agent/identity.h. Unlocking goes on as a start does, and fails with what that fails with;
 * ERR_PERMISSION: not the right one, and the node stays locked. ERR_PRECONDITION: it is not locked. */
int node_unlock(struct node *node, const uint8_t *lock, struct error *err);
int node_set_lock(struct node *node, const uint8_t *lock, struct error *err); /* NULL: in clear. Not while it is locked */

/* What the node shows on the wire: of its certificate, as it is renewed. For a manager on the same host; lives as long as the node. */
struct tls_credentials *node_credentials(const struct node *node);

/* Takes the node out: stops its tasks, removes their containers and its identity. ERR_PRECONDITION when it is in no swarm. Where its tasks
 * cannot be opened, the identity alone goes. A locked node leaves with @force only: ERR_UNAVAILABLE. */
int node_leave(struct node *node, bool force, node_done_cb on_done, void *ctx, struct error *err);

/* The host goes down: stop the node's tasks and tell the managers of each; it stays in its swarm. It is drained when no task runs any more
 * and a manager has heard of all of them: at once outside a swarm. For good: end it next. */
void node_drain(struct node *node);
bool node_is_drained(const struct node *node, size_t *running); /* @running: tasks that are not stopped yet */

/* Other labels from now on (copied): the managers hear of them at once. */
void node_set_labels(struct node *node, const char *const *labels, size_t count);

void node_info(const struct node *node, struct node_info *out);

/* For metrics. Counts since the parts that count were opened: as a rule, since the start. All zero outside a swarm. */
struct node_stats {
    bool has_session; /* a manager hears its heartbeats */
    uint64_t registrations, session_failures, heartbeats;
    uint64_t heartbeat_late_last_ns, heartbeat_late_max_ns; /* how long after its time one was sent */
    int64_t heartbeat_period_ns;                            /* as the manager wants it */
    size_t tasks, statuses_waiting;
    uint64_t tasks_assigned, tasks_failed, tasks_rejected, pulls;
};
void node_stats(const struct node *node, struct node_stats *out);

/* "starting", "healthy" or "unhealthy"; NULL for a container that is not ours or has no health check. Borrowed until control returns to the
 * loop. */
const char *node_container_health(const struct node *node, const char *container_id);

#endif
