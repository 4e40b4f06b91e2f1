/* proto/grpc/connection.c – calls as HTTP/2 streams, by nghttp2. See internal.h. */
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/grpc/internal.h"
#include "proto/grpc/wire.h"

#define WRITE_PIECE_BYTES (64 * KIB)

static struct grpc_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* --- headers in --- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct connection *connection = user;
    if (connection->is_over)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (!connection->is_server || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct grpc_call *call = grpc_call_new(connection->schedule, NULL);
    call->is_server = true;
    call->connection = connection;
    call->stream_id = frame->hd.stream_id;
    DL_APPEND2(connection->calls, call, link.prev, link.next);
    connection->call_count++;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    return 0;
}

static bool is_named(struct bytes name, const char *text)
{
    return bytes_equal(name, bytes_of_string(text));
}

static void replace(char **place, struct bytes value)
{
    free(*place);
    *place = mem_string_n((const char *)value.data, value.size);
}

/* A number of a header that is to have one; @fallback for what is none. */
static int number(const char *text, int fallback)
{
    int64_t value;
    return text_parse_i64(text, 0, 9999, &value, NULL) < 0 ? fallback : (int)value;
}

static void take_header(struct grpc_call *call, struct bytes name, struct bytes value)
{
    const char *text = (const char *)value.data; /* nghttp2 ends it with a zero */
    if (is_named(name, ":path")) {
        replace(&call->path, value);
    } else if (is_named(name, ":method")) {
        call->is_bad_header |= !is_named(value, "POST");
    } else if (is_named(name, ":status")) {
        call->http_status = number(text, 0);
    } else if (is_named(name, "content-type")) {
        replace(&call->content_type, value);
    } else if (is_named(name, "grpc-encoding")) {
        replace(&call->encoding, value);
    } else if (is_named(name, "grpc-timeout")) {
        call->is_bad_header |= !wire_parse_timeout(text, &call->timeout_ns);
    } else if (is_named(name, "grpc-status")) {
        call->peer_code = number(text, GRPC_UNKNOWN);
    } else if (is_named(name, "grpc-message")) {
        free(call->peer_message);
        call->peer_message = wire_percent_decode(text);
    } else if (name.size > 0 && name.data[0] != ':' && !is_named(name, "te") && !is_named(name, "user-agent")) {
        grpc_call_add_metadata(call, name, value);
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
                     size_t value_size, uint8_t flags, void *user)
{
    (void)flags;
    (void)user;
    struct grpc_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL)
        return 0;
    call->header_bytes += name_size + value_size + 32;
    if (call->header_bytes > GRPC_HEADER_LIST_SIZE_BYTES) /* the rest is not kept; received_headers() says so */
        return 0;
    take_header(call, bytes_of(name, name_size), bytes_of(value, value_size));
    return 0;
}

/* Says so to whoever sent them, and to ours. */
static void refuse_long_headers(struct connection *connection, struct grpc_call *call)
{
    cleanup_free char *text = mem_format("received headers larger than max (%zu vs. %u)", call->header_bytes, GRPC_HEADER_LIST_SIZE_BYTES);
    if (connection->is_server)
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, text);
    else
        grpc_call_end(call, NGHTTP2_CANCEL, false, GRPC_RESOURCE_EXHAUSTED, text, NULL);
}

static void begin_served_call(struct connection *connection, struct grpc_call *call)
{
    if (call->header_bytes > GRPC_HEADER_LIST_SIZE_BYTES) {
        refuse_long_headers(connection, call);
        return;
    }
    if (call->is_bad_header || call->path == NULL || !wire_is_grpc(call->content_type)) {
        connection_detach(connection, call, NGHTTP2_PROTOCOL_ERROR);
        grpc_call_release(call);
        return;
    }
    if (call->timeout_ns != 0) {
        uint64_t now_ns = clock_monotonic_ns(&connection->schedule->clock);
        call->deadline_ns = call->timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + call->timeout_ns;
        schedule_deadline(connection->schedule, call);
    }
    connection->transport->on_call(connection->ctx, call);
}

/* --- the end of a stream --- */

/* Everything has come: what does it say? */
static void end_by_peer(struct grpc_call *call)
{
    if (call->peer_code >= 0) {
        grpc_call_end(call, 0, true, call->peer_code, call->peer_message, NULL);
        return;
    }
    cleanup_free char *text = NULL;
    if (call->http_status != 200)
        text = mem_format("the server answered with HTTP status %d, not with gRPC", call->http_status);
    else if (!wire_is_grpc(call->content_type))
        text = mem_format("the server answered with content-type %s, not with gRPC", call->content_type ? call->content_type : "unset");
    else
        text = mem_string("the server ended the call without a status");
    grpc_call_end(call, 0, false, call->http_status != 200 ? wire_code_of_http(call->http_status) : GRPC_INTERNAL, text, NULL);
}

