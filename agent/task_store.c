/* One connection, used by one thread at a time: the loop's while records are read, the pool's while a commit runs. */
#include "agent/task_store.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define ROOM "task_store"

struct write {
    enum task_write kind;
    uint64_t sequence;
    char *task_id;
    struct bytes task, status; /* owned */
    struct write *next;
};

struct queue {
    struct write *first, **last;
    size_t count;
};

struct task_store {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *statements[4]; /* by enum task_write */
    uv_loop_t *loop;
    uv_work_t work;
    struct task_store_listener listener;
    struct queue waiting, committing;
    struct error result; /* of the commit under way */
    bool is_committing, is_closing;
    uint64_t sequence;
    struct task_store_stats stats;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static const char *const statement_texts[] = {
    [TASK_WRITE_TASK] = ("INSERT INTO task(id, task, status, assigned) VALUES(?1, ?2, ?3, 1)"
                         " ON CONFLICT(id) DO UPDATE SET task = excluded.task, assigned = 1"),
    [TASK_WRITE_STATUS] = "UPDATE task SET status = ?3 WHERE id = ?1",
    [TASK_WRITE_UNASSIGN] = "UPDATE task SET assigned = 0 WHERE id = ?1",
    [TASK_WRITE_DELETE] = "DELETE FROM task WHERE id = ?1",
};

/* --- SQLite's answers in our words --- */

static int code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return ERR_PERMISSION;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_AGAIN;
    default:
        return ERR_IO;
    }
}

static int fail(const struct task_store *store, const char *what, struct error *err)
{
    int code = code_of(sqlite3_extended_errcode(store->db));
    const char *advice = code == ERR_CORRUPT    ? " (move the file away to start without its records: the manager sends the tasks again)"
                         : code == ERR_AGAIN    ? " (another skepd uses this state directory)"
                         : code == ERR_NO_SPACE ? " (make room on that file system)"
                                                : "";
    return error_set(err, code, "%s: %s: %s%s", store->path, what, sqlite3_errmsg(store->db), advice);
}

static int run(struct task_store *store, const char *sql, const char *what, struct error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(store, what, err);
}

static int read_number(struct task_store *store, const char *sql, int64_t *out, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return fail(store, "read", err);
    int code = sqlite3_step(statement);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : fail(store, "read", err);
}

/* --- opening --- */

static int set_up(struct task_store *store, struct error *err)
{
    static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                   "PRAGMA cache_size = -256; PRAGMA wal_autocheckpoint = 256; PRAGMA temp_store = MEMORY;"
                                   "PRAGMA trusted_schema = OFF";
    static const char schema[] = "BEGIN IMMEDIATE;"
                                 "CREATE TABLE task(id TEXT PRIMARY KEY, task BLOB NOT NULL, status BLOB NOT NULL,"
                                 " assigned INTEGER NOT NULL) WITHOUT ROWID;"
                                 "PRAGMA user_version = 1; COMMIT";
    int64_t version = 0, tables = 0;
    int result = run(store, settings, "open", err);
    if (result == 0)
        result = read_number(store, "PRAGMA user_version", &version, err);
    if (result == 0)
        result = read_number(store, "SELECT count(*) FROM sqlite_master", &tables, err);
    if (result < 0)
        return result;
    if (version == 0 && tables == 0)
        return run(store, schema, "create", err);
    if (version != TASK_STORE_SCHEMA)
        return error_set(
            err, ERR_VERSION,
            "%s: made by another version of skepd (schema %lld, this one reads %d): run that version, or move the file away to "
            "start without its records",
            store->path, (long long)version, TASK_STORE_SCHEMA);
    return run(store, "BEGIN IMMEDIATE; COMMIT", "open for writing", err);
}

static int prepare(struct task_store *store, struct error *err)
{
    for (size_t i = 0; i < sizeof statement_texts / sizeof statement_texts[0]; i++)
        if (sqlite3_prepare_v3(store->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL) != SQLITE_OK)
            return fail(store, "open", err);
    return 0;
}

