/* daemon/collector.c – see collector.h. */
#include "daemon/collector.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/image/image.h"

struct collector {
    uv_timer_t timer;
    struct image_store *store;
    struct image_job *job; /* NULL: none under way */
    void (*on_freed)(void *ctx);
    void *ctx;
};

static void on_collected(void *ctx, const struct error *err, const cJSON *result)
{
    struct collector *collector = ctx;
    collector->job = NULL;
    if (err && err->code == ERR_AGAIN) {
        log_debug("images", "nothing is collected this time: %s", err->message);
        return;
    }
    if (err) {
        log_warn("images", "images that are not needed any more cannot be collected: %s", err->message);
        return;
    }
    int count = cJSON_GetArraySize(json_array(result, "deleted"));
    int64_t bytes = json_int(result, "reclaimedBytes", 0);
    if (count > 0 || bytes > 0)
        log_info("images", "collected: %d superseded images, %lld bytes given back", count, (long long)bytes);
}

static void on_timer(uv_timer_t *timer)
{
    struct collector *collector = timer->data;
    struct error err = {0};
    if (collector->job == NULL && image_gc(collector->store, IMAGE_GC_SUPERSEDED, on_collected, collector, &collector->job, &err) < 0)
        log_warn("images", "no collection of images: %s", err.message);
}

struct collector *collector_new(uv_loop_t *loop, struct image_store *store, uint64_t every_ms)
{
    struct collector *collector = mem_alloc(sizeof *collector);
    collector->store = store;
    uv_timer_init(loop, &collector->timer);
    collector->timer.data = collector;
    if (every_ms > 0)
        uv_timer_start(&collector->timer, on_timer, every_ms, every_ms);
    return collector;
}

static void on_closed(uv_handle_t *handle)
{
    struct collector *collector = handle->data;
    collector->on_freed(collector->ctx);
    free(collector);
}

void collector_free(struct collector *collector, void (*on_freed)(void *ctx), void *ctx)
{
    if (collector->job)
        image_job_cancel(collector->job);
    collector->on_freed = on_freed;
    collector->ctx = ctx;
    uv_close((uv_handle_t *)&collector->timer, on_closed);
}
