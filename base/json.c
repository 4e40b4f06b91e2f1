/* base/json.c – see json.h. */
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* cJSON recurses to a depth of its own (1,000): ours is checked before it starts. */
static bool too_deep(struct bytes text)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_COUNT)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

int json_parse(struct bytes text, size_t max_bytes, cJSON **out, struct error *err)
{
    if (text.size > max_bytes)
        return error_set(err, ERR_LIMIT, "JSON of %zu bytes: more than %zu", text.size, max_bytes);
    if (too_deep(text))
        return error_set(err, ERR_LIMIT, "JSON nested deeper than %d", JSON_DEPTH_COUNT);
    const char *start = (const char *)text.data, *end = NULL;
    cJSON *json = text.size == 0 ? NULL : cJSON_ParseWithLengthOpts(start, text.size, &end, false);
    if (json == NULL)
        return error_set(err, ERR_INVALID, "not JSON at byte %zu", end ? (size_t)(end - start) : (size_t)0);
    for (; end < start + text.size; end++)
        if (strchr(" \t\r\n", *end) == NULL) {
            cJSON_Delete(json);
            return error_set(err, ERR_INVALID, "more than one JSON document: something follows at byte %zu", (size_t)(end - start));
        }
    *out = json;
    return 0;
}

char *json_print(const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    return text ? text : mem_string("null");
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

const char *json_string(const cJSON *object, const char *key, const char *fallback)
{
    const cJSON *item = member(object, key);
    return cJSON_IsString(item) ? item->valuestring : fallback;
}

bool json_bool(const cJSON *object, const char *key, bool fallback)
{
    const cJSON *item = member(object, key);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) != 0 : fallback;
}

int64_t json_int(const cJSON *object, const char *key, int64_t fallback)
{
    const cJSON *item = member(object, key);
    if (cJSON_IsNumber(item)) {
        if (item->valuedouble >= 9223372036854775807.0)
            return INT64_MAX;
        if (item->valuedouble <= -9223372036854775808.0)
            return INT64_MIN;
        return (int64_t)item->valuedouble;
    }
    if (cJSON_IsString(item)) {
        char *end;
        int64_t value = strtoll(item->valuestring, &end, 10);
        return end != item->valuestring && *end == '\0' ? value : fallback;
    }
    return fallback;
}

const cJSON *json_object(const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);
    return cJSON_IsObject(item) ? item : NULL;
}

const cJSON *json_array(const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);
    return cJSON_IsArray(item) ? item : NULL;
}

void json_add_int(cJSON *object, const char *key, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    cJSON_AddRawToObject(object, key, digits);
}

void json_add_string(cJSON *object, const char *key, const char *value)
{
    if (value)
        cJSON_AddStringToObject(object, key, value);
}

void json_add_strings(cJSON *object, const char *key, char *const *values, size_t count)
{
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(values[i]));
}
