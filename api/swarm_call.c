/* api/swarm_call.c – see swarm_call.h: its life, its questions, its answers. */
#include "api/swarm_call.h"

#include <stdarg.h>
#include <stdlib.h>

#include "api/swarm/reply.h"
#include "base/mem.h"
#include "proto/message.h"

bool swarm_is_manager(const struct api *api)
{
    const struct api_swarm *swarm = &api->options.swarm;
    return swarm->is_manager && swarm->is_manager(swarm->self);
}

/* --- its life --- */

static void stop_waiting(struct swarm_call *sc)
{
    const struct api_swarm *swarm = &sc->call->api->options.swarm;
    if (sc->is_waiting)
        swarm->abandon(swarm->self, sc);
    sc->is_waiting = false;
}

void swarm_end(struct swarm_call *sc)
{
    stop_waiting(sc);
    http_on_gone(sc->call->ex, NULL, NULL);
    api_timer_free(sc->deadline);
    swarm_body_free(sc->body);
    if (sc->secret)
        message_wipe(sc->secret);
    message_wipe_free(sc->kept);
    call_release(sc->call);
}

static void gone(void *ctx, struct http_exchange *ex)
{
    (void)ex;
    swarm_end(ctx);
}

static void deadline_passed(void *ctx)
{
    struct swarm_call *sc = ctx;
    stop_waiting(sc);
    swarm_fail(sc, 504, "the swarm's managers did not answer in time; `docker node ls` shows whether enough of them can be reached");
}

void swarm_deadline(struct swarm_call *sc, uint64_t ms)
{
    api_timer_free(sc->deadline);
    sc->deadline = api_timer_new(sc->call->api->options.loop, ms, 0, deadline_passed, sc);
}

struct swarm_call *swarm_call_new(struct api_call *call)
{
    struct swarm_call *sc = arena_alloc(call->arena, sizeof *sc);
    *sc = (struct swarm_call){.call = call, .arena = call->arena, .version = (unsigned)call->version};
    call_hold(call);
    http_on_gone(call->ex, gone, sc);
    swarm_deadline(sc, API_SWARM_TIMEOUT_MS);
    return sc;
}

struct reader {
    struct api_call *call;
    swarm_step_fn *on_body;
};

static void body_read(void *ctx, struct http_exchange *ex, struct bytes body)
{
    struct reader *reader = ctx;
    struct error err;
    cJSON *json = NULL;
    /* Nothing at all is a mistake of the client's: as an empty object, it would set a whole spec back to its defaults. */
    int failed = body.size > 0 ? swarm_body_parse(body, &json, &err) : error_set(&err, ERR_INVALID, "got EOF while reading request body");
    buf_deinit(&ex->body);
    if (failed < 0) {
        call_error(reader->call, &err);
        return;
    }
    struct swarm_call *sc = swarm_call_new(reader->call);
    sc->body = json;
    reader->on_body(sc);
}

void swarm_call_read(struct api_call *call, swarm_step_fn *on_body)
{
    struct reader *reader = arena_alloc(call->arena, sizeof *reader);
    *reader = (struct reader){call, on_body};
    call->ex->body.is_secret = true;
    http_body_collect(call->ex, API_REQUEST_BODY_BYTES, body_read, reader);
}

/* --- answers --- */

static void answer_text(struct swarm_call *sc, int status, cJSON *json)
{
    char *text = json_print(json), *line = mem_format("%s\n", text);
    swarm_body_free(json);
    http_answer_string(sc->call->ex, status, "application/json", line);
    mem_wipe(text, strlen(text));
    mem_wipe(line, strlen(line));
    free(text);
    free(line);
    swarm_end(sc);
}

void swarm_answer(struct swarm_call *sc, int status, cJSON *json)
{
    http_on_gone(sc->call->ex, NULL, NULL);
    answer_text(sc, status, json);
}

void swarm_answer_nothing(struct swarm_call *sc, int status)
{
    http_on_gone(sc->call->ex, NULL, NULL);
    http_answer(sc->call->ex, status, NULL, bytes_of(NULL, 0));
    swarm_end(sc);
}

/* @code: of ours, for clients who ask. */
static void answer_message(struct swarm_call *sc, int status, const char *message, int code)
{
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "message", message);
    if (code != 0)
        json_add_string(json, "kind", error_name(code));
    swarm_answer(sc, status, json);
}

void swarm_fail(struct swarm_call *sc, int status, const char *format, ...)
{
    va_list args;
    struct error err;
    va_start(args, format);
    error_set_v(&err, ERR_INTERNAL, format, args);
    va_end(args);
    answer_message(sc, status, err.message, 0);
}

void swarm_error(struct swarm_call *sc, const struct error *err)
{
    answer_message(sc, error_http_status(err->code), err->message, err->code);
}

void swarm_refuse(struct swarm_call *sc, const struct control_answer *answer)
{
    cleanup_free char *message = swarm_rpc_message(answer->grpc_status, answer->err->message);
    answer_message(sc, swarm_http_status(answer->grpc_status), message, answer->err->code);
}

/* --- questions --- */

void swarm_is_secret(struct swarm_call *sc, ProtobufCMessage *request)
{
    if (sc->secret)
        message_wipe(sc->secret);
    sc->secret = request;
}

const void *swarm_keep(struct swarm_call *sc, const ProtobufCMessage *message)
{
    message_wipe_free(sc->kept);
    return sc->kept = message_copy(message);
}

void swarm_wait(struct swarm_call *sc)
{
    sc->is_waiting = true;
}

void swarm_told(struct swarm_call *sc)
{
    sc->is_waiting = false;
}

static void answered(void *ctx, const struct control_answer *answer)
{
    struct swarm_call *sc = ctx;
    swarm_told(sc);
    sc->on_control(sc, answer);
}

void swarm_try(struct swarm_call *sc, enum method_id method, const ProtobufCMessage *request, swarm_control_fn *on_control)
{
    const struct api_swarm *swarm = &sc->call->api->options.swarm;
    sc->on_control = on_control;
    swarm_wait(sc);
    swarm->call(swarm->self, method, request, answered, sc);
}

static void on_answer(struct swarm_call *sc, const struct control_answer *answer)
{
    if (answer->response)
        sc->on_message(sc, answer->response);
    else
        swarm_refuse(sc, answer);
}

void swarm_ask(struct swarm_call *sc, enum method_id method, const ProtobufCMessage *request, swarm_message_fn *on_message)
{
    sc->on_message = on_message;
    swarm_try(sc, method, request, on_answer);
}
