/* manager/store/store.h – what the cluster is: every object, the same at each manager, changed only by what Raft has committed.
 *
 * On one loop, without I/O, clock or threads of its own. Objects never change: an update puts a new one in the place of the old, and
 * whoever holds the old keeps it. So a reader, a watcher or an image being sent never waits for a writer, nor a writer for them.
 *
 * Writing. store_update() queues a function; when its turn comes it reads and changes through its transaction, which sees its own changes
 * and those before it. Queued functions share one entry of the log as far as they touch different objects; the next entry is proposed when
 * the one before is applied, so each function decides on what is true. When the entry is committed and applied, or certainly or possibly is
 * not, the caller is told.
 *
 *     static int drain(struct store_tx *tx, void *ctx, struct error *err) {
 *         const Docker__Swarmkit__V1__Node *old = store_tx_node(tx, ctx->id);
 *         Docker__Swarmkit__V1__Node node = *old;            // a shallow copy: what it points to is borrowed
 *         Docker__Swarmkit__V1__NodeSpec spec = *old->spec;
 *         spec.availability = …; node.spec = &spec;
 *         return store_tx_update(tx, &node.base, err);
 *     }
 *     store_update(store, drain, drained, ctx);
 *
 * Reading outside of a transaction sees what is committed and applied here. What is read is borrowed until the loop goes on; hold it
 * (manager/store/object.h) to keep it.
 *
 * Source: objects, actions, versions and refusals are SwarmKit's: swarmkit-wire §5.5, §6.5. */
#ifndef SKEP_MANAGER_STORE_STORE_H
#define SKEP_MANAGER_STORE_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"
#include "manager/store/object.h"

struct store;
struct store_tx;

/* How changes come into the log: raft/node.h, or a test. */
struct store_log {
    /* As raft_node_propose(): @fn once, later, on the loop; ERR_CANCELED: the outcome is not known. An error returned: @fn is not called.
     */
    int (*propose)(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err);
    uint64_t (*version)(void *self); /* the highest index known to be committed: becomes the version of what is written now */
    void (*wake)(void *self);        /* call store_run() soon, from the loop */
    void *self;
};

struct store_options {
    struct store_log log;
    struct clock clock;
    struct random random; /* where the numbers of requests begin */
    uint64_t member;      /* this manager's Raft id: its low 16 bits begin each request's number */
    size_t history_count; /* commits that a watcher may be behind; 0: STORE_HISTORY_COUNT */
    size_t history_bytes; /* 0: STORE_HISTORY_BYTES */
    size_t entry_actions; /* changes until an entry is full; 0: STORE_ENTRY_ACTIONS_COUNT */
};

struct store *store_new(const struct store_options *options);
void store_free(struct store *store); /* store_fail() before; NULL is fine */

/* --- reading --- */

/* NULL: none. */
const ProtobufCMessage *store_get(const struct store *store, enum store_kind kind, const char *id);
struct store_object *store_get_object(const struct store *store, enum store_kind kind, const char *id); /* borrowed */
size_t store_count(const struct store *store, enum store_kind kind, enum store_by by, const char *key); /* not of prefixes */
uint64_t store_version(const struct store *store);  /* the index of the last entry applied, or of the image */
size_t store_size_bytes(const struct store *store); /* of the objects alone */

/* Objects one after the other, in the order in which they came under the key. Good until the loop goes on. */
struct store_cursor {
    const struct store *store;
    struct store_tx *tx;
    enum store_kind kind;
    enum store_by by;
    const struct store_link *link;
    const struct store_record *record;
    size_t pending_at;
    char key[STORE_KEY_SIZE_BYTES];
};
void store_find(const struct store *store, enum store_kind kind, enum store_by by, const char *key, struct store_cursor *out);
const ProtobufCMessage *store_next(struct store_cursor *cursor); /* NULL: no more */

/* --- writing --- */

/* @fn: 0, or a failure, which undoes what it did and is told to @done. It may be called again, on other state, before @done: it leaves
 * nothing behind but what it did through @tx. @done: NULL for @err: committed and applied here. May be NULL. Neither is called inside
 * store_update(). */
typedef int store_write_fn(struct store_tx *tx, void *ctx, struct error *err);
typedef void store_done_fn(void *ctx, const struct error *err);
void store_update(struct store *store, store_write_fn *fn, store_done_fn *done, void *ctx);

/* Copied. Version and times of @message are set here and put back: the caller's stay as they were. The kind is the message's own.
 * Refused with SwarmKit's words: ERR_EXISTS (id or name), ERR_NOT_FOUND, ERR_PRECONDITION "update out of sequence" (the version is not the
 * stored one's), ERR_LIMIT: more than STORE_ACTIONS_COUNT changes or STORE_ENTRY_SIZE_BYTES in one transaction, ERR_INVALID: no id.
 * ERR_AGAIN is for the store: return it. */
