/* raft/log/disk_posix.c – the host's disk: see disk.h. */
#include "raft/log/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

static int failure(void)
{
    return errno == EDQUOT ? UV_ENOSPC : uv_translate_sys_error(errno); /* a quota is a full disk to us */
}

static int host_make_dir(void *self, const char *path)
{
    (void)self;
    return mkdir(path, 0700) < 0 ? failure() : 0;
}

static int host_open(void *self, const char *path, enum raft_disk_open how, int *file)
{
    (void)self;
    int flags = how == RAFT_DISK_READ ? O_RDONLY : how == RAFT_DISK_WRITE ? O_RDWR : O_RDWR | O_CREAT | O_TRUNC;
    do {
        *file = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    } while (*file < 0 && errno == EINTR);
    return *file < 0 ? failure() : 0;
}

static void host_close(void *self, int file)
{
    (void)self;
    close(file);
}

static int host_size(void *self, int file, uint64_t *size)
{
    (void)self;
    struct stat info;
    if (fstat(file, &info) < 0)
        return failure();
    *size = (uint64_t)info.st_size;
    return 0;
}

static int64_t host_pwritev(void *self, int file, const struct bytes *parts, size_t count, uint64_t offset)
{
    (void)self;
    struct iovec vectors[16];
    ssize_t wrote;
    size_t used = count < sizeof vectors / sizeof *vectors ? count : sizeof vectors / sizeof *vectors;

    for (size_t i = 0; i < used; i++)
        vectors[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].size};
    do {
        wrote = pwritev(file, vectors, (int)used, (off_t)offset);
    } while (wrote < 0 && errno == EINTR);
    return wrote < 0 ? failure() : wrote;
}

static int64_t host_pread(void *self, int file, void *data, size_t size, uint64_t offset)
{
    (void)self;
    ssize_t got;
    do {
        got = pread(file, data, size, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? failure() : got;
}

static int host_sync(void *self, int file)
{
    (void)self;
    return fdatasync(file) < 0 ? failure() : 0; /* never tried again: the kernel may have dropped the pages and then says it is fine */
}

static int host_allocate(void *self, int file, uint64_t size)
{
    (void)self;
    int failed;
    do {
        failed = posix_fallocate(file, 0, (off_t)size);
    } while (failed == EINTR);
    errno = failed;
    return failed ? failure() : 0;
}

static int host_truncate(void *self, int file, uint64_t size)
{
    (void)self;
    return ftruncate(file, (off_t)size) < 0 ? failure() : 0;
}

static int host_rename(void *self, const char *from, const char *to)
{
    (void)self;
    return rename(from, to) < 0 ? failure() : 0;
}

static int host_unlink(void *self, const char *path)
{
    (void)self;
    return unlink(path) < 0 ? failure() : 0;
}

static int host_sync_dir(void *self, const char *path)
{
    (void)self;
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return failure();
    int failed = fsync(dir) < 0 ? failure() : 0;
    close(dir);
    return failed;
}

static int host_list(void *self, const char *path, raft_disk_list_fn fn, void *ctx)
{
    (void)self;
    DIR *dir = opendir(path);
    if (!dir)
        return failure();
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (entry->d_name[0] != '.')
            fn(ctx, entry->d_name);
    }
    int failed = errno ? failure() : 0;
    closedir(dir);
    return failed;
}

static int host_lock(void *self, const char *path, int *file)
{
    (void)self;
    *file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*file < 0)
        return failure();
    if (flock(*file, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int failed = errno == EWOULDBLOCK ? UV_EBUSY : failure();
    close(*file);
    *file = -1;
    return failed;
}

struct raft_disk raft_disk_host(void)
{
    return (struct raft_disk){.make_dir = host_make_dir,
                              .open = host_open,
                              .close = host_close,
                              .size = host_size,
                              .pwritev = host_pwritev,
                              .pread = host_pread,
                              .sync = host_sync,
                              .allocate = host_allocate,
                              .truncate = host_truncate,
                              .rename = host_rename,
                              .unlink = host_unlink,
                              .sync_dir = host_sync_dir,
                              .list = host_list,
                              .lock = host_lock};
}
