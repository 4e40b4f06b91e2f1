/* manager/store/transaction.c – what a writer may do, and how it is taken back. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/store/inside.h"
#include "proto/message.h"

/* --- what is pending --- */

static struct store_object *current(const struct store_record *record)
{
    if (record == NULL)
        return NULL;
    return record->is_pending ? record->pending : record->committed;
}

const ProtobufCMessage *store_tx_get(struct store_tx *tx, enum store_kind kind, const char *id)
{
    const struct store_object *object = current(table_find(&tx->store->tables[kind], id));
    return object ? object->message : NULL;
}

size_t store_tx_room(const struct store_tx *tx)
{
    return STORE_ACTIONS_COUNT - (tx->store->batch.count - tx->first_action);
}

int64_t store_tx_wall_ns(const struct store_tx *tx)
{
    return tx->wall_ns;
}

void batch_undo_to(struct store *store, size_t count)
{
    struct batch *batch = &store->batch;

    while (batch->count > count) {
        struct action *action = &batch->actions[--batch->count];
        struct store_record *record = action->record;
        store_object_release(record->pending);
        record->pending = action->undo;
        record->is_pending = action->was_pending;
        record->pending_tx = action->undo_tx;
        store_object_release(action->object);
        table_drop_if_empty(action->table, record);
    }
}

void batch_end(struct store *store)
{
    struct batch *batch = &store->batch;

    batch_undo_to(store, 0);
    free(batch->actions);
    buf_deinit(&batch->entry);
    *batch = (struct batch){.writers = batch->writers};
}

/* @object is taken, with @kind of the change. */
static void add_action(struct store_tx *tx, struct store_record *record, enum store_change_action kind, struct store_object *object)
{
    struct batch *batch = &tx->store->batch;

    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity ? 2 * batch->capacity : 8;
        batch->actions = mem_resize(batch->actions, batch->capacity * sizeof *batch->actions);
    }
    batch->actions[batch->count++] = (struct action){.kind = kind,
                                                     .table = &tx->store->tables[object->kind],
                                                     .record = record,
                                                     .object = object,
                                                     .undo = record->pending,
                                                     .was_pending = record->is_pending,
                                                     .undo_tx = record->pending_tx};
    record->pending = kind == STORE_REMOVE ? NULL : store_object_hold(object);
    record->is_pending = true;
    record->pending_tx = tx->number;
    entry_add(&batch->entry, kind, object);
}

/* --- what may be done --- */

/* An entry's objects all get one version, so two writers of one object need two entries: who was told of the first version must not be able
 * to overwrite the second unseen. */
static int check_crossing(struct store_tx *tx, const struct store_record *record, struct error *err)
{
    if (record == NULL || !record->is_pending || record->pending_tx == tx->number)
        return 0;
    tx->is_crossing = true;
    return error_set(err, ERR_AGAIN, "store: another change of %.64s is on its way", record->id);
}

static int check_room(struct store_tx *tx, const struct store_object *object, struct error *err)
{
    struct batch *batch = &tx->store->batch;
    size_t size = batch->entry.size + entry_action_size(object);

    if (batch->count - tx->first_action >= STORE_ACTIONS_COUNT)
        return error_set(err, ERR_LIMIT, "store: more than %u changes in one transaction", STORE_ACTIONS_COUNT);
    if (size - tx->entry_size > STORE_ENTRY_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "raft: raft message is too large and can't be sent: %zu bytes in one transaction, more than %u",
                         size - tx->entry_size, STORE_ENTRY_SIZE_BYTES);
    return 0;
}

static int check_name(struct store_tx *tx, enum store_kind kind, const ProtobufCMessage *message, struct error *err)
{
    const char *name = store_message_name(kind, message), *id = store_message_id(kind, message);
    struct store_cursor cursor;
    const ProtobufCMessage *other;

    if (!store_kind_info(kind)->has_unique_name || name[0] == 0)
        return 0;
    store_tx_find(tx, kind, STORE_BY_NAME, name, &cursor);
    while ((other = store_next(&cursor)) != NULL)
        if (strcmp(store_message_id(kind, other), id) != 0)
            return error_set(err, ERR_EXISTS, "name conflicts with an existing object: %s %.128s already exists",
                             store_kind_info(kind)->name, name);
    return 0;
}

static Docker__Swarmkit__V1__Meta **meta_place(enum store_kind kind, const ProtobufCMessage *message)
{
    return (Docker__Swarmkit__V1__Meta **)((uintptr_t)message + store_kind_info(kind)->meta_offset);
}

