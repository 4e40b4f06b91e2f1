/* proto/grpc/wire.c – see wire.h. */
#include "proto/grpc/wire.h"

#include <inttypes.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/clock.h"
#include "proto/grpc/grpc.h"

void wire_write_frame(uint8_t out[WIRE_FRAME_BYTES], uint32_t size_bytes)
{
    out[0] = 0;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(size_bytes >> (24 - 8 * i));
}

struct wire_frame wire_read_frame(const uint8_t in[WIRE_FRAME_BYTES])
{
    return (struct wire_frame){in[0] != 0, (uint32_t)in[1] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 8 | in[4]};
}

static const struct unit {
    char letter;
    uint64_t ns;
} units[] = {{'n', 1}, {'u', NS_PER_US}, {'m', NS_PER_MS}, {'S', NS_PER_S}, {'M', 60 * NS_PER_S}, {'H', 3600 * NS_PER_S}};

void wire_print_timeout(uint64_t timeout_ns, char out[WIRE_TIMEOUT_CHARS])
{
    const uint64_t most = 99999999;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        uint64_t count = timeout_ns / units[i].ns + (timeout_ns % units[i].ns != 0);
        if (count <= most) {
            snprintf(out, WIRE_TIMEOUT_CHARS, "%" PRIu64 "%c", count, units[i].letter);
            return;
        }
    }
}

bool wire_parse_timeout(const char *text, uint64_t *timeout_ns)
{
    uint64_t count = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 9; digits++)
        count = count * 10 + (uint64_t)(text[digits] - '0');
    if (digits < 1 || digits > 8 || text[digits] == 0 || text[digits + 1] != 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].letter == text[digits]) {
            *timeout_ns = count > UINT64_MAX / units[i].ns ? UINT64_MAX : count * units[i].ns;
            return true;
        }
    return false;
}

char *wire_percent_encode(const char *text)
{
    struct buf out = {0};
    for (; *text; text++) {
        uint8_t byte = (uint8_t)*text;
        if (byte < 0x20 || byte > 0x7e || byte == '%')
            buf_append_format(&out, "%%%02X", byte);
        else
            buf_append(&out, text, 1);
    }
    return buf_steal_string(&out);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *wire_percent_decode(const char *text)
{
    struct buf out = {0};
    while (*text) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;
        uint8_t byte = low >= 0 ? (uint8_t)((unsigned)high << 4 | (unsigned)low) : (uint8_t)*text;
        buf_append(&out, byte ? (const void *)&byte : "?", 1); /* a zero would end our strings early */
        text += low >= 0 ? 3 : 1;
    }
    return buf_steal_string(&out);
}

bool wire_is_grpc(const char *content_type)
{
    static const char base[] = "application/grpc";
    if (content_type == NULL || strncmp(content_type, base, sizeof base - 1) != 0)
        return false;
    char next = content_type[sizeof base - 1];
    return next == 0 || next == '+' || next == ';';
}

int wire_code_of_http(int http_status)
{
    switch (http_status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

int wire_code_of_reset(uint32_t http2_error)
{
    switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM:
        return GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return GRPC_CANCELED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}
