/* api/http_text.h – HTTP's small texts: dates, reasons, percent-encoding, queries. Shared by the server and the command's client. */
#ifndef SKEP_API_HTTP_TEXT_H
#define SKEP_API_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define HTTP_DATE_SIZE 32

void http_text_date(int64_t wall_ns, char out[HTTP_DATE_SIZE]); /* "Mon, 23 Nov 2026 22:00:01 GMT" */
const char *http_text_reason(int status);                       /* "Not Found" */
bool http_text_equal_nocase(const char *a, const char *b);      /* ASCII only */
bool http_text_is_header_safe(const char *value);               /* no control characters: nothing that could end the header */

/* Decode %XX, and '+' as a space where @is_query. ERR_INVALID for a broken escape or one that gives a zero byte. */
int http_text_decode(struct arena *arena, const char *text, size_t length, bool is_query, char **out, struct error *err);

/* Append @text with all but letters, digits and "-._~" (and '/' where @keep_slash) escaped. */
void http_text_encode(struct buf *out, const char *text, bool keep_slash);

/* A parsed query, in the order given. */
struct http_query {
    struct http_query_item {
        const char *key, *value;
    } * items;
    size_t count;
};

int http_query_parse(struct arena *arena, const char *query, struct http_query *out, struct error *err);
const char *http_query_get(const struct http_query *query, const char *key, const char *fallback); /* the first of that key */

/* As dockerd reads booleans: missing, "", "0", "no", "false", "none" (any case) are false, everything else true. */
bool http_query_bool(const struct http_query *query, const char *key, bool fallback);

#endif
