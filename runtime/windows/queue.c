/* runtime/windows/queue.c – the turn of each operation: into its system's queue, onto a thread where it blocks, back to its caller. On the
 * loop.
 *
 * One at a time on each system, in the order asked for. Only an end does not wait: a terminate acts at once on what runs, and a start that
 * is under way or waits for its turn is given up for it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/windows/host.h"

/* --- operations --- */

struct windows_op *windows_op_new(struct windows_host *host, enum hcs_operation operation, const char *id, void *ctx)
{
    struct windows_op *op = mem_alloc(sizeof *op);

    op->host = host;
    op->operation = operation;
    op->ctx = ctx;
    op->system = id ? windows_find(host, id) : NULL;
    if (op->system)
        op->system->references++;
    else if (id)
        error_set(&op->err, ERR_NOT_FOUND, "No such container: %s", id);
    op->deadline_ns = uv_hrtime() + hcs_operation_deadline_ms(operation) * NS_PER_MS;
    op->next_open = host->open_ops;
    host->open_ops = op;
    return op;
}

void windows_op_free(struct windows_op *op)
{
    struct windows_op **place = &op->host->open_ops;

    while (*place != op)
        place = &(*place)->next_open;
    *place = op->next_open;
    for (size_t i = 0; i < op->file_count; i++) {
        mem_wipe((void *)(uintptr_t)op->files[i].content.data, op->files[i].content.size);
        free((void *)(uintptr_t)op->files[i].content.data);
        free((void *)(uintptr_t)op->files[i].target);
    }
    free(op->files);
    free(op->text);
    free(op->outcome.error);
    cJSON_Delete(op->json);
    arena_deinit(&op->arena);
    if (op->system)
        windows_system_release(op->system);
    free(op);
}

static void answer_properties(struct windows_op *op)
{
    cleanup_arena struct arena arena = {0};
    struct hcs_properties properties;

    windows_properties(op->system, &arena, &properties);
    if (op->flag && op->answer.has_statistics) {
        op->answer.statistics.memory_limit_bytes = (uint64_t)op->system->document.linux_.memory_bytes;
        properties.statistics = &op->answer.statistics;
    }
    op->properties_done(op->ctx, &properties, NULL);
}

static void answer_enumerate(struct windows_op *op)
{
    cleanup_arena struct arena arena = {0};
    struct windows_host *host = op->host;
    struct hcs_properties *all = mem_array(HASH_COUNT(host->systems) + 1, sizeof *all);
    size_t n = 0;

    for (struct windows_system *s = host->systems; s; s = s->hh.next)
        if (s->is_made && (!op->text || strcmp(s->document.owner, op->text) == 0))
            windows_properties(s, &arena, &all[n++]);
    op->enumerate_done(op->ctx, all, n, NULL);
    free(all);
}

void windows_op_answer(struct windows_op *op)
{
    const struct error *err = op->err.code ? &op->err : NULL;

    if (op->is_answered)
        return;
    op->is_answered = true;
    if (op->done)
        op->done(op->ctx, err);
    else if (op->properties_done && err)
        op->properties_done(op->ctx, NULL, err);
    else if (op->properties_done)
        answer_properties(op);
    else if (op->enumerate_done && err)
        op->enumerate_done(op->ctx, NULL, 0, err);
    else if (op->enumerate_done)
        answer_enumerate(op);
}

void windows_answer_later(struct windows_op *op)
{
    struct windows_op **end = &op->host->answers;

    while (*end)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
    uv_async_send(&op->host->async);
}

void windows_expire(struct windows_host *host)
{
    uint64_t now = uv_hrtime();
    bool again = true;

    while (again) { /* an answer may ask for more: begin anew after each */
        again = false;
        for (struct windows_op *op = host->open_ops; op && !again; op = op->next_open) {
            if (op->is_answered || op->task != WINDOWS_TASK_NONE || op->deadline_ns > now)
                continue;
            struct windows_op late = {.done = op->done, /* the rest may be a thread's now */
                                      .properties_done = op->properties_done,
                                      .enumerate_done = op->enumerate_done,
                                      .ctx = op->ctx};
            error_set(&late.err, ERR_DEADLINE, "%s: no answer in time", hcs_operation_shown(op->operation));
            op->is_answered = again = true; /* it goes on; what comes of it is seen in the properties */
            windows_op_answer(&late);
        }
    }
}

/* --- what the loop makes of what a thread did --- */

static void apply_create(struct windows_op *op)
{
    struct windows_system *s = op->system;

    if (op->err.code) {
        HASH_DEL(op->host->systems, s);
        s->is_removed = true;
        return;
    }
    s->is_made = true;
    windows_emit(s, HCS_EVENT_CREATED);
}

static void apply_start(struct windows_op *op)
{
    struct windows_system *s = op->system;

    s->run = op->run;
    s->watches = op->watches;
    windows_take_outcome(s, op);
    if (op->err.code) {
        s->state = HCS_STOPPED;
        windows_logs_finish(op->host, s->id);
        return;
    }
    s->state = HCS_RUNNING;
    windows_emit(s, HCS_EVENT_STARTED);
    uv_async_send(&op->host->async); /* its exit may be among the news already */
}

