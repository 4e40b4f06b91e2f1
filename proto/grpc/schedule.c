/* proto/grpc/schedule.c – see schedule.h. */
#include "proto/grpc/schedule.h"

#include <utlist.h>

#include "proto/grpc/internal.h"

static void on_turn(uv_idle_t *turn)
{
    schedule_run(turn->data);
}

static void wake(struct schedule *schedule)
{
    if (schedule->has_loop && !schedule->is_closed)
        uv_idle_start(&schedule->turn, on_turn);
}

static void arm(struct schedule *schedule);

static void on_timer(uv_timer_t *timer)
{
    struct schedule *schedule = timer->data;
    uint64_t now_ns = clock_monotonic_ns(&schedule->clock);
    while (schedule->deadlines && schedule->deadlines->deadline_ns <= now_ns)
        grpc_call_overdue(schedule->deadlines);
    arm(schedule);
}

/* The timer follows the soonest deadline; it may fire a little early, and is then set again. */
static void arm(struct schedule *schedule)
{
    if (!schedule->has_loop || schedule->is_closed)
        return;
    if (schedule->deadlines == NULL) {
        uv_timer_stop(&schedule->timer);
        return;
    }
    uint64_t now_ns = clock_monotonic_ns(&schedule->clock), due_ns = schedule->deadlines->deadline_ns;
    uv_update_time(schedule->timer.loop);
    uv_timer_start(&schedule->timer, on_timer, due_ns > now_ns ? (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

void schedule_init(struct schedule *schedule, uv_loop_t *loop, const struct clock *clock)
{
    *schedule = (struct schedule){.clock = *clock, .has_loop = loop != NULL};
    if (loop == NULL)
        return;
    uv_idle_init(loop, &schedule->turn);
    uv_timer_init(loop, &schedule->timer);
    schedule->turn.data = schedule->timer.data = schedule;
    schedule->handles = 2;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct schedule *schedule = handle->data;
    if (--schedule->handles == 0)
        schedule->on_closed(schedule->ctx);
}

void schedule_close(struct schedule *schedule, void (*on_closed)(void *ctx), void *ctx)
{
    schedule->is_closed = true;
    schedule->on_closed = on_closed;
    schedule->ctx = ctx;
    if (!schedule->has_loop)
        return;
    uv_close((uv_handle_t *)&schedule->turn, on_handle_closed);
    uv_close((uv_handle_t *)&schedule->timer, on_handle_closed);
}

void schedule_news(struct schedule *schedule, struct grpc_call *call)
{
    if (call->has_news)
        return;
    call->has_news = true;
    DL_APPEND2(schedule->news, call, schedule_link.prev, schedule_link.next);
    wake(schedule);
}

static void drop_news(struct schedule *schedule, struct grpc_call *call)
{
    if (call->has_news)
        DL_DELETE2(schedule->news, call, schedule_link.prev, schedule_link.next);
    call->has_news = false;
}

void schedule_forget(struct schedule *schedule, struct grpc_call *call)
{
    drop_news(schedule, call);
    if (call->has_deadline)
        DL_DELETE2(schedule->deadlines, call, deadline_link.prev, deadline_link.next);
    call->has_deadline = false;
}

void schedule_deadline(struct schedule *schedule, struct grpc_call *call)
{
    if (call->deadline_ns == 0)
        return;
    /* Most deadlines are set in the order in which they pass: look from the end. */
    struct grpc_call *before = schedule->deadlines ? schedule->deadlines->deadline_link.prev : NULL;
    while (before && before->deadline_ns > call->deadline_ns)
        before = before == schedule->deadlines ? NULL : before->deadline_link.prev;
    if (before)
        DL_APPEND_ELEM2(schedule->deadlines, before, call, deadline_link.prev, deadline_link.next);
    else
        DL_PREPEND2(schedule->deadlines, call, deadline_link.prev, deadline_link.next);
    call->has_deadline = true;
    if (schedule->deadlines == call)
        arm(schedule);
}

void schedule_dirty(struct schedule *schedule, struct connection *connection)
{
    if (connection->is_dirty)
        return;
    connection->is_dirty = true;
    DL_APPEND2(schedule->dirty, connection, dirty_link.prev, dirty_link.next);
    wake(schedule);
}

void schedule_clean(struct schedule *schedule, struct connection *connection)
{
    if (connection->is_dirty)
        DL_DELETE2(schedule->dirty, connection, dirty_link.prev, dirty_link.next);
    connection->is_dirty = false;
}

/* News that a user's callback adds wait for the next turn, so that the sockets get theirs. */
void schedule_run(struct schedule *schedule)
{
    if (schedule->has_loop)
        uv_idle_stop(&schedule->turn);
    struct grpc_call *last = schedule->news ? schedule->news->schedule_link.prev : NULL;
    bool was_last = last == NULL;
    if (last)
        grpc_call_hold(last);
    while (!was_last && schedule->news && !schedule->is_closed) {
        struct grpc_call *call = schedule->news;
        was_last = call == last;
        drop_news(schedule, call);
        grpc_call_serve(call);
    }
    if (last)
        grpc_call_release(last);
    while (schedule->dirty && !schedule->is_closed) {
        struct connection *connection = schedule->dirty;
        schedule_clean(schedule, connection);
        connection_flush(connection);
    }
    if ((schedule->news || schedule->dirty) && !schedule->is_closed)
        wake(schedule);
}
