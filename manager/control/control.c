/* manager/control/control.c – a control's life, and a call's way from its request to its answer. */
#include "manager/control/control.h"

#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/control/inside.h"
#include "proto/message.h"

struct control *control_new(const struct control_options *options)
{
    struct control *control = mem_alloc(sizeof *control);

    assert(options->rules.check_constraints && options->rules.check_image && options->rules.is_dirty);
    assert(options->members.find && options->members.may_remove);
    assert(options->authority.change && options->authority.unlock && options->authority.expires);
    *control = (struct control){.store = options->host.store,
                                .random = options->host.random,
                                .rules = options->rules,
                                .members = options->members,
                                .authority = options->authority};
    return control;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    assert(control->calls_count == 0);
    free(control);
}

bool control_call(struct control *control, enum method_id method, const ProtobufCMessage *request, control_done_fn *done, void *ctx)
{
    switch (method) {
#define X(lower, Method)                                                                                                                   \
    case METHOD_Control_##Method:                                                                                                          \
        assert(request->descriptor == METHOD(Control, Method)->request);                                                                   \
        control_##lower(control, (const void *)request, done, ctx);                                                                        \
        return true;
        CONTROL_METHODS(X)
#undef X
    default:
        return false;
    }
}

/* --- messages --- */

void *message_in(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    void *message = arena_alloc(arena, descriptor->sizeof_message);

    descriptor->message_init(message);
    return message;
}

void *message_again(struct arena *arena, const ProtobufCMessage *message)
{
    return arena_copy(arena, message, message->descriptor->sizeof_message);
}

/* --- answers --- */

void control_answer(control_done_fn *done, void *ctx, const ProtobufCMessage *response, const struct refusal *refusal)
{
    struct control_answer answer = {.response = response};

    if (response == NULL) {
        answer.err = &refusal->err;
        answer.grpc_status = refusal->grpc_status ? refusal->grpc_status : error_grpc_status(refusal->err.code);
    }
    if (done)
        done(ctx, &answer);
}

/* --- writes --- */

struct call *call_new(struct control *control, const ProtobufCMessage *request, const char *id, control_done_fn *done, void *ctx)
{
    struct call *call = mem_alloc(sizeof *call);

    call->control = control;
    call->done = done;
    call->ctx = ctx;
    call->request = message_copy(request);
    if (id) {
        assert(strlen(id) < sizeof call->id); /* form_check_id() */
        memcpy(call->id, id, strlen(id) + 1);
    } else {
        id_make(&control->random, call->id);
    }
    control->calls_count++;
    return call;
}

static void call_free(struct call *call)
{
    call->control->calls_count--;
    message_wipe_free(call->request);
    message_wipe_free(call->root_ca ? &call->root_ca->base : NULL);
    store_object_release(call->held);
    free(call);
}

/* The call is over before its client hears of it: who is told may free the control. */
static void end(struct call *call, const ProtobufCMessage *response, const struct refusal *refusal)
{
    control_done_fn *done = call->done;
    void *ctx = call->ctx;

    call_free(call);
    control_answer(done, ctx, response, refusal);
}

void call_refuse(struct call *call, const struct error *err)
{
    struct refusal refusal = {.err = *err, .grpc_status = call->grpc_status};
    end(call, NULL, &refusal);
}

static int on_turn(struct store_tx *tx, void *ctx, struct error *err)
{
    struct call *call = ctx;

    call->grpc_status = 0;
    call->is_unfinished = false;
    return call->write(call, tx, err);
}

static void on_written(void *ctx, const struct error *err)
{
    struct call *call = ctx;
    struct refusal refusal = {0};
    cleanup_arena struct arena arena = {0};

    if (err) {
        if (err->code == ERR_CANCELED || err->code == ERR_LIMIT)
            call->grpc_status = GRPC_UNKNOWN; /* SwarmKit's "node lost leader status", "message is too large" */
        call_refuse(call, err);
    } else if (call->is_unfinished) {
        store_update(call->control->store, on_turn, on_written, call);
    } else {
        const ProtobufCMessage *response = call->answer(call, &arena);
        if (response == NULL)
            error_set(&refusal.err, ERR_NOT_FOUND, "%.64s was done, and has been removed since", call->id);
        end(call, response, &refusal);
    }
}

void call_update(struct call *call, call_write_fn *write, call_answer_fn *answer)
{
    call->write = write;
    call->answer = answer;
    store_update(call->control->store, on_turn, on_written, call);
}

int call_put_new(struct call *call, struct store_tx *tx, ProtobufCMessage *message, struct error *err)
{
    int failed = store_tx_create(tx, message, err);

    if (failed == ERR_EXISTS && err && text_starts(err->message, "object already exists"))
        call->grpc_status = GRPC_UNKNOWN;
    return failed;
}

int call_put(struct call *call, struct store_tx *tx, ProtobufCMessage *message, struct error *err)
{
    int failed = store_tx_update(tx, message, err);

    if (failed == ERR_PRECONDITION)
        call->grpc_status = GRPC_UNKNOWN; /* "update out of sequence" */
    return failed;
}
