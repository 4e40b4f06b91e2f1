/* api/http_exchange.h – one HTTP request and its answer, as a handler sees them.
 *
 * The handler is called when the head of a request is complete. It reads the body (collected or piece by piece) or not at all, and answers
 * at once or later, whole or piece by piece. Whoever answers later keeps the exchange with http_hold(): when the client goes away, the
 * answer's functions go on working and do nothing. */
#ifndef SKEP_API_HTTP_EXCHANGE_H
#define SKEP_API_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

struct http_connection;
struct http_exchange;

struct http_header {
    const char *name, *value;
};

typedef void (*http_exchange_cb)(void *ctx, struct http_exchange *ex);
typedef void (*http_data_fn)(void *ctx, struct http_exchange *ex, struct bytes data);

enum http_body_mode { HTTP_BODY_UNREAD, HTTP_BODY_COLLECT, HTTP_BODY_STREAM, HTTP_BODY_SKIP };

struct http_exchange {
    /* the request; read only */
    const char *method, *path, *query; /* as sent, still percent-encoded; the query without its '?', "" for none */
    const struct http_header *headers;
    size_t header_count;
    bool is_http_1_0;
    struct arena arena; /* lives as long as the exchange: for whatever the handler needs */
    void *owner;        /* the handler's own */

    /* http_connection.c's own */
    struct http_connection *connection; /* NULL once the exchange is over or the client gone */
    unsigned holds;
    enum http_body_mode body_mode;
    struct buf body;
    size_t body_max_bytes;
    bool has_body, expects_continue, is_request_done, is_head, is_answer_begun, is_answer_ended, is_chunked, is_paused, wants_drain;
    struct buf extra_headers;
    http_data_fn on_data;
    http_exchange_cb on_end, on_drain, on_gone;
    void *body_ctx, *drain_ctx, *gone_ctx;
};

const char *http_request_header(const struct http_exchange *ex, const char *name); /* any case; NULL when not sent */

/* Read the body whole: @on_body once, with at most @max_bytes of it; a longer one is answered with 413 and @on_body is not called. */
void http_body_collect(struct http_exchange *ex, size_t max_bytes, http_data_fn on_body, void *ctx);

/* Read the body as it comes; @on_end after the last piece. Not called any more once the answer has ended or the client is gone. */
void http_body_stream(struct http_exchange *ex, http_data_fn on_data, http_exchange_cb on_end, void *ctx);
void http_body_pause(struct http_exchange *ex, bool pause); /* the client's pieces then wait in the socket */

/* Answer. A header of the handler's own comes before the answer begins. Data is copied. */
void http_answer_header(struct http_exchange *ex, const char *name, const char *value);
void http_answer(struct http_exchange *ex, int status, const char *content_type, struct bytes body);
void http_answer_string(struct http_exchange *ex, int status, const char *content_type, const char *body);
void http_answer_begin(struct http_exchange *ex, int status, const char *content_type); /* then any number of writes, then the end */
bool http_answer_write(struct http_exchange *ex, struct bytes data); /* false: enough is queued, wait for on_drain before more */
void http_answer_end(struct http_exchange *ex);
void http_answer_break(struct http_exchange *ex); /* it cannot be finished: close, so that the client sees that it is cut */
bool http_answer_begun(const struct http_exchange *ex);

/* Docker's form of an error: {"message": …} with @status. Nothing once an answer has begun. */
void http_answer_error(struct http_exchange *ex, int status, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));

void http_on_drain(struct http_exchange *ex, http_exchange_cb on_drain, void *ctx);
void http_on_gone(struct http_exchange *ex, http_exchange_cb on_gone, void *ctx); /* the client left before the answer ended; once */
bool http_is_gone(const struct http_exchange *ex);

void http_hold(struct http_exchange *ex);
void http_release(struct http_exchange *ex);

#endif
