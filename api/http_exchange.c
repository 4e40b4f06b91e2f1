/* api/http_exchange.c – see http_exchange.h: answers, written in the form that the request allows. */
#include "api/http_exchange.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/http_connection.h"
#include "api/http_text.h"
#include "base/json.h"
#include "base/mem.h"

void http_hold(struct http_exchange *ex)
{
    ex->holds++;
}

void http_release(struct http_exchange *ex)
{
    if (--ex->holds > 0)
        return;
    for (size_t i = 0; i < ex->header_count; i++) /* X-Registry-Auth carries a password */
        mem_wipe((char *)ex->headers[i].value, strlen(ex->headers[i].value));
    buf_deinit(&ex->body);
    buf_deinit(&ex->extra_headers);
    arena_deinit(&ex->arena);
    free(ex);
}

bool http_is_gone(const struct http_exchange *ex)
{
    return ex->connection == NULL;
}

const char *http_request_header(const struct http_exchange *ex, const char *name)
{
    for (size_t i = 0; i < ex->header_count; i++)
        if (http_text_equal_nocase(ex->headers[i].name, name))
            return ex->headers[i].value;
    return NULL;
}

void http_on_drain(struct http_exchange *ex, http_exchange_cb on_drain, void *ctx)
{
    ex->on_drain = on_drain;
    ex->drain_ctx = ctx;
}

void http_on_gone(struct http_exchange *ex, http_exchange_cb on_gone, void *ctx)
{
    ex->on_gone = on_gone;
    ex->gone_ctx = ctx;
}

/* --- the body --- */

static void say_continue(struct http_exchange *ex)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!ex->expects_continue || !ex->has_body || ex->is_answer_begun || http_is_gone(ex))
        return;
    ex->expects_continue = false;
    struct bytes piece = bytes_of(line, sizeof line - 1);
    http_connection_write(ex->connection, &piece, 1);
}

static bool announces_more_than(const struct http_exchange *ex, size_t max_bytes)
{
    const char *length = http_request_header(ex, "Content-Length");
    return length && strtoull(length, NULL, 10) > max_bytes;
}

static void read_from_now(struct http_exchange *ex)
{
    say_continue(ex);
    if (ex->connection == NULL)
        return;
    if (!ex->is_request_done)
        http_connection_resume(ex->connection);
    else if (ex->body_mode == HTTP_BODY_COLLECT) /* it had no body, and ended before it was asked for */
        ex->on_data(ex->body_ctx, ex, buf_bytes(&ex->body));
    else
        ex->on_end(ex->body_ctx, ex);
}

void http_body_collect(struct http_exchange *ex, size_t max_bytes, http_data_fn on_body, void *ctx)
{
    if (announces_more_than(ex, max_bytes)) {
        http_answer_error(ex, 413, "the request's body is larger than its limit of %zu bytes", max_bytes);
        return;
    }
    ex->body_mode = HTTP_BODY_COLLECT;
    ex->body_max_bytes = max_bytes;
    ex->on_data = on_body;
    ex->body_ctx = ctx;
    read_from_now(ex);
}

void http_body_stream(struct http_exchange *ex, http_data_fn on_data, http_exchange_cb on_end, void *ctx)
{
    ex->body_mode = HTTP_BODY_STREAM;
    ex->on_data = on_data;
    ex->on_end = on_end;
    ex->body_ctx = ctx;
    read_from_now(ex);
}

void http_body_pause(struct http_exchange *ex, bool pause)
{
    bool was_paused = ex->is_paused;
    ex->is_paused = pause;
    if (was_paused && !pause && ex->connection)
        http_connection_resume(ex->connection);
}

/* --- the answer --- */

void http_answer_header(struct http_exchange *ex, const char *name, const char *value)
{
    if (!ex->is_answer_begun && http_text_is_header_safe(value))
        buf_append_format(&ex->extra_headers, "%s: %s\r\n", name, value);
}

