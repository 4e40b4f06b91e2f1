/* api/timer.h – a timer on the heap that can be let go of at any moment, also from its own callback. */
#ifndef SKEP_API_TIMER_H
#define SKEP_API_TIMER_H

#include <uv.h>

struct api_timer;

struct api_timer *api_timer_new(uv_loop_t *loop, uint64_t after_ms, uint64_t repeat_ms, void (*on_time)(void *ctx), void *ctx);
void api_timer_free(struct api_timer *timer); /* NULL is fine; no callback after it */

#endif