static void free_queue(struct queue *queue)
{
    while (queue->first) {
        struct write *write = queue->first;
        queue->first = write->next;
        free(write->task_id);
        free((void *)write->task.data);
        free((void *)write->status.data);
        free(write);
    }
    *queue = (struct queue){NULL, &queue->first, 0};
}

static void destroy(struct task_store *store)
{
    for (size_t i = 0; i < sizeof store->statements / sizeof store->statements[0]; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free_queue(&store->waiting);
    free_queue(&store->committing);
    free(store->path);
    free(store);
}

/* The file first, with its mode: SQLite would make it by the umask. */
static int make_file(const char *path, struct error *err)
{
    uv_fs_t request;
    int fd = uv_fs_open(NULL, &request, path, UV_FS_O_RDWR | UV_FS_O_CREAT, 0600, NULL);
    uv_fs_req_cleanup(&request);
    if (fd < 0)
        return error_set_uv(err, fd, "open %s", path);
    uv_fs_close(NULL, &request, fd, NULL);
    uv_fs_req_cleanup(&request);
    return 0;
}

int task_store_open(const char *path, uv_loop_t *loop, const struct task_store_listener *listener, struct task_store **out,
                    struct error *err)
{
    int result = make_file(path, err);
    if (result < 0)
        return result;
    struct task_store *store = mem_alloc(sizeof *store);
    store->path = mem_string(path);
    store->loop = loop;
    store->listener = *listener;
    store->waiting.last = &store->waiting.first;
    store->committing.last = &store->committing.first;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        result = fail(store, "open", err);
    if (result == 0)
        sqlite3_busy_timeout(store->db, loop ? WORKER_DATABASE_BUSY_MS : 0);
    if (result == 0)
        result = set_up(store, err);
    if (result == 0)
        result = prepare(store, err);
    if (result < 0) {
        destroy(store);
        return result;
    }
    *out = store;
    return 0;
}

static struct bytes column_bytes(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    return bytes_of(data, (size_t)sqlite3_column_bytes(statement, column));
}

int task_store_each(struct task_store *store, void (*each)(void *ctx, const struct task_record *record), void *ctx, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, "SELECT id, task, status, assigned FROM task ORDER BY id", -1, &statement, NULL) != SQLITE_OK)
        return fail(store, "read tasks", err);
    int code = SQLITE_DONE;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const struct task_record record = {.task_id = (const char *)sqlite3_column_text(statement, 0),
                                           .task = column_bytes(statement, 1),
                                           .status = column_bytes(statement, 2),
                                           .is_assigned = sqlite3_column_int(statement, 3) != 0};
        each(ctx, &record);
    }
    int result = code == SQLITE_DONE ? 0 : fail(store, "read tasks", err);
    sqlite3_finalize(statement);
    return result;
}

/* --- writing --- */

static struct bytes copy_bytes(struct bytes bytes)
{
    return bytes_of(mem_copy(bytes.data, bytes.size), bytes.size);
}

static uint64_t enqueue(struct task_store *store, enum task_write kind, const char *task_id, struct bytes task, struct bytes status)
{
    struct write *write = mem_alloc(sizeof *write);
    *write = (struct write){kind, ++store->sequence, mem_string(task_id), copy_bytes(task), copy_bytes(status), NULL};
    *store->waiting.last = write;
    store->waiting.last = &write->next;
    store->waiting.count++;
    return write->sequence;
}

uint64_t task_store_put(struct task_store *store, const char *task_id, struct bytes task, struct bytes status)
{
    return enqueue(store, TASK_WRITE_TASK, task_id, task, status);
}

uint64_t task_store_put_status(struct task_store *store, const char *task_id, struct bytes status)
{
    return enqueue(store, TASK_WRITE_STATUS, task_id, (struct bytes){0}, status);
}

uint64_t task_store_unassign(struct task_store *store, const char *task_id)
{
    return enqueue(store, TASK_WRITE_UNASSIGN, task_id, (struct bytes){0}, (struct bytes){0});
}

uint64_t task_store_delete(struct task_store *store, const char *task_id)
{
    return enqueue(store, TASK_WRITE_DELETE, task_id, (struct bytes){0}, (struct bytes){0});
}

