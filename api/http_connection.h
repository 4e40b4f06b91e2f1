/* api/http_connection.h – the HTTP/1.1 server's side of one connection: bytes in, exchanges for the handler, bytes out.
 *
 * Keeps connections alive, reads chunked and sized bodies, answers `Expect: 100-continue`, holds a bounded run of pipelined requests and
 * gives every wait an end. It touches no socket: http_server.c carries the bytes, tests feed it by hand. Source: RFC 9112. */
#ifndef SKEP_API_HTTP_CONNECTION_H
#define SKEP_API_HTTP_CONNECTION_H

#include "api/http_exchange.h"
#include "base/clock.h"
#include "base/state.h"

#define HTTP_CONNECTION_STATES(X)                                                                                                          \
    X(IDLE, "waiting for a request", BIT(HTTP_CONN_HEAD) | BIT(HTTP_CONN_CLOSED), API_IDLE_TIMEOUT_MS)                                     \
    X(HEAD, "receiving the head of a request",                                                                                             \
      BIT(HTTP_CONN_BODY) | BIT(HTTP_CONN_ANSWER) | BIT(HTTP_CONN_DISCARD) | BIT(HTTP_CONN_CLOSED), API_HEAD_TIMEOUT_MS)                   \
    X(BODY, "receiving the body of a request", BIT(HTTP_CONN_ANSWER) | BIT(HTTP_CONN_DISCARD) | BIT(HTTP_CONN_CLOSED),                     \
      API_BODY_IDLE_TIMEOUT_MS) /* since the last piece of it */                                                                           \
    X(ANSWER, "answering", BIT(HTTP_CONN_IDLE) | BIT(HTTP_CONN_DISCARD) | BIT(HTTP_CONN_CLOSED),                                           \
      0) /* the handler bounds its own waits, API_WRITE_STALL_TIMEOUT_MS a client that does not read */                                    \
    X(DISCARD, "discarding what follows a refusal", BIT(HTTP_CONN_CLOSED), API_LINGER_TIMEOUT_MS)                                          \
    X(CLOSED, "closed", 0, 0)

enum http_connection_state {
#define X(name, shown, next, deadline_ms) HTTP_CONN_##name,
    HTTP_CONNECTION_STATES(X)
#undef X
};
extern const struct state_table http_connection_states;

/* What the connection asks of its edge. After @close nothing more is written; what was written before still goes out. */
struct http_io {
    void *self;
    void (*write)(void *self, const struct bytes *pieces, size_t count); /* copied */
    void (*close)(void *self);                                           /* once; not freed by it */
    void (*wake)(void *self); /* soon, not from inside: http_connection_tick(), then ask http_connection_wants_input() again */
};

struct http_connection *http_connection_new(const struct clock *clock, const struct http_io *io, http_exchange_cb on_request, void *ctx);
void http_connection_free(struct http_connection *connection); /* the exchange under way is told that the client is gone */

void http_connection_input(struct http_connection *connection, struct bytes data);
void http_connection_eof(struct http_connection *connection); /* the client closed or the socket failed */
void http_connection_sent(struct http_connection *connection, size_t size_bytes);
bool http_connection_wants_input(const struct http_connection *connection); /* ask after every call, and when woken */

/* Ends what has waited too long or lets too much pile up. Call about once a second, and when woken. */
void http_connection_tick(struct http_connection *connection);

/* http_exchange.c's way in. */
void http_connection_write(struct http_connection *connection, const struct bytes *pieces, size_t count);
bool http_connection_is_full(const struct http_connection *connection);
void http_connection_mark_full(struct http_connection *connection);  /* the writer was told to wait */
void http_connection_will_close(struct http_connection *connection); /* no request after this one */
int64_t http_connection_wall_ns(const struct http_connection *connection);
bool http_connection_keeps_alive(const struct http_connection *connection);
bool http_connection_can_skip(const struct http_connection *connection); /* what is missing of the request is little, and surely comes */
void http_connection_answer_ended(struct http_connection *connection);
void http_connection_break(struct http_connection *connection);
void http_connection_resume(struct http_connection *connection); /* the body is no longer paused */

#endif
