/* api/http_server.h – listens at local sockets and at TCP ports, and carries bytes between them and http_connection.c. */
#ifndef SKEP_API_HTTP_SERVER_H
#define SKEP_API_HTTP_SERVER_H

#include <uv.h>

#include "api/http_connection.h"

struct http_server;

/* @on_request is called for every request, see http_exchange.h. */
struct http_server *http_server_new(uv_loop_t *loop, const struct clock *clock, http_exchange_cb on_request, void *ctx);

/* Listen at a socket's path (or a pipe's name on Windows); @group as in api_listen(). ERR_LIMIT beyond API_LISTENERS_COUNT, ERR_EXISTS when
 * someone listens there, ERR_NOT_FOUND for the group or the directory, ERR_PERMISSION, ERR_IO. */
int http_server_listen(struct http_server *server, const char *path, const char *group, struct error *err);

/* The same at "127.0.0.1:9323" or "[::1]:9323"; ERR_INVALID for what is no IP address with a port, ERR_EXISTS where another listens, ERR_IO
 * where the address is none of this host's. Whoever reaches it may ask: what answers there must be for everyone. */
int http_server_listen_tcp(struct http_server *server, const char *address, struct error *err);

/* Stop listening, break off every exchange, free. */
void http_server_free(struct http_server *server, void (*on_closed)(void *ctx), void *ctx);

#endif
