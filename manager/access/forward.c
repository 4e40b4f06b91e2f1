/* manager/access/forward.c – see forward.h. Each direction holds one message at most: while it waits, its source is paused. */
#include "manager/access/forward.h"

#include <stdlib.h>

#include "base/mem.h"

struct relay {
    struct grpc_call *from, *to; /* NULL: ended */
    struct buf request, reply;   /* each waits for room on its way */
    bool has_request, has_reply, is_half_closed, has_sent_end;
    bool has_ended; /* the leader's answer is known: it goes out behind the reply that waits */
    int code;
    char *message;
};

static void free_if_over(struct relay *relay)
{
    if (relay->from || relay->to)
        return;
    buf_deinit(&relay->request);
    buf_deinit(&relay->reply);
    free(relay->message);
    free(relay);
}

/* True: it is on its way, or never will be. */
static bool pass(struct grpc_call *call, struct buf *waiting, bool *has, struct bytes packed)
{
    struct error err = {0};

    if (call && grpc_call_send_bytes(call, packed, &err) == ERR_AGAIN) {
        if (!*has)
            buf_append(waiting, packed.data, packed.size);
        *has = true;
        return false;
    }
    if (err.code != 0 && err.code != ERR_AGAIN && call)
        grpc_call_cancel(call);
    *has = false;
    buf_clear(waiting);
    return true;
}

/* --- requests: from the caller to the leader --- */

static void end_requests(struct relay *relay)
{
    if (relay->is_half_closed && !relay->has_request && !relay->has_sent_end && relay->to) {
        relay->has_sent_end = true;
        grpc_call_send_end(relay->to);
    }
}

static void on_request(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct relay *relay = ctx;

    if (!pass(relay->to, &relay->request, &relay->has_request, packed))
        grpc_call_pause(call, true);
}

static void on_half_closed(struct grpc_call *call, void *ctx)
{
    struct relay *relay = ctx;

    (void)call;
    relay->is_half_closed = true;
    end_requests(relay);
}

static void on_leader_writable(struct grpc_call *call, void *ctx)
{
    struct relay *relay = ctx;

    (void)call;
    if (relay->has_request && !pass(relay->to, &relay->request, &relay->has_request, buf_bytes(&relay->request)))
        return;
    if (relay->from)
        grpc_call_pause(relay->from, false);
    end_requests(relay);
}

/* --- replies: from the leader to the caller --- */

static void end_replies(struct relay *relay)
{
    if (relay->has_ended && !relay->has_reply && relay->from) {
        relay->has_ended = false;
        grpc_call_finish(relay->from, relay->code, relay->message);
    }
}

static void on_reply(struct grpc_call *call, struct bytes packed, void *ctx)
{
    struct relay *relay = ctx;

    if (!pass(relay->from, &relay->reply, &relay->has_reply, packed))
        grpc_call_pause(call, true);
}

static void on_caller_writable(struct grpc_call *call, void *ctx)
{
    struct relay *relay = ctx;

    (void)call;
    if (relay->has_reply && !pass(relay->from, &relay->reply, &relay->has_reply, buf_bytes(&relay->reply)))
        return;
    if (relay->to)
        grpc_call_pause(relay->to, false);
    end_replies(relay);
}

static void on_leader_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct relay *relay = ctx;

    (void)call;
    relay->to = NULL;
    relay->has_ended = true;
    relay->code = status->code;
    relay->message = mem_string(status->message);
    end_replies(relay);
    free_if_over(relay);
}

static void on_caller_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct relay *relay = ctx;

    (void)call;
    (void)status;
    relay->from = NULL;
    if (relay->to)
        grpc_call_cancel(relay->to);
    free_if_over(relay);
}

void forward_call(struct grpc_call *from, struct grpc_channel *to, const struct grpc_metadatum *metadata, size_t metadata_count, bool waits)
{
    static const struct grpc_call_handlers caller = {
        .on_bytes = on_request, .on_half_closed = on_half_closed, .on_writable = on_caller_writable, .on_done = on_caller_done};
    static const struct grpc_call_handlers leader = {.on_bytes = on_reply, .on_writable = on_leader_writable, .on_done = on_leader_done};
    struct relay *relay = mem_alloc(sizeof *relay);

    relay->from = from;
    relay->to = grpc_call_start(
        to, grpc_call_method(from),
        &(struct grpc_call_options){.metadata = metadata, .metadata_count = metadata_count, .waits_for_ready = waits}, &leader, relay);
    grpc_call_accept(from, &caller, relay);
}
