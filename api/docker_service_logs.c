/* api/docker_service_logs.c – GET /services/{id}/logs and /tasks/{id}/logs: what tasks print on whichever node they run, brought by the
 * managers.
 *
 * The form is that of a container's log; where a client asks for details, each line begins with what it is from: node, service, task. */
#include <stdlib.h>
#include <string.h>

#include "api/log_frame.h"
#include "api/swarm_call.h"
#include "base/text.h"
#include "base/time.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/message.h"

enum { ERRORS_OF_DAEMON = 3 }; /* the stream on which Docker's clients read that something went wrong */

/* In the arena of its exchange. */
struct swarm_logs {
    struct api_call *call;
    void *logs; /* NULL: over */
    bool is_raw, wants_stdout, wants_stderr, wants_timestamps, wants_details;
    struct buf line, frame;
};

static void finish(struct swarm_logs *sl)
{
    buf_deinit(&sl->line);
    buf_deinit(&sl->frame);
    http_on_gone(sl->call->ex, NULL, NULL);
    http_on_drain(sl->call->ex, NULL, NULL);
    call_release(sl->call);
}

/* --- lines --- */

/* As a query's value: what is not a letter, a digit or one of -_.~ is %XX, and a space is +. */
static void append_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", c))
            buf_append(out, text, 1);
        else if (c == ' ')
            buf_append(out, "+", 1);
        else
            buf_append_format(out, "%%%02X", c);
    }
}

struct detail {
    const char *key, *value;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct detail *)a)->key, ((const struct detail *)b)->key);
}

static void append_details(struct swarm_logs *sl, const Docker__Swarmkit__V1__LogMessage *message)
{
    const Docker__Swarmkit__V1__LogContext *context = message->context;
    struct detail details[LOG_DETAILS_COUNT] = {{"com.docker.swarm.node.id", context ? context->node_id : ""},
                                                {"com.docker.swarm.service.id", context ? context->service_id : ""},
                                                {"com.docker.swarm.task.id", context ? context->task_id : ""}};
    size_t count = 3;

    for (size_t i = 0; i < message->n_attrs && count < LOG_DETAILS_COUNT; i++)
        details[count++] = (struct detail){message->attrs[i]->key, message->attrs[i]->value};
    qsort(details, count, sizeof *details, by_key);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_append(&sl->line, ",", 1);
        append_escaped(&sl->line, details[i].key);
        buf_append(&sl->line, "=", 1);
        append_escaped(&sl->line, details[i].value);
    }
    buf_append(&sl->line, " ", 1);
}

static void append_line(struct swarm_logs *sl, const Docker__Swarmkit__V1__LogMessage *message)
{
    char when[TIME_RFC3339_SIZE];

    buf_clear(&sl->line);
    if (sl->wants_timestamps) {
        time_format_rfc3339(message_timestamp_ns(message->timestamp, 0), when);
        buf_append_format(&sl->line, "%s ", when);
    }
    if (sl->wants_details)
        append_details(sl, message);
    buf_append(&sl->line, message->data.data, message->data.len);
}

static void append_frame(struct swarm_logs *sl, int stream)
{
    size_t size = sl->line.size;
    const uint8_t header[LOG_FRAME_HEADER_SIZE] = {
        (uint8_t)stream, 0, 0, 0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};

    if (!sl->is_raw)
        buf_append(&sl->frame, header, sizeof header);
    buf_append(&sl->frame, sl->line.data, size);
}

/* --- what the managers bring --- */

static int deliver(void *ctx, const Docker__Swarmkit__V1__SubscribeLogsMessage *message, struct error *err)
{
    struct swarm_logs *sl = ctx;

    if (sl->call->ex->wants_drain)
        return error_set(err, ERR_AGAIN, "the client reads slower than the tasks write");
    buf_clear(&sl->frame);
    for (size_t i = 0; i < message->n_messages; i++) {
        const Docker__Swarmkit__V1__LogMessage *one = message->messages[i];
        bool is_stderr = one->stream == DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDERR;
        if (is_stderr ? !sl->wants_stderr : !sl->wants_stdout)
            continue;
        append_line(sl, one);
        append_frame(sl, is_stderr ? 2 : 1);
    }
    if (sl->frame.size > 0)
        http_answer_write(sl->call->ex, buf_bytes(&sl->frame));
    return 0;
}

static void ended(void *ctx, const struct error *err)
{
    struct swarm_logs *sl = ctx;

    sl->logs = NULL;
    if (err) {
        buf_clear(&sl->line);
        buf_clear(&sl->frame);
        buf_append_format(&sl->line, "Error grabbing logs: %s\n", err->message);
        append_frame(sl, ERRORS_OF_DAEMON);
        http_answer_write(sl->call->ex, buf_bytes(&sl->frame));
    }
    http_answer_end(sl->call->ex);
    finish(sl);
}

