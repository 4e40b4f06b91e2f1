/* runtime/image/tool/windows_names.c – see windows_names.h. A hash table of all parts, by the directory they are in. */
#include "runtime/image/tool/windows_names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/tool/utf16.h"

enum { NAME_UNITS = 255, FIRST_SLOTS = 256 };

struct node {
    uint32_t parent, hash;
    size_t name_at; /* in the pool, UTF-8, as it was spelled first */
    enum windows_name_kind kind;
};

struct windows_names {
    uint16_t (*upper_case)(uint16_t unit);
    struct node *nodes; /* [0] is the root */
    size_t count, capacity;
    uint32_t *slots; /* 0: free, else a node's number */
    size_t slot_count;
    struct buf pool;
};

/* --- what Windows can hold ----------------------------------------------------------------------------------------------------------- */

static bool is_device(const char *part)
{
    static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    size_t length = strcspn(part, ".");
    while (length > 0 && part[length - 1] == ' ')
        length--;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (length == strlen(names[i]) && strncasecmp(part, names[i], length) == 0)
            return true;
    if (length < 4 || (strncasecmp(part, "COM", 3) != 0 && strncasecmp(part, "LPT", 3) != 0))
        return false;
    if (length == 4 && part[3] >= '0' && part[3] <= '9')
        return true;
    /* The superscript digits one, two and three count as well. */
    return length == 5 && part[3] == '\xC2' && (part[4] == '\xB9' || part[4] == '\xB2' || part[4] == '\xB3');
}

int windows_name_check(const char *part, struct error *err)
{
    cleanup_buf struct buf wide = {0};
    size_t length = strlen(part);
    for (const char *at = part; *at; at++)
        if ((unsigned char)*at < ' ' || strchr("<>:\"|?*\\", *at))
            return error_set(err, ERR_INVALID, "\"%.200s\" has a character that Windows' names cannot have", part);
    if (length == 0 || part[length - 1] == '.' || part[length - 1] == ' ')
        return error_set(err, ERR_INVALID, "\"%.200s\": Windows' names cannot end with a dot or a blank", part);
    if (is_device(part))
        return error_set(err, ERR_INVALID, "\"%.200s\" is the name of a device on Windows", part);
    int failed = utf16_append(&wide, part, err);
    if (failed == 0 && wide.size / 2 > NAME_UNITS)
        failed = error_set(err, ERR_INVALID, "\"%.200s\" has more than %d characters", part, NAME_UNITS);
    return failed;
}

/* --- what was there ------------------------------------------------------------------------------------------------------------------ */

struct windows_names *windows_names_new(uint16_t (*upper_case)(uint16_t unit))
{
    struct windows_names *names = mem_alloc(sizeof *names);
    names->upper_case = upper_case;
    names->capacity = FIRST_SLOTS;
    names->nodes = mem_array(names->capacity, sizeof *names->nodes);
    names->nodes[0].kind = WINDOWS_NAME_DIRECTORY;
    names->count = 1;
    names->slot_count = FIRST_SLOTS;
    names->slots = mem_array(names->slot_count, sizeof *names->slots);
    buf_append(&names->pool, "", 1);
    return names;
}

void windows_names_free(struct windows_names *names)
{
    if (!names)
        return;
    free(names->nodes);
    free(names->slots);
    buf_deinit(&names->pool);
    free(names);
}

/* The upper case, in UTF-16, as it is compared. Nothing for what is no UTF-8. */
static void fold(const struct windows_names *names, const char *part, struct buf *out)
{
    if (utf16_append(out, part, NULL) < 0)
        buf_clear(out);
    for (size_t i = 0; i + 1 < out->size; i += 2) {
        uint16_t unit = names->upper_case((uint16_t)(out->data[i] | out->data[i + 1] << 8));
        out->data[i] = (uint8_t)unit;
        out->data[i + 1] = (uint8_t)(unit >> 8);
    }
}

