/* api/swarm/shape_read.c – see shape.h: from JSON to messages. */
#include <float.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/swarm/shape.h"
#include "api/swarm/utf8.h"
#include "base/encode.h"
#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "proto/message.h"

/* Where in the JSON: a chain on the stack, from the inside out. */
struct shape_place {
    const struct shape_place *outer;
    const char *name; /* NULL: an item of a list */
    size_t index;
};

/* One member on its way: where it stands, what it says, where it goes. */
struct reading {
    const struct shape_member *member;
    const struct shape_source *source;
    struct shape_place place;
    const cJSON *item; /* NULL: absent */
    ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field;
};

/* --- errors that name the place --- */

const char *shape_quote(const char *text, char out[SHAPE_QUOTE_SIZE])
{
    size_t length = utf8_cut(text, SHAPE_QUOTE_SIZE - 4);
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    strcpy(out + length, text[length] ? "…" : "");
    return out;
}

static void print_place(const struct shape_place *place, struct buf *out)
{
    if (place->outer)
        print_place(place->outer, out);
    if (place->name == NULL)
        buf_append_format(out, "[%zu]", place->index);
    else if (*place->name)
        buf_append_format(out, "%s%s", out->size > 0 ? "." : "", place->name);
}

static int __attribute__((format(SKEP_PRINTF, 4, 0)))
refuse_v(const struct shape_place *place, struct error *err, int code, const char *format, va_list args)
{
    cleanup_buf struct buf where = {0};
    struct error cause = {0};
    print_place(place, &where);
    error_set_v(&cause, code, format, args);
    if (where.size == 0)
        return error_set(err, code, "%s", cause.message);
    return error_set(err, code, "%s: %s", (const char *)where.data, cause.message);
}

static int __attribute__((format(SKEP_PRINTF, 4, 5)))
refuse(const struct shape_place *place, struct error *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    code = refuse_v(place, err, code, format, args);
    va_end(args);
    return code;
}

int shape_refuse(const struct shape_source *source, const char *name, struct error *err, int code, const char *format, ...)
{
    const struct shape_place place = {.outer = source->place, .name = name};
    va_list args;
    va_start(args, format);
    code = refuse_v(name ? &place : source->place, err, code, format, args);
    va_end(args);
    return code;
}

/* --- JSON's members --- */

/* As Go: the exact name first, then without regard to letter case; a null is absent. */
const cJSON *shape_get(const struct shape_source *source, const char *name)
{
    if (source->json == NULL)
        return NULL;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(source->json, name);
    if (item == NULL)
        item = cJSON_GetObjectItem(source->json, name);
    return cJSON_IsNull(item) ? NULL : item;
}

static int check_object(const cJSON *item, const struct shape_place *place, struct error *err)
{
    if (!cJSON_IsObject(item))
        return refuse(place, err, ERR_INVALID, "not an object");
    size_t count = 0;
    for (const cJSON *member = item->child; member; member = member->next)
        if (++count > SWARM_JSON_MEMBERS_COUNT) /* each is looked for among all */
            return refuse(place, err, ERR_LIMIT, "more than %d members", SWARM_JSON_MEMBERS_COUNT);
    return 0;
}

static int count_items(const cJSON *item, const struct shape_place *place, size_t *count, struct error *err)
{
    *count = 0;
    for (const cJSON *child = item->child; child; child = child->next)
        if (++*count > SWARM_JSON_ITEMS_COUNT)
            return refuse(place, err, ERR_LIMIT, "more than %d entries", SWARM_JSON_ITEMS_COUNT);
    return 0;
}

/* --- values --- */

static int check_text(const cJSON *item, const struct shape_place *place, struct error *err)
{
    if (!cJSON_IsString(item))
        return refuse(place, err, ERR_INVALID, "not a text");
    if (!utf8_is_valid(item->valuestring))
        return refuse(place, err, ERR_INVALID, "not UTF-8");
    return 0;
}

/* A whole number as sign and magnitude. What body.h found too long for a double comes as a text of digits. */
struct whole {
    bool is_negative;
    uint64_t magnitude;
};

static bool whole_of_text(const char *text, struct whole *out)
{
    out->is_negative = *text == '-';
    out->magnitude = 0;
    text += out->is_negative;
    if (strlen(text) < SWARM_JSON_EXACT_DIGITS)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(out->magnitude, 10u, &out->magnitude) ||
            __builtin_add_overflow(out->magnitude, (uint64_t)(*text - '0'), &out->magnitude))
            return false;
    }
    return true;
}

