/* manager/dispatcher/writes.c – see writes.h. */
#include "manager/dispatcher/writes.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/dispatcher/inside.h"

/* Outlives the dispatcher where it must: the log tells a writer whose entry is proposed when that is decided. */
struct dispatcher_batch {
    struct dispatcher_batch *prev, *next;
    struct dispatcher_writes *writes; /* NULL: nobody is there to be told */
    struct dispatcher_write *first, **end;
    size_t count, size_bytes;
    size_t taken_count;              /* of the first ones: what fitted into the transaction */
    struct dispatcher_write *failed; /* the one that cannot be written at all; NULL: none */
};

static void free_write(const struct dispatcher_writes_kind *kind, struct dispatcher_write *write)
{
    free(write->id);
    kind->free(write);
}

static void on_timer(void *ctx, uint64_t now_ns)
{
    struct dispatcher_writes *writes = ctx;

    (void)now_ns;
    writes->is_due = true;
}

void dispatcher_writes_init(struct dispatcher_writes *writes, struct dispatcher *dispatcher, const struct dispatcher_writes_kind *kind)
{
    *writes = (struct dispatcher_writes){.dispatcher = dispatcher, .kind = kind, .timer = {.fire = on_timer, .ctx = writes}};
}

static struct dispatcher_write *take_first(struct dispatcher_batch *batch)
{
    struct dispatcher_write *write = batch->first;

    if (write)
        batch->first = write->next;
    return write;
}

void dispatcher_writes_deinit(struct dispatcher_writes *writes)
{
    struct dispatcher_batch *batch;
    struct dispatcher_write *write, *next;

    HASH_ITER (hh, writes->waiting, write, next) {
        HASH_DEL(writes->waiting, write);
        free_write(writes->kind, write);
    }
    DL_FOREACH (writes->batches, batch) {
        while ((write = take_first(batch)) != NULL)
            free_write(writes->kind, write);
        batch->writes = NULL;
    }
    writes->batches = NULL;
    dispatcher_timer_stop(&writes->dispatcher->timers, &writes->timer);
}

struct dispatcher_write *dispatcher_writes_find(const struct dispatcher_writes *writes, const char *id)
{
    struct dispatcher_write *write;

    HASH_FIND_STR(writes->waiting, id, write);
    return write;
}

void dispatcher_writes_hurry(struct dispatcher_writes *writes)
{
    writes->is_due = writes->waiting != NULL;
    if (writes->is_due)
        dispatcher_wake(writes->dispatcher);
}

static void add(struct dispatcher_writes *writes, struct dispatcher_write *write, uint64_t deadline_ns)
{
    HASH_ADD_KEYPTR(hh, writes->waiting, write->id, strlen(write->id), write);
    if (writes->is_due)
        return;
    if (!dispatcher_timer_is_set(&writes->timer)) {
        dispatcher_timer_set(&writes->dispatcher->timers, &writes->timer, deadline_ns);
        dispatcher_wake(writes->dispatcher);
    }
    if (HASH_COUNT(writes->waiting) >= DISPATCHER_WRITES_COUNT)
        dispatcher_writes_hurry(writes);
}

void dispatcher_writes_put(struct dispatcher_writes *writes, struct dispatcher_write *write, uint64_t now_ns)
{
    struct dispatcher_write *older = dispatcher_writes_find(writes, write->id);

    if (older) {
        HASH_DEL(writes->waiting, older);
        writes->kind->merge(write, older);
        free_write(writes->kind, older);
    }
    add(writes, write, now_ns + DISPATCHER_WRITES_MS * NS_PER_MS);
}

/* What a batch could not do goes back, unless something newer waits already. */
static void put_back(struct dispatcher_writes *writes, struct dispatcher_write *write, uint64_t deadline_ns)
{
    struct dispatcher_write *newer = dispatcher_writes_find(writes, write->id);

    if (newer) {
        writes->kind->merge(newer, write);
        free_write(writes->kind, write);
        return;
    }
    add(writes, write, deadline_ns);
}

/* --- a batch --- */

