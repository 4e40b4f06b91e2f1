/* runtime/windows/hcs_windows.c – birth and end of the back end: what the host has, what it was told, its ticks. */
#include "runtime/windows/hcs_windows.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/host.h"

enum { TICK_MS = 250, POLL_MS = 10000 };

/* --- ticks --- */

static void on_tick(uv_timer_t *timer)
{
    struct windows_host *host = timer->data;

    windows_expire(host);
    windows_take_news(host);
    windows_look_round(host);
}

static void on_async(uv_async_t *async)
{
    struct windows_host *host = async->data;
    struct windows_op *op, *all = host->answers;

    host->answers = NULL; /* what is asked for from now on is answered the next time */
    while ((op = all) != NULL) {
        all = op->next;
        windows_op_answer(op);
        windows_op_free(op);
    }
    windows_take_news(host);
}

/* --- end --- */

static void free_host(struct windows_host *host)
{
    struct windows_system *s, *next;
    void (*closed)(void *) = host->closed;
    void *ctx = host->closed_ctx;

    HASH_ITER (hh, host->systems, s, next) {
        HASH_DEL(host->systems, s);
        windows_close_watches(s, &s->watches);
        windows_system_free(s);
    }
    host->is_closing = true;
    windows_take_news(host);
    uv_mutex_destroy(&host->layer_lock);
    uv_mutex_destroy(&host->network_lock);
    uv_mutex_destroy(&host->news_lock);
    free(host->state_dir);
    free(host->owner);
    free(host->os_version);
    free(host->keeper_path);
    free(host->network_name);
    free(host->versions);
    free(host->missing);
    free(host);
    if (closed)
        closed(ctx);
}

static void cancel_list(struct windows_op **list)
{
    struct windows_op *op;

    while ((op = *list) != NULL) {
        *list = op->next;
        windows_op_answer(op);
        windows_op_free(op);
    }
}

/* Whoever still waits is told; those on a thread are its own until it comes back. */
static void cancel_operations(struct windows_host *host)
{
    struct error canceled = {0};

    error_set(&canceled, ERR_CANCELED, "the runtime is closing");
    for (struct windows_op *op = host->open_ops; op; op = op->next_open)
        if (!op->err.code && !op->is_in_pool)
            op->err = canceled;
    for (struct windows_system *s = host->systems; s; s = s->hh.next) {
        atomic_store(&s->is_given_up, true);
        cancel_list(&s->queue);
        cancel_list(&s->waiters);
    }
    cancel_list(&host->waiting_starts);
}

static void on_core_closed(uv_handle_t *handle)
{
    struct windows_host *host = handle->data;

    if (--host->open_handles == 0)
        free_host(host);
}

static void on_pool_closed(void *ctx)
{
    struct windows_host *host = ctx;

    host->open_handles = 2;
    uv_close((uv_handle_t *)&host->async, on_core_closed);
    uv_close((uv_handle_t *)&host->tick, on_core_closed);
}

static void on_closing(uv_timer_t *timer)
{
    struct windows_host *host = timer->data;

    cancel_operations(host);
    for (struct windows_system *s = host->systems; s; s = s->hh.next)
        windows_cancel_timer(s);
    on_async(&host->async);
    if (host->open_handles > 0 || host->open_ops)
        return;
    uv_timer_stop(timer);
    windows_pool_close(steal(&host->pool), on_pool_closed, host);
}

void windows_close(struct hcs *hcs, void (*closed)(void *ctx), void *ctx)
{
    struct windows_host *host = windows_of(hcs);

    host->closed = closed;
    host->closed_ctx = ctx;
    host->is_closing = true;
    host->base.listeners = NULL;
    windows_processes_drop(host);
    windows_logs_drop(host);
    uv_timer_start(&host->tick, on_closing, 0, 5); /* until the threads have come back */
}

/* --- birth --- */

/* computecore.dll where there is one; vmcompute.dll for what is said in schema 1, and for everything before build 17763. */
static void find_service(struct windows_host *host, const struct hcs_windows_options *o)
{
    struct error core = {0}, legacy = {0};

    windows_api_load(&host->api);
    if (o->prefers_legacy || windows_service_core(&host->api, &host->core, &core) < 0)
        host->core.ops = NULL;
    if (windows_service_legacy(&host->api, &host->legacy, &legacy) < 0)
        host->legacy.ops = NULL;
    if (!host->core.ops && !host->legacy.ops)
        host->missing = mem_format("%s; install the Containers feature and start the service vmcompute, then start skepd again",
                                   core.code && host->api.has_core ? core.message : legacy.message);
    host->versions =
        mem_format("HCS %s%s%s, Windows %s", host->core.ops ? host->core.name : "", host->core.ops && host->legacy.ops ? " and " : "",
                   host->legacy.ops ? host->legacy.name : "", host->os_version);
}

static char *own_directory(void)
{
    WCHAR path[MAX_PATH + 1] = {0};
    char *narrow, *last;

    GetModuleFileNameW(NULL, path, MAX_PATH);
    narrow = utf8_from_wide(path);
    last = strrchr(narrow, '\\');
    if (last)
        *last = '\0';
    return narrow;
}

/* HCS takes Windows' own spelling. */
static char *with_backslashes(const char *path)
{
    char *copy = mem_string(path);

    for (char *c = copy; *c; c++)
        if (*c == '/')
            *c = '\\';
    return copy;
}

static void take_options(struct windows_host *host, const struct hcs_windows_options *o)
{
    cleanup_free char *dir = own_directory();

    host->state_dir = with_backslashes(o->state_dir);
    host->owner = mem_string(o->owner ? o->owner : "skep");
    host->os_version = mem_string(o->os_version ? o->os_version : "");
    host->keeper_path = o->keeper_path ? with_backslashes(o->keeper_path) : mem_format("%s\\skep-log.exe", dir);
    host->network_name = mem_string(o->network ? o->network : "nat");
    host->offers_hyperv = o->offers_hyperv;
    host->processor_count = o->processor_count ? o->processor_count : 1;
    host->poll_ms = o->poll_ms ? o->poll_ms : POLL_MS;
    host->call_ms = o->call_ms;
    host->clock = o->clock;
}

int hcs_windows_new(uv_loop_t *loop, const struct hcs_windows_options *options, struct hcs **out, struct error *err)
{
    struct windows_host *host = mem_alloc(sizeof *host);
    cleanup_free char *containers = mem_format("%s/containers", options->state_dir);

    host->base.ops = &windows_ops;
    host->loop = loop;
    uv_mutex_init(&host->layer_lock);
    uv_mutex_init(&host->network_lock);
    uv_mutex_init(&host->news_lock);
    take_options(host, options);
    if (windows_schema_for(windows_build_of(host->os_version), &host->schema, err) < 0 || file_make_dirs(containers, 0700, err) < 0) {
        free_host(host);
        return error_wrap(err, "runtime");
    }
    find_service(host, options);
    host->pool = windows_pool_new(loop);
    host->async.data = host->tick.data = host;
    uv_async_init(loop, &host->async, on_async);
    uv_timer_init(loop, &host->tick);
    uv_timer_start(&host->tick, on_tick, TICK_MS, TICK_MS);
    if (windows_adopt_all(host, err) < 0) {
        windows_close(&host->base, NULL, NULL);
        return error_wrap(err, "runtime");
    }
    *out = &host->base;
    return 0;
}