static int bind_bytes(sqlite3_stmt *statement, int index, struct bytes bytes)
{
    if (bytes.size == 0)
        return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, bytes.data, bytes.size, SQLITE_STATIC);
}

static int write_one(struct task_store *store, const struct write *write, struct error *err)
{
    sqlite3_stmt *statement = store->statements[write->kind];
    int count = sqlite3_bind_parameter_count(statement);
    int code = sqlite3_bind_text(statement, 1, write->task_id, -1, SQLITE_STATIC);
    if (code == SQLITE_OK && write->kind == TASK_WRITE_TASK)
        code = bind_bytes(statement, 2, write->task);
    if (code == SQLITE_OK && count >= 3)
        code = bind_bytes(statement, 3, write->status);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    int result = code == SQLITE_DONE ? 0 : fail(store, "write", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

static int write_all(struct task_store *store, struct error *err)
{
    int result = run(store, "BEGIN IMMEDIATE", "begin", err);
    for (struct write *write = store->committing.first; result == 0 && write; write = write->next)
        result = write_one(store, write, err);
    if (result == 0)
        result = run(store, "COMMIT", "commit", err);
    if (result < 0 && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

/* A bounded part of what waits becomes the next transaction. */
static void take_batch(struct task_store *store)
{
    struct queue *from = &store->waiting, *to = &store->committing;
    while (from->first && to->count < WORKER_STORE_BATCH_COUNT) {
        struct write *write = from->first;
        from->first = write->next;
        from->count--;
        write->next = NULL;
        *to->last = write;
        to->last = &write->next;
        to->count++;
    }
    if (!from->first)
        from->last = &from->first;
}

static void tell_written(struct task_store *store)
{
    struct queue done = store->committing;
    bool is_failed = store->result.code != 0;
    struct error result = store->result;
    store->committing = (struct queue){NULL, &store->committing.first, 0};
    store->result = (struct error){0};
    store->stats.commits++;
    store->stats.failures += is_failed;
    if (is_failed)
        log_error(ROOM, "%zu records not kept: %s", done.count, result.message);
    for (struct write *write = done.first; write && !store->is_closing; write = write->next)
        store->listener.on_written(store->listener.ctx, write->task_id, write->kind, write->sequence, is_failed ? &result : NULL);
    free_queue(&done);
}

static void on_work(uv_work_t *work)
{
    struct task_store *store = work->data;
    (void)write_all(store, &store->result);
}

static void finish_close(struct task_store *store)
{
    void (*on_closed)(void *ctx) = store->on_closed;
    void *ctx = store->closed_ctx;
    destroy(store);
    if (on_closed)
        on_closed(ctx);
}

static void on_work_done(uv_work_t *work, int status)
{
    struct task_store *store = work->data;
    store->is_committing = false;
    if (status < 0)
        error_set_uv(&store->result, status, "commit %s", store->path);
    tell_written(store);
    task_store_commit(store);
    if (store->is_closing && !store->is_committing)
        finish_close(store);
}

void task_store_commit(struct task_store *store)
{
    if (!store->loop || store->is_committing || !store->waiting.first)
        return;
    take_batch(store);
    store->work.data = store;
    store->is_committing = true;
    int result = uv_queue_work(store->loop, &store->work, on_work, on_work_done);
    assert(result == 0);
    (void)result;
}

void task_store_pump(struct task_store *store)
{
    if (store->loop || !store->waiting.first)
        return;
    take_batch(store);
    (void)write_all(store, &store->result);
    tell_written(store);
}

bool task_store_is_busy(const struct task_store *store)
{
    return store->is_committing || store->waiting.first;
}

const struct task_store_stats *task_store_stats(const struct task_store *store)
{
    return &store->stats;
}

void task_store_close(struct task_store *store, void (*on_closed)(void *ctx), void *ctx)
{
    store->is_closing = true;
    store->on_closed = on_closed;
    store->closed_ctx = ctx;
    while (!store->loop && store->waiting.first)
        task_store_pump(store);
    task_store_commit(store);
    if (!store->is_committing)
        finish_close(store);
}

void task_store_abandon(struct task_store *store)
{
    assert(!store->loop);
    destroy(store);
}
