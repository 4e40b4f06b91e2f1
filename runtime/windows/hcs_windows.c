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

void windows_tick(struct compute_host *host)
{
    windows_take_news((struct windows_host *)host);
    windows_look_round((struct windows_host *)host);
}

void windows_woken(struct compute_host *host)
{
    windows_take_news((struct windows_host *)host);
}

/* --- end --- */

void windows_closing(struct compute_host *host)
{
    windows_processes_drop((struct windows_host *)host);
}

static void on_pool_closed(void *host)
{
    compute_closed(host);
}

void windows_drain(struct compute_host *host)
{
    windows_pool_close(steal(&((struct windows_host *)host)->pool), on_pool_closed, host);
}

void windows_host_free(struct compute_host *base)
{
    struct windows_host *host = (struct windows_host *)base;

    for (struct windows_system *s = windows_first(host); s; s = s->base.hh.next)
        windows_close_watches(s, &s->watches);
    compute_systems_free(base);
    base->is_closing = true;
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

    host->base.hcs.ops = &windows_ops;
    host->base.ops = &windows_compute_ops;
    uv_mutex_init(&host->layer_lock);
    uv_mutex_init(&host->network_lock);
    uv_mutex_init(&host->news_lock);
    take_options(host, options);
    if (windows_schema_for(windows_build_of(host->os_version), &host->schema, err) < 0 || file_make_dirs(containers, 0700, err) < 0) {
        windows_host_free(&host->base);
        return error_wrap(err, "runtime");
    }
    find_service(host, options);
    host->pool = windows_pool_new(loop);
    compute_host_open(&host->base, loop, TICK_MS);
    if (windows_adopt_all(host, err) < 0) {
        compute_close(&host->base.hcs, NULL, NULL);
        return error_wrap(err, "runtime");
    }
    *out = &host->base.hcs;
    return 0;
}
