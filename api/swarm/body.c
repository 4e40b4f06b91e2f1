/* api/swarm/body.c – see body.h. */
#include "api/swarm/body.h"

#include <ctype.h>

#include "base/json.h"
#include "base/mem.h"

/* The length of the text in quotes at the start of @rest; 0 where it does not end, or has a zero character in it. */
static size_t quoted_length(struct bytes rest, bool *has_zero)
{
    for (size_t i = 1; i < rest.size; i++) {
        if (rest.data[i] == '"')
            return i + 1;
        if (rest.data[i] == '\0' || (rest.size - i >= 6 && memcmp(rest.data + i, "\\u0000", 6) == 0))
            *has_zero = true;
        if (rest.data[i] == '\\')
            i++;
    }
    return rest.size;
}

static size_t number_length(struct bytes rest)
{
    size_t length = 0;
    while (length < rest.size && (isdigit(rest.data[length]) || strchr("+-.eE", rest.data[length])) && rest.data[length] != '\0')
        length++;
    return length;
}

static bool is_long_whole(struct bytes number)
{
    size_t digits = number.size > 0 && number.data[0] == '-' ? 1 : 0, first = digits;
    while (digits < number.size && isdigit(number.data[digits]))
        digits++;
    return digits == number.size && digits - first >= SWARM_JSON_EXACT_DIGITS && number.data[first] != '0';
}

/* Copy @text, with long whole numbers in quotes. */
static int rewrite(struct bytes text, struct buf *out, struct error *err)
{
    bool has_zero = false;
    for (size_t i = 0, length; i < text.size; i += length) {
        struct bytes rest = bytes_of(text.data + i, text.size - i);
        bool is_number = isdigit(rest.data[0]) || rest.data[0] == '-';
        length = rest.data[0] == '"' ? quoted_length(rest, &has_zero) : is_number ? number_length(rest) : 1;
        if (has_zero)
            return error_set(err, ERR_INVALID, "the request's body: a zero character in a text near byte %zu", i);
        bool is_long = is_number && is_long_whole(bytes_of(rest.data, length));
        if (is_long)
            buf_append(out, "\"", 1);
        buf_append(out, rest.data, length);
        if (is_long)
            buf_append(out, "\"", 1);
    }
    return 0;
}

int swarm_body_parse(struct bytes text, cJSON **out, struct error *err)
{
    cleanup_buf struct buf body = {.is_secret = true};
    if (text.size > API_REQUEST_BODY_BYTES)
        return error_set(err, ERR_LIMIT, "the request's body: %zu bytes, more than %u", text.size, API_REQUEST_BODY_BYTES);
    if (text.size == 0) {
        *out = cJSON_CreateObject();
        return 0;
    }
    int rc = rewrite(text, &body, err);
    if (rc < 0)
        return rc;
    if (json_parse(buf_bytes(&body), 2 * (size_t)API_REQUEST_BODY_BYTES, out, err) < 0) /* the quotes are ours */
        return error_wrap(err, "the request's body");
    return 0;
}

static void wipe(cJSON *json)
{
    for (cJSON *item = json; item; item = item->next) {
        if (item->valuestring)
            mem_wipe(item->valuestring, strlen(item->valuestring));
        wipe(item->child); /* JSON_DEPTH_COUNT deep */
    }
}

void swarm_body_free(cJSON *json)
{
    wipe(json);
    cJSON_Delete(json);
}
