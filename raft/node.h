/* raft/node.h – a member of a Raft group on a libuv loop: for a manager to stand on.
 *
 * The core (raft/core) decides on the loop; the log is written by a thread of its own (raft/writer.h), snapshot files by another; peers are
 * reached over gRPC (raft/peer.h) and served on the manager's own server. All functions are called on the loop, all callbacks come from
 * it, none from inside a function of this header unless it says so.
 *
 * One turn of the loop takes together what arrived in it: proposals become one append to the log, one message to each peer, one sync.
 *
 *     raft_node_open(&options, &node, err)      // reads the log, restores the state machine, stands for election when its time comes
 *     raft_node_serve(node, server)             // before the server listens
 *     raft_node_propose(node, bytes, fn, …)     // on the leader
 *     raft_node_close(node, …)                  // after the server has stopped
 *
 * A state machine that is behind in its own way (a manager's store) sees entries in order, each once since it was restored. */
#ifndef SKEP_RAFT_NODE_H
#define SKEP_RAFT_NODE_H

#include "proto/grpc/grpc.h"
#include "raft/book.h"
#include "raft/core/raft.h"
#include "raft/log/log.h"
#include "raft/peer.h"
#include "raft/proposals.h"
#include "raft/writer.h"

struct raft_node;

/* The state machine. All on the loop. */
struct raft_machine {
    /* Committed entries of type NORMAL, in order, none empty. Borrowed; a payload may be held. */
    void (*apply)(void *self, const struct raft_entry *entries, size_t count);
    /* A membership change is in force. May be NULL. */
    void (*members_changed)(void *self, const struct raft_conf_change *change, const struct raft_conf_state *conf);

    /* An image of everything applied so far: open freezes it while apply goes on; read appends the next part, at most
     * RAFT_SNAPSHOT_CHUNK_BYTES, and nothing at the end; close comes always. The members' addresses belong in it: raft_node_book(). */
    int (*image_open)(void *self, void **image, struct error *err);
    int (*image_read)(void *self, void *image, struct buf *out, struct error *err);
    void (*image_close)(void *self, void *image);

    /* Forget everything, take an image part by part, be as it says. A failure stops the node. May call raft_node_put_member() in end. */
    void (*restore_begin)(void *self);
    int (*restore_add)(void *self, struct bytes part, struct error *err);
    int (*restore_end)(void *self, uint64_t index, struct error *err); /* @index: of the last entry that is in it */
    void *self;
};

/* What an owner is told. Any may be NULL. The node is not closed inside one of these. */
struct raft_node_events {
    void (*on_role)(void *ctx, enum raft_role role, uint64_t term, uint64_t leader);
    void (*on_removed)(void *ctx);                         /* this member was removed: nobody answers it any more. Close it */
    void (*on_failed)(void *ctx, const struct error *err); /* log or state machine failed: it does nothing more. Close it */
    void *ctx;
};

/* Zero or NULL takes the default. */
struct raft_node_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct raft_log_options log; /* dir, disk, keys, sizes */
    struct raft_machine machine;
    struct raft_node_events events;
    struct tls_credentials *credentials; /* borrowed: those of the node's certificate */
    const char *cluster_id;              /* copied; the O that a peer's certificate must have */
    struct raft_member self;             /* copied; id is this member's */
    /* Used when the log is empty. Bootstrap: the first members of a new group, the same at each of them, self included. Else: wait to be
     * taken in by the leader of an existing group; @members is what the answer to the join said. Copied. */
    const struct raft_member *members;
    size_t members_count;
    bool is_bootstrap;

    unsigned tick_ms;                  /* RAFT_TICK_MS; 1000 in a quorum with Docker managers */
    unsigned election_ticks;           /* 10 */
    unsigned heartbeat_ticks;          /* 1 */
    bool no_pre_vote, no_check_quorum; /* pre-vote is off in Docker's clusters */
    bool no_early_election;            /* leave the time of an election to chance alone; see docs/raft.md */
    unsigned storage_stall_ticks;      /* 2 × election_ticks; UINT_MAX: never */
    uint64_t snapshot_interval_count;  /* RAFT_SNAPSHOT_INTERVAL_COUNT; UINT64_MAX: none */
    uint64_t snapshot_most_bytes;      /* of an image that a leader sends; RAFT_SNAPSHOT_SIZE_BYTES */
    uint64_t message_most_bytes;       /* RAFT_MESSAGE_ENTRIES_BYTES; SwarmKit's is 65,535 */
    uint64_t uncommitted_most_bytes;   /* RAFT_PROPOSALS_BYTES */
};

/* Reads what was promised, restores the state machine (its functions are called inside), begins to tick and to dial. What raft_log_open()
 * fails with; ERR_INVALID: the options; what restoring failed with. @out is set before the state machine is restored, so that it can put
 * the members of its image; NULL after a failure. */