static void received_end(nghttp2_session *session, struct grpc_call *call)
{
    if (call->is_server) {
        grpc_call_received_end(call);
        return;
    }
    if (nghttp2_session_get_stream_local_close(session, call->stream_id) != 1)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_NO_ERROR);
    end_by_peer(call);
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t http2_error, void *user)
{
    (void)user;
    struct grpc_call *call = call_of(session, stream_id);
    if (call == NULL)
        return 0;
    if (call->is_server) {
        bool is_sent = call->is_finished && (http2_error == NGHTTP2_NO_ERROR);
        cleanup_free char *message = is_sent && call->message ? mem_string(call->message) : NULL;
        grpc_call_end(call, 0, false, is_sent ? call->code : GRPC_CANCELED, is_sent ? message : "the client gave up the call", NULL);
    } else if (call->peer_code >= 0) {
        end_by_peer(call);
    } else {
        cleanup_free char *text = mem_format("the server reset the call: %s", nghttp2_http2_strerror(http2_error));
        grpc_call_end(call, 0, false, wire_code_of_reset(http2_error), text, NULL);
    }
    return 0;
}

/* --- frames in --- */

static void received_headers(struct connection *connection, const nghttp2_frame *frame)
{
    struct grpc_call *call = call_of(connection->session, frame->hd.stream_id);
    if (call && connection->is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        begin_served_call(connection, call);
    call = call_of(connection->session, frame->hd.stream_id);
    if (call == NULL)
        return;
    if (!connection->is_server && call->header_bytes > GRPC_HEADER_LIST_SIZE_BYTES)
        refuse_long_headers(connection, call);
    else if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        received_end(connection->session, call);
    else if (!connection->is_server && call->http_status >= 200 && (call->http_status != 200 || !wire_is_grpc(call->content_type))) {
        grpc_call_hold(call);
        end_by_peer(call);
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
        grpc_call_release(call);
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct connection *connection = user;
    struct grpc_call *call;
    if (connection->is_over)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        received_headers(connection, frame);
        break;
    case NGHTTP2_DATA:
        call = call_of(session, frame->hd.stream_id);
        if (call && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            received_end(session, call);
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK) && !connection->has_settings) {
            connection->has_settings = true;
            connection->transport->on_settings(connection->ctx);
        }
        break;
    case NGHTTP2_GOAWAY:
        if (!connection->has_goaway) {
            connection->has_goaway = true;
            connection->transport->on_goaway(connection->ctx);
        }
        break;
    default:
        break;
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t size, void *user)
{
    (void)flags;
    struct connection *connection = user;
    if (connection->is_over)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    struct grpc_call *call = call_of(session, stream_id);
    nghttp2_session_consume_connection(session, size); /* one call that is paused does not hold up the others */
    if (call)
        grpc_call_received(call, bytes_of(data, size));
    else
        nghttp2_session_consume_stream(session, stream_id, size);
    return 0;
}

/* A server that has said everything does not wait for the rest of the request. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct connection *connection = user;
    bool is_end = frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (connection->is_server && is_end && nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_flaw(nghttp2_session *session, int lib_error_code, const char *message, size_t size, void *user)
{
    (void)session;
    struct connection *connection = user;
    if (connection->flaw.code == 0)
        error_set(&connection->flaw, ERR_PEER, "%s: HTTP/2: %.*s",
                  lib_error_code == NGHTTP2_ERR_SETTINGS_EXPECTED || lib_error_code == NGHTTP2_ERR_BAD_CLIENT_MAGIC
                      ? "the peer does not speak gRPC"
                      : "the peer broke the protocol",
                  (int)size, message);
    return 0;
}

/* --- frames out --- */

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void submit_trailers(nghttp2_session *session, struct grpc_call *call)
{
    char code[16];
    cleanup_free char *message = wire_percent_encode(call->message ? call->message : "");
    snprintf(code, sizeof code, "%d", call->code);
    nghttp2_nv headers[] = {header("grpc-status", code), header("grpc-message", message)};
    nghttp2_submit_trailer(session, call->stream_id, headers, 2);
}

static ssize_t read_out(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t room, uint32_t *flags,
                        nghttp2_data_source *source, void *user)
{
    (void)source;
    (void)user;
    struct grpc_call *call = call_of(session, stream_id);
    if (call == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t size = call->out.size - call->out_at;
    size = size > room ? room : size;
    if (size > 0)
        memcpy(out, call->out.data + call->out_at, size);
    call->out_at += size;
    bool is_all = call->out_at == call->out.size;
    grpc_call_sent(call);
    if (is_all && call->is_server && call->is_finished) {
        *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(session, call);
    } else if (is_all && !call->is_server && call->has_sent_end) {
        *flags = NGHTTP2_DATA_FLAG_EOF;
    } else if (size == 0) {
        call->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)size;
}

static const nghttp2_data_provider provider = {.read_callback = read_out};

void connection_request(struct connection *connection, struct grpc_call *call)
{
    char timeout[WIRE_TIMEOUT_CHARS];
    size_t count = 0;
    nghttp2_nv *headers = mem_array(8 + call->metadata_count, sizeof *headers);
    headers[count++] = header(":method", "POST");
    headers[count++] = header(":scheme", "https");
    headers[count++] = header(":path", call->method->path);
    headers[count++] = header(":authority", connection->authority);
    headers[count++] = header("content-type", "application/grpc");
    headers[count++] = header("user-agent", "skep/" SKEP_VERSION);
    headers[count++] = header("te", "trailers");
    if (call->deadline_ns != 0) {
        uint64_t now_ns = clock_monotonic_ns(&connection->schedule->clock);
        wire_print_timeout(call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 1, timeout);
        headers[count++] = header("grpc-timeout", timeout);
    }
    for (size_t i = 0; i < call->metadata_count; i++)
        headers[count++] = header(call->metadata[i].name, call->metadata[i].value);
    int stream_id = nghttp2_submit_request(connection->session, NULL, headers, count, &provider, call);
    free(headers);
    grpc_call_drop_metadata(call);
    call->connection = connection;
    call->stream_id = stream_id > 0 ? stream_id : 0;
    call->is_open = true;
    DL_APPEND2(connection->calls, call, link.prev, link.next);
    connection->call_count++;
    schedule_dirty(connection->schedule, connection);
    if (stream_id < 0)
        grpc_call_end(call, 0, false, GRPC_UNAVAILABLE, "the connection has no stream left", NULL);
}

void connection_respond(struct connection *connection, struct grpc_call *call)
{
    nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc")};
    call->is_open = true;
    nghttp2_submit_response(connection->session, call->stream_id, headers, 2, &provider);
    schedule_dirty(connection->schedule, connection);
}

void connection_refuse(struct connection *connection, struct grpc_call *call)
{
    char code[16];
    cleanup_free char *message = wire_percent_encode(call->message ? call->message : "");
    snprintf(code, sizeof code, "%d", call->code);
    nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc"), header("grpc-status", code),
                            header("grpc-message", message)};
    call->is_open = true;
    nghttp2_submit_response(connection->session, call->stream_id, headers, 4, NULL);
    schedule_dirty(connection->schedule, connection);
}

void connection_more(struct connection *connection, struct grpc_call *call)
{
    if (call->is_deferred)
        nghttp2_session_resume_data(connection->session, call->stream_id);
    call->is_deferred = false;
    schedule_dirty(connection->schedule, connection);
}

void connection_consume(struct connection *connection, struct grpc_call *call, size_t size)
{
    if (size == 0)
        return;
    nghttp2_session_consume_stream(connection->session, call->stream_id, size);
    schedule_dirty(connection->schedule, connection);
}

void connection_detach(struct connection *connection, struct grpc_call *call, uint32_t reset)
{
    DL_DELETE2(connection->calls, call, link.prev, link.next);
    connection->call_count--;
    connection->buffered_bytes -= call->in.size;
    call->connection = NULL;
    schedule_dirty(connection->schedule, connection);
    if (call->stream_id == 0)
        return;
    nghttp2_session_set_stream_user_data(connection->session, call->stream_id, NULL);
    if (reset != NGHTTP2_NO_ERROR)
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, call->stream_id, reset);
    else if (call->unconsumed > 0)
        nghttp2_session_consume_stream(connection->session, call->stream_id, call->unconsumed);
}