static uint32_t hash_of(uint32_t parent, const struct buf *folded)
{
    uint32_t hash = 2166136261u ^ parent * 2654435761u;
    for (size_t i = 0; i < folded->size; i++)
        hash = (hash ^ folded->data[i]) * 16777619u;
    return hash;
}

static const char *name_of(const struct windows_names *names, const struct node *node)
{
    return (const char *)names->pool.data + node->name_at;
}

static bool is_named(const struct windows_names *names, const struct node *node, const struct buf *folded)
{
    cleanup_buf struct buf other = {0};
    fold(names, name_of(names, node), &other);
    return bytes_equal(buf_bytes(&other), buf_bytes(folded));
}

/* The slot with it, or the free one where it belongs. */
static uint32_t *find(const struct windows_names *names, uint32_t parent, uint32_t hash, const struct buf *folded)
{
    for (size_t at = hash;; at++) {
        uint32_t *slot = &names->slots[at & (names->slot_count - 1)];
        const struct node *node = &names->nodes[*slot];
        if (*slot == 0 || (node->hash == hash && node->parent == parent && is_named(names, node, folded)))
            return slot;
    }
}

static void grow(struct windows_names *names)
{
    if (names->count == names->capacity) {
        names->capacity *= 2;
        names->nodes = mem_resize(names->nodes, names->capacity * sizeof *names->nodes);
    }
    if (names->count * 2 < names->slot_count)
        return;
    free(names->slots);
    names->slot_count *= 2;
    names->slots = mem_array(names->slot_count, sizeof *names->slots);
    for (uint32_t id = 1; id < names->count; id++) {
        size_t at = names->nodes[id].hash;
        while (names->slots[at & (names->slot_count - 1)] != 0)
            at++;
        names->slots[at & (names->slot_count - 1)] = id;
    }
}

static int add(struct windows_names *names, struct node node, const char *part, const struct buf *folded, uint32_t *id, struct error *err)
{
    if (names->count > IMAGE_LAYER_ENTRIES_COUNT)
        return error_set(err, ERR_LIMIT, "the layer has more than %d files and directories", IMAGE_LAYER_ENTRIES_COUNT);
    grow(names);
    node.name_at = names->pool.size;
    buf_append(&names->pool, part, strlen(part) + 1);
    *id = (uint32_t)names->count++;
    names->nodes[*id] = node;
    *find(names, node.parent, node.hash, folded) = *id;
    return 0;
}

int windows_names_enter(struct windows_names *names, uint32_t parent, const char *part, enum windows_name_kind kind, uint32_t *id,
                        enum windows_name_kind *was, struct error *err)
{
    cleanup_buf struct buf folded = {0};
    fold(names, part, &folded);
    uint32_t hash = hash_of(parent, &folded), found = *find(names, parent, hash, &folded);
    *was = WINDOWS_NAME_NONE;
    if (found == 0)
        return add(names, (struct node){.parent = parent, .hash = hash, .kind = kind}, part, &folded, id, err);
    struct node *node = &names->nodes[found];
    if (strcmp(name_of(names, node), part) != 0)
        return error_set(err, ERR_INVALID, "\"%.100s\" and \"%.100s\" are one name on Windows", name_of(names, node), part);
    if ((node->kind == WINDOWS_NAME_DIRECTORY) != (kind == WINDOWS_NAME_DIRECTORY))
        return error_set(err, ERR_INVALID, "\"%.100s\" is a directory in one place of the layer and none in another", part);
    *id = found;
    *was = node->kind;
    node->kind = kind;
    return 0;
}

enum windows_name_kind windows_names_look(const struct windows_names *names, uint32_t parent, const char *part, uint32_t *id)
{
    cleanup_buf struct buf folded = {0};
    fold(names, part, &folded);
    uint32_t found = *find(names, parent, hash_of(parent, &folded), &folded);
    if (found == 0 || strcmp(name_of(names, &names->nodes[found]), part) != 0)
        return WINDOWS_NAME_NONE;
    *id = found;
    return names->nodes[found].kind;
}
