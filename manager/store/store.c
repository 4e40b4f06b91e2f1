/* manager/store/store.c – a store's life, reading, and the batches in which writers take their turns. */
#include "manager/store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "manager/store/inside.h"

void writes_add(struct writes *list, struct write *write)
{
    if (list->first == NULL)
        list->end = &list->first;
    write->next = NULL;
    *list->end = write;
    list->end = &write->next;
}

struct write *writes_take(struct writes *list)
{
    struct write *write = list->first;

    if (write)
        list->first = write->next;
    return write;
}

struct store *store_new(const struct store_options *options)
{
    struct store *store = mem_alloc(sizeof *store);
    uint64_t start = random_u64(&options->random);

    store->log = options->log;
    store->clock = options->clock;
    store->next_request = options->member << 48 | start >> 16;
    for (unsigned i = 0; i < STORE_KINDS_COUNT; i++)
        store->tables[i].kind = (enum store_kind)i;
    store->history.most_count = options->history_count ? options->history_count : STORE_HISTORY_COUNT;
    store->history.most_bytes = options->history_bytes ? options->history_bytes : STORE_HISTORY_BYTES;
    store->entry_actions = options->entry_actions ? options->entry_actions : STORE_ENTRY_ACTIONS_COUNT;
    return store;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    assert(store->queue.first == NULL && store->batch.writers.first == NULL); /* store_fail() */
    restore_drop(store);
    history_deinit(store);
    for (unsigned i = 0; i < STORE_KINDS_COUNT; i++)
        table_clear(&store->tables[i]);
    free(store);
}

/* --- reading --- */

struct store_object *store_get_object(const struct store *store, enum store_kind kind, const char *id)
{
    const struct store_record *record = table_find(&store->tables[kind], id);
    return record ? record->committed : NULL;
}

const ProtobufCMessage *store_get(const struct store *store, enum store_kind kind, const char *id)
{
    const struct store_object *object = store_get_object(store, kind, id);
    return object ? object->message : NULL;
}

size_t store_count(const struct store *store, enum store_kind kind, enum store_by by, const char *key)
{
    char name[STORE_KEY_SIZE_BYTES];

    if (by == STORE_ALL)
        return store->tables[kind].count;
    if (by == STORE_BY_NAME) {
        store_fold_name(key, name, sizeof name);
        key = name;
    }
    const struct store_bucket *bucket = table_bucket(&store->tables[kind], by, key);
    return bucket ? bucket->count : 0;
}

uint64_t store_version(const struct store *store)
{
    return store->version;
}

size_t store_size_bytes(const struct store *store)
{
    return store->size_bytes;
}

/* --- writing --- */

static void wake(struct store *store)
{
    if (store->is_woken || store->queue.first == NULL || store->batch.is_proposed)
        return;
    store->is_woken = true;
    store->log.wake(store->log.self);
}

void store_update(struct store *store, store_write_fn *fn, store_done_fn *done, void *ctx)
{
    struct write *write = mem_alloc(sizeof *write);

    *write = (struct write){.fn = fn, .done = done, .ctx = ctx};
    writes_add(&store->queue, write);
    wake(store);
}

static void tell(struct write *write, const struct error *err)
{
    if (write->done)
        write->done(write->ctx, err);
    free(write);
}

static void tell_all(struct writes list, const struct error *err)
{
    struct write *write;

    while ((write = writes_take(&list)) != NULL)
        tell(write, err);
}

static bool is_too_large(const struct store *store)
{
    return store->batch.count > store->entry_actions || store->batch.entry.size > STORE_ENTRY_SIZE_BYTES;
}

enum turn { TURN_TAKEN, TURN_REFUSED, TURN_WAITS };

/* One writer's turn. What crosses another's change, or no longer fits into the entry, waits for the next one. */
static enum turn take_turn(struct store *store, const struct write *write, struct error *err)
{
    struct batch *batch = &store->batch;
    struct store_tx tx = {.store = store,
                          .number = batch->txs_count + 1,
                          .first_action = batch->count,
                          .entry_size = batch->entry.size,
                          .wall_ns = clock_wall_ns(&store->clock)};
    int failed = write->fn(&tx, write->ctx, err);
    bool waits = tx.is_crossing || (failed == 0 && tx.first_action > 0 && is_too_large(store));

    if (failed == 0 && !waits) {
        batch->txs_count++;
        return TURN_TAKEN;
    }
    batch_undo_to(store, tx.first_action);
    batch->entry.size = tx.entry_size;
    return waits ? TURN_WAITS : TURN_REFUSED;
}

/* The batch is over: applied, or as good as never been. */
static void settle(struct store *store, const struct error *err)
{
    struct writes writers = store->batch.writers;

    store->batch.writers = (struct writes){0};
    batch_end(store);
    tell_all(writers, err);
    wake(store);
}

static void on_proposed(void *ctx, uint64_t index, const struct error *err)
{
    struct store *store = ctx;
    struct error failure = store->batch.failure;

    (void)index;
    assert(store->batch.is_proposed);
    if (!err && failure.code != 0)
        err = &failure;
    assert(err || store->batch.is_applied); /* the log applies before it answers */
    settle(store, err);
}

static void propose(struct store *store)
{
    struct batch *batch = &store->batch;
    struct error err = {0};

    if (batch->count == 0) { /* nobody changed anything */
        settle(store, NULL);
        return;
    }
    batch->is_proposed = true;
    if (store->log.propose(store->log.self, buf_bytes(&batch->entry), on_proposed, store, &err) < 0) {
        settle(store, &err);
    } else if (CLUSTER_MUTANT(ACK_EARLY)) {
        struct writes writers = batch->writers;
        batch->writers = (struct writes){0};
        tell_all(writers, NULL);
    }
}

struct refusal {
    struct write *write;
    struct error err;
    struct refusal *next;
};

void store_run(struct store *store)
{
    struct batch *batch = &store->batch;
    struct refusal *refusals = NULL, **end = &refusals;
    struct error err = {0};

    store->is_woken = false;
    if (store->is_running || batch->is_proposed || store->queue.first == NULL)
        return;
    store->is_running = true;
    *batch = (struct batch){.request = store->next_request++, .version = store->log.version(store->log.self)};
    entry_begin(&batch->entry, batch->request);
    for (unsigned turns = 0; store->queue.first && turns < STORE_TURNS_COUNT; turns++) {
        enum turn turn = take_turn(store, store->queue.first, &err);
        if (turn == TURN_WAITS)
            break;
        struct write *write = writes_take(&store->queue);
        if (turn == TURN_TAKEN) {
            writes_add(&batch->writers, write);
            continue;
        }
        *end = mem_alloc(sizeof **end);
        **end = (struct refusal){.write = write, .err = err};
        end = &(*end)->next;
    }
    propose(store);
    store->is_running = false;
    while (refusals) {
        struct refusal *refusal = refusals;
        refusals = refusal->next;
        tell(refusal->write, &refusal->err);
        free(refusal);
    }
    wake(store);
}

void store_fail(struct store *store, const struct error *why)
{
    struct writes proposed = store->batch.writers, queue = store->queue;
    struct error unknown;

    error_set(&unknown, ERR_CANCELED, "%s; whether this change was made is not known", why->message);
    store->batch.writers = (struct writes){0};
    store->queue = (struct writes){0};
    store->is_woken = false; /* whoever comes next wakes anew */
    tell_all(proposed, &unknown);
    tell_all(queue, why);
}
