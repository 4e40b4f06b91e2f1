/* raft/node_inside.h – what the parts of a node share.
 *
 *     node.c              life, the turn, the core's messages   node_calls.c        proposals, reads, changes, status
 *     node_apply.c        committed entries                     node_keys.c         what the disk's files are encrypted with
 *     links.c             the peers, and who is to be one       serve.c             what peers call
 *     snapshot_make.c     an image into a file                  snapshot_send.c     a file to a peer
 *     snapshot_receive.c  a peer's into a file                  snapshot_restore.c  a file into the state machine */
#ifndef SKEP_RAFT_NODE_INSIDE_H
#define SKEP_RAFT_NODE_INSIDE_H

#include "raft/memory_storage.h"
#include "raft/node.h"
#include "raft/worker.h"

struct raft_node_read {
    uint64_t number; /* of the question it belongs to */
    uint64_t index;  /* 0: not confirmed */
    unsigned ticks_left;
    raft_proposed_fn fn;
    void *ctx;
};

struct raft_node_resolve {
    uint64_t id, asked_ns;
};

struct served_call;
struct snapshot_send;
struct snapshot_receipt;
struct snapshot_make;
struct snapshot_restore;

struct raft_node {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct raft_machine machine;
    struct raft_node_events events;
    struct raft_member self;
    char *cluster_id;
    struct raft_node_door door;
    unsigned tick_ms, election_ticks;
    bool elects_early;
    uint64_t snapshot_interval_count, snapshot_most_bytes, tail_keep_count;

    struct raft *core;
    struct raft_memory_storage storage;
    struct raft_writer *writer;
    struct raft_worker *files;        /* the thread of snapshot files */
    struct raft_snapshot_store store; /* its own: of that thread */
    struct raft_disk disk;
    struct raft_keys keys, files_keys; /* of the loop; of that thread */
    uint64_t reseal_index;             /* once this is applied, a snapshot makes older keys superfluous; UINT64_MAX: none is due */
    bool had_no_key;                   /* before the one of now */
    char *dir;
    struct raft_conf_state conf; /* as of what is applied */
    uint64_t applied;
    enum raft_role role;
    uint64_t leader, role_term;
    unsigned silence_ticks; /* since a leader was heard */
    uint64_t silence_term;

    struct raft_book book;
    struct raft_peer_host peer_host;
    struct raft_peer_link **peers;
    size_t peers_count;
    struct raft_node_resolve *resolving;
    size_t resolving_count;
    struct raft_leaving {
        uint64_t id, until_ns;
    } * leaving; /* removed members that are still talked to */
    size_t leaving_count;

    struct raft_proposals proposals;
    struct raft_node_read *reads;
    size_t reads_count, reads_capacity;
    uint64_t reads_number; /* of the last question; those of one turn share it */
    bool has_new_reads;

    struct raft_messages local;   /* answers to ourselves */
    struct raft_messages written; /* stable, waiting for a snapshot that is being restored */
    uint64_t *unreachable;        /* to be told to the core */
    size_t unreachable_count;

    struct served_call *calls;
    struct snapshot_send *sends;
    struct snapshot_receipt *receipts;
    struct snapshot_make *make;
    unsigned snapshot_pause_ticks; /* since one could not be made */
    bool has_said_no_snapshot;
    struct snapshot_restore *restore;
    struct raft_node_peer *status_peers;

    uv_timer_t timer;
    uint64_t next_tick_ms; /* by the loop's clock */
    uv_timer_t news_timer; /* while a peer's news of the commit index is held back */
    uv_prepare_t prepare;
    uv_check_t check;
    unsigned handles;
    bool is_news_due;
    bool is_dirty, is_running, has_failed, is_removed, was_told_removed, wants_snapshot, is_closing;
    struct error close_err;
    void (*on_closed)(void *ctx, const struct error *err);
    void *closed_ctx;
};

/* node.c */
void node_wake(struct raft_node *node); /* a turn is due */
void node_fail(struct raft_node *node, const struct error *err);
void node_step(struct raft_node *node, struct raft_message *message); /* taken */
void node_removed(struct raft_node *node);
bool node_is_over(const struct raft_node *node); /* failed or closing: nothing more is begun */
void node_continue_written(struct raft_node *node);

/* node_apply.c */
void node_apply(struct raft_node *node, const struct raft_entry *entries, size_t count);

/* node_calls.c */
void node_append_proposals(struct raft_node *node);
void node_ask_reads(struct raft_node *node);
void node_read_confirmed(struct raft_node *node, const struct raft_read_state *state);
void node_serve_reads(struct raft_node *node);
void node_tick_reads(struct raft_node *node);
void node_fail_reads(struct raft_node *node, const char *why);

/* node_keys.c */
void node_begin_keys(struct raft_node *node); /* at the start: files of older keys are to be made anew */
void node_reseal_if_due(struct raft_node *node);
bool node_is_rotating(const struct raft_node *node);
void node_look_at_keys(struct raft_node *node); /* a snapshot's file was added */

/* links.c */
void links_send(struct raft_node *node, struct raft_message *message); /* taken */
void links_flush(struct raft_node *node);
void links_tick(struct raft_node *node);
struct raft_peer_link *links_find(const struct raft_node *node, uint64_t id);
void links_heard(struct raft_node *node, uint64_t id, enum raft_message_type type);
void links_follow_book(struct raft_node *node); /* dial who is in it, let go who is not */
void links_close(struct raft_node *node);

/* serve.c */
void serve_close(struct raft_node *node);

/* snapshots */
void snapshot_send_begin(struct raft_node *node, struct raft_message *message); /* taken */
void snapshot_send_tick(struct raft_node *node);
void snapshot_send_close(struct raft_node *node);
int snapshot_make_begin(struct raft_node *node, struct error *err);
void snapshot_make_failed(struct raft_node *node, uint64_t index, const struct error *err); /* says so once, and it is tried again */
void snapshot_make_close(struct raft_node *node);
void snapshot_restore_begin(struct raft_node *node, const struct raft_snapshot *meta); /* and node_continue_written() when done */
int snapshot_restore_now(struct raft_node *node, const struct raft_snapshot *meta, struct error *err); /* at the start */

/* A snapshot that arrives; @message is its first part's, taken. *@place is set, and cleared when it is over. ERR_AGAIN: one of this leader
 * or a newer one is coming in already. */
int snapshot_receipt_begin(struct raft_node *node, struct grpc_call *call, struct raft_message *message, struct snapshot_receipt **place,
                           struct error *err);
void snapshot_receipt_tick(struct raft_node *node);
int snapshot_receipt_add(struct snapshot_receipt *receipt, const struct raft_message *part, struct bytes data, struct error *err);
void snapshot_receipt_end(struct snapshot_receipt *receipt);     /* complete: it is stepped and the call answered */
void snapshot_receipt_abandon(struct snapshot_receipt *receipt); /* its call is over */

#endif
