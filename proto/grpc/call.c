/* proto/grpc/call.c – one call, on either side: messages in and out, and its end. See grpc.h and internal.h. */
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "proto/grpc/internal.h"
#include "proto/grpc/wire.h"
#include "proto/message.h"

const char *grpc_code_name(int code)
{
    static const char *const names[] = {"OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
                                        "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
                                        "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
                                        "DataLoss", "Unauthenticated"};
    static char strange[32];
    if (code >= 0 && code < (int)(sizeof names / sizeof names[0]))
        return names[code];
    snprintf(strange, sizeof strange, "Code(%d)", code);
    return strange;
}

/* --- life --- */

struct grpc_call *grpc_call_new(struct schedule *schedule, const struct method *method)
{
    struct grpc_call *call = mem_alloc(sizeof *call);
    call->schedule = schedule;
    call->method = method;
    call->references = 1;
    call->peer_code = -1;
    call->in.is_secret = call->out.is_secret = true; /* assignments carry secrets, certificates are asked for with the join token */
    return call;
}

void grpc_call_hold(struct grpc_call *call)
{
    call->references++;
}

void grpc_call_drop_metadata(struct grpc_call *call)
{
    for (size_t i = 0; i < call->metadata_count; i++) {
        free(call->metadata[i].name);
        free(call->metadata[i].value);
    }
    free(call->metadata);
    call->metadata = NULL;
    call->metadata_count = 0;
}

void grpc_call_release(struct grpc_call *call)
{
    if (--call->references > 0)
        return;
    schedule_forget(call->schedule, call);
    grpc_call_drop_metadata(call);
    buf_deinit(&call->out);
    buf_deinit(&call->in);
    message_wipe_free(call->reply);
    free(call->path);
    free(call->content_type);
    free(call->encoding);
    free(call->peer_message);
    free(call->message);
    free(call);
}

void grpc_call_add_metadata(struct grpc_call *call, struct bytes name, struct bytes value)
{
    call->metadata = mem_resize(call->metadata, (call->metadata_count + 1) * sizeof *call->metadata);
    call->metadata[call->metadata_count++] =
        (struct metadatum){mem_string_n((const char *)name.data, name.size), mem_string_n((const char *)value.data, value.size)};
}

/* --- the end --- */

static void set_end(struct grpc_call *call, int code, const char *message, const struct error *cause)
{
    char *copy = mem_string(message ? message : "");
    free(call->message);
    call->message = copy;
    call->code = code;
    call->cause = cause ? cause->code : error_from_grpc(code);
}

void grpc_call_end(struct grpc_call *call, uint32_t reset, bool is_from_peer, int code, const char *message, const struct error *cause)
{
    if (call->is_over)
        return;
    if (call->is_over_later)
        DL_DELETE2(call->schedule->parked, call, link.prev, link.next);
    call->is_over_later = false;
    set_end(call, code, message, cause);
    call->is_from_peer = is_from_peer;
    schedule_forget(call->schedule, call);
    if (call->is_waiting)
        channel_forget(call->channel, call);
    if (call->connection)
        connection_detach(call->connection, call, reset);
    if (is_from_peer && call->is_paused && call->in.size > 0) {
        call->is_over_later = true; /* the reader has more to read first */
        DL_APPEND2(call->schedule->parked, call, link.prev, link.next);
        return;
    }
    if (is_from_peer && code == GRPC_OK && call->in.size > 0) {
        set_end(call, GRPC_INTERNAL, "the last message is cut short", NULL);
        call->is_from_peer = false;
    }
    call->is_over = true;
    call->channel = NULL;
    buf_deinit(&call->out);
    buf_deinit(&call->in);
    schedule_news(call->schedule, call);
}