static bool whole_of_double(double number, struct whole *out)
{
    double size = number < 0 ? -number : number;
    if (!(size <= 9007199254740992.0)) /* 2^53: beyond it a double skips whole numbers; and what is none is here, too */
        return false;
    *out = (struct whole){number < 0, (uint64_t)size};
    return (double)out->magnitude >= size;
}

static int read_whole(const cJSON *item, const struct shape_place *place, int64_t least, uint64_t most, struct whole *out,
                      struct error *err)
{
    bool is_whole =
        cJSON_IsString(item) ? whole_of_text(item->valuestring, out) : cJSON_IsNumber(item) && whole_of_double(item->valuedouble, out);
    if (!is_whole)
        return refuse(place, err, ERR_INVALID, "not a whole number of 64 bits");
    uint64_t bound = out->is_negative ? (uint64_t)0 - (uint64_t)least : most;
    if (out->magnitude > bound)
        return refuse(place, err, ERR_INVALID, "%s%" PRIu64 " is not between %" PRId64 " and %" PRIu64, out->is_negative ? "-" : "",
                      out->magnitude, least, most);
    return 0;
}

static int64_t signed_of(struct whole whole)
{
    return (int64_t)(whole.is_negative ? (uint64_t)0 - whole.magnitude : whole.magnitude);
}

int shape_get_i64(const struct shape_source *source, const char *name, int64_t *out, struct error *err)
{
    const struct shape_place place = {.outer = source->place, .name = name};
    const cJSON *item = shape_get(source, name);
    struct whole whole;
    if (item == NULL)
        return 0;
    int rc = read_whole(item, &place, INT64_MIN, INT64_MAX, &whole, err);
    if (rc == 0)
        *out = signed_of(whole);
    return rc;
}

/* --- fields --- */

static void *at(const struct reading *reading)
{
    return (char *)reading->message + reading->field->offset;
}

/* What is set is the one of its oneof; ERR_INVALID if another was set before. */
static int choose(const struct reading *reading, struct error *err)
{
    const ProtobufCFieldDescriptor *field = reading->field;
    uint32_t chosen;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return 0;
    char *where = (char *)reading->message + field->quantifier_offset;
    memcpy(&chosen, where, sizeof chosen);
    if (chosen != 0 && chosen != field->id)
        return refuse(&reading->place, err, ERR_INVALID, "only one of its kind can be given, and there is %s already",
                      protobuf_c_message_descriptor_get_field(reading->message->descriptor, chosen)->name);
    memcpy(where, &field->id, sizeof field->id);
    return 0;
}

static void set_pointer(const struct reading *reading, const void *pointer)
{
    memcpy(at(reading), &pointer, sizeof pointer);
}

