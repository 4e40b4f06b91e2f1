/* api/filters.c – see filters.h. */
#include "api/filters.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

static bool is_known(const char *const *known, const char *key)
{
    for (; *known; known++)
        if (strcmp(*known, key) == 0)
            return true;
    return false;
}

static int add(struct filters *out, struct arena *arena, const char *key, const char *value, struct error *err)
{
    if (out->count == API_FILTERS_COUNT)
        return error_set(err, ERR_LIMIT, "more than %d values in filters", API_FILTERS_COUNT);
    out->items[out->count++] = (struct filter){arena_string(arena, key), arena_string(arena, value)};
    return 0;
}

static int parse_key(const cJSON *list, struct arena *arena, struct filters *out, struct error *err)
{
    const cJSON *item;
    if (!cJSON_IsArray(list) && !cJSON_IsObject(list))
        return error_set(err, ERR_INVALID, "invalid filter '%s': its values are a list", list->string);
    cJSON_ArrayForEach (item, list) {
        bool is_list = cJSON_IsArray(list);
        if (is_list && !cJSON_IsString(item))
            return error_set(err, ERR_INVALID, "invalid filter '%s': a value is not a text", list->string);
        if (!is_list && !cJSON_IsTrue(item))
            continue;
        if (add(out, arena, list->string, is_list ? item->valuestring : item->string, err) < 0)
            return err->code;
    }
    return 0;
}

int filters_parse(const char *text, const char *const *known, struct arena *arena, struct filters *out, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    const cJSON *list;
    out->count = 0;
    out->items = arena_alloc(arena, API_FILTERS_COUNT * sizeof *out->items);
    if (text_empty(text))
        return 0;
    if (json_parse(bytes_of_string(text), API_HEADER_SIZE_BYTES, &json, err) < 0)
        return error_wrap(err, "filters");
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_INVALID, "filters: not a JSON object");
    cJSON_ArrayForEach (list, json) {
        if (!is_known(known, list->string))
            return error_set(err, ERR_INVALID, "invalid filter '%s'", list->string);
        if (parse_key(list, arena, out, err) < 0)
            return err->code;
    }
    return 0;
}

bool filters_have(const struct filters *filters, const char *key)
{
    for (size_t i = 0; i < filters->count; i++)
        if (strcmp(filters->items[i].key, key) == 0)
            return true;
    return false;
}

bool filters_allow(const struct filters *filters, const char *key, bool (*matches)(const void *subject, const char *value),
                   const void *subject)
{
    bool is_asked = false;
    for (size_t i = 0; i < filters->count; i++) {
        if (strcmp(filters->items[i].key, key) != 0)
            continue;
        is_asked = true;
        if (matches(subject, filters->items[i].value))
            return true;
    }
    return !is_asked;
}

static bool same(const void *subject, const char *value)
{
    return text_equal(subject, value);
}

bool filters_allow_exactly(const struct filters *filters, const char *key, const char *value)
{
    return filters_allow(filters, key, same, value);
}

bool filters_match_name(const char *pattern, const char *name)
{
    size_t length = strlen(pattern), name_length = strlen(name);
    bool at_start = length > 0 && pattern[0] == '^';
    if (at_start) {
        pattern++;
        length--;
    }
    bool at_end = length > 0 && pattern[length - 1] == '$';
    if (at_end)
        length--;
    if (length > 0 && pattern[0] == '/') { /* docker's names begin with one */
        pattern++;
        length--;
        at_start = true;
    }
    if (length > name_length)
        return false;
    size_t first = at_end ? name_length - length : 0, last = at_start ? 0 : name_length - length;
    for (size_t at = first; at <= last; at++)
        if (memcmp(name + at, pattern, length) == 0)
            return true;
    return false;
}

/* Goes back to the last '*' only: linear in text times pattern, never exponential. */
bool filters_match_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == *text || (*pattern == '?' && *text != '/')) {
            pattern++;
            text++;
        } else if (star && *retry != '/') {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
