/* runtime/document_mounts.c – see document_mounts.h. */
#include "runtime/document_mounts.h"

#include <string.h>

#include "base/limits.h"
#include "base/text.h"

static bool is_volume_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > 255 || name[0] == '.' || name[0] == '-' || name[0] == '_')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == length;
}

static bool is_root(const char *path)
{
    return strcmp(path, "/") == 0 || (path[0] && path[1] == ':' && (path[2] == '\0' || path[3] == '\0'));
}

static int check_pipe(const struct reader *r, const struct document_mount *m)
{
    static const char prefix[] = "\\\\.\\pipe\\";

    if (!r->is_windows)
        return reader_fail(r, ERR_UNSUPPORTED, "Type", "named pipes are Windows' own");
    if (!text_starts(m->source, prefix) || m->source[sizeof prefix - 1] == '\0')
        return reader_fail(r, ERR_INVALID, "Source", "'%s' is not a valid pipe path", m->source);
    if (!text_starts(m->target, prefix) || m->target[sizeof prefix - 1] == '\0')
        return reader_fail(r, ERR_INVALID, "Target", "'%s' is not a valid pipe path", m->target);
    if (m->is_read_only)
        return reader_fail(r, ERR_INVALID, "ReadOnly", "a named pipe cannot be read-only");
    return 0;
}

/* Docker's wording, swarmkit-wire §8.4: an operator looks it up. */
static int check_mount(const struct reader *r, const struct document_mount *m)
{
    if (m->type == MOUNT_PIPE)
        return check_pipe(r, m);
    if (!reader_is_path(r, m->target) || is_root(m->target))
        return reader_fail(r, ERR_INVALID, "Target", "invalid mount target, must be an absolute path: %s", m->target);
    switch (m->type) {
    case MOUNT_BIND:
        if (!reader_is_path(r, m->source))
            return reader_fail(r, ERR_INVALID, "Source", "invalid bind mount source, must be an absolute path: %s", m->source);
        return 0;
    case MOUNT_VOLUME:
        if (m->source[0] == '/' || document_path_is_absolute(m->source, r->is_windows))
            return reader_fail(r, ERR_INVALID, "Source", "invalid volume mount source, must not be an absolute path: %s", m->source);
        if (m->source[0] && !is_volume_name(m->source))
            return reader_fail(r, ERR_INVALID, "Source", "\"%s\" is no name for a volume: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                               m->source);
        return 0;
    case MOUNT_TMPFS:
        if (m->source[0])
            return reader_fail(r, ERR_INVALID, "Source", "invalid tmpfs source, source must be empty");
        return 0;
    case MOUNT_PIPE:
        return 0;
    }
    return 0;
}

static int read_mount(const struct reader *r, struct document_mount *m)
{
    static const char *const types[] = {"bind", "volume", "tmpfs", "npipe", NULL};
    static const char *const propagations[] = {"rprivate", "private", "rshared", "shared", "rslave", "slave", NULL};
    unsigned type = 0, propagation = 0;

    if (reader_only(r, (const char *const[]){"Type", "Source", "Target", "ReadOnly", "Propagation", "NonRecursive", "CreateMountpoint",
                                             "NoCopy", "VolumeLabels", "SizeBytes", "Mode", "Options", NULL}) < 0 ||
        reader_word(r, "Type", types, &type) < 0 || reader_string(r, "Source", "", &m->source) < 0 ||
        reader_string(r, "Target", "", &m->target) < 0 || reader_bool(r, "ReadOnly", false, &m->is_read_only) < 0 ||
        reader_word(r, "Propagation", propagations, &propagation) < 0 || reader_bool(r, "NonRecursive", false, &m->is_non_recursive) < 0 ||
        reader_bool(r, "CreateMountpoint", false, &m->creates_mountpoint) < 0 || reader_bool(r, "NoCopy", false, &m->no_copy) < 0 ||
        reader_pairs(r, "VolumeLabels", &m->volume_labels) < 0 || reader_int(r, "SizeBytes", 0, INT64_MAX, 0, &m->size_bytes) < 0 ||
        reader_int(r, "Mode", 0, 07777, 0, &m->mode) < 0 || reader_string(r, "Options", "", &m->options) < 0)
        return r->err->code;
    m->type = (enum document_mount_type)type;
    m->propagation = propagations[propagation];
    return check_mount(r, m);
}

int document_read_mounts(const struct reader *skep, struct document *out)
{
    struct reader r;
    const cJSON *item;
    size_t count;

    if (reader_array(skep, "Mounts", CONTAINER_MOUNTS_COUNT, &count, &item) < 0)
        return skep->err->code;
    for (size_t i = 0; i < count; i++, item = item->next) {
        struct document_mount *m = &out->mounts[out->mount_count];
        if (reader_item(skep, "Mounts", i, item, &r) < 0 || read_mount(&r, m) < 0)
            return skep->err->code;
        for (size_t j = 0; j < out->mount_count; j++)
            if (strcmp(out->mounts[j].target, m->target) == 0)
                return reader_fail(&r, ERR_INVALID, "Target", "Duplicate mount point: %s", m->target);
        out->mount_count++;
    }
    return 0;
}

int document_read_files(const struct reader *skep, struct document *out)
{
    static const char *const kinds[] = {"config", "secret", NULL};
    struct reader r;
    const cJSON *item;

    if (reader_array(skep, "Files", CONTAINER_FILES_COUNT, &out->file_count, &item) < 0)
        return skep->err->code;
    out->files = arena_alloc(skep->arena, (out->file_count + 1) * sizeof *out->files);
    for (size_t i = 0; i < out->file_count; i++, item = item->next) {
        struct document_file *f = &out->files[i];
        unsigned kind = 0;
        int64_t uid, gid, mode;
        if (reader_item(skep, "Files", i, item, &r) < 0 ||
            reader_only(&r, (const char *const[]){"Kind", "Target", "Uid", "Gid", "Mode", NULL}) < 0 ||
            reader_word(&r, "Kind", kinds, &kind) < 0 || reader_string(&r, "Target", "", &f->target) < 0 ||
            reader_path(&r, "Target", f->target) < 0 || reader_int(&r, "Uid", 0, UINT32_MAX - 1, 0, &uid) < 0 ||
            reader_int(&r, "Gid", 0, UINT32_MAX - 1, 0, &gid) < 0 || reader_int(&r, "Mode", 0, 07777, 0444, &mode) < 0)
            return skep->err->code;
        f->is_secret = kind == 1;
        f->uid = (uint32_t)uid;
        f->gid = (uint32_t)gid;
        f->mode = (uint32_t)mode;
    }
    return 0;
}
