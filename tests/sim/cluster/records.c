/* tests/sim/cluster/records.c – agent/task_store.h in memory: what was committed outlives the agent's process, what was queued does not. */
#include <stdlib.h>

#include "agent/task_store.h"
#include "base/mem.h"
#include "tests/sim/cluster/cluster.h"

struct record {
    char *task_id;
    struct buf task, status;
    bool is_assigned;
};

struct records {
    struct record *items;
    size_t count, capacity;
    bool is_refusing;
};

struct write {
    enum task_write kind;
    uint64_t sequence;
    char *task_id;
    struct buf task, status;
};

struct task_store {
    struct records *records;
    struct task_store_listener listener;
    struct write *queue;
    size_t count, capacity;
    uint64_t sequence;
    struct task_store_stats stats;
};

/* --- the disk --- */

struct records *records_new(void)
{
    return mem_alloc(sizeof(struct records));
}

static void free_record(struct record *record)
{
    free(record->task_id);
    buf_deinit(&record->task);
    buf_deinit(&record->status);
}

void records_free(struct records *records)
{
    if (!records)
        return;
    for (size_t i = 0; i < records->count; i++)
        free_record(&records->items[i]);
    free(records->items);
    free(records);
}

void records_refuse(struct records *records, bool is_refusing)
{
    records->is_refusing = is_refusing;
}

static struct record *find(struct records *records, const char *task_id)
{
    for (size_t i = 0; i < records->count; i++)
        if (strcmp(records->items[i].task_id, task_id) == 0)
            return &records->items[i];
    return NULL;
}

static struct record *add(struct records *records, const char *task_id)
{
    if (records->count == records->capacity) {
        records->capacity = records->capacity ? 2 * records->capacity : 16;
        records->items = mem_resize(records->items, records->capacity * sizeof *records->items);
    }
    struct record *record = &records->items[records->count++];
    *record = (struct record){.task_id = mem_string(task_id)};
    return record;
}

static void set(struct buf *place, const struct buf *value)
{
    buf_clear(place);
    buf_append(place, value->data, value->size);
}

/* As the SQL of agent/task_store.c. */
static void carry_out(struct records *records, const struct write *write)
{
    struct record *record = find(records, write->task_id);

    if (write->kind == TASK_WRITE_TASK) {
        if (!record) {
            record = add(records, write->task_id);
            set(&record->status, &write->status);
        }
        set(&record->task, &write->task);
        record->is_assigned = true;
    } else if (record && write->kind == TASK_WRITE_STATUS) {
        set(&record->status, &write->status);
    } else if (record && write->kind == TASK_WRITE_UNASSIGN) {
        record->is_assigned = false;
    } else if (record) {
        free_record(record);
        *record = records->items[--records->count];
    }
}

/* --- agent/task_store.h --- */

int task_store_open(const char *path, uv_loop_t *loop, const struct task_store_listener *listener, struct task_store **out,
                    struct error *err)
{
    struct task_store *store = mem_alloc(sizeof *store);

    (void)loop, (void)err;
    store->records = cluster_now->agents[strtoul(path, NULL, 10)].records;
    store->listener = *listener;
    *out = store;
    return 0;
}

int task_store_each(struct task_store *store, void (*each)(void *ctx, const struct task_record *record), void *ctx, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < store->records->count; i++) {
        const struct record *record = &store->records->items[i];
        each(ctx, &(struct task_record){record->task_id, buf_bytes(&record->task), buf_bytes(&record->status), record->is_assigned});
    }
    return 0;
}

static uint64_t enqueue(struct task_store *store, enum task_write kind, const char *task_id, struct bytes task, struct bytes status)
{
    if (store->count == store->capacity) {
        store->capacity = store->capacity ? 2 * store->capacity : 8;
        store->queue = mem_resize(store->queue, store->capacity * sizeof *store->queue);
    }
    struct write *write = &store->queue[store->count++];
    *write = (struct write){.kind = kind, .sequence = ++store->sequence, .task_id = mem_string(task_id)};
    buf_append(&write->task, task.data, task.size);
    buf_append(&write->status, status.data, status.size);
    return write->sequence;
}

uint64_t task_store_put(struct task_store *store, const char *task_id, struct bytes task, struct bytes status)
{
    return enqueue(store, TASK_WRITE_TASK, task_id, task, status);
}

uint64_t task_store_put_status(struct task_store *store, const char *task_id, struct bytes status)
{
    return enqueue(store, TASK_WRITE_STATUS, task_id, bytes_of(NULL, 0), status);
}

uint64_t task_store_unassign(struct task_store *store, const char *task_id)
{
    return enqueue(store, TASK_WRITE_UNASSIGN, task_id, bytes_of(NULL, 0), bytes_of(NULL, 0));
}

uint64_t task_store_delete(struct task_store *store, const char *task_id)
{
    return enqueue(store, TASK_WRITE_DELETE, task_id, bytes_of(NULL, 0), bytes_of(NULL, 0));
}

static void free_write(struct write *write)
{
    free(write->task_id);
    buf_deinit(&write->task);
    buf_deinit(&write->status);
}

void task_store_commit(struct task_store *store)
{
    (void)store;
}

/* What the listener queues meanwhile waits for the next one. */
void task_store_pump(struct task_store *store)
{
    struct write *queue = store->queue;
    size_t count = store->count;
    struct error err = {0};

    if (count == 0)
        return;
    store->queue = NULL;
    store->count = store->capacity = 0;
    if (store->records->is_refusing)
        error_set(&err, ERR_IO, "worker.db: the disk takes nothing");
    for (size_t i = 0; i < count && err.code == 0; i++)
        carry_out(store->records, &queue[i]);
    store->stats.commits++;
    store->stats.failures += err.code != 0;
    for (size_t i = 0; i < count; i++) {
        store->listener.on_written(store->listener.ctx, queue[i].task_id, queue[i].kind, queue[i].sequence, err.code ? &err : NULL);
        free_write(&queue[i]);
    }
    free(queue);
}

bool task_store_is_busy(const struct task_store *store)
{
    return store->count > 0;
}

const struct task_store_stats *task_store_stats(const struct task_store *store)
{
    return &store->stats;
}

void task_store_abandon(struct task_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        free_write(&store->queue[i]);
    free(store->queue);
    free(store);
}

void task_store_close(struct task_store *store, void (*on_closed)(void *ctx), void *ctx)
{
    for (size_t i = 0; i < store->count && !store->records->is_refusing; i++)
        carry_out(store->records, &store->queue[i]);
    task_store_abandon(store);
    if (on_closed)
        on_closed(ctx);
}