static void tell_end(struct grpc_call *call)
{
    if (call->is_told)
        return; /* a callback closed the channel, which told it already */
    call->is_told = true;
    struct grpc_status status = {call->code, call->message, call->is_from_peer, {0}};
    if (call->on_reply && call->code == GRPC_OK && call->reply == NULL) {
        status.code = GRPC_INTERNAL;
        status.message = "the server answered without a message";
        call->cause = ERR_PEER;
    }
    if (status.code != GRPC_OK)
        error_set(&status.error, call->cause, "%s", *status.message ? status.message : grpc_code_name(status.code));
    schedule_forget(call->schedule, call);
    if (call->on_reply)
        call->on_reply(call->ctx, &status, status.code == GRPC_OK ? call->reply : NULL);
    else if (call->handlers.on_done)
        call->handlers.on_done(call, &status, call->ctx);
    grpc_call_release(call);
}

void grpc_call_end_now(struct grpc_call *call, int code, const char *message)
{
    grpc_call_end(call, NGHTTP2_CANCEL, false, code, message, NULL);
    tell_end(call);
}

void grpc_call_overdue(struct grpc_call *call)
{
    bool has_output = call->out.size > call->out_at;
    if (call->is_server && !has_output && !call->is_finished) {
        grpc_call_finish(call, GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
        schedule_forget(call->schedule, call);
        return;
    }
    grpc_call_end(call, NGHTTP2_CANCEL, false, GRPC_DEADLINE_EXCEEDED,
                  call->is_waiting ? "no connection before the call's deadline" : "no answer before the call's deadline", NULL);
}

/* --- messages in --- */

/* The call cannot go on: the server says so, the client gives up. */
static void break_off(struct grpc_call *call, int code, const char *message)
{
    if (call->is_server)
        grpc_call_finish(call, code, message);
    else
        grpc_call_end(call, NGHTTP2_CANCEL, false, code, message, NULL);
}

static void take_message(struct grpc_call *call, struct bytes packed, size_t max_bytes)
{
    struct error err = {0};
    ProtobufCMessage *message;
    unsigned may_stream = call->is_server ? METHOD_CLIENT_STREAM : METHOD_SERVER_STREAM;
    if (++call->message_count > 1 && !(call->method->streams & may_stream)) {
        break_off(call, GRPC_INTERNAL, "more than one message where there is to be one");
        return;
    }
    if (call->handlers.on_bytes) {
        call->handlers.on_bytes(call, packed, call->ctx);
        return;
    }
    if (message_unpack(call->is_server ? call->method->request : call->method->response, packed, max_bytes, &message, &err) < 0) {
        cleanup_free char *text = mem_format("grpc: error unmarshalling %s: %s", call->is_server ? "request" : "response", err.message);
        break_off(call, GRPC_INTERNAL, text);
        return;
    }
    if (call->on_reply) {
        call->reply = message;
        return;
    }
    if (call->handlers.on_message)
        call->handlers.on_message(call, message, call->ctx);
    message_wipe_free(message);
}

static bool check_frame(struct grpc_call *call, struct wire_frame frame, size_t max_bytes)
{
    cleanup_free char *text = NULL;
    if (frame.size_bytes > max_bytes) {
        text = mem_format("grpc: received message larger than max (%u vs. %zu)", frame.size_bytes, max_bytes);
        break_off(call, GRPC_RESOURCE_EXHAUSTED, text);
        return false;
    }
    if (!frame.is_compressed)
        return true;
    if (call->encoding && strcmp(call->encoding, "identity") != 0) {
        text = mem_format("grpc: Decompressor is not installed for grpc-encoding \"%s\"", call->encoding);
        break_off(call, GRPC_UNIMPLEMENTED, text);
    } else {
        break_off(call, GRPC_INTERNAL, "grpc: compressed flag set with identity or empty encoding");
    }
    return false;
}

static size_t max_message_bytes(const struct grpc_call *call)
{
    return call->connection ? call->connection->max_message_bytes : SIZE_MAX; /* what is left after the end was checked as it came */
}

static void deliver(struct grpc_call *call)
{
    size_t at = 0, max_bytes = max_message_bytes(call);
    while (!call->is_over && !call->is_paused && !call->is_finished && call->in.size - at >= WIRE_FRAME_BYTES) {
        struct wire_frame frame = wire_read_frame(call->in.data + at);
        if (!check_frame(call, frame, max_bytes) || call->in.size - at - WIRE_FRAME_BYTES < frame.size_bytes)
            break;
        at += WIRE_FRAME_BYTES + frame.size_bytes;
        take_message(call, bytes_of(call->in.data + at - frame.size_bytes, frame.size_bytes), max_bytes);
    }
    if (call->is_over)
        return;
    if (call->is_finished)
        at = call->in.size;
    if (call->connection)
        call->connection->buffered_bytes -= at;
    if (at == call->in.size)
        buf_deinit(&call->in);
    else if (at > 0)
        buf_consume(&call->in, at);
}

static void tell_half_closed(struct grpc_call *call)
{
    if (call->is_over || call->is_finished || call->is_paused || call->has_told_end)
        return;
    call->has_told_end = true;
    if (call->in.size > 0)
        break_off(call, GRPC_INTERNAL, "the last message is cut short");
    else if (!(call->method->streams & METHOD_CLIENT_STREAM) && call->message_count == 0)
        break_off(call, GRPC_INTERNAL, "the request has no message");
    else if (call->handlers.on_half_closed)
        call->handlers.on_half_closed(call, call->ctx);
}

void grpc_call_received(struct grpc_call *call, struct bytes data)
{
    struct connection *connection = call->connection;
    if (call->is_finished) {
        connection_consume(connection, call, data.size);
        return;
    }
    grpc_call_hold(call);
    buf_append(&call->in, data.data, data.size);
    connection->buffered_bytes += data.size;
    if (call->is_paused)
        call->unconsumed += data.size;
    else
        connection_consume(connection, call, data.size);
    if (connection->buffered_bytes > GRPC_CONNECTION_BUFFER_BYTES + 2 * connection->max_message_bytes)
        break_off(call, GRPC_RESOURCE_EXHAUSTED, "the connection holds too many bytes that nobody reads");
    deliver(call);
    grpc_call_release(call);
}

void grpc_call_received_end(struct grpc_call *call)
{
    grpc_call_hold(call);
    call->has_received_end = true;
    tell_half_closed(call);
    grpc_call_release(call);
}

/* --- messages out --- */

static size_t queued(const struct grpc_call *call)
{
    return call->out.size - call->out_at;
}

static int queue(struct grpc_call *call, size_t size, struct error *err)
{
    if (call->has_sent_end || call->is_finished)
        return error_set(err, ERR_PRECONDITION, "%s: the end was sent already", call->method->path);
    if (size > GRPC_MESSAGE_LARGE_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "%s: a message of %zu bytes: more than %llu", call->method->path, size,
                         (unsigned long long)GRPC_MESSAGE_LARGE_SIZE_BYTES);
    if (queued(call) > GRPC_SEND_QUEUE_BYTES) {
        call->wants_room = true;
        return error_set(err, ERR_AGAIN, "%s: %zu bytes wait to be sent", call->method->path, queued(call));
    }
    uint8_t frame[WIRE_FRAME_BYTES];
    wire_write_frame(frame, (uint32_t)size);
    buf_append(&call->out, frame, sizeof frame);
    return 0;
}

static void queue_more(struct grpc_call *call)
{
    if (!call->is_server && !(call->method->streams & METHOD_CLIENT_STREAM))
        call->has_sent_end = true; /* there is one message: END_STREAM goes with it */
    if (call->connection && call->is_open)
        connection_more(call->connection, call);
    else if (call->connection)
        connection_respond(call->connection, call);
}

int grpc_call_send_bytes(struct grpc_call *call, struct bytes packed, struct error *err)
{
    if (call->is_over || call->is_over_later)
        return 0;
    int failed = queue(call, packed.size, err);
    if (failed < 0)
        return failed;
    buf_append(&call->out, packed.data, packed.size);
    queue_more(call);
    return 0;
}

int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message, struct error *err)
{
    if (call->is_over || call->is_over_later)
        return 0;
    int failed = queue(call, protobuf_c_message_get_packed_size(message), err);
    if (failed < 0)
        return failed;
    message_pack(message, &call->out);
    queue_more(call);
    return 0;
}

