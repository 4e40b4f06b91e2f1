/* runtime/image/tool/pax.c – see pax.h. */
#include "runtime/image/tool/pax.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    BLOCK_SIZE = 512,
    TYPE_AT = 156,
    SIZE_AT = 124,
    SIZE_LENGTH = 12,
    EAS_COUNT = 256, /* of one entry */
    EA_OVERHEAD = 9, /* of one as it is kept: 8 bytes and a zero */
};

/* One entry: its special headers and its own. */
struct group {
    struct group *next;
    struct arena arena;
    uint64_t position; /* of its first header */
    bool has_header;   /* a pax header came */
    uint64_t size;     /* of its content, where the pax header tells it */
    bool has_size;
    struct windows_meta meta;
    struct windows_ea *eas;
    size_t ea_bytes;
};

enum place { AT_HEADER, IN_PAX_HEADER, IN_CONTENT, AT_END };

struct pax {
    enum place place;
    uint64_t position; /* of the next byte to come */
    uint64_t left;     /* bytes of the content, with its padding */
    size_t wanted;     /* bytes of the pax header */
    struct buf held;   /* of the block or pax header that is not whole yet */
    struct group *open, *first, *last, *taken;
};

struct pax *pax_new(void)
{
    return mem_alloc(sizeof(struct pax));
}

static void group_free(struct group *group)
{
    if (!group)
        return;
    arena_deinit(&group->arena);
    free(group);
}

void pax_free(struct pax *pax)
{
    if (!pax)
        return;
    while (pax->first) {
        struct group *group = pax->first;
        pax->first = group->next;
        group_free(group);
    }
    group_free(pax->open);
    group_free(pax->taken);
    buf_deinit(&pax->held);
    free(pax);
}

static struct group *group_open(struct pax *pax, uint64_t position)
{
    if (!pax->open) {
        pax->open = mem_alloc(sizeof *pax->open);
        pax->open->position = position;
    }
    return pax->open;
}

static void group_done(struct pax *pax)
{
    struct group *group = steal(&pax->open);
    group->meta.eas = group->eas;
    if (pax->last)
        pax->last->next = group;
    else
        pax->first = group;
    pax->last = group;
}

