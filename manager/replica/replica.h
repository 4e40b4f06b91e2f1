/* manager/replica/replica.h – the store on Raft: one of the cluster's managers, as far as its state goes.
 *
 * Committed entries become the store's changes at every manager. On the leader the store's writers are heard once all that was in the log
 * when it was elected is applied, so that they decide on what is true; elsewhere they are refused, by the leader's name where it is known.
 */
#ifndef SKEP_MANAGER_REPLICA_REPLICA_H
#define SKEP_MANAGER_REPLICA_REPLICA_H

#include "base/metrics.h"
#include "manager/store/store.h"
#include "raft/node.h"

struct replica;

struct replica_events {
    /* This manager may write, or no longer. It alternates, and begins with true. */
    void (*on_leading)(void *ctx, bool is_leading);
    void (*on_removed)(void *ctx);                         /* as raft_node_events */
    void (*on_failed)(void *ctx, const struct error *err); /* as raft_node_events */
    void *ctx;
};

/* @raft: as raft_node_open() takes them; machine and events are set here. */
struct replica_options {
    struct raft_node_options raft;
    struct replica_events events;
};

/* What raft_node_open() fails with; ERR_CORRUPT: an image of the store cannot be read. */
int replica_open(const struct replica_options *options, struct replica **out, struct error *err);

struct store *replica_store(struct replica *replica);
struct raft_node *replica_raft(struct replica *replica);
bool replica_is_leading(const struct replica *replica);

/* In seconds, from the store's entry being proposed here to its being committed and applied here: those that were. */
const struct histogram *replica_commit_times(const struct replica *replica);

/* The store's changes, where this manager leads; else ERR_UNAVAILABLE with who does, and nothing is called. */
int replica_update(struct replica *replica, store_write_fn *fn, store_done_fn *done, void *ctx, struct error *err);

/* The server that it serves has stopped, and nobody watches the store. Writers are told. Then @on_closed; the replica is gone. */
void replica_close(struct replica *replica, void (*on_closed)(void *ctx, const struct error *err), void *ctx);

#endif
