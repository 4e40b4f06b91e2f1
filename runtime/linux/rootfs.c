/* runtime/linux/rootfs.c – see rootfs.h. */
#include "runtime/linux/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"

static int open_layers(const struct document_strings *layers, int *fds, struct buf *options, struct error *err)
{
    for (size_t i = 0; i < layers->count; i++) {
        fds[i] = open(layers->items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fds[i] < 0)
            return error_set_uv(err, -errno, "layer %s", layers->items[i]);
        /* By descriptor: the option string may have one page, and paths may hold colons and commas. */
        buf_append_format(options, "%s/proc/self/fd/%d", i ? ":" : "lowerdir=", fds[i]);
    }
    return 0;
}

int rootfs_mount(const struct document_strings *layers, const char *upper, const char *work, const char *target, struct error *err)
{
    int fds[CONTAINER_LAYERS_COUNT + 2], result;
    size_t count = layers->count + 2;
    cleanup_buf struct buf options = {0};

    for (size_t i = 0; i < count; i++)
        fds[i] = -1;
    result = file_make_dirs(upper, 0755, err) < 0 || file_make_dirs(work, 0700, err) < 0 || file_make_dirs(target, 0700, err) < 0
                 ? err->code
                 : open_layers(layers, fds, &options, err);
    if (result == 0) {
        fds[count - 2] = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fds[count - 1] = open(work, O_PATH | O_DIRECTORY | O_CLOEXEC);
        buf_append_format(&options, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", fds[count - 2], fds[count - 1]);
        if (mount("overlay", target, "overlay", 0, options.data) < 0)
            result = error_set_uv(err, -errno, "mount an overlay of %zu layers on %s", layers->count, target);
    }
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return result;
}

void rootfs_unmount(const char *target)
{
    for (int tries = 0; tries < 8 && umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; tries++)
        continue;
}

static int open_in(int root_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint32_t)(flags | O_CLOEXEC), .mode = mode, .resolve = RESOLVE_IN_ROOT};
    long fd;

    do
        fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return fd < 0 ? -errno : (int)fd;
}

int rootfs_open(const char *root, const char *path, int flags)
{
    int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

    if (root_fd < 0)
        return -errno;
    fd = open_in(root_fd, path, flags, 0);
    close(root_fd);
    return fd;
}

int rootfs_read(const char *root, const char *path, size_t max_bytes, struct buf *out, struct error *err)
{
    int fd = rootfs_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char chunk[4096];
    ssize_t n = 0;

    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -ENXIO ? 0 : error_set_uv(err, fd, "%s of the image", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return 0;
    }
    if (st.st_size > (off_t)max_bytes) {
        close(fd);
        return error_set(err, ERR_LIMIT, "%s of the image has %lld bytes: more than %zu", path, (long long)st.st_size, max_bytes);
    }
    while (out->size < max_bytes && (n = read(fd, chunk, sizeof chunk)) > 0)
        buf_append(out, chunk, (size_t)n);
    close(fd);
    return n < 0 ? error_set_uv(err, -errno, "read %s of the image", path) : 0;
}

/* One directory, through a descriptor of its parent; that it is there already is no error. */
static void make_dir(const char *root, const char *path, uint32_t uid, uint32_t gid)
{
    const char *name = strrchr(path, '/') + 1;
    cleanup_free char *parent = mem_string_n(path, (size_t)(name - path));
    int fd = rootfs_open(root, parent, O_PATH | O_DIRECTORY);

    if (fd < 0)
        return;
    if (mkdirat(fd, name, 0755) == 0 && fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        unlinkat(fd, name, AT_REMOVEDIR);
    close(fd);
}

int rootfs_make_dirs(const char *root, const char *path, uint32_t uid, uint32_t gid, struct error *err)
{
    int fd = rootfs_open(root, path, O_PATH | O_DIRECTORY);

    for (const char *end = path; fd < 0 && end;) {
        end = strchr(end + 1, '/');
        cleanup_free char *part = end ? mem_string_n(path, (size_t)(end - path)) : mem_string(path);
        make_dir(root, part, uid, gid);
    }
    if (fd < 0)
        fd = rootfs_open(root, path, O_PATH | O_DIRECTORY);
    if (fd < 0)
        return error_set_uv(err, fd, "make %s in the container", path);
    close(fd);
    return 0;
}