int raft_node_open(const struct raft_node_options *options, struct raft_node **out, struct error *err);

/* Answer Raft's calls on this server. Once, before it listens. @may_call judges each call as it comes, and ends those that it refuses;
 * NULL: whoever has a manager's certificate of this cluster may. */
struct raft_node_door {
    bool (*may_call)(void *ctx, struct grpc_call *call);
    void *ctx;
};
void raft_node_serve(struct raft_node *node, struct grpc_server *server, const struct raft_node_door *door);

/* Stop taking part, write what waits, close the log. Callers that wait are answered inside. The server that it serves has stopped. Then
 * @on_closed with what went wrong, or NULL; the node is gone. */
void raft_node_close(struct raft_node *node, void (*on_closed)(void *ctx, const struct error *err), void *ctx);

/* Put @data (copied) into the log. @fn: raft/proposals.h. Refused, and @fn is not called, with ERR_UNAVAILABLE: not the leader, the message
 * names it where it is known; ERR_LIMIT: too large, or too many wait; ERR_PRECONDITION: it is handing over, or has failed. */
int raft_node_propose(struct raft_node *node, struct bytes data, raft_proposed_fn fn, void *ctx, struct error *err);
int raft_node_propose_payload(struct raft_node *node, struct raft_payload *payload, raft_proposed_fn fn, void *ctx,
                              struct error *err); /* held, not copied */

/* One change at a time. The context of a change that adds a member says who it is: raft_node_add_member() and the next build it. */
int raft_node_propose_conf_change(struct raft_node *node, const struct raft_conf_change *change, raft_proposed_fn fn, void *ctx,
                                  struct error *err);
int raft_node_add_member(struct raft_node *node, const struct raft_member *member, bool is_learner, raft_proposed_fn fn, void *ctx,
                         struct error *err); /* also promotes a learner, or changes an address */
int raft_node_remove_member(struct raft_node *node, uint64_t id, raft_proposed_fn fn, void *ctx, struct error *err);

/* @fn once what was committed when this was called is applied here: a read of the state machine inside it is linearizable. On any member.
 * @fn gets ERR_UNAVAILABLE or ERR_DEADLINE where no leader confirms. */
int raft_node_read(struct raft_node *node, raft_proposed_fn fn, void *ctx, struct error *err);

int raft_node_transfer(struct raft_node *node, uint64_t to, struct error *err); /* ERR_UNAVAILABLE: not the leader */
int raft_node_campaign(struct raft_node *node, struct error *err);
int raft_node_snapshot(struct raft_node *node, struct error *err); /* now. ERR_AGAIN: one is being made; ERR_PRECONDITION: nothing new */

/* What is written from now on, log and snapshots, is under this key; id 0, @bytes NULL: not encrypted. What is there under older keys stays
 * readable, and goes with the snapshot that the node then makes by itself, as soon as all entries of now are applied (so does a start with
 * an older key's files). Keep an older key, and give it again after a restart, while raft_node_status() says is_rotating: once that is
 * false no file needs it any more, it can be forgotten and a restart needs only the new one. Until then a directory without its key does
 * not open (ERR_PERMISSION). ERR_INVALID: a number known with other bytes; ERR_LIMIT: too many not forgotten; ERR_PRECONDITION: it has
 * failed. */
int raft_node_set_key(struct raft_node *node, uint32_t id, const uint8_t *bytes, struct error *err);
/* Wipe one that is not needed. ERR_PRECONDITION: it is the current one, or is_rotating. */
int raft_node_forget_key(struct raft_node *node, uint32_t id, struct error *err);

/* What an owner learnt otherwise: from a restored image, from a member that came with a new address. */
int raft_node_put_member(struct raft_node *node, const struct raft_member *member, struct error *err);
void raft_node_put_removed(struct raft_node *node, uint64_t id);
const struct raft_book *raft_node_book(const struct raft_node *node);

struct raft_node_peer {
    uint64_t id;
    const char *address;
    bool is_learner;
    uint64_t match, next; /* only on the leader */
    enum raft_progress_state progress;
    struct raft_peer_status link;
};

/* Texts and arrays are borrowed until the loop goes on. */
struct raft_node_status {
    uint64_t id, term, leader;
    const char *leader_address; /* NULL: not known */
    enum raft_role role;
    uint64_t first_index, last_index, commit, applied, snapshot_index;
    size_t proposals_count, reads_count;
    bool has_failed, is_removed, is_making_snapshot;
    uint32_t key_id;  /* of what is written now; 0: not encrypted */
    bool is_rotating; /* some file needs, or may come to need, an older key: raft_node_set_key() */
    struct raft_writer_status writer;
    const struct raft_conf_state *conf;
    const struct raft_node_peer *peers;
    size_t peers_count;
};
void raft_node_status(struct raft_node *node, struct raft_node_status *out);

#endif