static int read_text(const struct reading *reading, struct error *err)
{
    int rc = check_text(reading->item, &reading->place, err);
    if (rc < 0)
        return rc;
    if (*reading->item->valuestring == '\0' && (reading->member->flags & SHAPE_KEEP || reading->field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return 0; /* nothing chosen */
    if ((rc = choose(reading, err)) < 0)
        return rc;
    set_pointer(reading, arena_string(reading->source->arena, reading->item->valuestring));
    return 0;
}

static int read_bool(const struct reading *reading, struct error *err)
{
    if (!cJSON_IsBool(reading->item))
        return refuse(&reading->place, err, ERR_INVALID, "not true or false");
    protobuf_c_boolean truth = cJSON_IsTrue(reading->item);
    memcpy(at(reading), &truth, sizeof truth);
    return 0;
}

static int refuse_name(const struct reading *reading, const char *text, struct error *err)
{
    char quoted[SHAPE_QUOTE_SIZE];
    cleanup_buf struct buf names = {0};
    for (const struct shape_name *name = reading->member->names; name->text; name++)
        if (*name->text)
            buf_append_format(&names, "%s%s", names.size > 0 ? ", " : "", name->text);
    return refuse(&reading->place, err, ERR_INVALID, "\"%s\" is none of %s", shape_quote(text, quoted), (const char *)names.data);
}

static int read_name(const struct reading *reading, struct error *err)
{
    const struct shape_member *member = reading->member;
    int rc = reading->item ? check_text(reading->item, &reading->place, err) : 0, value = member->fallback;
    if (rc < 0)
        return rc;
    const char *text = reading->item ? reading->item->valuestring : "";
    if (*text == '\0' && member->flags & SHAPE_KEEP)
        return 0;
    if (*text != '\0' || member->fallback == SHAPE_NO_FALLBACK) {
        const struct shape_name *name = member->names;
        while (name->text && strcasecmp(name->text, text) != 0)
            name++;
        if (name->text == NULL)
            return refuse_name(reading, text, err);
        value = name->value;
    }
    memcpy(at(reading), &value, sizeof value);
    return 0;
}

static int read_bytes(const struct reading *reading, struct error *err)
{
    int rc = check_text(reading->item, &reading->place, err);
    if (rc < 0)
        return rc;
    const char *text = reading->item->valuestring;
    if (*text == '\0' && reading->member->flags & SHAPE_KEEP)
        return 0;
    cleanup_buf struct buf bytes = {.is_secret = true};
    if (reading->member->flags & SHAPE_AS_TEXT)
        buf_append(&bytes, text, strlen(text));
    else if (decode_base64(text, strlen(text), &bytes, NULL) < 0)
        return refuse(&reading->place, err, ERR_INVALID, "not base64");
    ProtobufCBinaryData data = {.len = bytes.size, .data = arena_copy(reading->source->arena, bytes.data, bytes.size)};
    memcpy(at(reading), &data, sizeof data);
    return 0;
}

static int read_number(const struct reading *reading, struct error *err)
{
    static const struct {
        int64_t least;
        uint64_t most;
    } ranges[] = {[PROTOBUF_C_TYPE_INT32] = {INT32_MIN, INT32_MAX},
                  [PROTOBUF_C_TYPE_INT64] = {INT64_MIN, INT64_MAX},
                  [PROTOBUF_C_TYPE_UINT32] = {0, UINT32_MAX},
                  [PROTOBUF_C_TYPE_UINT64] = {0, UINT64_MAX}};
    const ProtobufCType type = reading->field->type;
    struct whole whole = {.magnitude = reading->member->absent};
    if (reading->item) {
        int rc = read_whole(reading->item, &reading->place, ranges[type].least, ranges[type].most, &whole, err);
        if (rc < 0)
            return rc;
    } else if (whole.magnitude == 0) {
        return 0;
    }
    if (whole.magnitude == 0 && reading->member->flags & SHAPE_KEEP)
        return 0;
    int64_t number = signed_of(whole);
    bool is_wide = type == PROTOBUF_C_TYPE_INT64 || type == PROTOBUF_C_TYPE_UINT64;
    int32_t narrow = (int32_t)(uint32_t)number;
    memcpy(at(reading), is_wide ? (void *)&number : (void *)&narrow, is_wide ? sizeof number : sizeof narrow);
    return 0;
}

static int read_float(const struct reading *reading, struct error *err)
{
    if (!cJSON_IsNumber(reading->item))
        return refuse(&reading->place, err, ERR_INVALID, "not a number");
    if (!(reading->item->valuedouble >= (double)-FLT_MAX && reading->item->valuedouble <= (double)FLT_MAX))
        return refuse(&reading->place, err, ERR_INVALID, "%g is too large", reading->item->valuedouble);
    float number = (float)reading->item->valuedouble;
    memcpy(at(reading), &number, sizeof number);
    return 0;
}

/* --- messages --- */

static int read_members(const struct shape_member *shape, const struct shape_source *source, ProtobufCMessage *message, struct error *err);

void *shape_new(const ProtobufCMessageDescriptor *descriptor, struct arena *arena)
{
    void *message = arena_alloc(arena, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    return message;
}

static int read_object(const struct shape_member *shape, const cJSON *item, const struct shape_place *place,
                       const struct shape_source *outer, ProtobufCMessage *message, struct error *err)
{
    const struct shape_source source = {item, place, outer->api_version, outer->arena};
    int rc = item ? check_object(item, place, err) : 0;
    return rc < 0 ? rc : read_members(shape, &source, message, err);
}

static int read_duration(const struct reading *reading, struct error *err)
{
    struct whole whole = {0};
    int rc = reading->item ? read_whole(reading->item, &reading->place, INT64_MIN, INT64_MAX, &whole, err) : 0;
    if (rc < 0)
        return rc;
    const unsigned flags = reading->member->flags;
    if (whole.magnitude == 0 && (flags & SHAPE_KEEP || (flags & SHAPE_OMIT_ZERO && !(flags & SHAPE_MADE))))
        return 0;
    Google__Protobuf__Duration *duration = arena_alloc(reading->source->arena, sizeof *duration);
    message_set_duration(duration, signed_of(whole));
    set_pointer(reading, duration);
    return 0;
}

static int read_bool_value(const struct reading *reading, struct error *err)
{
    if (!cJSON_IsBool(reading->item))
        return refuse(&reading->place, err, ERR_INVALID, "not true or false");
    Google__Protobuf__BoolValue *value = shape_new(&google__protobuf__bool_value__descriptor, reading->source->arena);
    value->value = cJSON_IsTrue(reading->item);
    set_pointer(reading, value);
    return 0;
}

static int read_int64_value(const struct reading *reading, struct error *err)
{
    struct whole whole;
    int rc = read_whole(reading->item, &reading->place, INT64_MIN, INT64_MAX, &whole, err);
    if (rc < 0)
        return rc;
    Google__Protobuf__Int64Value *value = shape_new(&google__protobuf__int64_value__descriptor, reading->source->arena);
    value->value = signed_of(whole);
    set_pointer(reading, value);
    return 0;
}

static int read_message(const struct reading *reading, struct error *err)
{
    const ProtobufCMessageDescriptor *descriptor = reading->field->descriptor;
    const struct shape_member *member = reading->member;
    ProtobufCMessage *inner = NULL;
    if (descriptor == &google__protobuf__duration__descriptor && (reading->item || member->flags & SHAPE_MADE))
        return read_duration(reading, err);
    if (reading->item == NULL && !(member->flags & SHAPE_MADE))
        return 0;
    if (descriptor == &google__protobuf__bool_value__descriptor)
        return read_bool_value(reading, err);
    if (descriptor == &google__protobuf__int64_value__descriptor)
        return read_int64_value(reading, err);
    int rc = choose(reading, err);
    if (rc < 0)
        return rc;
    memcpy(&inner, at(reading), sizeof inner); /* of a oneof: zero while nothing was chosen */
    if (inner == NULL)
        inner = shape_new(descriptor, reading->source->arena);
    set_pointer(reading, inner);
    return read_object(member->shape, reading->item, &reading->place, reading->source, inner, err);
}

/* --- lists --- */

static void set_list(const struct reading *reading, void *items, size_t count)
{
    memcpy((char *)reading->message + reading->field->quantifier_offset, &count, sizeof count);
    set_pointer(reading, items);
}

static int read_texts(const struct reading *reading, size_t count, struct error *err)
{
    char **texts = arena_alloc(reading->source->arena, count * sizeof *texts);
    size_t index = 0;
    for (const cJSON *item = reading->item->child; item; item = item->next, index++) {
        const struct shape_place place = {.outer = &reading->place, .index = index};
        int rc = check_text(item, &place, err);
        if (rc < 0)
            return rc;
        texts[index] = arena_string(reading->source->arena, item->valuestring);
    }
    set_list(reading, texts, count);
    return 0;
}

static int read_messages(const struct reading *reading, size_t count, struct error *err)
{
    ProtobufCMessage **messages = arena_alloc(reading->source->arena, count * sizeof *messages);
    size_t index = 0;
    for (const cJSON *item = reading->item->child; item; item = item->next, index++) {
        const struct shape_place place = {.outer = &reading->place, .index = index};
        messages[index] = shape_new(reading->field->descriptor, reading->source->arena);
        int rc = read_object(reading->member->shape, item, &place, reading->source, messages[index], err);
        if (rc < 0)
            return rc;
    }
    set_list(reading, messages, count);
    return 0;
}

/* By key; of two with one key the later first. */
struct entry {
    const cJSON *item;
    size_t index;
};

static int compare(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int order = strcmp(left->item->string, right->item->string);
    return order != 0 ? order : left->index < right->index ? 1 : -1;
}

static ProtobufCMessage *new_entry(const struct reading *reading, const cJSON *item)
{
    const ProtobufCMessageDescriptor *descriptor = reading->field->descriptor;
    ProtobufCMessage *entry = shape_new(descriptor, reading->source->arena);
    const char *pair[] = {arena_string(reading->source->arena, item->string),
                          arena_string(reading->source->arena, cJSON_IsNull(item) ? "" : item->valuestring)};
    for (unsigned i = 0; i < 2; i++)
        memcpy((char *)entry + descriptor->fields[i].offset, &pair[i], sizeof pair[i]);
    return entry;
}

/* As in Go the last of two values for one key counts. */
static int read_map(const struct reading *reading, size_t count, struct error *err)
{
    cleanup_free struct entry *sorted = mem_array(count + 1, sizeof *sorted);
    ProtobufCMessage **entries = arena_alloc(reading->source->arena, count * sizeof *entries);
    size_t index = 0, kept = 0;
    for (const cJSON *item = reading->item->child; item; item = item->next, index++) {
        char quoted[SHAPE_QUOTE_SIZE];
        const struct shape_place place = {.outer = &reading->place, .name = shape_quote(item->string, quoted)};
        int rc = cJSON_IsNull(item) ? 0 : check_text(item, &place, err);
        if (rc < 0)
            return rc;
        if (!utf8_is_valid(item->string))
            return refuse(&reading->place, err, ERR_INVALID, "a name that is not UTF-8");
        sorted[index] = (struct entry){item, index};
    }
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(sorted[i - 1].item->string, sorted[i].item->string) != 0)
            entries[kept++] = new_entry(reading, sorted[i].item);
    set_list(reading, entries, kept);
    return 0;
}

static int read_list(const struct reading *reading, struct error *err)
{
    bool is_map = shape_is_map(reading->field);
    size_t count;
    if (is_map ? !cJSON_IsObject(reading->item) : !cJSON_IsArray(reading->item))
        return refuse(&reading->place, err, ERR_INVALID, is_map ? "not an object" : "not a list");
    int rc = count_items(reading->item, &reading->place, &count, err);
    if (rc < 0 || (count == 0 && reading->member->flags & SHAPE_KEEP))
        return rc;
    if (is_map)
        return read_map(reading, count, err);
    return reading->field->type == PROTOBUF_C_TYPE_STRING ? read_texts(reading, count, err) : read_messages(reading, count, err);
}

/* --- members --- */

static int read_field(const struct reading *reading, struct error *err)
{
    ProtobufCType type = reading->field->type;
    bool is_list = reading->field->label == PROTOBUF_C_LABEL_REPEATED;
    if (!is_list && type == PROTOBUF_C_TYPE_MESSAGE)
        return read_message(reading, err);
    if (!is_list && type == PROTOBUF_C_TYPE_ENUM)
        return read_name(reading, err);
    bool is_number =
        type == PROTOBUF_C_TYPE_INT32 || type == PROTOBUF_C_TYPE_INT64 || type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_UINT64;
    if (!is_list && is_number)
        return read_number(reading, err);
    if (reading->item == NULL)
        return 0;
    if (is_list)
        return read_list(reading, err);
    if (type == PROTOBUF_C_TYPE_STRING)
        return read_text(reading, err);
    if (type == PROTOBUF_C_TYPE_BOOL)
        return read_bool(reading, err);
    return type == PROTOBUF_C_TYPE_BYTES ? read_bytes(reading, err) : read_float(reading, err);
}

static int read_inline(const struct shape_member *member, const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    const struct reading reading = {.message = message, .field = shape_field(message->descriptor, member->field)};
    ProtobufCMessage *inner;
    memcpy(&inner, at(&reading), sizeof inner);
    if (inner == NULL)
        inner = shape_new(reading.field->descriptor, source->arena);
    set_pointer(&reading, inner);
    return read_members(member->shape, source, inner, err);
}

static int read_member(const struct shape_member *member, const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    if (member->flags & SHAPE_INLINE)
        return read_inline(member, source, message, err);
    if (member->json == NULL && member->shape)
        return read_members(member->shape, source, message, err);
    if (member->json == NULL)
        return member->read ? member->read(source, message, err) : 0;
    struct reading reading = {.member = member, .source = source, .message = message, .item = shape_get(source, member->json)};
    reading.place = (struct shape_place){.outer = source->place, .name = member->json};
    if (member->field == NULL)
        return read_object(member->shape, reading.item, &reading.place, source, message, err);
    reading.field = shape_field(message->descriptor, member->field);
    return read_field(&reading, err);
}

static int read_members(const struct shape_member *shape, const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    for (const struct shape_member *member = shape; !shape_is_end(member); member++) {
        if (source->api_version < member->since || member->flags & SHAPE_ONLY_WRITTEN)
            continue;
        int rc = read_member(member, source, message, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int shape_read(const struct shape_member *shape, const cJSON *json, const char *root, unsigned api_version, struct arena *arena,
               ProtobufCMessage *message, struct error *err)
{
    const struct shape_place place = {.name = root};
    const struct shape_source source = {NULL, &place, api_version, arena};
    if (!cJSON_IsObject(json))
        return refuse(&place, err, ERR_INVALID, "not a JSON object");
    return read_object(shape, json, &place, &source, message, err);
}