static void apply_release(struct windows_op *op)
{
    struct windows_system *s = op->system;

    s->run = op->run;
    s->watches = (struct windows_watches){0};
    windows_take_outcome(s, op);
    s->state = HCS_STOPPED;
    windows_logs_finish(op->host, s->id);
    windows_emit(s, HCS_EVENT_EXITED);
    windows_stop_waiting(s);
}

static void apply_remove(struct windows_op *op)
{
    struct windows_system *s = op->system;

    if (op->err.code)
        return;
    HASH_DEL(op->host->systems, s);
    s->is_removed = true;
    windows_logs_finish(op->host, s->id);
    windows_emit(s, HCS_EVENT_REMOVED);
}

static void apply_pause(struct windows_op *op)
{
    struct windows_system *s = op->system;

    if (op->err.code || s->state == HCS_STOPPED)
        return;
    s->state = op->operation == HCS_OP_PAUSE ? HCS_PAUSED : HCS_RUNNING;
    windows_emit(s, op->operation == HCS_OP_PAUSE ? HCS_EVENT_PAUSED : HCS_EVENT_RESUMED);
}

/* HCS let go of it, or did not: then those who wait are told, and it runs on for all we know. */
static void apply_kill(struct windows_op *op)
{
    struct windows_system *s = op->system;
    struct windows_op *waiter;

    if (!op->err.code) {
        if (windows_runs(s) && !s->is_ending)
            windows_begin_release(s, NULL, NULL);
        return;
    }
    while ((waiter = s->waiters) != NULL) {
        s->waiters = waiter->next;
        waiter->err = op->err;
        windows_answer_later(waiter);
    }
}

static void apply_look(struct windows_op *op)
{
    struct windows_system *s = op->system;

    s->is_looked_at = false;
    if (op->flag) {
        s->watches = op->watches;
        s->is_watch_lost = false;
    }
    if (op->has_exited && windows_runs(s) && !s->is_ending)
        windows_begin_release(s, op->text, NULL);
}

static void nothing(struct windows_op *op)
{
    (void)op;
}

struct parts {
    void (*work)(struct windows_op *op);
    void (*apply)(struct windows_op *op);
};

static struct parts parts_of(const struct windows_op *op)
{
    static const struct parts tasks[] = {[WINDOWS_TASK_RELEASE] = {windows_work_release, apply_release},
                                         [WINDOWS_TASK_KILL] = {windows_work_kill, apply_kill},
                                         [WINDOWS_TASK_STOP] = {windows_work_signal, nothing},
                                         [WINDOWS_TASK_LOOK] = {windows_work_look, apply_look}};

    if (op->task != WINDOWS_TASK_NONE)
        return tasks[op->task];
    switch (op->operation) {
    case HCS_OP_CREATE:
        return (struct parts){windows_work_create, apply_create};
    case HCS_OP_START:
        return (struct parts){windows_work_start, apply_start};
    case HCS_OP_REMOVE:
        return (struct parts){windows_work_remove, apply_remove};
    case HCS_OP_PAUSE:
    case HCS_OP_RESUME:
        return (struct parts){windows_work_pause, apply_pause};
    case HCS_OP_MODIFY:
        return (struct parts){windows_work_modify, nothing};
    case HCS_OP_SIGNAL:
        return (struct parts){windows_work_signal, nothing};
    default:
        return (struct parts){windows_work_sample, nothing};
    }
}

/* --- onto a thread and back --- */

#define OP_OF(job) ((struct windows_op *)((char *)(job)-offsetof(struct windows_op, job)))

static void on_work(struct windows_job *job)
{
    parts_of(OP_OF(job)).work(OP_OF(job));
}

static bool is_beside(const struct windows_op *op)
{
    return op->operation == HCS_OP_PROPERTIES || op->task == WINDOWS_TASK_KILL || op->task == WINDOWS_TASK_STOP ||
           op->task == WINDOWS_TASK_LOOK;
}

static void next_start(struct windows_host *host)
{
    while (host->waiting_starts && host->starts < CONTAINER_STARTS_PARALLEL_COUNT && !host->is_closing) {
        struct windows_op *op = host->waiting_starts;
        host->waiting_starts = op->next;
        host->starts++;
        windows_to_pool(op);
    }
}

static void on_worked(struct windows_job *job)
{
    struct windows_op *op = OP_OF(job);
    struct windows_host *host = op->host;
    struct windows_system *s = op->system;

    s->references++;
    op->is_in_pool = false;
    host->open_handles--;
    if (!is_beside(op))
        s->is_busy = false;
    parts_of(op).apply(op);
    if (host->is_closing && !op->err.code)
        error_set(&op->err, ERR_CANCELED, "the runtime is closing");
    if (op->operation == HCS_OP_START && op->task == WINDOWS_TASK_NONE)
        host->starts--;
    next_start(host);
    windows_op_answer(op);
    windows_op_free(op);
    windows_pump_queue(s);
    windows_system_release(s);
}

