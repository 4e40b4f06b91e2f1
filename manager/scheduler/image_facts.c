/* manager/scheduler/image_facts.c – see image_facts.h. Written by a manager, but it came over the wire: checked like everything from there.
 */
#include "manager/scheduler/image_facts.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "google/protobuf/any.pb-c.h"
#include "proto/swarmkit/objects.pb-c.h"

/* Texts are shown to people and compared byte by byte: nothing that cannot be seen. */
static int check_text(const char *what, const char *text, size_t most, struct error *err)
{
    if (strlen(text) > most)
        return error_set(err, ERR_LIMIT, "%s is %zu characters long: at most %zu are taken", what, strlen(text), most);
    for (const char *at = text; *at; at++)
        if (*at < '!' || *at > '~')
            return error_set(err, ERR_INVALID, "%s has a character that is not printable at %zu", what, (size_t)(at - text));
    return 0;
}

/* "" where it is not there. */
static int read_text(const cJSON *object, const char *key, size_t most, struct arena *arena, const char **out, struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    *out = "";
    if (item == NULL)
        return 0;
    if (!cJSON_IsString(item))
        return error_set(err, ERR_INVALID, "%s is no text", key);
    *out = arena_string(arena, item->valuestring);
    return check_text(key, *out, most, err);
}

static int read_platform(const cJSON *item, struct arena *arena, struct scheduler_platform *out, struct error *err)
{
    if (!cJSON_IsObject(item))
        return error_set(err, ERR_INVALID, "no object");
    if (read_text(item, "os", IMAGE_FACTS_WORD_CHARS, arena, &out->os, err) < 0 ||
        read_text(item, "architecture", IMAGE_FACTS_WORD_CHARS, arena, &out->architecture, err) < 0 ||
        read_text(item, "os.version", IMAGE_FACTS_WORD_CHARS, arena, &out->os_version, err) < 0)
        return err->code;
    return 0;
}

static int read_platforms(const cJSON *list, struct image_facts *out, struct error *err)
{
    size_t count = list ? (size_t)cJSON_GetArraySize(list) : 0;
    struct scheduler_platform *platforms;
    const cJSON *item;

    if (list == NULL)
        return error_set(err, ERR_INVALID, "platforms is no list");
    if (count > IMAGE_INDEX_ENTRIES_COUNT)
        return error_set(err, ERR_LIMIT, "%zu platforms: at most %d are taken", count, IMAGE_INDEX_ENTRIES_COUNT);
    platforms = arena_alloc(&out->arena, (count + 1) * sizeof *platforms);
    out->platforms = platforms;
    cJSON_ArrayForEach (item, list) {
        if (read_platform(item, &out->arena, &platforms[out->count], err) < 0)
            return error_wrap(err, "platform %zu", out->count);
        out->count++;
    }
    return 0;
}

static int read_all(const cJSON *document, struct image_facts *out, struct error *err)
{
    if (!cJSON_IsObject(document))
        return error_set(err, ERR_INVALID, "no object");
    if (read_text(document, "image", IMAGE_FACTS_REFERENCE_CHARS, &out->arena, &out->image, err) < 0)
        return err->code;
    if (read_text(document, "digest", IMAGE_FACTS_REFERENCE_CHARS, &out->arena, &out->digest, err) < 0)
        return err->code;
    if (out->image[0] == 0)
        return error_set(err, ERR_INVALID, "image is missing: of which image are these platforms?");
    return read_platforms(json_array(document, "platforms"), out, err);
}

int image_facts_parse(struct bytes payload, struct image_facts *out, struct error *err)
{
    cleanup_json cJSON *document = NULL;
    struct error why = {0};

    *out = (struct image_facts){0};
    if (json_parse(payload, IMAGE_FACTS_SIZE_BYTES, &document, &why) < 0 || read_all(document, out, &why) < 0) {
        image_facts_deinit(out);
        return error_set(err, why.code, "image facts: %s", why.message);
    }
    return 0;
}

void image_facts_deinit(struct image_facts *facts)
{
    arena_deinit(&facts->arena);
    *facts = (struct image_facts){0};
}

int image_facts_read(const Docker__Swarmkit__V1__Resource *resource, struct image_facts *out, struct error *err)
{
    const Google__Protobuf__Any *payload = resource->payload;

    if (payload == NULL)
        return error_set(err, ERR_INVALID, "resource %.64s: image facts without a payload", resource->id);
    if (strcmp(payload->type_url, IMAGE_FACTS_TYPE) != 0)
        return error_set(err, ERR_UNSUPPORTED, "resource %.64s: image facts of type %.64s: this version reads %s", resource->id,
                         payload->type_url, IMAGE_FACTS_TYPE);
    int failed = image_facts_parse(bytes_of(payload->value.data, payload->value.len), out, err);
    return failed < 0 ? error_wrap(err, "resource %.64s", resource->id) : 0;
}

static void add_word(cJSON *object, const char *key, const char *value)
{
    if (value && value[0])
        json_add_string(object, key, value);
}

static int check_platform(const struct scheduler_platform *platform, struct error *err)
{
    const char *const words[] = {platform->os, platform->architecture, platform->os_version};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i] && check_text("a platform's text", words[i], IMAGE_FACTS_WORD_CHARS, err) < 0)
            return err->code;
    return 0;
}

static int check_all(const struct image_facts *facts, struct error *err)
{
    if (facts->image == NULL || facts->image[0] == 0)
        return error_set(err, ERR_INVALID, "without an image");
    if (facts->count > IMAGE_INDEX_ENTRIES_COUNT)
        return error_set(err, ERR_LIMIT, "%zu platforms: at most %d are taken", facts->count, IMAGE_INDEX_ENTRIES_COUNT);
    if (facts->digest && check_text("digest", facts->digest, IMAGE_FACTS_REFERENCE_CHARS, err) < 0)
        return err->code;
    for (size_t i = 0; i < facts->count; i++)
        if (check_platform(&facts->platforms[i], err) < 0)
            return err->code;
    return check_text("image", facts->image, IMAGE_FACTS_REFERENCE_CHARS, err);
}

int image_facts_print(const struct image_facts *facts, struct buf *out, struct error *err)
{
    cleanup_json cJSON *document = NULL;
    struct error why = {0};

    if (check_all(facts, &why) < 0)
        return error_set(err, why.code, "image facts: %s", why.message);
    document = cJSON_CreateObject();
    json_add_string(document, "image", facts->image);
    add_word(document, "digest", facts->digest);
    cJSON *list = cJSON_AddArrayToObject(document, "platforms");
    for (size_t i = 0; i < facts->count; i++) {
        cJSON *platform = cJSON_CreateObject();
        add_word(platform, "os", facts->platforms[i].os);
        add_word(platform, "architecture", facts->platforms[i].architecture);
        add_word(platform, "os.version", facts->platforms[i].os_version);
        cJSON_AddItemToArray(list, platform);
    }
    cleanup_free char *text = json_print(document);
    if (strlen(text) > IMAGE_FACTS_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "image facts: %zu bytes: at most %u are taken", strlen(text), IMAGE_FACTS_SIZE_BYTES);
    buf_append_string(out, text);
    return 0;
}
