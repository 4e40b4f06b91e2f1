/* runtime/compute/host.c – the host's own two handles, and its end: everyone is told, every thread has come back, then it is gone. */
#include "base/mem.h"
#include "runtime/compute/compute.h"

enum { CLOSING_POLL_MS = 5 };

static void on_tick(uv_timer_t *timer)
{
    struct compute_host *host = timer->data;

    compute_expire(host);
    host->ops->tick(host);
}

static void on_wake(uv_async_t *async)
{
    struct compute_host *host = async->data;

    compute_answer_all(host);
    if (host->ops->woken)
        host->ops->woken(host);
}

void compute_host_open(struct compute_host *host, uv_loop_t *loop, uint64_t tick_ms)
{
    host->loop = loop;
    host->wake.data = host->tick.data = host;
    uv_async_init(loop, &host->wake, on_wake);
    uv_timer_init(loop, &host->tick);
    uv_timer_start(&host->tick, on_tick, tick_ms, tick_ms);
}

void compute_systems_free(struct compute_host *host)
{
    struct compute_system *s, *next;

    HASH_ITER (hh, host->systems, s, next) {
        HASH_DEL(host->systems, s);
        host->ops->system_free(s);
    }
}

/* --- the end --- */

static void cancel_list(struct compute_operation **list)
{
    struct compute_operation *op;

    while ((op = *list) != NULL) {
        *list = op->next;
        compute_answer(op);
        compute_operation_free(op);
    }
}

/* Whoever still waits is told; those on a thread are its own until it comes back. */
static void cancel_operations(struct compute_host *host)
{
    struct error canceled = {0};

    error_set(&canceled, ERR_CANCELED, "the runtime is closing");
    for (struct compute_operation *op = host->open; op; op = op->next_open)
        if (!op->err.code && !op->is_under_way)
            op->err = canceled;
    for (struct compute_system *s = host->systems; s; s = s->hh.next) {
        cancel_list(&s->queue);
        cancel_list(&s->waiters);
    }
    cancel_list(&host->waiting_starts);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct compute_host *host = handle->data;
    void (*closed)(void *) = host->closed;
    void *ctx = host->closed_ctx;

    if (--host->open_handles > 0)
        return;
    host->ops->host_free(host);
    if (closed)
        closed(ctx);
}

void compute_closed(struct compute_host *host)
{
    host->open_handles = 2;
    uv_close((uv_handle_t *)&host->wake, on_handle_closed);
    uv_close((uv_handle_t *)&host->tick, on_handle_closed);
}

static void on_closing(uv_timer_t *timer)
{
    struct compute_host *host = timer->data;

    cancel_operations(host);
    for (struct compute_system *s = host->systems; s; s = s->hh.next) {
        host->ops->let_go(s);
        compute_timer_cancel(s);
    }
    on_wake(&host->wake);
    if (host->open_handles > 0 || host->open)
        return;
    uv_timer_stop(timer);
    if (host->ops->drain)
        host->ops->drain(host);
    else
        compute_closed(host);
}

void compute_close(struct hcs *hcs, void (*closed)(void *ctx), void *ctx)
{
    struct compute_host *host = (struct compute_host *)hcs;

    host->closed = closed;
    host->closed_ctx = ctx;
    host->is_closing = true;
    host->hcs.listeners = NULL;
    host->ops->closing(host);
    compute_logs_drop(host);
    uv_timer_start(&host->tick, on_closing, 0, CLOSING_POLL_MS); /* until the threads have come back */
}
