/* base/turn.c – see turn.h. */
#include "base/turn.h"

static void on_hurry(uv_idle_t *hurry)
{
    (void)hurry;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct turn *turn = prepare->data;

    if (!turn->is_wanted)
        return;
    turn->is_wanted = false;
    uv_idle_stop(&turn->hurry);
    turn->fn(turn->ctx);
}

void turn_init(struct turn *turn, uv_loop_t *loop, void (*fn)(void *ctx), void *ctx)
{
    *turn = (struct turn){.open_handles = 2, .fn = fn, .ctx = ctx};
    uv_prepare_init(loop, &turn->prepare);
    uv_idle_init(loop, &turn->hurry);
    turn->prepare.data = turn->hurry.data = turn;
    uv_prepare_start(&turn->prepare, on_prepare);
    uv_unref((uv_handle_t *)&turn->prepare);
}

void turn_want(struct turn *turn)
{
    if (turn->is_wanted || uv_is_closing((uv_handle_t *)&turn->prepare))
        return;
    turn->is_wanted = true;
    uv_idle_start(&turn->hurry, on_hurry);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct turn *turn = handle->data;

    if (--turn->open_handles == 0 && turn->on_closed)
        turn->on_closed(turn->ctx);
}

void turn_close(struct turn *turn, void (*on_closed)(void *ctx))
{
    turn->is_wanted = false;
    turn->on_closed = on_closed;
    uv_close((uv_handle_t *)&turn->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&turn->hurry, on_handle_closed);
}
