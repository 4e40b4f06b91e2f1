/* cli/json_edit.c – see json_edit.h. */
#include "cli/json_edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

void edit_set(cJSON *object, const char *key, cJSON *value)
{
    if (cJSON_GetObjectItemCaseSensitive(object, key))
        cJSON_ReplaceItemInObjectCaseSensitive(object, key, value);
    else
        cJSON_AddItemToObject(object, key, value);
}

static cJSON *member_of_kind(cJSON *object, const char *key, cJSON *made)
{
    cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);
    if (found && (cJSON_IsArray(found) ? cJSON_IsArray(made) : cJSON_IsObject(found) && cJSON_IsObject(made))) {
        cJSON_Delete(made);
        return found;
    }
    edit_set(object, key, made);
    return made;
}

cJSON *edit_object(cJSON *object, const char *key)
{
    return member_of_kind(object, key, cJSON_CreateObject());
}

cJSON *edit_list(cJSON *object, const char *key)
{
    return member_of_kind(object, key, cJSON_CreateArray());
}

void edit_set_string(cJSON *object, const char *key, const char *value)
{
    edit_set(object, key, cJSON_CreateString(value));
}

void edit_set_int(cJSON *object, const char *key, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    edit_set(object, key, cJSON_CreateRaw(digits));
}

void edit_set_bool(cJSON *object, const char *key, bool value)
{
    edit_set(object, key, cJSON_CreateBool(value));
}

int edit_set_pairs(cJSON *object, const struct option_values *pairs, const char *flag, struct error *err)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const char *pair = pairs->items[i], *equals = strchr(pair, '=');
        size_t length = equals ? (size_t)(equals - pair) : strlen(pair);
        if (length == 0)
            return error_set(err, ERR_INVALID, "invalid argument \"%s\" for \"--%s\" flag: write KEY=VALUE", pair, flag);
        cleanup_free char *key = mem_string_n(pair, length);
        edit_set_string(object, key, equals ? equals + 1 : "");
    }
    return 0;
}

void edit_remove_keys(cJSON *object, const struct option_values *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(object, keys->items[i]);
}

int edit_set_duration_of(cJSON *object, const char *key, const struct options *options, const char *option, struct error *err)
{
    const char *text = option_text(options, option, NULL);
    int64_t ns;
    if (text == NULL)
        return 0;
    if (time_parse_duration(text, &ns, err) < 0)
        return error_wrap(err, "--%s", option);
    edit_set_int(object, key, ns);
    return 0;
}

int edit_set_int_of(cJSON *object, const char *key, const struct options *options, const char *option, int64_t min, struct error *err)
{
    const char *text = option_text(options, option, NULL);
    int64_t number;
    if (text == NULL)
        return 0;
    if (text_parse_i64(text, min, INT64_MAX, &number, err) < 0)
        return error_wrap(err, "--%s", option);
    edit_set_int(object, key, number);
    return 0;
}

void edit_set_string_of(cJSON *object, const char *key, const struct options *options, const char *option)
{
    const char *text = option_text(options, option, NULL);
    if (text)
        edit_set_string(object, key, text);
}

bool edit_next_field(char **text, struct field *out)
{
    char *at = *text, *comma, *equals;
    if (at == NULL || *at == '\0')
        return false;
    comma = strchr(at, ',');
    *text = comma ? comma + 1 : NULL;
    if (comma)
        *comma = '\0';
    equals = strchr(at, '=');
    *out = (struct field){.key = at, .value = equals ? equals + 1 : at + strlen(at), .has_value = equals != NULL};
    if (equals)
        *equals = '\0';
    return true;
}
