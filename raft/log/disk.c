/* raft/log/disk.c – see disk.h. */
#include "raft/log/disk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"

int raft_disk_open(const struct raft_disk *disk, const char *path, enum raft_disk_open how, int *file, struct error *err)
{
    int failed = disk->open(disk->self, path, how, file);
    if (failed < 0) {
        *file = -1;
        return error_set_uv(err, failed, "%s %s", how == RAFT_DISK_CREATE ? "create" : "open", path);
    }
    return 0;
}

void raft_disk_close(const struct raft_disk *disk, int *file)
{
    if (*file >= 0)
        disk->close(disk->self, *file);
    *file = -1;
}

int raft_disk_size(const struct raft_disk *disk, int file, const char *path, uint64_t *size, struct error *err)
{
    int failed = disk->size(disk->self, file, size);
    return failed < 0 ? error_set_uv(err, failed, "size of %s", path) : 0;
}

int raft_disk_write(const struct raft_disk *disk, int file, const char *path, struct bytes content, uint64_t offset, struct error *err)
{
    while (content.size > 0) {
        int64_t wrote = disk->pwritev(disk->self, file, &content, 1, offset);
        if (wrote == 0)
            wrote = UV_ENOSPC; /* a disk that takes nothing and says nothing */
        if (wrote < 0)
            return error_set_uv(err, (int)wrote, "write %s at %" PRIu64, path, offset);
        content = bytes_of(content.data + wrote, content.size - (size_t)wrote);
        offset += (uint64_t)wrote;
    }
    return 0;
}

int raft_disk_read(const struct raft_disk *disk, int file, const char *path, void *data, size_t size, uint64_t offset, size_t *got,
                   struct error *err)
{
    uint8_t *at = data;
    *got = 0;
    while (*got < size) {
        int64_t part = disk->pread(disk->self, file, at + *got, size - *got, offset + *got);
        if (part < 0)
            return error_set_uv(err, (int)part, "read %s at %" PRIu64, path, offset + *got);
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return 0;
}

int raft_disk_sync(const struct raft_disk *disk, int file, const char *path, struct error *err)
{
    int failed = disk->sync(disk->self, file);
    return failed < 0 ? error_set_uv(err, failed, "sync %s", path) : 0;
}

int raft_disk_allocate(const struct raft_disk *disk, int file, const char *path, uint64_t size, struct error *err)
{
    int failed = disk->allocate(disk->self, file, size);
    return failed < 0 ? error_set_uv(err, failed, "reserve %" PRIu64 " bytes for %s", size, path) : 0;
}

int raft_disk_sync_dir(const struct raft_disk *disk, const char *dir, struct error *err)
{
    int failed = disk->sync_dir(disk->self, dir);
    return failed < 0 ? error_set_uv(err, failed, "sync directory %s", dir) : 0;
}

int raft_disk_rename(const struct raft_disk *disk, const char *dir, const char *from, const char *to, struct error *err)
{
    int failed = disk->rename(disk->self, from, to);
    if (failed < 0)
        return error_set_uv(err, failed, "rename %s to %s", from, to);
    return raft_disk_sync_dir(disk, dir, err);
}

int raft_disk_remove(const struct raft_disk *disk, const char *dir, const char *path, struct error *err)
{
    int failed = disk->unlink(disk->self, path);
    if (failed == UV_ENOENT)
        return 0;
    if (failed < 0)
        return error_set_uv(err, failed, "remove %s", path);
    return raft_disk_sync_dir(disk, dir, err);
}

int raft_disk_make_dir(const struct raft_disk *disk, const char *path, struct error *err)
{
    int failed = disk->make_dir(disk->self, path);
    return failed < 0 && failed != UV_EEXIST ? error_set_uv(err, failed, "make directory %s", path) : 0;
}

struct listing {
    struct raft_names *names;
    bool is_beyond;
};

static void on_name(void *ctx, const char *name)
{
    struct listing *listing = ctx;
    struct raft_names *names = listing->names;
    if (names->count == RAFT_SEGMENTS_COUNT) {
        listing->is_beyond = true;
        return;
    }
    if ((names->count & (names->count - 1)) == 0)
        names->items = mem_resize(names->items, (names->count ? 2 * names->count : 1) * sizeof *names->items);
    names->items[names->count++] = mem_string(name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int raft_disk_list(const struct raft_disk *disk, const char *dir, struct raft_names *names, struct error *err)
{
    struct listing listing = {.names = names};
    *names = (struct raft_names){0};
    int failed = disk->list(disk->self, dir, on_name, &listing);
    if (failed == 0 && !listing.is_beyond) {
        if (names->count > 0)
            qsort(names->items, names->count, sizeof *names->items, by_name);
        return 0;
    }
    raft_names_deinit(names);
    return failed < 0 ? error_set_uv(err, failed, "list %s", dir)
                      : error_set(err, ERR_LIMIT, "%s holds more than %u files", dir, (unsigned)RAFT_SEGMENTS_COUNT);
}

void raft_names_deinit(struct raft_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct raft_names){0};
}

static bool is_zero(const uint8_t *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

int raft_disk_zero(const struct raft_disk *disk, int file, const char *path, uint64_t from, uint64_t to, struct error *err)
{
    enum { BLOCK = 64 * KIB };
    static const uint8_t zeros[BLOCK];
    cleanup_free uint8_t *block = mem_alloc(BLOCK);

    while (from < to) {
        size_t size = to - from < BLOCK ? (size_t)(to - from) : BLOCK, got;
        if (raft_disk_read(disk, file, path, block, size, from, &got, err) < 0)
            return error_wrap(err, "clear");
        if (got == 0)
            break;
        if (!is_zero(block, got) && raft_disk_write(disk, file, path, bytes_of(zeros, got), from, err) < 0)
            return error_wrap(err, "clear");
        from += got;
    }
    return raft_disk_sync(disk, file, path, err);
}
