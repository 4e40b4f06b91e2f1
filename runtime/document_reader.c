/* runtime/document_reader.c – see document_reader.h. */
#include "runtime/document_reader.h"

#include <string.h>

#include "base/limits.h"
#include "base/text.h"

enum { PATH_SIZE_BYTES = 4096 }; /* with its end */

int reader_fail(const struct reader *r, int code, const char *key, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_set_v(r->err, code, format, args);
    va_end(args);
    return error_wrap(r->err, "%s%s%s", r->path, r->path[0] && key[0] ? "." : "", key);
}

static const cJSON *find(const struct reader *r, const char *key)
{
    const cJSON *item = r->object ? cJSON_GetObjectItemCaseSensitive(r->object, key) : NULL;

    return cJSON_IsNull(item) ? NULL : item;
}

static bool is_known(const char *name, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

int reader_only(const struct reader *r, const char *const *known)
{
    const cJSON *item;

    if (!r->object)
        return 0;
    cJSON_ArrayForEach (item, r->object) {
        if (!is_known(item->string, known))
            return reader_fail(r, ERR_INVALID, item->string, "no such member");
        if (cJSON_GetObjectItemCaseSensitive(r->object, item->string) != item)
            return reader_fail(r, ERR_INVALID, item->string, "given twice");
    }
    return 0;
}

int reader_object(const struct reader *r, const char *key, struct reader *out)
{
    const cJSON *item = find(r, key);

    if (item && !cJSON_IsObject(item))
        return reader_fail(r, ERR_INVALID, key, "not an object");
    *out = *r;
    out->object = item;
    out->path = r->path[0] ? arena_format(r->arena, "%s.%s", r->path, key) : key;
    return 0;
}

int reader_string(const struct reader *r, const char *key, const char *fallback, const char **out)
{
    const cJSON *item = find(r, key);

    if (item && !cJSON_IsString(item))
        return reader_fail(r, ERR_INVALID, key, "not a string");
    *out = item ? arena_string(r->arena, item->valuestring) : fallback;
    return 0;
}

bool reader_is_path(const struct reader *r, const char *path)
{
    return document_path_is_absolute(path, r->is_windows) && strlen(path) < PATH_SIZE_BYTES;
}

int reader_path(const struct reader *r, const char *key, const char *path)
{
    return reader_is_path(r, path) ? 0 : reader_fail(r, ERR_INVALID, key, "not an absolute path: \"%s\"", path);
}

int reader_int(const struct reader *r, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *out)
{
    const cJSON *item = find(r, key);
    double value;

    *out = fallback;
    if (!item)
        return 0;
    if (cJSON_IsString(item)) {
        if (text_parse_i64(item->valuestring, min, max, out, r->err) < 0)
            return error_wrap(r->err, "%s.%s", r->path, key);
        return 0;
    }
    if (!cJSON_IsNumber(item))
        return reader_fail(r, ERR_INVALID, key, "not a number");
    value = item->valuedouble;
    /* The comparison is written so that NaN fails it; the two ends of int64 are not both doubles. */
    if (!(value >= (double)min && value <= (double)max))
        return reader_fail(r, ERR_INVALID, key, "%.0f is not from %lld to %lld", value, (long long)min, (long long)max);
    *out = value >= 9223372036854775807.0 ? INT64_MAX : (int64_t)value;
    if (value < 9007199254740992.0 && value > -9007199254740992.0 && (double)*out != value)
        return reader_fail(r, ERR_INVALID, key, "%g is not a whole number", value);
    return 0;
}

int reader_bool(const struct reader *r, const char *key, bool fallback, bool *out)
{
    const cJSON *item = find(r, key);

    if (item && !cJSON_IsBool(item))
        return reader_fail(r, ERR_INVALID, key, "not true or false");
    *out = item ? cJSON_IsTrue(item) != 0 : fallback;
    return 0;
}

int reader_array(const struct reader *r, const char *key, size_t max, size_t *count, const cJSON **first)
{
    const cJSON *array = find(r, key), *item;
    size_t n = 0;

    *count = 0;
    *first = NULL;
    if (!array)
        return 0;
    if (!cJSON_IsArray(array))
        return reader_fail(r, ERR_INVALID, key, "not an array");
    cJSON_ArrayForEach (item, array)
        n++;
    if (n > max)
        return reader_fail(r, ERR_LIMIT, key, "%zu of them: at most %zu", n, max);
    *count = n;
    *first = array->child;
    return 0;
}

int reader_item(const struct reader *r, const char *key, size_t index, const cJSON *item, struct reader *out)
{
    *out = *r;
    out->path = arena_format(r->arena, "%s%s%s[%zu]", r->path, r->path[0] ? "." : "", key, index);
    out->object = item;
    if (!cJSON_IsObject(item))
        return reader_fail(out, ERR_INVALID, "", "not an object");
    return 0;
}

int reader_strings(const struct reader *r, const char *key, struct document_strings *out)
{
    const cJSON *item;

    *out = (struct document_strings){0};
    if (reader_array(r, key, CONTAINER_LIST_COUNT, &out->count, &item) < 0)
        return r->err->code;
    out->items = arena_alloc(r->arena, (out->count + 1) * sizeof *out->items);
    for (size_t i = 0; i < out->count; i++, item = item->next) {
        if (!cJSON_IsString(item))
            return reader_fail(r, ERR_INVALID, key, "item %zu is not a string", i);
        out->items[i] = arena_string(r->arena, item->valuestring);
    }
    return 0;
}

int reader_pairs(const struct reader *r, const char *key, struct document_pairs *out)
{
    struct reader pairs = {0};
    const cJSON *item;
    size_t n = 0;

    *out = (struct document_pairs){0};
    if (reader_object(r, key, &pairs) < 0)
        return r->err->code;
    if (!pairs.object)
        return 0;
    cJSON_ArrayForEach (item, pairs.object)
        n++;
    if (n > CONTAINER_LIST_COUNT)
        return reader_fail(r, ERR_LIMIT, key, "%zu of them: at most %d", n, CONTAINER_LIST_COUNT);
    out->items = arena_alloc(r->arena, (n + 1) * sizeof *out->items);
    cJSON_ArrayForEach (item, pairs.object) {
        if (!cJSON_IsString(item))
            return reader_fail(&pairs, ERR_INVALID, item->string, "not a string");
        out->items[out->count++] = (struct document_pair){arena_string(r->arena, item->string), arena_string(r->arena, item->valuestring)};
    }
    return 0;
}

int reader_word(const struct reader *r, const char *key, const char *const *words, unsigned *out)
{
    const char *text = "";

    if (reader_string(r, key, words[0], &text) < 0)
        return r->err->code;
    for (unsigned i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return 0;
        }
    return reader_fail(r, ERR_INVALID, key, "\"%s\" is not a word it knows", text);
}
