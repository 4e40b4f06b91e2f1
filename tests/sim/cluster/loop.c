/* tests/sim/cluster/loop.c – libuv's timers and base/turn.h in virtual time.
 *
 * The program's own uv_timer_init() and its like stand before libuv's when it is linked, and its turn_want() before base/turn.c's. A loop
 * is never run: its timers and turns are events of the simulator's queue. Times are libuv's milliseconds. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/turn.h"
#include "tests/sim/cluster/cluster.h"

enum { TURN_US = 20 }; /* until what is wanted is done */

struct loop_timer {
    uv_timer_t *handle; /* NULL: closed */
    uv_timer_cb fn;     /* NULL: stopped */
    uint64_t due_us;
    uint64_t queued_us; /* of the earliest event in the queue; UINT64_MAX: none */
};

struct loop_closing {
    uv_close_cb fn;
    uv_handle_t *handle;
    void (*on_closed)(void *ctx);
    void *ctx;
};

static struct loop *loop_of(const uv_loop_t *uv)
{
    return (struct loop *)(uintptr_t)uv;
}

/* --- events --- */

static void run(struct sim *sim, struct sim_event *event);
static void fire(struct sim *sim, struct sim_event *event);

static void push(struct loop *loop, sim_event_fn *fn, uint64_t at, uint64_t after_us)
{
    cluster_push(loop->cluster, (struct sim_event){.fn = fn, .node = loop->manager, .incarnation = at, .a = loop->number, .b = loop->life},
                 after_us);
}

/* NULL: of an earlier life. */
static struct loop *loop_of_event(struct sim *sim, const struct sim_event *event)
{
    struct loop *loop = cluster_of(sim)->loops[event->a];
    return loop->life == event->b ? loop : NULL;
}

static void want_run(struct loop *loop)
{
    if (loop->is_run_due)
        return;
    loop->is_run_due = true;
    push(loop, run, 0, TURN_US);
}

/* --- turns --- */

void turn_init(struct turn *turn, uv_loop_t *loop, void (*fn)(void *ctx), void *ctx)
{
    *turn = (struct turn){.fn = fn, .ctx = ctx};
    turn->prepare.loop = loop;
}

void turn_want(struct turn *turn)
{
    struct loop *loop = loop_of(turn->prepare.loop);

    if (turn->is_wanted)
        return;
    turn->is_wanted = true;
    if (loop->wanted_count == loop->wanted_capacity) {
        loop->wanted_capacity = loop->wanted_capacity ? 2 * loop->wanted_capacity : 8;
        loop->wanted = mem_resize((void *)loop->wanted, loop->wanted_capacity * sizeof *loop->wanted);
    }
    loop->wanted[loop->wanted_count++] = turn;
    want_run(loop);
}

static void add_closing(struct loop *loop, struct loop_closing closing)
{
    if (loop->closing_count == loop->closing_capacity) {
        loop->closing_capacity = loop->closing_capacity ? 2 * loop->closing_capacity : 8;
        loop->closing = mem_resize(loop->closing, loop->closing_capacity * sizeof *loop->closing);
    }
    loop->closing[loop->closing_count++] = closing;
    want_run(loop);
}

static void unwant(struct loop *loop, const struct turn *turn)
{
    for (size_t i = 0; i < loop->wanted_count; i++)
        if (loop->wanted[i] == turn)
            loop->wanted[i] = NULL;
}

void turn_close(struct turn *turn, void (*on_closed)(void *ctx))
{
    unwant(loop_of(turn->prepare.loop), turn);
    add_closing(loop_of(turn->prepare.loop), (struct loop_closing){.on_closed = on_closed, .ctx = turn->ctx});
}

static void close_all(struct loop *loop)
{
    for (size_t i = 0; i < loop->closing_count; i++) { /* closing one may close another */
        struct loop_closing closing = loop->closing[i];
        if (closing.fn)
            closing.fn(closing.handle);
        else if (closing.on_closed)
            closing.on_closed(closing.ctx);
    }
    loop->closing_count = 0;
}

