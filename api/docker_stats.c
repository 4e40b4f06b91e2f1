/* api/docker_stats.c – GET /containers/{id}/stats: one sample or one a second, each with the sample before it, as dockerd gives them. */
#include <stdlib.h>

#include "api/call.h"
#include "api/json_stats.h"
#include "api/timer.h"
#include "base/mem.h"

/* Lives in the call's arena; holds it until it is over, and once more while a question to the runtime is open. */
struct stats_call {
    struct api_call *call;
    char *id;
    struct api_timer *timer;
    struct stats_cpu before;
    bool is_stream, is_one_shot, is_asking, is_over, is_full;
};

static void finish(struct stats_call *sc)
{
    if (sc->is_over)
        return;
    sc->is_over = true;
    api_timer_free(sc->timer);
    http_on_gone(sc->call->ex, NULL, NULL);
    call_release(sc->call);
}

static void send_sample(struct stats_call *sc, const struct hcs_properties *system, const struct stats_cpu *now)
{
    struct api *api = sc->call->api;
    const struct stats_view view = {
        .id = system->id,
        .name = system->name,
        .statistics = system->statistics,
        .now = *now,
        .before = sc->before,
        .cpu_count = api->host.cpu_count,
        .host_memory_bytes = api->host.memory_bytes,
    };
    cleanup_json cJSON *json = json_stats(&view);
    cleanup_free char *text = json_print(json), *line = mem_format("%s\n", text);
    http_answer_begin(sc->call->ex, 200, "application/json");
    sc->is_full = !http_answer_write(sc->call->ex, bytes_of_string(line));
    if (sc->is_stream)
        return;
    http_answer_end(sc->call->ex);
    finish(sc);
}

static void sampled(void *ctx, const struct hcs_properties *system, const struct error *err)
{
    struct stats_call *sc = ctx;
    struct api_call *call = sc->call;
    sc->is_asking = false;
    if (sc->is_over) {
        call_release(call);
        return;
    }
    if (err) { /* removed meanwhile */
        if (http_answer_begun(call->ex))
            http_answer_end(call->ex);
        else
            call_error(call, err);
        finish(sc);
    } else {
        struct stats_cpu now = stats_cpu_of(system->statistics, clock_wall_ns(&call->api->options.clock), api_host_cpu_ns());
        bool is_first = sc->before.wall_ns == 0;
        /* one answer needs two samples, unless the client wants it at once or there is nothing to measure */
        if (!is_first || sc->is_stream || sc->is_one_shot || system->statistics == NULL)
            send_sample(sc, system, &now);
        sc->before = now;
    }
    call_release(call);
}

static void ask(void *ctx)
{
    struct stats_call *sc = ctx;
    if (sc->is_asking || sc->is_full)
        return;
    sc->is_asking = true;
    call_hold(sc->call);
    hcs_system_properties(sc->call->api->options.hcs, sc->id, true, sampled, sc);
}

static void on_drain(void *ctx, struct http_exchange *ex)
{
    struct stats_call *sc = ctx;
    (void)ex;
    sc->is_full = false;
}

static void on_gone(void *ctx, struct http_exchange *ex)
{
    (void)ex;
    finish(ctx);
}

static void found(struct api_call *call, const struct hcs_properties *system)
{
    struct stats_call *sc = arena_alloc(call->arena, sizeof *sc);
    if (http_is_gone(call->ex))
        return;
    sc->call = call;
    sc->id = arena_string(call->arena, system->id);
    sc->is_stream = http_query_bool(&call->query, "stream", true);
    sc->is_one_shot = call_flag(call, "one-shot");
    call_hold(call);
    http_on_gone(call->ex, on_gone, sc);
    http_on_drain(call->ex, on_drain, sc);
    sc->timer = api_timer_new(call->api->options.loop, 0, API_STATS_INTERVAL_MS, ask, sc);
}

void docker_container_stats(struct api_call *call)
{
    call_find_container(call, call->params[0], found);
}