bool http_answer_begun(const struct http_exchange *ex)
{
    return ex->is_answer_begun;
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

/* @length: of the body, or -1 where it comes in pieces. */
static void begin(struct http_exchange *ex, int status, const char *content_type, int64_t length)
{
    struct http_connection *c = ex->connection;
    cleanup_buf struct buf head = {0};
    char date[HTTP_DATE_SIZE];
    http_text_date(http_connection_wall_ns(c), date);
    if (ex->has_body && !ex->is_request_done && !http_connection_can_skip(c))
        http_connection_will_close(c);
    ex->is_answer_begun = true;
    ex->is_chunked = length < 0 && !ex->is_http_1_0 && !has_no_body(status);
    if (length < 0 && ex->is_http_1_0)
        http_connection_will_close(c);
    buf_append_format(&head, "HTTP/1.1 %d %s\r\n", status, http_text_reason(status));
    if (ex->extra_headers.size > 0)
        buf_append(&head, ex->extra_headers.data, ex->extra_headers.size);
    if (content_type)
        buf_append_format(&head, "Content-Type: %s\r\n", content_type);
    buf_append_format(&head, "Date: %s\r\n", date);
    if (ex->is_chunked)
        buf_append_string(&head, "Transfer-Encoding: chunked\r\n");
    else if (length >= 0 && !has_no_body(status))
        buf_append_format(&head, "Content-Length: %" PRId64 "\r\n", length);
    if (!http_connection_keeps_alive(c))
        buf_append_string(&head, "Connection: close\r\n");
    buf_append_string(&head, "\r\n");
    struct bytes piece = buf_bytes(&head);
    http_connection_write(c, &piece, 1);
}

static void end(struct http_exchange *ex)
{
    ex->is_answer_ended = true;
    ex->on_gone = NULL;
    if (ex->connection)
        http_connection_answer_ended(ex->connection);
}

void http_answer(struct http_exchange *ex, int status, const char *content_type, struct bytes body)
{
    if (http_is_gone(ex) || ex->is_answer_begun)
        return;
    begin(ex, status, content_type, (int64_t)body.size);
    if (ex->connection && !ex->is_head && body.size > 0 && !has_no_body(status))
        http_connection_write(ex->connection, &body, 1);
    end(ex);
}

void http_answer_string(struct http_exchange *ex, int status, const char *content_type, const char *body)
{
    http_answer(ex, status, content_type, bytes_of_string(body));
}

void http_answer_begin(struct http_exchange *ex, int status, const char *content_type)
{
    if (!http_is_gone(ex) && !ex->is_answer_begun)
        begin(ex, status, content_type, -1);
}

bool http_answer_write(struct http_exchange *ex, struct bytes data)
{
    if (http_is_gone(ex) || ex->is_answer_ended || data.size == 0 || ex->is_head)
        return true;
    char size[24];
    snprintf(size, sizeof size, "%zx\r\n", data.size);
    const struct bytes chunk[] = {bytes_of_string(size), data, bytes_of("\r\n", 2)};
    if (ex->is_chunked)
        http_connection_write(ex->connection, chunk, 3);
    else
        http_connection_write(ex->connection, &data, 1);
    if (http_is_gone(ex) || !http_connection_is_full(ex->connection))
        return true;
    ex->wants_drain = true;
    http_connection_mark_full(ex->connection);
    return false;
}

void http_answer_end(struct http_exchange *ex)
{
    if (http_is_gone(ex) || ex->is_answer_ended)
        return;
    struct bytes last = bytes_of_string("0\r\n\r\n");
    if (ex->is_chunked && !ex->is_head)
        http_connection_write(ex->connection, &last, 1);
    end(ex);
}

void http_answer_break(struct http_exchange *ex)
{
    if (http_is_gone(ex))
        return;
    ex->on_gone = NULL;
    http_connection_break(ex->connection);
}

void http_answer_error(struct http_exchange *ex, int status, const char *format, ...)
{
    va_list args;
    struct error err;
    va_start(args, format);
    error_set_v(&err, ERR_INTERNAL, format, args);
    va_end(args);
    cleanup_json cJSON *json = cJSON_CreateObject();
    json_add_string(json, "message", err.message);
    cleanup_free char *text = json_print(json), *line = mem_format("%s\n", text);
    http_answer_string(ex, status, "application/json", line);
}
