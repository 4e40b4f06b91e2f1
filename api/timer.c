/* api/timer.c – see timer.h. */
#include "api/timer.h"

#include <stdlib.h>

#include "base/mem.h"

struct api_timer {
    uv_timer_t handle;
    void (*on_time)(void *ctx);
    void *ctx;
};

static void fire(uv_timer_t *handle)
{
    struct api_timer *timer = handle->data;
    timer->on_time(timer->ctx);
}

struct api_timer *api_timer_new(uv_loop_t *loop, uint64_t after_ms, uint64_t repeat_ms, void (*on_time)(void *ctx), void *ctx)
{
    struct api_timer *timer = mem_alloc(sizeof *timer);
    timer->on_time = on_time;
    timer->ctx = ctx;
    uv_timer_init(loop, &timer->handle);
    timer->handle.data = timer;
    uv_timer_start(&timer->handle, fire, after_ms, repeat_ms);
    return timer;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void api_timer_free(struct api_timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->handle, closed);
}
