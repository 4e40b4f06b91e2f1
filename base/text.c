/* base/text.c – see text.h. */
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_starts(const char *text, const char *prefix)
{
    return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t length = text ? strlen(text) : 0, tail = strlen(suffix);
    return text && length >= tail && strcmp(text + length - tail, suffix) == 0;
}

bool text_empty(const char *text)
{
    return text == NULL || *text == '\0';
}

int text_parse_i64(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err)
{
    char *end = NULL;
    errno = 0;
    bool starts_well = text && (*text == '-' || (*text >= '0' && *text <= '9'));
    int64_t value = starts_well ? strtoll(text, &end, 10) : 0;
    if (!starts_well || errno != 0 || *end != '\0')
        return error_set(err, ERR_INVALID, "not a whole number: %s", text ? text : "(nothing)");
    if (value < min || value > max)
        return error_set(err, ERR_INVALID, "%" PRId64 " is not between %" PRId64 " and %" PRId64, value, min, max);
    *out = value;
    return 0;
}

int text_key_length(const char *assignment)
{
    const char *equals = assignment ? strchr(assignment, '=') : NULL;
    return equals && equals != assignment ? (int)(equals - assignment) : -1;
}

int text_parse_address(const char *text, uint16_t fallback_port, char **host, uint16_t *port, struct error *err)
{
    const char *name = text ? text : "", *name_end, *colon;
    if (*name == '[') {
        name++;
        name_end = strchr(name, ']');
        if (!name_end || (name_end[1] != '\0' && name_end[1] != ':'))
            return error_set(err, ERR_INVALID, "not an address: %s (an IPv6 address is written [::1]:2377)", text);
        colon = name_end[1] == ':' ? name_end + 1 : NULL;
    } else {
        colon = strchr(name, ':');
        if (colon && strchr(colon + 1, ':')) /* more than one: an IPv6 address without brackets and without a port */
            colon = NULL;
        name_end = colon ? colon : name + strlen(name);
    }
    if (name_end == name)
        return error_set(err, ERR_INVALID, "not an address: \"%s\": the host is missing", text ? text : "");
    int64_t number = fallback_port;
    if (colon && text_parse_i64(colon + 1, 1, 65535, &number, NULL) < 0)
        return error_set(err, ERR_INVALID, "not an address: %s: the port must be a number between 1 and 65535", text);
    if (number == 0)
        return error_set(err, ERR_INVALID, "not an address: %s: the port is missing", text);
    *host = mem_string_n(name, (size_t)(name_end - name));
    *port = (uint16_t)number;
    return 0;
}