void windows_to_pool(struct windows_op *op)
{
    op->is_in_pool = true;
    if (op->task != WINDOWS_TASK_RELEASE) {
        op->run = op->system->run;
        op->outcome = op->system->outcome;
        op->outcome.error = mem_string(op->system->outcome.error);
    }
    op->host->open_handles++;
    op->job.work = on_work;
    op->job.done = on_worked;
    windows_pool_submit(op->host->pool, &op->job);
}

static void queue_start(struct windows_op *op)
{
    struct windows_op **end = &op->host->waiting_starts;

    while (*end)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
    atomic_store(&op->system->is_given_up, false);
    next_start(op->host);
}

/* On its thread it ends soon; one that waits for its turn ends here. */
static void give_up_start(struct windows_system *s)
{
    struct windows_op **place = &s->host->waiting_starts, *op;

    atomic_store(&s->is_given_up, true);
    while (*place && (*place)->system != s)
        place = &(*place)->next;
    if ((op = *place) == NULL)
        return;
    *place = op->next;
    s->is_busy = false;
    error_set(&op->err, ERR_CANCELED, "terminated before it was started");
    windows_answer_later(op);
}

/* --- what each needs before it may begin --- */

static bool refuse(struct windows_op *op, const char *wanted)
{
    error_set(&op->err, ERR_PRECONDITION, "%s: container %s is %s, not %s", hcs_operation_shown(op->operation), op->system->id,
              hcs_state_name(op->system->state), wanted);
    windows_answer_later(op);
    return false;
}

static bool is_end(const struct windows_op *op)
{
    return op->operation == HCS_OP_TERMINATE || (op->operation == HCS_OP_REMOVE && op->flag);
}

static bool end_is_queued(const struct windows_system *s)
{
    for (const struct windows_op *op = s->queue; op; op = op->next)
        if (is_end(op))
            return true;
    return false;
}

static bool begin_start(struct windows_op *op)
{
    if (op->system->state != HCS_CREATED)
        return refuse(op, "Created");
    if (end_is_queued(op->system)) {
        error_set(&op->err, ERR_CANCELED, "terminated before it was started");
        windows_answer_later(op);
        return false;
    }
    queue_start(op);
    return true;
}

/* True when the operation was begun on a thread. */
static bool begin(struct windows_op *op)
{
    struct windows_system *s = op->system;

    if (op->task == WINDOWS_TASK_RELEASE) {
        windows_to_pool(op);
        return true;
    }
    switch (op->operation) {
    case HCS_OP_START:
        return begin_start(op);
    case HCS_OP_SHUTDOWN:
        windows_shut_down(op);
        return false;
    case HCS_OP_TERMINATE:
        windows_terminate(op);
        return false;
    case HCS_OP_PAUSE:
        if (s->state != HCS_RUNNING)
            return refuse(op, "Running");
        break;
    case HCS_OP_RESUME:
        if (s->state != HCS_PAUSED)
            return refuse(op, "Paused");
        break;
    case HCS_OP_SIGNAL:
    case HCS_OP_MODIFY:
        if (!windows_runs(s))
            return refuse(op, "running");
        break;
    case HCS_OP_REMOVE:
        if (windows_runs(s))
            return refuse(op, "stopped");
        break;
    default:
        break;
    }
    windows_to_pool(op);
    return true;
}

void windows_pump_queue(struct windows_system *s)
{
    s->references++;
    while (s->queue && !s->is_busy) {
        struct windows_op *op = s->queue;
        if (s->is_removed) {
            s->queue = op->next;
            error_set(&op->err, op->operation == HCS_OP_REMOVE ? 0 : ERR_NOT_FOUND, "No such container: %s", s->id);
            windows_answer_later(op);
            continue;
        }
        if (op->operation == HCS_OP_REMOVE && windows_runs(s) && op->flag) {
            if (op->number == 0) {
                op->number = 1; /* killed once: now its end is under way */
                windows_terminate(windows_op_new(s->host, HCS_OP_TERMINATE, s->id, NULL));
            }
            break;
        }
        s->queue = op->next;
        s->is_busy = begin(op);
    }
    windows_system_release(s);
}

void windows_submit(struct windows_op *op)
{
    struct windows_op **end;

    if (op->err.code || !op->system) {
        windows_answer_later(op);
        return;
    }
    if (op->operation == HCS_OP_TERMINATE && windows_runs(op->system)) {
        windows_terminate(op); /* whatever else is asked of it */
        return;
    }
    end = &op->system->queue;
    while (*end)
        end = &(*end)->next;
    *end = op;
    if (is_end(op))
        give_up_start(op->system);
    windows_pump_queue(op->system);
}

void windows_submit_first(struct windows_op *op)
{
    op->next = op->system->queue;
    op->system->queue = op;
    windows_pump_queue(op->system);
}