static int64_t created_ns(enum store_kind kind, const ProtobufCMessage *old, int64_t now_ns)
{
    const Docker__Swarmkit__V1__Meta *meta = old ? *meta_place(kind, old) : NULL;
    return meta ? message_timestamp_ns(meta->created_at, now_ns) : now_ns;
}

/* The object as it will be stored: with its version and times. */
static struct store_object *make_object(struct store_tx *tx, enum store_kind kind, ProtobufCMessage *message, const ProtobufCMessage *old)
{
    Docker__Swarmkit__V1__Meta **place = meta_place(kind, message), *kept = *place;
    Docker__Swarmkit__V1__Meta meta = DOCKER__SWARMKIT__V1__META__INIT;
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Google__Protobuf__Timestamp created, updated;

    version.index = tx->store->batch.version;
    message_set_timestamp(&created, created_ns(kind, old, tx->wall_ns));
    message_set_timestamp(&updated, tx->wall_ns);
    meta.version = &version;
    meta.created_at = &created;
    meta.updated_at = &updated;
    *place = &meta;
    struct store_object *object = store_object_new(kind, message);
    *place = kept;
    return object;
}

static int put(struct store_tx *tx, enum store_kind kind, ProtobufCMessage *message, const ProtobufCMessage *old, struct error *err)
{
    struct store_object *object = make_object(tx, kind, message, old);
    int failed = check_room(tx, object, err);

    if (failed < 0) {
        store_object_release(object);
        return failed;
    }
    add_action(tx, table_obtain(&tx->store->tables[kind], store_object_id(object)), old ? STORE_UPDATE : STORE_CREATE, object);
    return 0;
}

static int check_id(enum store_kind kind, const ProtobufCMessage *message, struct error *err)
{
    const char *id = store_message_id(kind, message);

    if (id == NULL || id[0] == 0 || strlen(id) >= STORE_KEY_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "store: a %s without a usable id", store_kind_info(kind)->name);
    return 0;
}

static int look(struct store_tx *tx, ProtobufCMessage *message, enum store_kind *kind, struct store_record **record, struct error *err)
{
    bool is_known = store_kind_of_descriptor(message->descriptor, kind);
    assert(is_known);
    (void)is_known;
    int failed = check_id(*kind, message, err);
    if (failed < 0)
        return failed;
    *record = table_find(&tx->store->tables[*kind], store_message_id(*kind, message));
    failed = check_crossing(tx, *record, err);
    return failed < 0 ? failed : check_name(tx, *kind, message, err);
}

int store_tx_create(struct store_tx *tx, ProtobufCMessage *message, struct error *err)
{
    enum store_kind kind;
    struct store_record *record;
    int failed = look(tx, message, &kind, &record, err);

    if (failed < 0)
        return failed;
    if (current(record))
        return error_set(err, ERR_EXISTS, "object already exists: %s %.64s", store_kind_info(kind)->name, record->id);
    return put(tx, kind, message, NULL, err);
}

int store_tx_update(struct store_tx *tx, ProtobufCMessage *message, struct error *err)
{
    enum store_kind kind;
    struct store_record *record;
    int failed = look(tx, message, &kind, &record, err);
    const struct store_object *old = current(record);

    if (failed < 0)
        return failed;
    if (old == NULL)
        return error_set(err, ERR_NOT_FOUND, "object does not exist: %s %.64s", store_kind_info(kind)->name,
                         store_message_id(kind, message));
    if (store_message_version(kind, message) != store_object_version(old))
        return error_set(err, ERR_PRECONDITION, "update out of sequence: %s %.64s is at version %" PRIu64 ", not %" PRIu64,
                         store_kind_info(kind)->name, record->id, store_object_version(old), store_message_version(kind, message));
    return put(tx, kind, message, old->message, err);
}

int store_tx_remove(struct store_tx *tx, enum store_kind kind, const char *id, struct error *err)
{
    struct store_record *record = table_find(&tx->store->tables[kind], id);
    struct store_object *old = current(record);
    int failed = check_crossing(tx, record, err);

    if (failed < 0)
        return failed;
    if (old == NULL)
        return error_set(err, ERR_NOT_FOUND, "object does not exist: %s %.64s", store_kind_info(kind)->name, id);
    failed = check_room(tx, old, err);
    if (failed < 0)
        return failed;
    add_action(tx, record, STORE_REMOVE, store_object_hold(old));
    return 0;
}
