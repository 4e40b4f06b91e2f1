/* cli/client.h – a small HTTP/1.1 client over the daemon's local socket: one request, one connection, done when the function returns. */
#ifndef SKEP_CLI_CLIENT_H
#define SKEP_CLI_CLIENT_H

#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "base/json.h"

struct client_request {
    const char *host; /* "unix:///run/skep.sock" */
    const char *method, *path;
    const char *body;    /* JSON; NULL: none */
    const char *headers; /* more header lines, each ended by "\r\n"; NULL: none */
    bool sends_file;     /* the body is what can be read from @file, to its end */
    uv_file file;
    /* Where given, a body of a successful answer goes here as it comes; non-zero ends the call. */
    int (*on_data)(void *ctx, struct bytes data, struct error *err);
    void *ctx;
};

struct client_response {
    int status;
    char content_type[128];
    struct buf body; /* what on_data did not get; at most API_SEND_MAX_BYTES */
};

/* ERR_UNAVAILABLE, in docker's words, when nobody listens there; ERR_PERMISSION; ERR_INVALID for the address; ERR_PEER for an answer that
 * is no HTTP or ends too early. An answer with an error status is an error too: "Error response from daemon: …", with the code that fits.
 */
int client_call(const struct client_request *request, struct client_response *out, struct error *err);
int client_code_of_status(int status); /* the error code nearest to an HTTP status of 400 or more */

/* The code that an answer's "kind" names (skepd's do, other daemons' do not), else the one of its status. */
int client_code_of_answer(const cJSON *json, int status);
void client_response_deinit(struct client_response *response);

#endif
