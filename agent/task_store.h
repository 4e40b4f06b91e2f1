/* agent/task_store.h – what the worker must not forget: each task, its last status, and whether it is assigned, in worker.db (SQLite).
 *
 * Writes are queued and copied at once; a commit takes all that is queued in one transaction, off the loop, and syncs the disk once. Then
 * the listener hears of every write in the order they were asked for: it is on disk, or it is not and why. A write that failed is not
 * tried again here. Secrets and configs never come here.
 *
 * Schema: task(id, task, status, assigned). `task` is a Task without its status, `status` a TaskStatus, both packed.
 * Source: swarmkit-wire §4.4. */
#ifndef SKEP_AGENT_TASK_STORE_H
#define SKEP_AGENT_TASK_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"

struct task_store;

#define TASK_STORE_SCHEMA 1

enum task_write {
    TASK_WRITE_TASK, /* the task, as assigned; its status only where it has none yet */
    TASK_WRITE_STATUS,
    TASK_WRITE_UNASSIGN, /* it left: to be taken away, also after a crash */
    TASK_WRITE_DELETE
};

struct task_store_listener {
    /* One write is settled; @err NULL: on disk. */
    void (*on_written)(void *ctx, const char *task_id, enum task_write write, uint64_t sequence, const struct error *err);
    void *ctx;
};

/* Open @path, or make it (0600). @loop borrowed; NULL: commits happen in task_store_pump(). ERR_VERSION for another schema, ERR_AGAIN when
 * another process has it open, ERR_PERMISSION, ERR_NO_SPACE, ERR_CORRUPT, ERR_IO: all name the file. */
int task_store_open(const char *path, uv_loop_t *loop, const struct task_store_listener *listener, struct task_store **out,
                    struct error *err);

struct task_record {
    const char *task_id;
    struct bytes task, status;
    bool is_assigned;
};

/* Every record, before the first write. Synchronous. @each: borrowed for the call. */
int task_store_each(struct task_store *store, void (*each)(void *ctx, const struct task_record *record), void *ctx, struct error *err);

/* Queue a write; everything is copied. Returns its sequence number, from 1 on. */
uint64_t task_store_put(struct task_store *store, const char *task_id, struct bytes task, struct bytes status);
uint64_t task_store_put_status(struct task_store *store, const char *task_id, struct bytes status);
uint64_t task_store_unassign(struct task_store *store, const char *task_id);
uint64_t task_store_delete(struct task_store *store, const char *task_id);

void task_store_commit(struct task_store *store);        /* begin a commit unless one is under way, after which the next begins by itself */
void task_store_pump(struct task_store *store);          /* without a loop: commit now what is queued, and tell */
bool task_store_is_busy(const struct task_store *store); /* something is queued or under way */

struct task_store_stats {
    uint64_t commits, failures;
};
const struct task_store_stats *task_store_stats(const struct task_store *store);

/* Commit what is queued, then close; no more on_written. @on_closed may be NULL. */
void task_store_close(struct task_store *store, void (*on_closed)(void *ctx), void *ctx);

/* What a crash leaves: nothing that is queued is written. Without a loop only. */
void task_store_abandon(struct task_store *store);

#endif