static int write_batch(struct store_tx *tx, void *ctx, struct error *err)
{
    struct dispatcher_batch *batch = ctx;

    batch->taken_count = 0;
    batch->failed = NULL;
    if (batch->writes == NULL)
        return error_set(err, ERR_CANCELED, "dispatcher: stopped before this was written");
    for (struct dispatcher_write *write = batch->first; write; write = write->next) {
        int failed = batch->writes->kind->write(batch->writes->dispatcher, tx, write, err);
        if (failed == ERR_LIMIT && batch->taken_count > 0)
            return 0; /* the rest with the next one */
        if (failed < 0) {
            batch->failed = failed == ERR_AGAIN ? NULL : write; /* that is between the store's writers */
            return failed;
        }
        batch->taken_count++;
    }
    return 0;
}

enum outcome { WRITTEN, REFUSED, NOT_HEARD };

static enum outcome outcome_of(const struct dispatcher_batch *batch, const struct dispatcher_write *write, size_t at,
                               const struct error *err)
{
    if (err == NULL)
        return at < batch->taken_count ? WRITTEN : NOT_HEARD;
    return batch->failed == NULL || batch->failed == write ? REFUSED : NOT_HEARD;
}

static void batch_done(void *ctx, const struct error *err)
{
    struct dispatcher_batch *batch = ctx;
    struct dispatcher_writes *writes = batch->writes;
    struct dispatcher_write *write;
    struct error told;
    bool has_unheard = false;

    if (writes == NULL) {
        free(batch);
        return;
    }
    struct dispatcher *dispatcher = writes->dispatcher;
    uint64_t retry_ns = dispatcher->now_ns + DISPATCHER_RETRY_MS * NS_PER_MS;
    if (err)
        log_warn("dispatcher", "what %zu of the nodes say is not written: %s", batch->failed ? 1 : batch->count, err->message);
    if (err && err->code == ERR_LIMIT && batch->failed == NULL) { /* of the log, not of what was to be written */
        error_set(&told, ERR_AGAIN, "%s", err->message);
        err = &told;
    }
    DL_DELETE(writes->batches, batch);
    writes->is_due = writes->is_due && (err == NULL || batch->failed);
    for (size_t i = 0; (write = take_first(batch)) != NULL; i++) {
        enum outcome outcome = outcome_of(batch, write, i, err);
        has_unheard |= outcome == NOT_HEARD;
        bool again = outcome == NOT_HEARD || writes->kind->settled(dispatcher, write, outcome == WRITTEN ? NULL : err);
        if (again && write != batch->failed)
            put_back(writes, write, retry_ns);
        else
            free_write(writes->kind, write);
    }
    free(batch);
    if (has_unheard)
        writes->is_due = true;
    else if (writes->waiting && !writes->is_due && !dispatcher_timer_is_set(&writes->timer))
        dispatcher_timer_set(&dispatcher->timers, &writes->timer, retry_ns);
    dispatcher_wake(dispatcher);
}

/* One transaction's worth of what waits. */
static void send_batch(struct dispatcher_writes *writes)
{
    struct dispatcher_batch *batch = mem_alloc(sizeof *batch);
    struct dispatcher_write *write, *next;

    batch->writes = writes;
    batch->end = &batch->first;
    HASH_ITER (hh, writes->waiting, write, next) {
        if (batch->count == STORE_ACTIONS_COUNT || (batch->count > 0 && batch->size_bytes + write->size_bytes > DISPATCHER_WRITES_BYTES))
            break;
        HASH_DEL(writes->waiting, write);
        write->next = NULL;
        *batch->end = write;
        batch->end = &write->next;
        batch->count++;
        batch->size_bytes += write->size_bytes;
    }
    DL_APPEND(writes->batches, batch);
    writes->dispatcher->stats.batches++;
    store_update(writes->dispatcher->host.store, write_batch, batch_done, batch);
}

void dispatcher_writes_pump(struct dispatcher_writes *writes)
{
    if (!writes->is_due || writes->batches)
        return;
    for (unsigned i = 0; i < DISPATCHER_BATCHES_COUNT && writes->waiting; i++)
        send_batch(writes);
    if (writes->waiting == NULL) {
        writes->is_due = false;
        dispatcher_timer_stop(&writes->dispatcher->timers, &writes->timer);
    }
}
