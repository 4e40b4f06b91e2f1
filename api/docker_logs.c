/* api/docker_logs.c – GET /containers/{id}/logs: a container's output, followed for as long as the client reads it. */
#include <stdlib.h>

#include "api/call.h"
#include "api/log_frame.h"
#include "api/timer.h"
#include "base/text.h"
#include "base/time.h"

/* Lives in the call's arena; holds it until the log has ended or the client is gone. */
struct log_call {
    struct api_call *call;
    struct hcs_log_options options;
    struct hcs_log *log;
    struct log_framer framer;
    struct api_timer *until; /* a followed log ends when its last instant has come */
    struct buf frame;
};

static void finish(struct log_call *lc)
{
    hcs_log_close(lc->log);
    api_timer_free(lc->until);
    buf_deinit(&lc->frame);
    http_on_gone(lc->call->ex, NULL, NULL);
    http_on_drain(lc->call->ex, NULL, NULL);
    call_release(lc->call);
}

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    struct log_call *lc = ctx;
    buf_clear(&lc->frame);
    log_frame(&lc->framer, entry, &lc->frame);
    if (!http_answer_write(lc->call->ex, buf_bytes(&lc->frame)) && lc->log)
        hcs_log_pause(lc->log, true);
}

static void on_end(void *ctx, const struct error *err)
{
    struct log_call *lc = ctx;
    if (err)
        http_answer_break(lc->call->ex); /* begun already: a cut answer is the only way to say it */
    else
        http_answer_end(lc->call->ex);
    finish(lc);
}

static void on_drain(void *ctx, struct http_exchange *ex)
{
    struct log_call *lc = ctx;
    (void)ex;
    hcs_log_pause(lc->log, false);
}

static void on_gone(void *ctx, struct http_exchange *ex)
{
    (void)ex;
    finish(ctx);
}

static void until_passed(void *ctx)
{
    struct log_call *lc = ctx;
    http_answer_end(lc->call->ex);
    finish(lc);
}

static const char *content_type(const struct log_call *lc)
{
    if (lc->call->version < 42 || lc->framer.is_raw)
        return "application/vnd.docker.raw-stream";
    return "application/vnd.docker.multiplexed-stream";
}

static void start_until(struct log_call *lc)
{
    int64_t until = lc->options.until_wall_ns, now = clock_wall_ns(&lc->call->api->options.clock);
    if (!lc->options.follow || until == 0)
        return;
    uint64_t after_ms = until > now ? (uint64_t)(until - now) / NS_PER_MS + 1 : 0;
    lc->until = api_timer_new(lc->call->api->options.loop, after_ms, 0, until_passed, lc);
}

static void found(struct api_call *call, const struct hcs_properties *system)
{
    struct log_call *lc = call->ex->owner;
    struct error err;
    const struct hcs_log_sink sink = {.on_entry = on_entry, .on_end = on_end, .ctx = lc};
    lc->framer.is_raw = json_bool(json_object(json_object(system->document, "Skep"), "Process"), "EmulateConsole", false);
    if (http_is_gone(call->ex))
        return;
    if (hcs_log_open(call->api->options.hcs, system->id, &lc->options, &sink, &lc->log, &err) < 0) {
        call_error(call, &err);
        return;
    }
    call_hold(call);
    http_on_gone(call->ex, on_gone, lc);
    http_on_drain(call->ex, on_drain, lc);
    start_until(lc);
    http_answer_begin(call->ex, 200, content_type(lc));
}

static int read_instant(const struct api_call *call, const char *key, int64_t *wall_ns, struct error *err)
{
    const char *text = call_query(call, key);
    if (text_empty(text) || text_equal(text, "0"))
        return 0;
    return time_parse(text, wall_ns, err) < 0 ? error_wrap(err, "%s", key) : 0;
}

static int read_options(const struct api_call *call, struct hcs_log_options *options, struct error *err)
{
    struct error ignored;
    const char *tail = call_query(call, "tail");
    *options = (struct hcs_log_options){
        .wants_stdout = call_flag(call, "stdout"),
        .wants_stderr = call_flag(call, "stderr"),
        .follow = call_flag(call, "follow"),
        .tail = -1, /* also for what is no number, as dockerd has it */
    };
    if (!options->wants_stdout && !options->wants_stderr)
        return error_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    if (tail && text_parse_i64(tail, 0, INT64_MAX, &options->tail, &ignored) < 0)
        options->tail = -1;
    if (read_instant(call, "since", &options->since_wall_ns, err) < 0)
        return err->code;
    return read_instant(call, "until", &options->until_wall_ns, err);
}

void docker_container_logs(struct api_call *call)
{
    struct error err;
    struct log_call *lc = arena_alloc(call->arena, sizeof *lc);
    lc->call = call;
    lc->framer.wants_timestamps = call_flag(call, "timestamps");
    call->ex->owner = lc;
    if (read_options(call, &lc->options, &err) < 0) {
        call_error(call, &err);
        return;
    }
    call_find_container(call, call->params[0], found);
}
