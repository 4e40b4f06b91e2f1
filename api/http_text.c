/* api/http_text.c – see http_text.h. */
#include "api/http_text.h"

#include <http_parser.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/time.h"

void http_text_date(int64_t wall_ns, char out[HTTP_DATE_SIZE])
{
    static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}; /* 1970-01-01 was a Thursday */
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[TIME_RFC3339_SIZE];
    if (wall_ns < 0)
        wall_ns = 0;
    time_format_rfc3339(wall_ns, text); /* 2026-11-23T22:00:01… */
    int64_t day = wall_ns / (int64_t)NS_PER_S / 86400;
    int month = (text[5] - '0') * 10 + (text[6] - '0');
    snprintf(out, HTTP_DATE_SIZE, "%s, %.2s %s %.4s %.8s GMT", days[day % 7], text + 8, months[(month + 11) % 12], text, text + 11);
}

const char *http_text_reason(int status)
{
    switch (status) {
#define XX(number, name, text)                                                                                                             \
    case number:                                                                                                                           \
        return #text;
        HTTP_STATUS_MAP(XX)
#undef XX
    default:
        return "Status";
    }
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool http_text_equal_nocase(const char *a, const char *b)
{
    for (; *a && lower(*a) == lower(*b); a++, b++)
        ;
    return *a == *b;
}

bool http_text_is_header_safe(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7f)
            return false;
    return true;
}

static int decode_escape(const char *text, size_t left, uint8_t *out)
{
    struct error ignored;
    return left >= 3 && decode_hex(text + 1, 2, out, &ignored) == 0 && *out != 0 ? 0 : -1;
}

int http_text_decode(struct arena *arena, const char *text, size_t length, bool is_query, char **out, struct error *err)
{
    char *decoded = arena_alloc(arena, length + 1);
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte == '%') {
            if (decode_escape(text + i, length - i, &byte) < 0)
                return error_set(err, ERR_INVALID, "a broken escape in the address: %.*s", (int)(length - i < 3 ? length - i : 3),
                                 text + i);
            i += 2;
        } else if (byte == '+' && is_query) {
            byte = ' ';
        }
        decoded[size++] = (char)byte;
    }
    *out = decoded;
    return 0;
}

void http_text_encode(struct buf *out, const char *text, bool keep_slash)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
        if (is_plain || (keep_slash && c == '/'))
            buf_append(out, &c, 1);
        else
            buf_append_format(out, "%%%02X", c);
    }
}

static int parse_item(struct arena *arena, const char *text, size_t length, struct http_query_item *item, struct error *err)
{
    const char *equals = memchr(text, '=', length);
    size_t key_length = equals ? (size_t)(equals - text) : length;
    char *key, *value = (char *)"";
    if (http_text_decode(arena, text, key_length, true, &key, err) < 0)
        return err->code;
    if (equals && http_text_decode(arena, equals + 1, length - key_length - 1, true, &value, err) < 0)
        return err->code;
    *item = (struct http_query_item){key, value};
    return 0;
}

int http_query_parse(struct arena *arena, const char *query, struct http_query *out, struct error *err)
{
    size_t parts = 1;
    for (const char *c = query; *c; c++)
        parts += *c == '&';
    out->items = arena_alloc(arena, parts * sizeof *out->items);
    out->count = 0;
    while (*query) {
        size_t length = strcspn(query, "&");
        if (length > 0 && parse_item(arena, query, length, &out->items[out->count++], err) < 0)
            return err->code;
        query += length + (query[length] == '&');
    }
    return 0;
}

const char *http_query_get(const struct http_query *query, const char *key, const char *fallback)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->items[i].key, key) == 0)
            return query->items[i].value;
    return fallback;
}

bool http_query_bool(const struct http_query *query, const char *key, bool fallback)
{
    static const char *const no[] = {"", "0", "no", "false", "none"};
    const char *value = http_query_get(query, key, NULL);
    if (value == NULL)
        return fallback;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (http_text_equal_nocase(value, no[i]))
            return false;
    return true;
}