void grpc_call_sent(struct grpc_call *call)
{
    if (queued(call) == 0) {
        buf_deinit(&call->out);
        call->out_at = 0;
    } else if (call->out_at > GRPC_SEND_QUEUE_BYTES / 4 && call->out_at > call->out.size / 2) {
        buf_consume(&call->out, call->out_at);
        call->out_at = 0;
    }
    if (call->wants_room && queued(call) <= GRPC_SEND_QUEUE_BYTES / 2)
        schedule_news(call->schedule, call);
}

void grpc_call_send_end(struct grpc_call *call)
{
    if (call->is_over || call->is_over_later || call->has_sent_end)
        return;
    call->has_sent_end = true;
    if (call->connection)
        connection_more(call->connection, call);
}

/* --- what a user does with it --- */

void grpc_call_pause(struct grpc_call *call, bool is_paused)
{
    if (call->is_paused == is_paused || call->is_over)
        return;
    call->is_paused = is_paused;
    if (!is_paused)
        schedule_news(call->schedule, call);
}

void grpc_call_cancel(struct grpc_call *call)
{
    grpc_call_end(call, NGHTTP2_CANCEL, false, GRPC_CANCELED, "the call was given up", NULL);
}

static void resume(struct grpc_call *call)
{
    deliver(call);
    if (call->is_over || call->is_paused)
        return;
    if (call->connection)
        connection_consume(call->connection, call, call->unconsumed);
    call->unconsumed = 0;
    if (call->has_received_end)
        tell_half_closed(call);
    if (call->is_over_later) {
        cleanup_free char *message = mem_string(call->message);
        grpc_call_end(call, 0, true, call->code, message, NULL);
    }
}

