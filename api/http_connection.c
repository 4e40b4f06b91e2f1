/* api/http_connection.c – see http_connection.h. The request side: http_exchange.c writes the answers. */
#include "api/http_connection.h"

#include <http_parser.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define ROOM "api"

#define X(name, shown, next, deadline_ms) {#name, shown, next, deadline_ms},
static const struct state_info states[] = {HTTP_CONNECTION_STATES(X)};
#undef X
const struct state_table http_connection_states = {"connection", states, sizeof states / sizeof *states};

struct http_connection {
    const struct clock *clock;
    struct http_io io;
    http_exchange_cb on_request;
    void *on_request_ctx;
    struct state_machine machine;
    http_parser parser;
    struct http_exchange *current;
    struct buf pending; /* received and not parsed: pipelined, or the body of a paused exchange */
    struct buf url, field, value;
    size_t head_size, queued_bytes;
    uint64_t progress_ns; /* when the client last took something of what is queued */
    bool is_value_seen, keeps_alive, is_parsing, was_full;
    bool is_overfull; /* the client is to be cut off: not by the writer's own call, which goes on with its exchange */
    int refusal_status;
    const char *refusal;
};

static uint64_t now_ns(const struct http_connection *c)
{
    return clock_monotonic_ns(c->clock);
}

static bool is_in(const struct http_connection *c, enum http_connection_state state)
{
    return c->machine.state == state;
}

static void move(struct http_connection *c, enum http_connection_state next)
{
    struct error err;
    if (state_move(&c->machine, next, now_ns(c), &err) < 0)
        log_error(ROOM, "%s", err.message);
}

/* The exchange is over for this connection; its handler may hold it on. */
static void detach(struct http_connection *c)
{
    struct http_exchange *ex = c->current;
    c->current = NULL;
    if (ex == NULL)
        return;
    bool is_cut = !ex->is_answer_ended;
    ex->connection = NULL;
    if (is_cut && ex->on_gone) {
        http_exchange_cb on_gone = ex->on_gone;
        ex->on_gone = NULL;
        on_gone(ex->gone_ctx, ex);
    }
    http_release(ex);
}

static void close_connection(struct http_connection *c)
{
    if (is_in(c, HTTP_CONN_CLOSED))
        return;
    move(c, HTTP_CONN_CLOSED);
    if (!c->is_parsing) /* else it is being read: parse() lets go of it */
        buf_deinit(&c->pending);
    c->io.close(c->io.self);
    detach(c);
}

/* An answer went out while the client may still be sending: it could miss the answer if we closed now. */
static void discard_rest(struct http_connection *c)
{
    if (!is_in(c, HTTP_CONN_CLOSED) && !is_in(c, HTTP_CONN_DISCARD))
        move(c, HTTP_CONN_DISCARD);
    detach(c);
}

/* An answer went out, and little of the request is missing. */
static void skip_rest(struct http_exchange *ex)
{
    ex->body_mode = HTTP_BODY_SKIP;
    ex->is_paused = false;
}

static void finish(struct http_connection *c)
{
    if (!c->keeps_alive || c->is_overfull) {
        close_connection(c);
        return;
    }
    move(c, HTTP_CONN_IDLE);
    detach(c);
}

/* Answer with an error of the connection's own, instead of the handler. */
static void refuse(struct http_connection *c, int status, const char *message)
{
    struct http_exchange *ex = c->current;
    c->keeps_alive = false;
    if (ex == NULL || ex->is_answer_begun) {
        close_connection(c);
        return;
    }
    if (ex->on_gone) {
        http_exchange_cb on_gone = ex->on_gone;
        ex->on_gone = NULL;
        on_gone(ex->gone_ctx, ex);
    }
    if (ex->connection == NULL || ex->is_answer_begun)
        return;
    if (is_in(c, HTTP_CONN_IDLE))
        move(c, HTTP_CONN_HEAD);
    http_answer_error(ex, status, "%s", message);
    discard_rest(c);
}

/* --- the parser's callbacks: non-zero stops it, with refusal_status set where a client is to be told --- */

static int refuse_later(struct http_connection *c, int status, const char *message)
{
    c->refusal_status = status;
    c->refusal = message;
    return -1;
}