void connection_ping(struct connection *connection)
{
    nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
    schedule_dirty(connection->schedule, connection);
}

void connection_drain(struct connection *connection)
{
    if (connection->is_draining)
        return;
    connection->is_draining = true;
    nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(connection->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
    schedule_dirty(connection->schedule, connection);
}

/* --- bytes --- */

static void over(struct connection *connection, const char *text)
{
    if (connection->is_over)
        return;
    connection->is_over = true;
    if (connection->flaw.code == 0)
        error_set(&connection->flaw, ERR_PEER, "%s", text);
    connection->transport->on_over(connection->ctx, &connection->flaw);
}

static void really_free(struct connection *connection)
{
    schedule_clean(connection->schedule, connection);
    nghttp2_session_del(connection->session);
    free(connection);
}

/* A callback may have freed the connection: it goes when nghttp2 is left. */
static void leave(struct connection *connection)
{
    connection->is_inside = false;
    if (connection->is_doomed)
        really_free(connection);
}

void connection_receive(struct connection *connection, struct bytes data)
{
    if (connection->is_over)
        return;
    connection->is_inside = true;
    ssize_t taken = nghttp2_session_mem_recv(connection->session, data.data, data.size);
    if (taken < 0) {
        cleanup_free char *text = mem_format("the peer broke the protocol: HTTP/2: %s", nghttp2_strerror((int)taken));
        over(connection, text);
    } else {
        schedule_dirty(connection->schedule, connection);
    }
    leave(connection);
}

static void flush(struct connection *connection)
{
    struct buf piece = {0};
    while (!connection->is_over && connection->transport->queued(connection->ctx) < 4 * WRITE_PIECE_BYTES) {
        const uint8_t *data;
        ssize_t size = 0;
        while (piece.size < WRITE_PIECE_BYTES && (size = nghttp2_session_mem_send(connection->session, &data)) > 0)
            buf_append(&piece, data, (size_t)size);
        if (piece.size > 0)
            connection->transport->write(connection->ctx, buf_bytes(&piece));
        buf_clear(&piece);
        if (size <= 0)
            break;
    }
    buf_deinit(&piece);
    if (connection->is_over)
        return;
    if (!nghttp2_session_want_read(connection->session) && !nghttp2_session_want_write(connection->session))
        over(connection, connection->is_draining || connection->has_goaway ? "the connection was drained" : "the peer broke the protocol");
    else if (connection->calls == NULL && connection->transport->queued(connection->ctx) == 0 &&
             (connection->is_draining || connection->has_goaway))
        connection->transport->on_idle(connection->ctx);
}

void connection_flush(struct connection *connection)
{
    if (connection->is_inside) /* nghttp2 is not to be entered twice; what waits leaves when it is left */
        return;
    connection->is_inside = true;
    flush(connection);
    leave(connection);
}

void connection_fail(struct connection *connection, int code, const struct error *err)
{
    connection->is_over = true;
    while (connection->calls)
        grpc_call_end(connection->calls, 0, false, code, err->message, err);
}

/* --- life --- */

static nghttp2_session_callbacks *callbacks(void)
{
    static nghttp2_session_callbacks *made; /* one for the process, kept */
    if (made)
        return made;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame_recv);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, on_frame_send);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
    nghttp2_session_callbacks_set_error_callback2(made, on_flaw);
    return made;
}

