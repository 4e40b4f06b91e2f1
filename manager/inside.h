/* manager/inside.h – a manager's insides, shared by the files that are it: manager.c (its life), gate.c (who calls, and who answers),
 * serve.c (Control and RaftMembership on gRPC, and the same for its own host), locking.c (its keys on disk), parts.c (what a leader does,
 * and what its parts ask of each other). */
#ifndef SKEP_MANAGER_INSIDE_H
#define SKEP_MANAGER_INSIDE_H

#include "base/arena.h"
#include "manager/access/access.h"
#include "manager/ca/external_call.h"
#include "manager/ca/service.h"
#include "manager/dispatcher/service.h"
#include "manager/leader/leader.h"
#include "manager/logs/service.h"
#include "manager/manager.h"
#include "manager/member.h"
#include "manager/membership/membership.h"
#include "manager/tally.h"

#define ROOM "manager"

/* One who waits for the answer of a call of Control: a call of a peer's, or the host's own. */
struct manager_call {
    struct manager_call *prev, *next;
    struct manager *manager;
    enum method_id method;
    ProtobufCMessage *question; /* of a question that changes nothing: what to ask the next leader if this one goes. NULL: not again */
    uint64_t asked_ns;
    bool is_waiting;       /* for the next leader */
    control_done_fn *done; /* NULL: nobody waits any more */
    void *ctx;
};

struct manager {
    struct manager_options options; /* with copies of its texts; bootstrap and join are below */
    struct arena arena;             /* what bootstrap points to, but for the next two */
    struct control_bootstrap_options bootstrap;
    Docker__Swarmkit__V1__RootCA *root_ca; /* bootstrap's, until it is in the store */
    Docker__Swarmkit__V1__CAConfig *ca_config;
    struct buf unlock_key; /* secret */
    char *join;
    struct member member;
    bool has_lock; /* locking.c: what the keys in member.json are sealed with */
    uint8_t lock[SEALED_KEY_SIZE_BYTES];
    uint64_t seen_cluster;  /* the version of the cluster that the owner was last told the unlock key of */
    uint64_t lock_retry_ns; /* it failed: not before */

    struct grpc_server *server;
    struct dispatcher_service *dispatcher_service;
    struct ca_service *ca_service;
    struct log_service *log_service;
    struct membership_asking *asking; /* joining: the question under way */
    struct replica *replica;          /* NULL until it is a member */
    struct leader *leader;
    struct membership *membership;
    struct membership_health health;
    struct control *control;
    struct ca_authority *authority;
    struct ca_external_way external;
    struct manager_call *calls;
    struct tally tally;            /* metrics.c; while this manager leads */
    struct store_watcher *watcher; /* events.on_commit's */

    /* gate.c: to the leader, where that is another */
    struct grpc_channel *to_leader;
    char *to_leader_address;

    uv_timer_t timer; /* looks around: is there a leader, which managers can be reached */
    bool is_serving;  /* Health says so */
    bool is_ready, is_closing, is_stopping;
    bool is_bootstrap_due;  /* it leads, and what a cluster begins with was not taken: again, or it leads without parts */
    uint64_t closing_ns;    /* leadership is being handed over since */
    uint64_t seen_managers; /* a digest of what dispatchers were last told */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* --- gate.c --- */

/* A call as it came in. Big; on the stack of who asks. */
struct gate {
    struct access_call call;
    struct access_caller caller;
    char address[GRPC_ADDRESS_SIZE_CHARS];
};

/* May it? False: it was refused. */
bool gate_check(struct manager *manager, struct grpc_call *call, struct gate *out);

bool gate_may_call(void *manager, struct grpc_call *call); /* the same, where it does not matter who it is */

/* May it, and is it for us? False: it was refused, or passed on to the leader. */
bool gate_enter(struct manager *manager, struct grpc_call *call, struct gate *out);

/* The channel to whoever leads. ERR_UNAVAILABLE: nobody does, or this manager, which is not ready for it. */
int gate_leader(struct manager *manager, struct grpc_channel **out, struct error *err);
void gate_look(struct manager *manager, const struct raft_node_status *status); /* who leads may be another by now */
void gate_close(struct manager *manager);

/* --- locking.c --- */

int locking_read(struct manager *manager, const uint8_t *lock, struct error *err); /* member.json, first of all */
int locking_write(struct manager *manager, struct error *err);
void locking_look(struct manager *manager, const struct raft_node_status *status); /* the replica is there */
void locking_deinit(struct manager *manager);

/* --- serve.c --- */

void serve_before(struct manager *manager, struct grpc_server *server); /* handlers, before it listens */
void serve_look(struct manager *manager);                               /* there may be another leader: questions are asked again */
void serve_end(struct manager *manager);                                /* nobody asks for them any more */

/* --- attach.c --- */

void attach_serve(struct manager *manager, struct grpc_server *server);

/* --- parts.c --- */

void parts_open(struct manager *manager);           /* control, membership and the leader's parts; the replica is there */
void parts_close(struct manager *manager);          /* the replica is closing: everyone was told */
struct dispatcher *parts_dispatcher(void *manager); /* NULL: this manager does not lead */
struct log_broker *parts_log_broker(void *manager); /* the same */
size_t parts_managers(void *manager, struct dispatcher_manager *out, size_t capacity);

#endif
