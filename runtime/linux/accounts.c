/* runtime/linux/accounts.c – see accounts.h. */
#include "runtime/linux/accounts.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { PASSWD_FIELDS = 7, PASSWD_NEEDED = 4, GROUP_FIELDS = 4, GROUP_NEEDED = 3 };

/* The next line of @file that has @needed fields at least, cut at colons into @wanted: those that it lacks are empty, those beyond are left
 * to the last. As Docker, which takes "app:x:1000:1000" and "grp:x:5". */
static bool next_line(struct bytes *file, struct bytes *fields, size_t wanted, size_t needed)
{
    while (file->size > 0) {
        const uint8_t *end = memchr(file->data, '\n', file->size);
        struct bytes line = {file->data, end ? (size_t)(end - file->data) : file->size};
        size_t n = 0;
        file->data += line.size + (end ? 1 : 0);
        file->size -= line.size + (end ? 1 : 0);
        if (line.size == 0 || line.data[0] == '#')
            continue;
        while (n < wanted) {
            const uint8_t *colon = n + 1 < wanted ? memchr(line.data, ':', line.size) : NULL;
            size_t size = colon ? (size_t)(colon - line.data) : line.size;
            fields[n++] = bytes_of(line.data, size);
            if (!colon)
                break;
            line.data += size + 1;
            line.size -= size + 1;
        }
        if (n < needed)
            continue;
        while (n < wanted)
            fields[n++] = bytes_of("", 0);
        return true;
    }
    return false;
}

static bool parse_id(struct bytes text, uint32_t *out)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 10)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (value > INT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool is_text(struct bytes field, struct bytes text)
{
    return bytes_equal(field, text);
}

static bool find_user(struct bytes passwd, struct bytes name, bool is_number, uint32_t uid, struct account *out, struct bytes *found_name)
{
    struct bytes fields[PASSWD_FIELDS];

    while (next_line(&passwd, fields, PASSWD_FIELDS, PASSWD_NEEDED)) {
        uint32_t line_uid, line_gid;
        if (!parse_id(fields[2], &line_uid) || !parse_id(fields[3], &line_gid))
            continue;
        if (!is_text(fields[0], name) && !(is_number && line_uid == uid))
            continue;
        out->uid = line_uid;
        out->gid = line_gid;
        *found_name = fields[0];
        if (fields[5].size > 0 && fields[5].size < sizeof out->home && fields[5].data[0] == '/' &&
            memchr(fields[5].data, '\0', fields[5].size) == NULL)
            snprintf(out->home, sizeof out->home, "%.*s", (int)fields[5].size, (const char *)fields[5].data);
        return true;
    }
    return false;
}

static int find_group(struct bytes group, struct bytes name, uint32_t *gid, struct error *err)
{
    struct bytes fields[GROUP_FIELDS];
    uint32_t number = 0, line_gid;
    bool is_number = parse_id(name, &number);

    while (next_line(&group, fields, GROUP_FIELDS, GROUP_NEEDED))
        if (parse_id(fields[2], &line_gid) && (is_text(fields[0], name) || (is_number && line_gid == number))) {
            *gid = line_gid;
            return 0;
        }
    if (!is_number)
        return error_set(err, ERR_INVALID, "unable to find group %.*s: no matching entries in group file", (int)name.size,
                         (const char *)name.data);
    *gid = number;
    return 0;
}

static void add_group(struct account *account, uint32_t gid)
{
    for (size_t i = 0; i < account->group_count; i++)
        if (account->groups[i] == gid)
            return;
    if (account->group_count < ACCOUNT_GROUPS_COUNT)
        account->groups[account->group_count++] = gid;
}

static bool lists_user(struct bytes members, struct bytes user)
{
    while (members.size > 0) {
        const uint8_t *comma = memchr(members.data, ',', members.size);
        size_t size = comma ? (size_t)(comma - members.data) : members.size;
        if (is_text(bytes_of(members.data, size), user))
            return true;
        members.data += size + (comma ? 1 : 0);
        members.size -= size + (comma ? 1 : 0);
    }
    return false;
}

static void add_memberships(struct account *account, struct bytes group, struct bytes user)
{
    struct bytes fields[GROUP_FIELDS];
    uint32_t gid;

    if (user.size == 0)
        return;
    while (next_line(&group, fields, GROUP_FIELDS, GROUP_NEEDED))
        if (parse_id(fields[2], &gid) && lists_user(fields[3], user))
            add_group(account, gid);
}

int account_find(const char *user, const struct document_strings *more, struct bytes passwd, struct bytes group, struct account *out,
                 struct error *err)
{
    const char *colon = strchr(user, ':');
    struct bytes name = bytes_of(user, colon ? (size_t)(colon - user) : strlen(user)), found_name = {0};
    uint32_t uid = 0, gid;
    bool is_number;

    memset(out, 0, sizeof *out);
    strcpy(out->home, "/");
    if (name.size == 0)
        name = bytes_of_string("0");
    is_number = parse_id(name, &uid);
    if (!find_user(passwd, name, is_number, uid, out, &found_name)) {
        if (!is_number)
            return error_set(err, ERR_INVALID, "unable to find user %.*s: no matching entries in passwd file", (int)name.size,
                             (const char *)name.data);
        out->uid = uid;
    }
    if (colon && colon[1] != '\0') {
        if (find_group(group, bytes_of_string(colon + 1), &out->gid, err) < 0)
            return err->code;
    } else {
        add_memberships(out, group, found_name);
    }
    for (size_t i = 0; more && i < more->count; i++) {
        if (find_group(group, bytes_of_string(more->items[i]), &gid, err) < 0)
            return err->code;
        add_group(out, gid);
    }
    return 0;
}