static uint64_t padded(uint64_t size)
{
    return (size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
}

/* --- one pax record ------------------------------------------------------------------------------------------------------------------ */

static int read_number(const char *key, const char *value, uint64_t max, uint64_t *out, struct error *err)
{
    int64_t number;
    if (text_parse_i64(value, 0, max > INT64_MAX ? INT64_MAX : (int64_t)max, &number, NULL) < 0)
        return error_set(err, ERR_CORRUPT, "pax header %s: not a number it can have: %.40s", key, value);
    *out = (uint64_t)number;
    return 0;
}

static int read_base64(struct arena *arena, const char *key, const char *value, size_t length, size_t max, struct bytes *out,
                       struct error *err)
{
    cleanup_buf struct buf decoded = {0};
    if (length / 4 > max / 3 + 1)
        return error_set(err, ERR_LIMIT, "pax header %.300s: more than %zu bytes", key, max);
    int failed = decode_base64(value, length, &decoded, err);
    if (failed < 0)
        return error_set(err, ERR_CORRUPT, "pax header %.300s: not base64", key);
    if (decoded.size > max)
        return error_set(err, ERR_LIMIT, "pax header %.300s: more than %zu bytes", key, max);
    *out = bytes_of(arena_copy(arena, decoded.size ? decoded.data : (const uint8_t *)"", decoded.size), decoded.size);
    return 0;
}

static int read_ea(struct group *group, const char *key, const char *name, const char *value, size_t length, struct error *err)
{
    size_t name_length = strlen(name);
    if (name_length == 0 || name_length > WINDOWS_EA_NAME_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "pax header %.300s: an extended attribute's name has 1 to %d bytes", key,
                         WINDOWS_EA_NAME_SIZE_BYTES);
    if (group->meta.ea_count == EAS_COUNT)
        return error_set(err, ERR_LIMIT, "an entry has more than %d extended attributes", EAS_COUNT);
    if (!group->eas)
        group->eas = arena_alloc(&group->arena, EAS_COUNT * sizeof *group->eas);
    struct windows_ea *ea = &group->eas[group->meta.ea_count];
    int failed = read_base64(&group->arena, key, value, length, UINT16_MAX, &ea->value, err);
    if (failed < 0)
        return failed;
    ea->name = arena_string(&group->arena, name);
    group->ea_bytes += EA_OVERHEAD + 3 + name_length + ea->value.size;
    group->meta.ea_count++;
    return group->ea_bytes > WINDOWS_EAS_SIZE_BYTES
               ? error_set(err, ERR_LIMIT, "an entry has extended attributes of more than %u bytes", WINDOWS_EAS_SIZE_BYTES)
               : 0;
}

/* The last of two records of one name counts, as for libarchive. */
static int take_record(struct group *group, const char *key, const char *value, size_t length, struct error *err)
{
    uint64_t number = 0;
    int failed = 0;
    if (text_equal(key, "size")) {
        failed = read_number(key, value, INT64_MAX - BLOCK_SIZE, &group->size, err);
        group->has_size = true;
    } else if (text_equal(key, "path")) {
        group->meta.path = arena_string(&group->arena, value);
    } else if (text_equal(key, "linkpath")) {
        group->meta.link = arena_string(&group->arena, value);
    } else if (text_equal(key, "MSWINDOWS.fileattr")) {
        failed = read_number(key, value, UINT32_MAX, &number, err);
        group->meta.has_attributes = failed == 0;
        group->meta.attributes = failed == 0 ? (uint32_t)number : 0;
    } else if (text_equal(key, "MSWINDOWS.rawsd")) {
        failed = read_base64(&group->arena, key, value, length, WINDOWS_DESCRIPTOR_BYTES, &group->meta.descriptor, err);
    } else if (text_equal(key, "MSWINDOWS.sd")) {
        if (length > WINDOWS_DESCRIPTOR_BYTES)
            return error_set(err, ERR_LIMIT, "pax header %s: more than %u bytes", key, WINDOWS_DESCRIPTOR_BYTES);
        group->meta.sddl = arena_string(&group->arena, value);
    } else if (text_equal(key, "MSWINDOWS.mountpoint")) {
        group->meta.is_junction = text_equal(value, "1");
    } else if (text_starts(key, "MSWINDOWS.xattr.")) {
        failed = read_ea(group, key, key + strlen("MSWINDOWS.xattr."), value, length, err);
    } else if (text_starts(key, "GNU.sparse.") || text_equal(key, "SUN.holesdata")) {
        failed = error_set(err, ERR_INVALID, "a sparse file (%.40s): Windows' layers have none", key);
    }
    return failed;
}

/* "30 mtime=1700000000.123456789\n": the length counts itself and the line's end. The text is changed. */
static int next_record(char **at, char *end, char **key, char **value, size_t *length)
{
    char *start = *at, *text = start;
    size_t size = 0;
    while (text < end && *text >= '0' && *text <= '9' && size <= PAX_HEADER_SIZE_BYTES)
        size = size * 10 + (size_t)(*text++ - '0');
    if (text == start || text == end || *text != ' ' || size > (size_t)(end - start) || start + size <= text + 1 || start[size - 1] != '\n')
        return -1;
    *key = text + 1;
    *at = start + size;
    start[size - 1] = '\0';
    *value = memchr(*key, '=', (size_t)(start + size - 1 - *key));
    if (!*value || *value == *key || memchr(*key, '\0', (size_t)(*value - *key)))
        return -1;
    *(*value)++ = '\0';
    *length = (size_t)(start + size - 1 - *value);
    return 0;
}

static int take_header(struct group *group, struct buf *text, struct error *err)
{
    char *at = (char *)text->data, *end = at + text->size, *key, *value;
    size_t length;
    while (at < end) {
        if (next_record(&at, end, &key, &value, &length) < 0)
            return error_set(err, ERR_CORRUPT, "a damaged pax header");
        if (strlen(value) != length && (text_starts(key, "MSWINDOWS.") || text_equal(key, "path") || text_equal(key, "linkpath")))
            return error_set(err, ERR_CORRUPT, "pax header %.300s: a zero byte in it", key);
        int failed = take_record(group, key, value, length, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

/* --- one block ----------------------------------------------------------------------------------------------------------------------- */

/* Octal digits between blanks, or a number of 64 bits behind a byte of 0x80. */
static int read_size(const uint8_t *field, uint64_t *out, struct error *err)
{
    uint64_t size = 0;
    size_t at = 0;
    if (field[0] == 0x80) {
        for (size_t i = 1; i < SIZE_LENGTH; i++) {
            if (size >> 55)
                return error_set(err, ERR_CORRUPT, "an entry's size is no number that it can have");
            size = size << 8 | field[i];
        }
        *out = size;
        return 0;
    }
    while (at < SIZE_LENGTH && field[at] == ' ')
        at++;
    while (at < SIZE_LENGTH && field[at] >= '0' && field[at] <= '7')
        size = size * 8 + (uint64_t)(field[at++] - '0');
    if (at < SIZE_LENGTH && field[at] != ' ' && field[at] != '\0')
        return error_set(err, ERR_CORRUPT, "an entry's size is no number");
    *out = size;
    return 0;
}

static void skip(struct pax *pax, uint64_t size)
{
    pax->left = padded(size);
    pax->place = pax->left > 0 ? IN_CONTENT : AT_HEADER;
}

static int begin_special(struct pax *pax, char type, uint64_t size, struct error *err)
{
    if (size > PAX_HEADER_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "a special header of more than %u bytes", PAX_HEADER_SIZE_BYTES);
    if (type != 'x' && type != 'X') {
        skip(pax, size);
        return 0;
    }
    if (pax->open->has_header)
        return error_set(err, ERR_INVALID, "two pax headers for one entry");
    pax->open->has_header = true;
    pax->wanted = (size_t)size;
    pax->place = size > 0 ? IN_PAX_HEADER : AT_HEADER;
    return 0;
}

static int begin_entry(struct pax *pax, char type, uint64_t size, struct error *err)
{
    struct group *group = pax->open;
    bool has_content = type == '0' || type == '\0';
    if (group->has_size)
        size = group->size;
    if (type == '1' && size > 0)
        return error_set(err, ERR_INVALID, "a hard link with a content: Windows' layers have none");
    if ((type == '2' || type == '5') && group->has_size && size > 0)
        return error_set(err, ERR_INVALID, "a link or directory with a content: Windows' layers have none");
    group_done(pax);
    skip(pax, has_content ? size : 0);
    return 0;
}

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK_SIZE; i++)
        if (block[i])
            return false;
    return true;
}

static int take_block(struct pax *pax, const uint8_t *block, struct error *err)
{
    char type = (char)block[TYPE_AT];
    uint64_t size = 0;
    if (is_zero(block)) {
        pax->place = AT_END;
        return pax->open ? error_set(err, ERR_CORRUPT, "the archive ends between an entry's headers") : 0;
    }
    group_open(pax, pax->position - BLOCK_SIZE);
    int failed = read_size(block + SIZE_AT, &size, err);
    if (failed < 0)
        return failed;
    if (memchr("xXgLK", type, 5))
        return begin_special(pax, type, size, err);
    if (type == '\0' || memchr("0125", type, 4))
        return begin_entry(pax, type, size, err);
    return error_set(err, ERR_INVALID, "an entry of type '%c', which Windows' layers do not have", type >= ' ' && type <= '~' ? type : '?');
}

static int take_held(struct pax *pax, struct error *err)
{
    int failed = 0;
    if (pax->place == AT_HEADER) {
        uint8_t block[BLOCK_SIZE];
        memcpy(block, pax->held.data, sizeof block);
        buf_clear(&pax->held);
        return take_block(pax, block, err);
    }
    pax->held.size = pax->wanted; /* without the padding */
    failed = take_header(pax->open, &pax->held, err);
    buf_clear(&pax->held);
    pax->place = AT_HEADER;
    return failed;
}

/* Collects until a block, or a pax header with its padding, is whole. */
static int hold(struct pax *pax, struct bytes *data, struct error *err)
{
    size_t goal = pax->place == AT_HEADER ? BLOCK_SIZE : (size_t)padded(pax->wanted), missing = goal - pax->held.size;
    size_t part = data->size < missing ? data->size : missing;
    buf_append(&pax->held, data->data, part);
    *data = bytes_of(data->data + part, data->size - part);
    pax->position += part;
    return part == missing ? take_held(pax, err) : 0;
}

int pax_feed(struct pax *pax, struct bytes data, struct error *err)
{
    int failed = 0;
    while (failed == 0 && data.size > 0 && pax->place != AT_END) {
        if (pax->place != IN_CONTENT) {
            failed = hold(pax, &data, err);
            continue;
        }
        size_t part = data.size < pax->left ? data.size : (size_t)pax->left;
        data = bytes_of(data.data + part, data.size - part);
        pax->position += part;
        pax->left -= part;
        if (pax->left == 0)
            pax->place = AT_HEADER;
    }
    return failed;
}

int pax_take(struct pax *pax, uint64_t position, const struct windows_meta **out, struct error *err)
{
    struct group *group = pax->first;
    if (!group || group->position != position)
        return error_set(err, ERR_CORRUPT, "the archive can be read in two ways: an entry at %" PRIu64 ", or at %" PRIu64, position,
                         group ? group->position : pax->position);
    pax->first = group->next;
    if (!pax->first)
        pax->last = NULL;
    group_free(pax->taken);
    pax->taken = group;
    *out = &group->meta;
    return 0;
}

int pax_finish(const struct pax *pax, struct error *err)
{
    if (!pax->first)
        return 0;
    return error_set(err, ERR_CORRUPT, "the archive can be read in two ways: it ends, or has an entry at %" PRIu64, pax->first->position);
}