static int on_message_begin(http_parser *parser)
{
    struct http_connection *c = parser->data;
    struct http_exchange *ex = mem_alloc(sizeof *ex);
    ex->body.is_secret = true;
    ex->connection = c;
    ex->holds = 1;
    ex->headers = arena_alloc(&ex->arena, API_HEADERS_COUNT * sizeof *ex->headers);
    c->current = ex;
    c->head_size = 0;
    c->is_value_seen = false;
    c->keeps_alive = false;
    buf_clear(&c->url);
    buf_clear(&c->field);
    buf_clear(&c->value);
    if (is_in(c, HTTP_CONN_IDLE))
        move(c, HTTP_CONN_HEAD);
    return 0;
}

static int head_grows(struct http_connection *c, struct buf *part, const char *at, size_t length)
{
    c->head_size += length;
    if (c->head_size > API_HEADER_SIZE_BYTES)
        return refuse_later(c, 431, "the request's head is larger than the limit of 32 KiB");
    buf_append(part, at, length);
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct http_connection *c = parser->data;
    return head_grows(c, &c->url, at, length);
}

static int commit_header(struct http_connection *c)
{
    struct http_exchange *ex = c->current;
    if (c->field.size == 0)
        return 0;
    if (ex->header_count == API_HEADERS_COUNT)
        return refuse_later(c, 431, "the request has more than 100 headers");
    struct http_header *header = (struct http_header *)&ex->headers[ex->header_count++];
    header->name = arena_string_n(&ex->arena, (const char *)c->field.data, c->field.size);
    header->value = arena_string_n(&ex->arena, c->value.size ? (const char *)c->value.data : "", c->value.size);
    buf_clear(&c->field);
    buf_clear(&c->value);
    c->is_value_seen = false;
    return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t length)
{
    struct http_connection *c = parser->data;
    if (!is_in(c, HTTP_CONN_HEAD))
        return 0; /* a trailer: nobody asks for one */
    if (c->is_value_seen && commit_header(c) != 0)
        return -1;
    return head_grows(c, &c->field, at, length);
}

static int on_header_value(http_parser *parser, const char *at, size_t length)
{
    struct http_connection *c = parser->data;
    if (!is_in(c, HTTP_CONN_HEAD))
        return 0;
    c->is_value_seen = true;
    return head_grows(c, &c->value, at, length);
}

static void split_url(struct http_connection *c, struct http_exchange *ex)
{
    char *url = arena_string_n(&ex->arena, (const char *)c->url.data, c->url.size), *query = strchr(url, '?');
    if (query)
        *query++ = '\0';
    ex->path = url;
    ex->query = query ? query : "";
}

static int check_head(struct http_connection *c, struct http_exchange *ex)
{
    const http_parser *parser = &c->parser;
    if (parser->http_major != 1)
        return refuse_later(c, 505, "this server speaks HTTP/1.1");
    if (ex->path[0] != '/')
        return refuse_later(c, 400, "the request's target is not a path");
    if (!ex->is_http_1_0 && http_request_header(ex, "Host") == NULL)
        return refuse_later(c, 400, "a request of HTTP/1.1 needs a Host header");
    const char *expect = http_request_header(ex, "Expect");
    if (expect && strcmp(expect, "100-continue") != 0)
        return refuse_later(c, 417, "the only expectation met here is 100-continue");
    ex->expects_continue = expect != NULL && !ex->is_http_1_0;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_connection *c = parser->data;
    struct http_exchange *ex = c->current;
    if (commit_header(c) != 0)
        return -1;
    parser->upgrade = 0; /* nothing here upgrades: such a request is answered as any other */
    ex->method = arena_string(&ex->arena, http_method_str((enum http_method)parser->method));
    ex->is_head = parser->method == HTTP_HEAD;
    ex->is_http_1_0 = parser->http_minor == 0;
    ex->has_body = (parser->flags & F_CHUNKED) != 0 || (parser->content_length > 0 && parser->content_length != UINT64_MAX);
    split_url(c, ex);
    if (check_head(c, ex) != 0)
        return -1;
    c->keeps_alive = http_should_keep_alive(parser) != 0 && !ex->is_http_1_0;
    move(c, ex->has_body ? HTTP_CONN_BODY : HTTP_CONN_ANSWER);
    http_hold(ex);
    c->on_request(c->on_request_ctx, ex);
    http_release(ex);
    if (c->current != ex)
        return -1; /* refused before its body came */
    if (ex->has_body && (ex->is_paused || ex->body_mode == HTTP_BODY_UNREAD))
        http_parser_pause(parser, 1);
    return 0;
}

