/* manager/store/table.c – the objects of one kind: records by id, and lists by every key under which an object is found. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "manager/store/inside.h"

struct store_record *table_find(const struct store_table *table, const char *id)
{
    struct store_record *record;

    HASH_FIND_STR(table->records, id, record);
    return record;
}

struct store_record *table_obtain(struct store_table *table, const char *id)
{
    struct store_record *record = table_find(table, id);

    if (record)
        return record;
    size_t size = strlen(id) + 1;
    record = mem_alloc(sizeof *record + size);
    memcpy(record->id, id, size);
    HASH_ADD_STR(table->records, id, record);
    return record;
}

void table_drop_if_empty(struct store_table *table, struct store_record *record)
{
    if (record->committed || record->is_pending)
        return;
    assert(record->links == NULL);
    HASH_DEL(table->records, record);
    free(record);
}

/* --- buckets --- */

static void write_key(enum store_by by, const char *key, char out[STORE_KEY_SIZE_BYTES + 1])
{
    out[0] = (char)(by + 1);
    snprintf(out + 1, STORE_KEY_SIZE_BYTES, "%s", key);
}

const struct store_bucket *table_bucket(const struct store_table *table, enum store_by by, const char *key)
{
    char full[STORE_KEY_SIZE_BYTES + 1];
    struct store_bucket *bucket;

    write_key(by, key, full);
    HASH_FIND_STR(table->buckets, full, bucket);
    return bucket;
}

static struct store_bucket *obtain_bucket(struct store_table *table, enum store_by by, const char *key)
{
    char full[STORE_KEY_SIZE_BYTES + 1];
    struct store_bucket *bucket;

    write_key(by, key, full);
    HASH_FIND_STR(table->buckets, full, bucket);
    if (bucket)
        return bucket;
    size_t size = strlen(full) + 1;
    bucket = mem_alloc(sizeof *bucket + size);
    memcpy(bucket->key, full, size);
    HASH_ADD_STR(table->buckets, key, bucket);
    return bucket;
}

static void unlink_from_bucket(struct store_table *table, struct store_link *link)
{
    struct store_bucket *bucket = link->bucket;

    *(link->before ? &link->before->after : &bucket->first) = link->after;
    *(link->after ? &link->after->before : &bucket->last) = link->before;
    if (--bucket->count == 0) {
        HASH_DEL(table->buckets, bucket);
        free(bucket);
    }
    free(link);
}

static void link_to_bucket(struct store_bucket *bucket, struct store_record *record)
{
    struct store_link *link = mem_alloc(sizeof *link);

    link->record = record;
    link->bucket = bucket;
    link->before = bucket->last;
    *(bucket->last ? &bucket->last->after : &bucket->first) = link;
    bucket->last = link;
    bucket->count++;
    link->next_of_record = record->links;
    record->links = link;
}

/* --- keys that an object has --- */

struct seeker {
    enum store_by by;
    const char *key;
    bool is_found;
};

static void seek(void *ctx, enum store_by by, const char *key)
{
    struct seeker *seeker = ctx;
    if (by == seeker->by && strncmp(key, seeker->key, STORE_KEY_SIZE_BYTES - 1) == 0)
        seeker->is_found = true;
}

bool object_has_key(const struct store_object *object, enum store_by by, const char *key)
{
    struct seeker seeker = {by, key, false};
    char name[STORE_KEY_SIZE_BYTES];

    if (by == STORE_ALL)
        return true;
    if (by == STORE_BY_ID_PREFIX)
        return strncmp(store_object_id(object), key, strlen(key)) == 0;
    if (by == STORE_BY_NAME_PREFIX) {
        store_fold_name(store_message_name(object->kind, object->message), name, sizeof name);
        return strncmp(name, key, strlen(key)) == 0;
    }
    store_message_keys(object->kind, object->message, seek, &seeker);
    return seeker.is_found;
}

/* The links of a record are brought in line with the keys of its object: those that stay are moved over as they are. */
struct relink {
    struct store_table *table;
    struct store_record *record;
    struct store_link *old;
};

static void relink_key(void *ctx, enum store_by by, const char *key)
{
    struct relink *relink = ctx;
    char full[STORE_KEY_SIZE_BYTES + 1];

    write_key(by, key, full);
    for (struct store_link *link = relink->record->links; link; link = link->next_of_record)
        if (strcmp(link->bucket->key, full) == 0) /* told twice */
            return;
    for (struct store_link **at = &relink->old; *at; at = &(*at)->next_of_record) {
        struct store_link *link = *at;
        if (strcmp(link->bucket->key, full) == 0) {
            *at = link->next_of_record;
            link->next_of_record = relink->record->links;
            relink->record->links = link;
            return;
        }
    }
    link_to_bucket(obtain_bucket(relink->table, by, key), relink->record);
}

static void relink(struct store_table *table, struct store_record *record, const struct store_object *object)
{
    struct relink state = {table, record, record->links};

    record->links = NULL;
    if (object)
        store_message_keys(table->kind, object->message, relink_key, &state);
    while (state.old) {
        struct store_link *link = state.old;
        state.old = link->next_of_record;
        unlink_from_bucket(table, link);
    }
}

void table_set(struct store_table *table, struct store_record *record, struct store_object *object)
{
    struct store_object *old = record->committed;

    relink(table, record, object);
    if (object && !old) {
        record->before = table->last;
        record->after = NULL;
        *(table->last ? &table->last->after : &table->first) = record;
        table->last = record;
        table->count++;
    } else if (!object && old) {
        *(record->before ? &record->before->after : &table->first) = record->after;
        *(record->after ? &record->after->before : &table->last) = record->before;
        record->before = record->after = NULL;
        table->count--;
    }
    record->committed = object;
    store_object_release(old);
    table_drop_if_empty(table, record);
}

void table_clear(struct store_table *table)
{
    struct store_record *record, *next;

    HASH_ITER (hh, table->records, record, next) {
        assert(!record->is_pending);
        table_set(table, record, NULL);
    }
    assert(table->count == 0 && table->buckets == NULL);
}