void grpc_call_serve(struct grpc_call *call)
{
    grpc_call_hold(call);
    if (!call->is_over && !call->is_paused)
        resume(call);
    if (!call->is_over && call->wants_room && queued(call) <= GRPC_SEND_QUEUE_BYTES / 2) {
        call->wants_room = false;
        if (call->handlers.on_writable)
            call->handlers.on_writable(call, call->ctx);
    } else if (call->is_over) {
        tell_end(call);
    }
    grpc_call_release(call); /* NOLINT(clang-analyzer-unix.Malloc): the reference taken above */
}

const struct method *grpc_call_method(const struct grpc_call *call)
{
    return call->method;
}

const char *grpc_call_metadata(const struct grpc_call *call, const char *name, size_t index)
{
    for (size_t i = 0; i < call->metadata_count; i++)
        if (strcmp(call->metadata[i].name, name) == 0 && index-- == 0)
            return call->metadata[i].value;
    return NULL;
}

const struct tls_identity *grpc_call_peer(const struct grpc_call *call)
{
    return call->connection ? call->connection->transport->peer(call->connection->ctx) : NULL;
}

void grpc_call_peer_address(const struct grpc_call *call, char out[GRPC_ADDRESS_SIZE_CHARS])
{
    out[0] = 0;
    if (call->connection)
        call->connection->transport->address(call->connection->ctx, out);
}

void grpc_call_set_context(struct grpc_call *call, void *ctx)
{
    call->ctx = ctx;
}

void *grpc_call_context(const struct grpc_call *call)
{
    return call->ctx;
}

/* --- what a server does with it --- */

void grpc_call_accept(struct grpc_call *call, const struct grpc_call_handlers *handlers, void *ctx)
{
    call->handlers = *handlers;
    call->ctx = ctx;
    call->is_accepted = true;
}

void grpc_call_finish(struct grpc_call *call, int code, const char *message)
{
    if (call->is_over || call->is_finished)
        return;
    set_end(call, code, message, NULL);
    call->is_finished = true;
    if (call->connection == NULL)
        return;
    if (call->is_open)
        connection_more(call->connection, call);
    else
        connection_refuse(call->connection, call);
}

void grpc_call_finish_error(struct grpc_call *call, const struct error *err)
{
    grpc_call_finish(call, error_grpc_status(err->code), err->message);
}

int grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message)
{
    struct error err = {0};
    int failed = grpc_call_send(call, message, &err);
    if (failed < 0)
        grpc_call_finish_error(call, &err);
    else
        grpc_call_finish(call, GRPC_OK, NULL);
    return failed;
}