static void on_drain(void *ctx, struct http_exchange *ex)
{
    struct swarm_logs *sl = ctx;
    const struct api_swarm *swarm = &sl->call->api->options.swarm;

    (void)ex;
    if (sl->logs)
        swarm->logs_writable(swarm->self, sl->logs);
}

static void on_gone(void *ctx, struct http_exchange *ex)
{
    struct swarm_logs *sl = ctx;
    const struct api_swarm *swarm = &sl->call->api->options.swarm;

    (void)ex;
    if (sl->logs)
        swarm->logs_close(swarm->self, sl->logs);
    finish(sl);
}

/* --- what is asked --- */

/* The managers count lines from the end with negative numbers, of which -1 is none. */
static int64_t read_tail(const struct api_call *call)
{
    const char *text = call_query(call, "tail");
    int64_t lines;

    if (text == NULL || text_parse_i64(text, 0, INT32_MAX, &lines, NULL) < 0)
        return 0; /* all, also for what is no number, as dockerd has it */
    return -(lines + 1);
}

static int read_options(struct swarm_logs *sl, Docker__Swarmkit__V1__LogSubscriptionOptions *options,
                        struct Google__Protobuf__Timestamp *since, struct error *err)
{
    const struct api_call *call = sl->call;
    const char *text = call_query(call, "since");
    int64_t wall_ns;

    sl->wants_stdout = call_flag(call, "stdout");
    sl->wants_stderr = call_flag(call, "stderr");
    sl->wants_timestamps = call_flag(call, "timestamps");
    sl->wants_details = call_flag(call, "details");
    if (!sl->wants_stdout && !sl->wants_stderr)
        return error_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    options->follow = call_flag(call, "follow");
    options->tail = read_tail(call);
    if (text_empty(text) || text_equal(text, "0"))
        return 0;
    if (time_parse(text, &wall_ns, err) < 0)
        return error_wrap(err, "since");
    message_set_timestamp(since, wall_ns);
    options->since = since;
    return 0;
}

static const char *content_type(const struct swarm_logs *sl)
{
    return sl->call->version < 42 || sl->is_raw ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
}

static void start(struct api_call *call, Docker__Swarmkit__V1__LogSelector *selector, bool is_raw)
{
    Docker__Swarmkit__V1__LogSubscriptionOptions options = DOCKER__SWARMKIT__V1__LOG_SUBSCRIPTION_OPTIONS__INIT;
    Docker__Swarmkit__V1__SubscribeLogsRequest request = DOCKER__SWARMKIT__V1__SUBSCRIBE_LOGS_REQUEST__INIT;
    const struct api_swarm *swarm = &call->api->options.swarm;
    struct Google__Protobuf__Timestamp since;
    struct swarm_logs *sl = arena_alloc(call->arena, sizeof *sl);
    const struct log_reader reader = {.deliver = deliver, .end = ended, .ctx = sl};
    struct error err = {0};

    *sl = (struct swarm_logs){.call = call, .is_raw = is_raw};
    request.selector = selector;
    request.options = &options;
    if (read_options(sl, &options, &since, &err) < 0 || swarm->logs_open(swarm->self, &request, &reader, &sl->logs, &err) < 0) {
        call_error(call, &err);
        return;
    }
    call_hold(call);
    http_on_gone(call->ex, on_gone, sl);
    http_on_drain(call->ex, on_drain, sl);
    http_answer_begin(call->ex, 200, content_type(sl));
}

static bool has_terminal(const Docker__Swarmkit__V1__TaskSpec *spec)
{
    return spec && spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER && spec->container->tty;
}

static void found_service(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Service *service = (const void *)message;
    Docker__Swarmkit__V1__LogSelector selector = DOCKER__SWARMKIT__V1__LOG_SELECTOR__INIT;
    struct api_call *call = sc->call;
    char *id = arena_string(sc->arena, service->id);
    bool is_raw = has_terminal(service->spec ? service->spec->task : NULL);

    selector.service_ids = &id;
    selector.n_service_ids = 1;
    call_hold(call);
    swarm_end(sc);
    start(call, &selector, is_raw);
    call_release(call);
}

static void found_task(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Task *task = (const void *)message;
    Docker__Swarmkit__V1__LogSelector selector = DOCKER__SWARMKIT__V1__LOG_SELECTOR__INIT;
    struct api_call *call = sc->call;
    char *id = arena_string(sc->arena, task->id);
    bool is_raw = has_terminal(task->spec);

    selector.task_ids = &id;
    selector.n_task_ids = 1;
    call_hold(call);
    swarm_end(sc);
    start(call, &selector, is_raw);
    call_release(call);
}

void docker_service_logs(struct api_call *call)
{
    swarm_find_named(swarm_call_new(call), SWARM_SERVICE, found_service);
}

void docker_task_logs(struct api_call *call)
{
    swarm_find_named(swarm_call_new(call), SWARM_TASK, found_task);
}