static void submit_settings(struct connection *connection)
{
    nghttp2_settings_entry settings[4] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GRPC_STREAM_WINDOW_BYTES},
                                          {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADER_LIST_SIZE_BYTES},
                                          {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    if (connection->is_server)
        settings[2] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_SERVER_STREAMS_COUNT};
    nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, 3);
    nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0, GRPC_CONNECTION_WINDOW_BYTES);
}

struct connection *connection_new(bool is_server, struct schedule *schedule, const struct connection_transport *transport, void *ctx,
                                  size_t max_message_bytes, const char *authority)
{
    struct connection *connection = mem_alloc(sizeof *connection);
    *connection = (struct connection){.schedule = schedule,
                                      .transport = transport,
                                      .ctx = ctx,
                                      .max_message_bytes = max_message_bytes ? max_message_bytes : GRPC_MESSAGE_SIZE_BYTES,
                                      .authority = authority,
                                      .is_server = is_server};
    nghttp2_option *option;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    if (is_server)
        nghttp2_session_server_new2(&connection->session, callbacks(), connection, option);
    else
        nghttp2_session_client_new2(&connection->session, callbacks(), connection, option);
    nghttp2_option_del(option);
    submit_settings(connection);
    schedule_dirty(schedule, connection);
    return connection;
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    connection->is_over = true;
    connection->is_doomed = connection->is_inside;
    if (!connection->is_doomed)
        really_free(connection);
}
