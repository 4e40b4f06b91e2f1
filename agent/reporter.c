/* The waiting statuses: a hash table that keeps the order in which tasks came to wait, and one batch in flight. */
#include "agent/reporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/text.h"
#include "proto/message.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

typedef Docker__Swarmkit__V1__TaskStatus Status;
typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest Request;
typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate Update;

#define NEVER_NS UINT64_MAX

enum {
    GRPC_OK = 0,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_ABORTED = 10,
    GRPC_UNAUTHENTICATED = 16
};

struct waiting {
    UT_hash_handle hh;
    Status *status; /* the latest */
    size_t size_bytes;
    bool is_in_flight; /* as it is now: false again when a newer one replaced it */
    char task_id[];
};

struct reporter {
    struct random random;
    struct waiting *list; /* in order of arrival: uthash iterates in order of insertion */
    char session_id[SESSION_ID_SIZE_CHARS + 1];
    bool is_up, has_batch;
    size_t batch_limit, batch_count; /* the limit shrinks while the manager refuses batches */
    uint64_t backoff_ns, retry_ns;   /* nothing is sent before retry_ns */
    struct buf packed;
    struct reporter_stats stats;
};

struct reporter *reporter_new(const struct random *random)
{
    struct reporter *r = mem_alloc(sizeof *r);
    r->random = *random;
    r->batch_limit = STATUS_BATCH_COUNT;
    return r;
}

static void drop(struct reporter *r, struct waiting *w)
{
    HASH_DEL(r->list, w);
    docker__swarmkit__v1__task_status__free_unpacked(w->status, NULL);
    free(w);
}

void reporter_free(struct reporter *reporter)
{
    struct waiting *w, *next;

    if (!reporter)
        return;
    HASH_ITER (hh, reporter->list, w, next)
        drop(reporter, w);
    buf_deinit(&reporter->packed);
    free(reporter);
}

static struct waiting *find(const struct reporter *r, const char *task_id)
{
    struct waiting *w = NULL;
    HASH_FIND_STR(r->list, task_id, w);
    return w;
}

static struct waiting *enqueue(struct reporter *r, const char *task_id)
{
    size_t length = strlen(task_id);
    struct waiting *w = mem_alloc(sizeof *w + length + 1);

    memcpy(w->task_id, task_id, length + 1);
    HASH_ADD_STR(r->list, task_id, w);
    return w;
}

int reporter_put(struct reporter *reporter, const char *task_id, const Status *status, struct error *err)
{
    size_t size_bytes = docker__swarmkit__v1__task_status__get_packed_size(status);
    struct waiting *w;

    if (text_empty(task_id) || strlen(task_id) > ID_ASSIGNED_SIZE_CHARS)
        return error_set(err, ERR_INVALID, "report status: no task id, or one that is too long");
    if (size_bytes > STATUS_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "report status of task %s: %zu bytes, at most %u", task_id, size_bytes, STATUS_SIZE_BYTES);
    w = find(reporter, task_id);
    if (w && status->state < w->status->state)
        return 0;
    if (!w && HASH_COUNT(reporter->list) >= TASKS_PER_NODE_COUNT)
        return error_set(err, ERR_LIMIT, "report status of task %s: %d others wait already", task_id, TASKS_PER_NODE_COUNT);
    if (w) {
        reporter->stats.superseded += !w->is_in_flight;
        docker__swarmkit__v1__task_status__free_unpacked(w->status, NULL);
    } else {
        w = enqueue(reporter, task_id);
    }
    w->status = (Status *)message_copy(&status->base);
    w->size_bytes = size_bytes;
    w->is_in_flight = false;
    return 0;
}

void reporter_forget(struct reporter *reporter, const char *task_id)
{
    struct waiting *w = find(reporter, task_id);
    if (w)
        drop(reporter, w);
}

/* What was in flight waits again, at the front as before. */
static void recall_batch(struct reporter *r)
{
    struct waiting *w, *next;

    HASH_ITER (hh, r->list, w, next)
        w->is_in_flight = false;
    r->has_batch = false;
    r->batch_count = 0;
}

static void taken(struct reporter *r);

void reporter_session_up(struct reporter *reporter, const char *session_id, uint64_t now_ns)
{
    recall_batch(reporter);
    (void)snprintf(reporter->session_id, sizeof reporter->session_id, "%s", session_id);
    reporter->is_up = true;
    reporter->batch_limit = STATUS_BATCH_COUNT;
    reporter->backoff_ns = 0;
    reporter->retry_ns = now_ns;
}

void reporter_session_down(struct reporter *reporter)
{
    if (CLUSTER_MUTANT(FORGET_REPORTS))
        taken(reporter);
    recall_batch(reporter);
    reporter->is_up = false;
}

