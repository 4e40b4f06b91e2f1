/* runtime/image/tool/http.h – one HTTP request at a time through libcurl, for one thread.
 *
 * Redirects are followed here, not by libcurl, so that credentials stay with the host they were meant for and nothing leads from https to
 * http. There is no limit on the whole time of a transfer, only on connecting and on standing still. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_HTTP_H
#define SKEP_RUNTIME_IMAGE_TOOL_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct http;

struct http_response {
    long status;
    int64_t content_length;                     /* -1: not said */
    int64_t range_from;                         /* of Content-Range; -1: none */
    int64_t retry_after_s;                      /* -1: not said */
    char *content_type, *location, *challenges; /* NULL: none; several WWW-Authenticate lines are joined with '\n' */
    struct buf problem;                         /* the body of an answer that is not 2xx, its first IMAGE_PROBLEM_SIZE_BYTES */
};

struct http_request {
    const char *url;
    const char *authorization; /* the header's value; NULL: none. Dropped when a redirect leads to another host */
    const char *accept;        /* NULL: anything */
    const char *form;          /* with it the request is a POST of application/x-www-form-urlencoded */
    int64_t range_from;        /* > 0: ask for the rest from there */
    const char *ca_file;       /* trusted beside the system's; NULL: none */
    bool any_certificate;      /* of a registry that is configured as insecure */
    bool may_downgrade;        /* likewise: a redirect may lead to http */
    /* Called once before the body of a 2xx answer, and with each piece of it. < 0 ends the transfer with that error. */
    int (*on_begin)(void *ctx, const struct http_response *response, struct error *err);
    int (*on_body)(void *ctx, const void *data, size_t size, struct error *err);
    void *ctx;
    const atomic_bool *is_canceled; /* borrowed; may be NULL */
};

int http_new(struct http **out, struct error *err);
void http_free(struct http *http);

/* 0 for any answer, whatever its status. ERR_UNAVAILABLE (not reached, connection lost; names the host), ERR_DEADLINE (no progress),
 * ERR_TRUST (certificate), ERR_CANCELED, ERR_PEER (redirects without end, or to where we do not follow), or what a callback returned.
 * @response is zeroed first and to be deinit'ed always. */
int http_perform(struct http *http, const struct http_request *request, struct http_response *response, struct error *err);
void http_response_deinit(struct http_response *response);
#define cleanup_http_response __attribute__((cleanup(http_response_deinit)))

/* Scheme, host and port of an absolute http or https URL, in lower case: "https://host:443". NULL for any other URL. Freed by the caller.
 */
char *http_origin(const char *url);
char *http_host(const char *url); /* the host alone, without brackets; freed by the caller */

bool http_host_is_loopback(const char *host);

/* @text as a part of a query or form. Freed by the caller. */
char *http_escape(const char *text);

#endif
