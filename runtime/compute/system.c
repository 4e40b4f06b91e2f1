/* runtime/compute/system.c – a compute system: found by its id, the moves of its state, the ways to its end. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "runtime/compute/compute.h"

void compute_system_init(struct compute_system *s, struct compute_host *host, const char *id)
{
    s->host = host;
    HASH_ADD_KEYPTR(hh, host->systems, id, strlen(id), s);
}

struct compute_system *compute_find(const struct compute_host *host, const char *id)
{
    struct compute_system *s;

    HASH_FIND_STR(host->systems, id, s);
    return s;
}

const char *compute_id(const struct compute_system *s)
{
    return s->hh.key;
}

bool compute_runs(const struct compute_system *s)
{
    return s->state == HCS_RUNNING || s->state == HCS_PAUSED;
}

void compute_forget(struct compute_system *s)
{
    HASH_DEL(s->host->systems, s);
    s->is_removed = true;
}

void compute_system_release(struct compute_system *s)
{
    if (--s->references == 0 && s->is_removed)
        s->host->ops->system_free(s);
}

void compute_emit(struct compute_system *s, enum hcs_event_type type)
{
    cleanup_arena struct arena arena = {0};
    struct hcs_properties properties;

    s->host->ops->properties(s, &arena, &properties);
    hcs_emit(&s->host->hcs, type, &properties);
}

/* --- the timer --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct compute_host *host = handle->data;

    host->open_handles--;
    free(handle);
}

void compute_timer_cancel(struct compute_system *s)
{
    if (!s->timer)
        return;
    s->timer->data = s->host;
    uv_close((uv_handle_t *)s->timer, on_timer_closed);
    s->timer = NULL;
}

static void on_timer(uv_timer_t *timer)
{
    struct compute_system *s = timer->data;

    compute_timer_cancel(s);
    s->on_timer(s);
}

void compute_timer_start(struct compute_system *s, uint64_t ms, void (*callback)(struct compute_system *s))
{
    compute_timer_cancel(s);
    s->on_timer = callback;
    s->timer = mem_alloc(sizeof *s->timer);
    s->timer->data = s;
    s->host->open_handles++;
    uv_timer_init(s->host->loop, s->timer);
    uv_timer_start(s->timer, on_timer, ms, 0);
}

/* --- what an operation leaves behind --- */

static void stopped(struct compute_system *s)
{
    s->state = HCS_STOPPED;
    compute_logs_finish(s->host, compute_id(s));
}

static void apply_create(struct compute_operation *op)
{
    if (op->err.code) {
        compute_forget(op->system);
        return;
    }
    op->system->is_made = true;
    compute_emit(op->system, HCS_EVENT_CREATED);
}

static void apply_start(struct compute_operation *op)
{
    struct compute_system *s = op->system;

    if (op->err.code) {
        stopped(s);
        return;
    }
    s->state = HCS_RUNNING;
    compute_emit(s, HCS_EVENT_STARTED);
    s->host->ops->started(s);
}

static void apply_release(struct compute_operation *op)
{
    stopped(op->system);
    compute_emit(op->system, HCS_EVENT_EXITED);
    compute_answer_waiters(op->system, NULL);
}

static void apply_remove(struct compute_operation *op)
{
    if (op->err.code)
        return;
    compute_forget(op->system);
    compute_logs_finish(op->host, compute_id(op->system));
    compute_emit(op->system, HCS_EVENT_REMOVED);
}

static void apply_pause(struct compute_operation *op)
{
    struct compute_system *s = op->system;
    bool is_pause = op->operation == HCS_OP_PAUSE;

    if (op->err.code || s->state == HCS_STOPPED)
        return;
    s->state = is_pause ? HCS_PAUSED : HCS_RUNNING;
    compute_emit(s, is_pause ? HCS_EVENT_PAUSED : HCS_EVENT_RESUMED);
}

void compute_apply(struct compute_operation *op)
{
    op->host->ops->apply(op);
    if (op->task == COMPUTE_RELEASE)
        apply_release(op);
    else if (op->task != COMPUTE_ASKED)
        return;
    else if (op->operation == HCS_OP_CREATE)
        apply_create(op);
    else if (op->operation == HCS_OP_START)
        apply_start(op);
    else if (op->operation == HCS_OP_REMOVE)
        apply_remove(op);
    else if (op->operation == HCS_OP_PAUSE || op->operation == HCS_OP_RESUME)
        apply_pause(op);
}

/* --- shut down, terminate --- */

void compute_answer_waiters(struct compute_system *s, const struct error *err)
{
    struct compute_operation *op;

    while ((op = s->waiters) != NULL) {
        s->waiters = op->next;
        if (err)
            op->err = *err;
        compute_answer_later(op);
    }
}

/* True when it is Stopped, as one that never ran is at once. */
static bool is_stopped(struct compute_system *s)
{
    if (s->state == HCS_CREATED) {
        s->state = HCS_STOPPED;
        s->host->ops->created_stopped(s);
        compute_logs_finish(s->host, compute_id(s));
    }
    return s->state == HCS_STOPPED;
}

static void end(struct compute_system *s)
{
    s->host->ops->end(s);
}

void compute_shut_down(struct compute_operation *op)
{
    struct compute_system *s = op->system;
    int64_t grace_ms = op->grace_ms;
    bool is_ending = false;

    if (is_stopped(s) || s->host->ops->stop(s, op->text, &grace_ms, &is_ending, &op->err) < 0) {
        compute_answer_later(op);
        return;
    }
    op->deadline_ns = uv_hrtime() + (uint64_t)grace_ms * NS_PER_MS + hcs_operation_deadline_ms(op->operation) * NS_PER_MS;
    if (!is_ending && (!s->timer || uv_timer_get_due_in(s->timer) > (uint64_t)grace_ms))
        compute_timer_start(s, (uint64_t)grace_ms, end);
    compute_append(&s->waiters, op);
}

void compute_terminate(struct compute_operation *op)
{
    if (is_stopped(op->system)) {
        compute_answer_later(op);
        return;
    }
    compute_append(&op->system->waiters, op);
    end(op->system);
}
