/* runtime/linux/volumes.c – see volumes.h. */
#include "runtime/linux/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "runtime/linux/command.h"
#include "runtime/linux/rootfs.h"

#define COPY_PREFIX "copying."

enum { COPY_TIMEOUT_MS = 100000, LOCK_POLL_MS = 20 };

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

/* One at a time fills a volume; another start, of this daemon or of one that shares the directory, waits. */
static int lock_volume(const struct linux_system *s, const char *dir, struct error *err)
{
    int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (lock < 0)
        return error_set_uv(err, -errno, "open %s", dir);
    for (int waited_ms = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; waited_ms += LOCK_POLL_MS) {
        struct pollfd stop = {s->stop_fd, POLLIN, 0};
        bool is_stopped = poll(&stop, 1, LOCK_POLL_MS) > 0;
        if (!is_stopped && waited_ms < COPY_TIMEOUT_MS)
            continue;
        close(lock);
        return is_stopped ? error_set(err, ERR_CANCELED, "given up while another start fills %s", dir)
                          : error_set(err, ERR_DEADLINE, "another start has filled %s for more than %d ms", dir, COPY_TIMEOUT_MS);
    }
    return lock;
}

/* What earlier copies left that were cut off. One that a killed daemon's cp still writes to may resist: then it stays for now. */
static void remove_halves(const char *dir)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    struct error ignored = {0};

    while (stream && (entry = readdir(stream)) != NULL) {
        cleanup_free char *path = mem_format("%s/%s", dir, entry->d_name);
        if (text_starts(entry->d_name, COPY_PREFIX))
            file_remove_tree(path, &ignored);
    }
    if (stream)
        closedir(stream);
}

static int sync_all(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = fd < 0 || syncfs(fd) < 0 ? -errno : 0;

    if (fd >= 0)
        close(fd);
    return failed ? error_set_uv(err, failed, "sync %s", path) : 0;
}

/* Everything below the image's directory @from with owners, modes and times; cp knows about sparse files and extended attributes. @copied
 * is there when all of it is. */
static int copy_whole(const struct linux_system *s, int from, const char *dir, const char *copied, struct error *err)
{
    struct random random = random_system();
    cleanup_free char *source = mem_format("/proc/%d/fd/%d/.", (int)getpid(), from),
                      *goal = mem_format("%s/" COPY_PREFIX "%08x", dir, (unsigned)random_u64(&random));
    const char *const argv[] = {"cp", "-a", "--reflink=auto", source, goal, NULL};

    remove_halves(dir);
    if (file_make_dirs(goal, 0700, err) < 0 || command_must_until(argv, (struct bytes){0}, COPY_TIMEOUT_MS, s->stop_fd, err) < 0 ||
        sync_all(goal, err) < 0)
        return err->code;
    return file_rename(goal, copied, err);
}

static int move_entries(int from, int to, struct error *err)
{
    int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;

    if (!stream) {
        if (copy >= 0)
            close(copy);
        return error_set(err, ERR_IO, "cannot read what was copied");
    }
    while (result == 0 && (entry = readdir(stream)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (renameat2(from, name, to, name, RENAME_NOREPLACE) < 0 && errno != EEXIST) /* what is there already stays */
            result = error_set_uv(err, -errno, "move %s into the volume", name);
    }
    closedir(stream);
    return result;
}

static int copy_attributes(int from, int to, struct error *err)
{
    struct stat st;

    if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0 ||
        futimens(to, (const struct timespec[]){st.st_atim, st.st_mtim}) < 0)
        return error_set_uv(err, -errno, "set the volume's owner and mode");
    return 0;
}

/* Into @data itself, which a running container may have mounted. Can be done again from anywhere. */
static int move_in(const char *copied, const char *data, struct error *err)
{
    int from = open(copied, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

    if (from < 0 || to < 0)
        result = error_set_uv(err, -errno, "open %s", data);
    else if (move_entries(from, to, err) < 0 || copy_attributes(from, to, err) < 0)
        result = err->code;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return result < 0 ? result : file_remove_tree(copied, err);
}

static bool is_empty(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool result = fd >= 0 && is_empty_dir(fd);

    if (fd >= 0)
        close(fd);
    return result;
}

static int fill(const struct linux_system *s, const char *root, const char *target, const char *dir, const char *data, struct error *err)
{
    cleanup_free char *copied = mem_format("%s/copied", dir);
    int from, result = 0;

    if (!file_exists(copied)) {
        from = is_empty(data) ? rootfs_open(root, target, O_RDONLY | O_DIRECTORY) : -1;
        if (from < 0)
            return 0;
        result = copy_whole(s, from, dir, copied, err);
        close(from);
    }
    return result < 0 ? result : move_in(copied, data, err);
}

/* An empty volume begins with what the image has at its target, or stays empty: never with a part of it. It is copied beside the volume,
 * named "copied" once it is whole and on disk, and then moved in; whoever comes after one that was killed goes on from there. */
static int copy_up(const struct linux_system *s, const char *root, const char *target, const char *dir, const char *data, struct error *err)
{
    int lock = lock_volume(s, dir, err), result;

    if (lock < 0)
        return lock;
    result = fill(s, root, target, dir, data, err);
    close(lock);
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
    return m->no_copy ? 0 : copy_up(s, root, m->target, dir, out->source, err);
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
        case MOUNT_PIPE:
            break;
        }
    }
    return 0;
}
