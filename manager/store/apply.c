/* manager/store/apply.c – a committed entry: read, checked as a whole, then done. Its bytes come from any manager of the cluster. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/store/inside.h"
#include "proto/fields.h"
#include "proto/message.h"

int object_unpack(enum store_kind kind, struct bytes packed, struct store_object **out, struct error *err)
{
    const struct store_kind_info *info = store_kind_info(kind);
    ProtobufCMessage *message;
    int failed = message_unpack(info->descriptor, packed, STORE_OBJECT_SIZE_BYTES, &message, err);

    if (failed < 0)
        return failed;
    const char *id = store_message_id(kind, message);
    if (id[0] == 0 || strlen(id) >= STORE_KEY_SIZE_BYTES)
        failed = error_set(err, ERR_CORRUPT, "a %s without a usable id", info->name);
    else
        *out = store_object_new(kind, message);
    message_wipe_free(message);
    return failed;
}

/* One StoreAction: its number, and one object. */
static int read_action(struct bytes rest, struct changes *out, struct error *err)
{
    uint64_t number = 0;
    bool has_object = false;
    enum store_kind kind = STORE_NODE;
    struct bytes packed = {0};
    struct field field;

    while (rest.size > 0) {
        enum store_kind found;
        if (!field_take(&rest, &field))
            return error_set(err, ERR_CORRUPT, "an action is malformed");
        if (field.number == 1 && field.type == FIELD_VARINT)
            number = field.value;
        else if (field.type == FIELD_LENGTH && store_kind_of_action(field.number, &found)) {
            kind = found;
            packed = field.bytes;
            has_object = true;
        }
    }
    if (!has_object || number < STORE_CREATE || number > STORE_REMOVE)
        return error_set(err, ERR_CORRUPT, "an action %llu %s", (unsigned long long)number,
                         has_object ? "is not one of create, update and remove" : "has no object of a kind that is known here");
    struct store_change change = {.action = (enum store_change_action)number, .kind = kind};
    int failed = object_unpack(kind, packed, &change.object, err);
    if (failed < 0)
        return failed;
    changes_add(out, &change);
    store_object_release(change.object);
    return 0;
}

static int read_entry(struct bytes rest, uint64_t *request, struct changes *out, struct error *err)
{
    struct field field;

    while (rest.size > 0) {
        if (!field_take(&rest, &field))
            return error_set(err, ERR_CORRUPT, "a request is malformed");
        if (field.number == 1 && field.type == FIELD_VARINT)
            *request = field.value;
        if (field.number != 2 || field.type != FIELD_LENGTH)
            continue;
        if (out->count >= STORE_ENTRY_ACTIONS_MOST)
            return error_set(err, ERR_LIMIT, "more than %u changes", STORE_ENTRY_ACTIONS_MOST);
        int failed = read_action(field.bytes, out, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

/* What the entry makes of each record is kept beside it until the whole is known to be good. */
static int stage(struct store *store, struct store_change *change, struct error *err)
{
    struct store_table *table = &store->tables[change->kind];
    struct store_record *record = table_obtain(table, store_object_id(change->object));
    struct store_object *old = record->is_staged ? record->staged : record->committed;

    if (change->action == STORE_CREATE && old)
        return error_set(err, ERR_EXISTS, "object already exists: %s %s", store_kind_info(change->kind)->name, record->id);
    if (change->action != STORE_CREATE && !old)
        return error_set(err, ERR_NOT_FOUND, "object does not exist: %s %s", store_kind_info(change->kind)->name, record->id);
    record->is_staged = true;
    record->staged = change->action == STORE_REMOVE ? NULL : change->object;
    change->old = store_object_hold(old);
    if (change->action == STORE_REMOVE) { /* as it was, whatever the action carries: only its id counts */
        store_object_release(change->object);
        change->object = store_object_hold(old);
    }
    return 0;
}

static void unstage(struct store *store, const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct store_table *table = &store->tables[changes->items[i].kind];
        struct store_record *record = table_find(table, store_object_id(changes->items[i].object));
        if (record == NULL)
            continue;
        record->is_staged = false;
        record->staged = NULL;
        table_drop_if_empty(table, record);
    }
}

static int check(struct store *store, struct changes *changes, struct error *err)
{
    int failed = 0;

    for (size_t i = 0; i < changes->count && failed == 0; i++)
        failed = stage(store, &changes->items[i], err);
    unstage(store, changes);
    return failed;
}

static void take_own(const struct batch *batch, struct changes *out)
{
    for (size_t i = 0; i < batch->count; i++)
        changes_add(out, &(struct store_change){
                             .action = batch->actions[i].kind, .kind = batch->actions[i].table->kind, .object = batch->actions[i].object});
}

int store_apply(struct store *store, uint64_t index, struct bytes entry, struct error *err)
{
    struct changes changes = {0};
    struct batch *batch = &store->batch;
    uint64_t request = 0;
    struct field first;
    struct bytes rest = entry;
    bool is_own = batch->is_proposed && !batch->is_applied && field_take(&rest, &first) && first.number == 1 &&
                  first.type == FIELD_VARINT && first.value == batch->request;
    int failed = 0;

    if (is_own)
        take_own(batch, &changes); /* the same objects that the entry was made of */
    else
        failed = read_entry(entry, &request, &changes, err);
    if (failed == 0)
        failed = check(store, &changes, err);
    if (is_own) {
        batch->is_applied = true;
        if (failed < 0)
            batch->failure = err ? *err : (struct error){.code = failed};
        batch_undo_to(store, 0); /* what was pending is now true, or never will be */
    }
    if (index > store->version)
        store->version = index;
    if (failed < 0) {
        changes_free(&changes);
        return error_wrap(err, "store: entry %llu", (unsigned long long)index);
    }
    changes_apply(store, &changes);
    history_add(store, index, &changes);
    return 0;
}
