/* manager/dispatcher/writes.h – what nodes say, collected for a while and put into the store many at once: ten thousand heartbeats lost in
 * one second are a few entries of the log, not ten thousand.
 *
 * One write per object waits; a newer one is merged with it. What is due leaves as some batches, a transaction each; while any of them is
 * on its way the next are collected, so that no object is in two. */
#ifndef SKEP_MANAGER_DISPATCHER_WRITES_H
#define SKEP_MANAGER_DISPATCHER_WRITES_H

#include "base/hash.h"
#include "manager/dispatcher/timers.h"
#include "manager/store/store.h"

struct dispatcher;

/* Begins what is to be written; its owner has more behind it. */
struct dispatcher_write {
    UT_hash_handle hh;
    struct dispatcher_write *next; /* in its batch */
    size_t size_bytes;             /* about what it adds to an entry of the log */
    char *id;                      /* of the object; owned */
};

struct dispatcher_writes_kind {
    /* As a store_write_fn, and for one object; may be called again. */
    int (*write)(struct dispatcher *dispatcher, struct store_tx *tx, struct dispatcher_write *write, struct error *err);

    /* @newer takes over from @older what it does not say itself; @older is freed then. */
    void (*merge)(struct dispatcher_write *newer, struct dispatcher_write *older);

    /* @err NULL: it is in the store. Else it is not, or may not be. True: try again; one that cannot be written at all is not. Otherwise,
     * and then, it is freed. */
    bool (*settled)(struct dispatcher *dispatcher, struct dispatcher_write *write, const struct error *err);

    void (*free)(struct dispatcher_write *write);
};

struct dispatcher_writes {
    struct dispatcher *dispatcher;
    const struct dispatcher_writes_kind *kind;
    struct dispatcher_write *waiting; /* by id */
    struct dispatcher_batch *batches; /* on their way */
    struct dispatcher_timer timer;
    bool is_due;
};

void dispatcher_writes_init(struct dispatcher_writes *writes, struct dispatcher *dispatcher, const struct dispatcher_writes_kind *kind);
void dispatcher_writes_deinit(struct dispatcher_writes *writes); /* what is on its way is left to the log */

void dispatcher_writes_put(struct dispatcher_writes *writes, struct dispatcher_write *write, uint64_t now_ns); /* taken */
struct dispatcher_write *dispatcher_writes_find(const struct dispatcher_writes *writes, const char *id);       /* that waits; NULL: none */
void dispatcher_writes_hurry(struct dispatcher_writes *writes); /* do not collect any longer */
void dispatcher_writes_pump(struct dispatcher_writes *writes);  /* of the step: begin batches if they are due and none is under way */

#endif