static int collect(struct http_connection *c, struct http_exchange *ex, struct bytes data)
{
    if (ex->body.size + data.size > ex->body_max_bytes)
        return refuse_later(c, 413, "the request's body is larger than its limit");
    buf_append(&ex->body, data.data, data.size);
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
    struct http_connection *c = parser->data;
    struct http_exchange *ex = c->current;
    c->machine.entered_ns = now_ns(c); /* the idle time counts from the last piece */
    if (ex->body_mode == HTTP_BODY_COLLECT)
        return collect(c, ex, bytes_of(at, length));
    if (ex->body_mode != HTTP_BODY_STREAM)
        return 0;
    http_hold(ex);
    ex->on_data(ex->body_ctx, ex, bytes_of(at, length));
    http_release(ex);
    if (c->current != ex)
        return -1;
    if (ex->is_paused)
        http_parser_pause(parser, 1);
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct http_connection *c = parser->data;
    struct http_exchange *ex = c->current;
    http_parser_pause(parser, 1); /* what follows is the next request: it waits for this one's answer */
    ex->is_request_done = true;
    if (is_in(c, HTTP_CONN_BODY))
        move(c, HTTP_CONN_ANSWER);
    http_hold(ex);
    if (ex->body_mode == HTTP_BODY_COLLECT && !ex->is_answer_ended)
        ex->on_data(ex->body_ctx, ex, buf_bytes(&ex->body));
    else if (ex->body_mode == HTTP_BODY_STREAM && !ex->is_answer_ended)
        ex->on_end(ex->body_ctx, ex);
    else if (ex->is_answer_ended && c->current == ex)
        finish(c);
    http_release(ex);
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static bool may_parse(const struct http_connection *c)
{
    const struct http_exchange *ex = c->current;
    switch ((enum http_connection_state)c->machine.state) {
    case HTTP_CONN_IDLE:
    case HTTP_CONN_HEAD:
        return true;
    case HTTP_CONN_BODY:
        return ex && !ex->is_paused && ex->body_mode != HTTP_BODY_UNREAD;
    case HTTP_CONN_ANSWER: /* its end still has to be seen where it has no body */
        return ex && !ex->is_request_done;
    case HTTP_CONN_DISCARD:
    case HTTP_CONN_CLOSED:
        return false;
    }
    return false;
}

static void parse_failed(struct http_connection *c)
{
    if (is_in(c, HTTP_CONN_DISCARD) || is_in(c, HTTP_CONN_CLOSED))
        return;
    if (c->refusal_status != 0) {
        refuse(c, c->refusal_status, c->refusal);
        return;
    }
    cleanup_free char *message = mem_format("malformed HTTP request: %s", http_errno_description(HTTP_PARSER_ERRNO(&c->parser)));
    if (c->current == NULL)
        on_message_begin(&c->parser);
    refuse(c, 400, message);
}

static void parse(struct http_connection *c)
{
    if (c->is_parsing)
        return;
    c->is_parsing = true;
    while (c->pending.size > 0 && may_parse(c)) {
        if (HTTP_PARSER_ERRNO(&c->parser) == HPE_PAUSED)
            http_parser_pause(&c->parser, 0);
        size_t used = http_parser_execute(&c->parser, &settings, (const char *)c->pending.data, c->pending.size);
        enum http_errno code = HTTP_PARSER_ERRNO(&c->parser);
        if (is_in(c, HTTP_CONN_DISCARD) || is_in(c, HTTP_CONN_CLOSED))
            break;
        buf_consume(&c->pending, used);
        if (code != HPE_OK && code != HPE_PAUSED) {
            parse_failed(c);
            break;
        }
    }
    if (is_in(c, HTTP_CONN_DISCARD) || is_in(c, HTTP_CONN_CLOSED))
        buf_deinit(&c->pending);
    c->is_parsing = false;
}

/* --- the edge's way in --- */

struct http_connection *http_connection_new(const struct clock *clock, const struct http_io *io, http_exchange_cb on_request, void *ctx)
{
    struct http_connection *c = mem_alloc(sizeof *c);
    c->clock = clock;
    c->io = *io;
    c->pending.is_secret = true; /* join tokens and registry passwords come this way */
    c->value.is_secret = true;
    c->on_request = on_request;
    c->on_request_ctx = ctx;
    http_parser_init(&c->parser, HTTP_REQUEST);
    c->parser.data = c;
    state_init(&c->machine, &http_connection_states, HTTP_CONN_IDLE, now_ns(c));
    return c;
}

void http_connection_free(struct http_connection *c)
{
    if (c == NULL)
        return;
    detach(c);
    buf_deinit(&c->pending);
    buf_deinit(&c->url);
    buf_deinit(&c->field);
    buf_deinit(&c->value);
    free(c);
}

void http_connection_input(struct http_connection *c, struct bytes data)
{
    if (is_in(c, HTTP_CONN_DISCARD) || is_in(c, HTTP_CONN_CLOSED))
        return;
    buf_append(&c->pending, data.data, data.size);
    parse(c);
}

void http_connection_eof(struct http_connection *c)
{
    close_connection(c);
}

void http_connection_break(struct http_connection *c)
{
    close_connection(c);
}

void http_connection_sent(struct http_connection *c, size_t size_bytes)
{
    c->queued_bytes -= size_bytes < c->queued_bytes ? size_bytes : c->queued_bytes;
    c->progress_ns = now_ns(c);
    struct http_exchange *ex = c->current;
    if (!c->was_full || c->queued_bytes > API_SEND_LOW_BYTES)
        return;
    c->was_full = false;
    if (ex && ex->wants_drain) {
        ex->wants_drain = false;
        http_hold(ex);
        if (ex->on_drain)
            ex->on_drain(ex->drain_ctx, ex);
        http_release(ex);
    }
}

bool http_connection_wants_input(const struct http_connection *c)
{
    return !is_in(c, HTTP_CONN_CLOSED) && c->pending.size < API_PIPELINE_BYTES;
}

void http_connection_tick(struct http_connection *c)
{
    uint64_t now = now_ns(c);
    const struct http_exchange *ex = c->current;
    if (is_in(c, HTTP_CONN_CLOSED))
        return;
    if (c->is_overfull) {
        close_connection(c);
        return;
    }
    if (c->queued_bytes > 0 && now > c->progress_ns && now - c->progress_ns > API_WRITE_STALL_TIMEOUT_MS * NS_PER_MS) {
        log_warn(ROOM, "a client has read nothing for %u s: its connection is closed", API_WRITE_STALL_TIMEOUT_MS / 1000);
        close_connection(c);
        return;
    }
    if (now < state_deadline_ns(&c->machine) || (is_in(c, HTTP_CONN_BODY) && !may_parse(c)))
        return;
    if (is_in(c, HTTP_CONN_HEAD) || (is_in(c, HTTP_CONN_BODY) && ex && !ex->is_answer_begun))
        refuse(c, 408, "the request did not arrive in time");
    else
        close_connection(c);
}

/* --- http_exchange.c's way in --- */

void http_connection_write(struct http_connection *c, const struct bytes *pieces, size_t count)
{
    if (is_in(c, HTTP_CONN_CLOSED) || c->is_overfull)
        return;
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += pieces[i].size;
    if (c->queued_bytes == 0)
        c->progress_ns = now_ns(c);
    c->queued_bytes += total;
    if (c->queued_bytes > API_SEND_MAX_BYTES) {
        log_warn(ROOM, "more than %u MiB wait for a client that does not read them: its connection is closed", API_SEND_MAX_BYTES / MIB);
        c->is_overfull = true;
        c->io.wake(c->io.self);
        return;
    }
    c->io.write(c->io.self, pieces, count);
}

bool http_connection_is_full(const struct http_connection *c)
{
    return c->queued_bytes > API_SEND_HIGH_BYTES;
}

void http_connection_mark_full(struct http_connection *c)
{
    c->was_full = true;
}

int64_t http_connection_wall_ns(const struct http_connection *c)
{
    return clock_wall_ns(c->clock);
}

bool http_connection_keeps_alive(const struct http_connection *c)
{
    return c->keeps_alive;
}

void http_connection_will_close(struct http_connection *c)
{
    c->keeps_alive = false;
}

bool http_connection_can_skip(const struct http_connection *c)
{
    const struct http_exchange *ex = c->current;
    return ex && !ex->expects_continue && (c->parser.flags & F_CHUNKED) == 0 && c->parser.content_length <= API_BODY_SKIP_BYTES;
}

void http_connection_answer_ended(struct http_connection *c)
{
    struct http_exchange *ex = c->current;
    if (ex == NULL)
        return;
    if (ex->is_request_done)
        finish(c);
    else if (ex->has_body && http_connection_can_skip(c))
        skip_rest(ex);
    else if (ex->has_body)
        discard_rest(c);
    parse(c);
    c->io.wake(c->io.self);
}

void http_connection_resume(struct http_connection *c)
{
    c->machine.entered_ns = now_ns(c);
    parse(c);
    c->io.wake(c->io.self);
}
