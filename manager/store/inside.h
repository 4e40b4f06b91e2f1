/* manager/store/inside.h – the store's parts among themselves.
 *
 * A record stands for an id: what is committed under it, what the batch under way makes of it, and the lists that it is in. Lists are those
 * of what is committed; a transaction looks through the few pending records beside them. */
#ifndef SKEP_MANAGER_STORE_INSIDE_H
#define SKEP_MANAGER_STORE_INSIDE_H

#include "base/hash.h"
#include "manager/store/store.h"

struct store_bucket;

struct store_link {
    struct store_link *before, *after;
    struct store_record *record;
    struct store_bucket *bucket;
    struct store_link *next_of_record;
};

struct store_bucket {
    UT_hash_handle hh;
    struct store_link *first, *last;
    size_t count;
    char key[]; /* the number of enum store_by + 1 as a byte, then the key */
};

struct store_record {
    UT_hash_handle hh;
    struct store_record *before, *after; /* all of a kind that are committed */
    struct store_object *committed;      /* NULL: not there */
    struct store_object *pending;        /* what the batch makes of it; NULL with is_pending: it is removed */
    bool is_pending;
    size_t pending_tx;           /* the number of the transaction in the batch that did it */
    struct store_object *staged; /* while an entry is checked: what it makes of it, borrowed; NULL with is_staged: it is removed */
    bool is_staged;
    struct store_link *links;
    char id[];
};

struct store_table {
    enum store_kind kind;
    struct store_record *records, *first, *last;
    struct store_bucket *buckets;
    size_t count;
};

struct store_record *table_find(const struct store_table *table, const char *id); /* NULL: none, not even pending */
struct store_record *table_obtain(struct store_table *table, const char *id);
void table_drop_if_empty(struct store_table *table, struct store_record *record);
void table_set(struct store_table *table, struct store_record *record, struct store_object *object); /* taken; NULL: removed, record too */
const struct store_bucket *table_bucket(const struct store_table *table, enum store_by by, const char *key);
void table_clear(struct store_table *table);
bool object_has_key(const struct store_object *object, enum store_by by, const char *key);

/* --- the batch: what is on its way into the log --- */

struct write {
    store_write_fn *fn;
    store_done_fn *done;
    void *ctx;
    struct write *next;
};

struct writes {
    struct write *first, **end;
};
void writes_add(struct writes *list, struct write *write);
struct write *writes_take(struct writes *list); /* NULL: none */

/* One change, in order. */
struct action {
    enum store_change_action kind;
    struct store_table *table;
    struct store_record *record;
    struct store_object *object; /* held; of a removal the one that was there */
    struct store_object *undo;   /* what was pending before; held */
    bool was_pending;
    size_t undo_tx;
};

struct store_tx {
    struct store *store;
    size_t number;       /* in the batch, from 1 */
    size_t first_action; /* in batch.actions */
    size_t entry_size;   /* before this transaction */
    int64_t wall_ns;
    bool is_crossing; /* it touched what another one of the batch changes */
};

struct batch {
    uint64_t request; /* its number; 0: none under way */
    struct action *actions;
    size_t count, capacity;
    size_t txs_count;
    uint64_t version; /* what is written now gets */
    struct buf entry;
    struct writes writers; /* whose changes are in it */
    bool is_proposed, is_applied;
    struct error failure;
};

struct restore;

struct store {
    struct store_log log;
    struct clock clock;
    struct store_table tables[STORE_KINDS_COUNT];
    uint64_t version, next_request;
    size_t size_bytes;
    size_t entry_actions; /* until an entry is full */
    struct writes queue;
    struct batch batch;
    bool is_woken, is_running;
    struct history {
        struct commit_kept *first, *last;
        size_t count, size_bytes, most_count, most_bytes;
        uint64_t lost_version; /* commits up to this one are not kept */
        struct store_watcher *watchers;
        uint64_t resets; /* restored images */
        uint64_t tells;  /* times that watchers were told */
    } history;
    struct restore *restore; /* NULL: none */
};

void batch_undo_to(struct store *store, size_t count); /* the actions behind the first @count */
void batch_end(struct store *store);                   /* free what it holds; nothing is pending */

/* --- entries --- */

size_t entry_action_size(const struct store_object *object);
void entry_begin(struct buf *out, uint64_t request);
void entry_add(struct buf *out, enum store_change_action kind, const struct store_object *object);

/* @changes: objects held by it; freed by changes_free(). */
struct changes {
    struct store_change *items;
    size_t count, capacity;
};
void changes_add(struct changes *list, const struct store_change *change); /* holds its objects */
void changes_free(struct changes *list);
void changes_apply(struct store *store, const struct changes *changes); /* tables follow; nothing can fail */

/* One object off the wire: unpacked within limits, with a usable id. */
int object_unpack(enum store_kind kind, struct bytes packed, struct store_object **out, struct error *err);

/* --- history --- */

void history_add(struct store *store, uint64_t version, struct changes *changes); /* taken */
void history_forget(struct store *store);                                         /* all; watchers are told */
void history_deinit(struct store *store);

void restore_drop(struct store *store); /* what was read of an image is given up */

#endif
