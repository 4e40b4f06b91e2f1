/* runtime/image/lock_linux.c – see lock.h. flock(2): bound to the open file, so that threads of one process exclude each other too. */
#include "runtime/image/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* 0, or a negative errno. */
static int lock_file(int fd, enum image_lock_kind kind, bool wait)
{
    int how = (kind == IMAGE_LOCK_SHARED ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB), got;
    do
        got = flock(fd, how);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : 0;
}

static bool is_removed(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 && stat.st_nlink == 0;
}

int image_lock_take(struct image_lock *lock, const char *dir, const char *name, enum image_lock_kind kind, bool wait, struct error *err)
{
    cleanup_free char *path = mem_format("%s/locks/%s", dir, name);
    int failed = 0;
    do {
        if (!lock->is_held)
            lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock->fd < 0)
            return error_set_uv(err, -errno, "open lock %s", path);
        failed = lock_file(lock->fd, kind, wait);
        lock->is_held = failed == 0 && !is_removed(lock->fd);
        if (!lock->is_held)
            close(lock->fd);
    } while (failed == 0 && !lock->is_held);
    if (failed == -EWOULDBLOCK)
        return error_set(err, ERR_AGAIN, "lock %s is held by another process", path);
    return failed < 0 ? error_set_uv(err, failed, "lock %s", path) : 0;
}

void image_lock_drop(struct image_lock *lock)
{
    if (lock->is_held)
        close(lock->fd);
    lock->is_held = false;
}
