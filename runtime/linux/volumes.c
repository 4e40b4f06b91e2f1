/* runtime/linux/volumes.c – see volumes.h. */
#include "runtime/linux/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/linux/command.h"
#include "runtime/linux/rootfs.h"

enum { COPY_TIMEOUT_MS = 100000 };

static bool is_empty_dir(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    size_t n = 0;

    if (!dir) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    while ((entry = readdir(dir)) != NULL)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n == 0;
}

/* Everything below the image's directory with owners, modes and times; cp knows about sparse files and extended attributes. */
static int copy_up(const struct linux_system *s, const char *root, const char *target, const char *data, struct error *err)
{
    int from = rootfs_open(root, target, O_RDONLY | O_DIRECTORY), to = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

    if (from >= 0 && to >= 0 && is_empty_dir(to)) {
        cleanup_free char *source = mem_format("/proc/%d/fd/%d/.", (int)getpid(), from),
                          *goal = mem_format("/proc/%d/fd/%d", (int)getpid(), to);
        const char *const argv[] = {"cp", "-a", "--reflink=auto", source, goal, NULL};
        result = command_must_until(argv, (struct bytes){0}, COPY_TIMEOUT_MS, s->stop_fd, err);
    }
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return result < 0 ? error_wrap(err, "copy the image's %s into its volume", target) : 0;
}

static int write_labels(const struct document_mount *m, const char *dir, struct error *err)
{
    cleanup_free char *path = mem_format("%s/labels.json", dir), *text = NULL;
    cleanup_json cJSON *json = NULL;

    if (m->volume_labels.count == 0 || file_exists(path))
        return 0;
    json = cJSON_CreateObject();
    for (size_t i = 0; i < m->volume_labels.count; i++)
        json_add_string(json, m->volume_labels.items[i].key, m->volume_labels.items[i].value);
    text = json_print(json);
    return file_write_volatile(path, bytes_of_string(text), 0600, err);
}

static int prepare_volume(const struct linux_system *s, size_t index, const char *root, struct arena *arena, struct bundle_mount *out,
                          struct error *err)
{
    const struct document_mount *m = out->mount;
    const char *dir = m->source[0] ? arena_format(arena, "%s/volumes/%s", s->host->state_dir, m->source)
                                   : arena_format(arena, "%s/volumes/%zu", s->dir, index);

    out->source = arena_format(arena, "%s/_data", dir);
    if (file_make_dirs(dir, 0701, err) < 0 || file_make_dirs(out->source, 0755, err) < 0 || write_labels(m, dir, err) < 0)
        return error_wrap(err, "volume for %s", m->target);
    return m->no_copy ? 0 : copy_up(s, root, m->target, out->source, err);
}

static int prepare_bind(struct bundle_mount *out, struct error *err)
{
    const struct document_mount *m = out->mount;
    struct stat st;

    out->source = m->source;
    if (stat(m->source, &st) == 0)
        return 0;
    if (m->creates_mountpoint)
        return file_make_dirs(m->source, 0755, err);
    return error_set(err, ERR_NOT_FOUND, "invalid bind mount source, source path not found: %s", m->source);
}

int volumes_prepare(const struct linux_system *s, const char *root, struct arena *arena, struct bundle_mount *out, struct error *err)
{
    for (size_t i = 0; i < s->document.mount_count; i++) {
        out[i] = (struct bundle_mount){NULL, &s->document.mounts[i]};
        switch (out[i].mount->type) {
        case MOUNT_BIND:
            if (prepare_bind(&out[i], err) < 0)
                return err->code;
            break;
        case MOUNT_VOLUME:
            if (prepare_volume(s, i, root, arena, &out[i], err) < 0)
                return err->code;
            break;
        case MOUNT_TMPFS:
            break;
        }
    }
    return 0;
}
