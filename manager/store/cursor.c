/* manager/store/cursor.c – walks over objects: what is committed, and for a transaction what its batch has made of it. */
#include <stdio.h>

#include "manager/store/inside.h"

static bool has_list(enum store_by by)
{
    return by != STORE_ALL && by != STORE_BY_ID_PREFIX && by != STORE_BY_NAME_PREFIX;
}

static void begin(const struct store *store, struct store_tx *tx, enum store_kind kind, enum store_by by, const char *key,
                  struct store_cursor *out)
{
    const struct store_table *table = &store->tables[kind];

    *out = (struct store_cursor){.store = store, .tx = tx, .kind = kind, .by = by};
    if (by == STORE_BY_NAME || by == STORE_BY_NAME_PREFIX)
        store_fold_name(key, out->key, sizeof out->key);
    else
        snprintf(out->key, sizeof out->key, "%s", key ? key : "");
    if (has_list(by)) {
        const struct store_bucket *bucket = table_bucket(table, by, out->key);
        out->link = bucket ? bucket->first : NULL;
    } else {
        out->record = table->first;
    }
}

void store_find(const struct store *store, enum store_kind kind, enum store_by by, const char *key, struct store_cursor *out)
{
    begin(store, NULL, kind, by, key, out);
}

void store_tx_find(struct store_tx *tx, enum store_kind kind, enum store_by by, const char *key, struct store_cursor *out)
{
    begin(tx->store, tx, kind, by, key, out);
}

static const struct store_record *next_committed(struct store_cursor *cursor)
{
    const struct store_record *record = NULL;

    if (cursor->link) {
        record = cursor->link->record;
        cursor->link = cursor->link->after;
    } else if (cursor->record) {
        record = cursor->record;
        cursor->record = record->after;
    }
    return record;
}

/* Among the batch's changes: those that were not found under the key before. Of several changes of one record the first stands for all. */
static const ProtobufCMessage *next_pending(struct store_cursor *cursor)
{
    const struct batch *batch = &cursor->store->batch;

    while (cursor->pending_at < batch->count) {
        const struct action *action = &batch->actions[cursor->pending_at++];
        const struct store_record *record = action->record;
        if (action->table->kind != cursor->kind || action->was_pending || !record->pending)
            continue;
        if (record->committed && object_has_key(record->committed, cursor->by, cursor->key))
            continue; /* it came among the committed */
        if (object_has_key(record->pending, cursor->by, cursor->key))
            return record->pending->message;
    }
    return NULL;
}

const ProtobufCMessage *store_next(struct store_cursor *cursor)
{
    const struct store_record *record;

    while ((record = next_committed(cursor)) != NULL) {
        bool is_changed = cursor->tx && record->is_pending;
        const struct store_object *object = is_changed ? record->pending : record->committed;
        if (object && ((has_list(cursor->by) && !is_changed) || object_has_key(object, cursor->by, cursor->key)))
            return object->message;
    }
    return cursor->tx ? next_pending(cursor) : NULL;
}