static size_t choose_batch(struct reporter *r, Update *updates, Update **pointers)
{
    struct waiting *w, *next;
    size_t count = 0, size_bytes = 0;

    HASH_ITER (hh, r->list, w, next) {
        if (count == r->batch_limit || (count > 0 && size_bytes + w->size_bytes > STATUS_BATCH_BYTES))
            break;
        docker__swarmkit__v1__update_task_status_request__task_status_update__init(&updates[count]);
        updates[count].task_id = w->task_id;
        updates[count].status = w->status;
        pointers[count] = &updates[count];
        w->is_in_flight = true;
        size_bytes += w->size_bytes;
        count++;
    }
    return count;
}

struct bytes reporter_next(struct reporter *reporter, uint64_t now_ns)
{
    Request request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Update *updates, **pointers;

    if (!reporter->is_up || reporter->has_batch || !reporter->list || now_ns < reporter->retry_ns)
        return (struct bytes){0};
    updates = mem_array(reporter->batch_limit, sizeof *updates);
    pointers = mem_array(reporter->batch_limit, sizeof(Update *));
    request.session_id = reporter->session_id;
    request.n_updates = reporter->batch_count = choose_batch(reporter, updates, pointers);
    request.updates = pointers;
    reporter->has_batch = true;

    size_t size_bytes = docker__swarmkit__v1__update_task_status_request__get_packed_size(&request);
    buf_clear(&reporter->packed);
    docker__swarmkit__v1__update_task_status_request__pack(&request, buf_reserve(&reporter->packed, size_bytes));
    reporter->packed.size = size_bytes;
    free(updates);
    free((void *)pointers);
    reporter->stats.batches++;
    return buf_bytes(&reporter->packed);
}

/* The manager has what was in flight; of what was replaced meanwhile the newer status still waits. */
static void taken(struct reporter *r)
{
    struct waiting *w, *next;

    HASH_ITER (hh, r->list, w, next)
        if (w->is_in_flight) {
            r->stats.updates++;
            drop(r, w);
        }
    r->backoff_ns = 0;
    r->batch_limit = r->batch_limit * 2 < STATUS_BATCH_COUNT ? r->batch_limit * 2 : STATUS_BATCH_COUNT;
}

/* Some task in the batch is another node's by now and spoils it for all: halve until it stands alone, then drop it. */
static void refused(struct reporter *r)
{
    struct waiting *first = r->list;

    if (r->batch_count > 1) {
        r->batch_limit = r->batch_count / 2;
        return;
    }
    if (first && first->is_in_flight) {
        r->stats.dropped++;
        drop(r, first);
    }
}

static void retry_later(struct reporter *r, uint64_t now_ns)
{
    uint64_t next_ns = SESSION_BACKOFF_MIN_MS * NS_PER_MS + 2 * r->backoff_ns;

    r->backoff_ns = next_ns < SESSION_BACKOFF_MAX_MS * NS_PER_MS ? next_ns : SESSION_BACKOFF_MAX_MS * NS_PER_MS;
    r->retry_ns = now_ns + r->backoff_ns / 2 + random_below(&r->random, r->backoff_ns / 2);
    r->stats.retries++;
}

/* True for a status that speaks of the session or of the node, not of the tasks in the batch. */
static bool is_about_session(int grpc_status, const char *message)
{
    switch (grpc_status) {
    case GRPC_INVALID_ARGUMENT:
    case GRPC_NOT_FOUND:
    case GRPC_ABORTED:
    case GRPC_UNAUTHENTICATED:
        return true;
    case GRPC_PERMISSION_DENIED:
        return strstr(message, "cannot update a task") == NULL;
    default:
        return false;
    }
}

enum reporter_verdict reporter_done(struct reporter *reporter, int grpc_status, const char *grpc_message, uint64_t now_ns)
{
    if (!reporter->has_batch)
        return REPORTER_GO_ON;
    if (grpc_status == GRPC_OK) {
        taken(reporter);
        recall_batch(reporter);
        return REPORTER_GO_ON;
    }
    if (is_about_session(grpc_status, grpc_message ? grpc_message : "")) {
        reporter_session_down(reporter);
        return REPORTER_NEW_SESSION;
    }
    if (grpc_status == GRPC_PERMISSION_DENIED)
        refused(reporter);
    else
        retry_later(reporter, now_ns);
    recall_batch(reporter);
    return REPORTER_GO_ON;
}

uint64_t reporter_wake_ns(const struct reporter *reporter)
{
    if (!reporter->is_up || reporter->has_batch || !reporter->list)
        return NEVER_NS;
    return reporter->retry_ns;
}

const struct reporter_stats *reporter_stats(const struct reporter *reporter)
{
    return &reporter->stats;
}

size_t reporter_waiting_count(const struct reporter *reporter)
{
    return HASH_COUNT(reporter->list);
}
