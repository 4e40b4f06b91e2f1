/* api/swarm/json_plugin.c – see json_plugin.h.
 *
 * The message: name 1, remote 2, privileges 3 (name 1, description 2, value 3, repeated), disabled 4, env 5. Its JSON's names are small. */
#include "api/swarm/json_plugin.h"

#include "api/swarm/shape.h"
#include "base/mem.h"
#include "google/protobuf/any.pb-c.h"
#include "proto/fields.h"

static cJSON *text_of(struct bytes bytes)
{
    cleanup_free char *text = mem_string_n((const char *)bytes.data, bytes.size);
    return shape_text(text);
}

static void add_to_list(cJSON *object, const char *name, cJSON *item)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(object, name);
    cJSON_AddItemToArray(list ? list : cJSON_AddArrayToObject(object, name), item);
}

/* A field met twice counts as it was met last. */
static void put(cJSON *object, const char *name, cJSON *item)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    cJSON_AddItemToObject(object, name, item);
}

static bool read_privilege(struct bytes rest, cJSON *privilege)
{
    struct field field;
    while (rest.size > 0) {
        if (!field_take(&rest, &field))
            return false;
        if (field.type != FIELD_LENGTH)
            continue;
        if (field.number == 1)
            put(privilege, "name", text_of(field.bytes));
        else if (field.number == 2)
            put(privilege, "description", text_of(field.bytes));
        else if (field.number == 3)
            add_to_list(privilege, "value", text_of(field.bytes));
    }
    return true;
}

static bool read_field(const struct field *field, cJSON *plugin)
{
    if (field->number == 4 && field->type == FIELD_VARINT && field->value != 0)
        put(plugin, "disabled", cJSON_CreateTrue());
    if (field->type != FIELD_LENGTH)
        return true;
    switch (field->number) {
    case 1:
        put(plugin, "name", text_of(field->bytes));
        return true;
    case 2:
        put(plugin, "remote", text_of(field->bytes));
        return true;
    case 3: {
        cJSON *privilege = cJSON_CreateObject();
        add_to_list(plugin, "privileges", privilege);
        return read_privilege(field->bytes, privilege);
    }
    case 5:
        add_to_list(plugin, "env", text_of(field->bytes));
        return true;
    default:
        return true;
    }
}

cJSON *swarm_json_plugin(const struct Google__Protobuf__Any *payload)
{
    if (payload == NULL)
        return NULL;
    cJSON *plugin = cJSON_CreateObject();
    struct bytes rest = bytes_of(payload->value.data, payload->value.len);
    struct field field;
    while (rest.size > 0)
        if (!field_take(&rest, &field) || !read_field(&field, plugin)) {
            cJSON_Delete(plugin);
            return NULL;
        }
    return plugin;
}