static void run(struct sim *sim, struct sim_event *event)
{
    struct loop *loop = loop_of_event(sim, event);
    uint64_t life = event->b;

    if (!loop)
        return;
    loop->is_run_due = false;
    size_t count = loop->wanted_count; /* what they want comes in the next run */
    for (size_t i = 0; i < count && loop->life == life; i++) {
        struct turn *turn = loop->wanted[i];
        if (!turn)
            continue;
        turn->is_wanted = false;
        loop->wanted[i] = NULL;
        turn->fn(turn->ctx);
    }
    if (loop->life != life)
        return;
    loop->wanted_count -= count;
    memmove((void *)loop->wanted, (void *)(loop->wanted + count), loop->wanted_count * sizeof *loop->wanted);
    close_all(loop);
}

/* --- timers --- */

static struct loop_timer *timer_of(const uv_timer_t *handle)
{
    return &loop_of(handle->loop)->timers[handle->u.fd];
}

int uv_timer_init(uv_loop_t *uv, uv_timer_t *handle)
{
    struct loop *loop = loop_of(uv);
    void *data = handle->data;

    memset(handle, 0, sizeof *handle);
    handle->data = data;
    handle->loop = uv;
    handle->type = UV_TIMER;
    handle->u.fd = (int)loop->timers_count;
    if (loop->timers_count == loop->timers_capacity) {
        loop->timers_capacity = loop->timers_capacity ? 2 * loop->timers_capacity : 4;
        loop->timers = mem_resize(loop->timers, loop->timers_capacity * sizeof *loop->timers);
    }
    loop->timers[loop->timers_count++] = (struct loop_timer){.handle = handle, .queued_us = UINT64_MAX};
    return 0;
}

static void queue(struct loop *loop, struct loop_timer *timer)
{
    uint64_t now_us = loop->cluster->sim->now_us;

    if (timer->queued_us <= timer->due_us)
        return;
    timer->queued_us = timer->due_us;
    push(loop, fire, (uint64_t)(timer - loop->timers), timer->due_us > now_us ? timer->due_us - now_us : TURN_US);
}

int uv_timer_start(uv_timer_t *handle, uv_timer_cb fn, uint64_t timeout_ms, uint64_t repeat_ms)
{
    struct loop *loop = loop_of(handle->loop);
    struct loop_timer *timer = timer_of(handle);

    assert(repeat_ms == 0); /* nobody here asks for it */
    (void)repeat_ms;
    timer->fn = fn;
    timer->due_us = loop->cluster->sim->now_us + (timeout_ms > 0 ? timeout_ms * 1000 : TURN_US);
    queue(loop, timer);
    return 0;
}

int uv_timer_stop(uv_timer_t *handle)
{
    timer_of(handle)->fn = NULL;
    return 0;
}

static void fire(struct sim *sim, struct sim_event *event)
{
    struct loop *loop = loop_of_event(sim, event);
    struct loop_timer *timer = loop ? &loop->timers[event->incarnation] : NULL;

    if (!timer || timer->queued_us > sim->now_us)
        return;
    timer->queued_us = UINT64_MAX;
    if (!timer->fn || !timer->handle)
        return;
    if (timer->due_us > sim->now_us) {
        queue(loop, timer);
        return;
    }
    uv_timer_cb fn = timer->fn;
    timer->fn = NULL;
    fn(timer->handle);
}

void uv_close(uv_handle_t *handle, uv_close_cb fn)
{
    struct loop_timer *timer = timer_of((uv_timer_t *)handle);

    assert(handle->type == UV_TIMER && timer->handle);
    timer->handle = NULL;
    timer->fn = NULL;
    if (fn)
        add_closing(loop_of(handle->loop), (struct loop_closing){.fn = fn, .handle = handle});
}

int uv_is_closing(const uv_handle_t *handle)
{
    return timer_of((const uv_timer_t *)handle)->handle == NULL;
}

void uv_update_time(uv_loop_t *loop)
{
    (void)loop;
}

/* --- life --- */

void loop_begin(struct loop *loop)
{
    loop->life++;
    loop->timers_count = loop->wanted_count = loop->closing_count = 0;
    loop->is_run_due = false;
}

void loop_drain(struct loop *loop)
{
    loop->life++;
    close_all(loop);
    loop->timers_count = loop->wanted_count = 0;
}

void loop_deinit(struct loop *loop)
{
    free(loop->timers);
    free((void *)loop->wanted);
    free(loop->closing);
}