int store_tx_create(struct store_tx *tx, ProtobufCMessage *message, struct error *err);
int store_tx_update(struct store_tx *tx, ProtobufCMessage *message, struct error *err);
int store_tx_remove(struct store_tx *tx, enum store_kind kind, const char *id, struct error *err);

const ProtobufCMessage *store_tx_get(struct store_tx *tx, enum store_kind kind, const char *id);
void store_tx_find(struct store_tx *tx, enum store_kind kind, enum store_by by, const char *key, struct store_cursor *out);
size_t store_tx_room(const struct store_tx *tx); /* changes that this transaction may still make */
int64_t store_tx_wall_ns(const struct store_tx *tx);

/* Typed: store_node(store, id), store_tx_node(tx, id) … */
#define X(kind, shown, message, lower, action, snapshot, is_unique)                                                                        \
    static inline const Docker__Swarmkit__V1__##message *store_##lower(const struct store *store, const char *id)                          \
    {                                                                                                                                      \
        return (const Docker__Swarmkit__V1__##message *)(const void *)store_get(store, STORE_##kind, id);                                  \
    }                                                                                                                                      \
    static inline const Docker__Swarmkit__V1__##message *store_tx_##lower(struct store_tx *tx, const char *id)                             \
    {                                                                                                                                      \
        return (const Docker__Swarmkit__V1__##message *)(const void *)store_tx_get(tx, STORE_##kind, id);                                  \
    }
STORE_KINDS(X)
#undef X

/* The owner's: take what is queued, propose it. After wake(), on the leader, and only once all that was in the log before it led is applied
 * here: decisions rest on it. */
void store_run(struct store *store);

/* The log fails or is closed, or another leads: who waits for a turn is told @why, and whose change is in the log already that its outcome
 * is not known (ERR_CANCELED). Nobody waits when this returns. */
void store_fail(struct store *store, const struct error *why);

/* --- what comes from the log --- */

/* One committed entry: an InternalRaftRequest. All of it or nothing: ERR_CORRUPT (malformed), ERR_EXISTS, ERR_NOT_FOUND leave the store as
 * it was, as at every other manager; the caller logs it and goes on. */
int store_apply(struct store *store, uint64_t index, struct bytes entry, struct error *err);

/* --- watching --- */

struct store_change {
    enum store_change_action { STORE_CREATE = 1, STORE_UPDATE = 2, STORE_REMOVE = 3 } action; /* StoreActionKind's numbers */
    enum store_kind kind;
    struct store_object *object; /* the new one; of a removal the one that was there. Held by the commit */
    struct store_object *old;    /* NULL of a creation */
};

/* One entry's changes, in its order. */
struct store_commit {
    uint64_t version; /* the entry's index */
    const struct store_change *changes;
    size_t count;
};

/* Someone who follows at their own pace. @on_ready is called when there is something to read again, after nothing was; read until
 * ERR_NOT_FOUND, there or later. Kept here for it are the newest STORE_HISTORY_COUNT commits of at most STORE_HISTORY_BYTES. */
struct store_watcher;
struct store_watcher *store_watch(struct store *store, void (*on_ready)(void *ctx), void *ctx); /* from now on */

/* From behind @version on. ERR_LIMIT: that is not kept any more, list everything anew. */
int store_watch_from(struct store *store, uint64_t version, void (*on_ready)(void *ctx), void *ctx, struct store_watcher **out,
                     struct error *err);

/* The next commit; borrowed until the loop goes on. ERR_NOT_FOUND: none now. ERR_LIMIT: this watcher was too slow, or the store was
 * restored from an image; list everything anew; it goes on from now. */
int store_watch_next(struct store_watcher *watcher, const struct store_commit **out, struct error *err);
void store_unwatch(struct store_watcher *watcher); /* NULL is fine */

/* --- images --- */

/* Everything as SwarmKit's Snapshot (swarmkit-wire §6.7), part by part; what is written meanwhile is not in it. @membership: a packed
 * ClusterSnapshot. */
struct store_image;
struct store_image *store_image_open(const struct store *store, struct bytes membership);
void store_image_read(struct store_image *image, size_t most_bytes, struct buf *out); /* appends one object at least; nothing at the end */
void store_image_close(struct store_image *image);

/* Be as the image says. Parts end anywhere. The store is as before until store_restore_end(), which gives the membership (appended). */
void store_restore_begin(struct store *store);
int store_restore_add(struct store *store, struct bytes part, struct error *err);
int store_restore_end(struct store *store, uint64_t index, struct buf *membership, struct error *err);

#endif
