/* api/router.c – see router.h. Pure. */
#include "api/router.h"

#include <stdlib.h>
#include <string.h>

#include "api/http_text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "1.41" up to the next '/': its length, or 0 when it is no version. */
static size_t version_length(const char *text, long *major, long *minor)
{
    char *end;
    if (!is_digit(*text))
        return 0;
    *major = strtol(text, &end, 10);
    if (*end != '.' || !is_digit(end[1]))
        return 0;
    *minor = strtol(end + 1, &end, 10);
    return *end == '/' ? (size_t)(end - text) : 0;
}

int router_version(const char *path, int oldest, int newest, int *minor, const char **rest, struct error *err)
{
    long major, number;
    size_t length = strncmp(path, "/v", 2) == 0 ? version_length(path + 2, &major, &number) : 0;
    *minor = newest;
    *rest = path;
    if (length == 0)
        return 0;
    if (major > 1 || (major == 1 && number > newest))
        return error_set(err, ERR_INVALID, "client version %.*s is too new. Maximum supported API version is 1.%d",
                         (int)(length < 20 ? length : 20), path + 2, newest);
    if (major < 1 || number < oldest)
        return error_set(
            err, ERR_INVALID,
            "client version %.*s is too old. Minimum supported API version is 1.%d, please upgrade your client to a newer version",
            (int)(length < 20 ? length : 20), path + 2, oldest);
    *minor = (int)number;
    *rest = path + 2 + length;
    return 0;
}

/* The length of what `{name*}` takes: as much as leaves room for the literal rest of the pattern, which holds no parameters. */
static size_t rest_length(const char *after, const char *path)
{
    size_t path_length = strlen(path), after_length = strlen(after);
    if (path_length <= after_length || strcmp(path + path_length - after_length, after) != 0)
        return 0;
    return path_length - after_length;
}

bool router_match(const char *pattern, const char *path, struct arena *arena, const char *params[ROUTER_PARAMS_COUNT])
{
    size_t count = 0;
    struct error ignored;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        const char *end = strchr(pattern, '}');
        bool takes_rest = end[-1] == '*';
        size_t length = takes_rest ? rest_length(end + 1, path) : strcspn(path, "/");
        char *value;
        if (length == 0 || count == ROUTER_PARAMS_COUNT || http_text_decode(arena, path, length, false, &value, &ignored) < 0)
            return false;
        params[count++] = value;
        pattern = end + 1;
        path += length;
    }
    return *path == '\0';
}
