/* runtime/image/lock_linux.c – see lock.h. flock(2): bound to the open file, so that threads of one process exclude each other too. */
#include "runtime/image/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

int image_lock_take(struct image_lock *lock, const char *dir, const char *name, enum image_lock_kind kind, bool wait, struct error *err)
{
    cleanup_free char *path = mem_format("%s/locks/%s", dir, name);
    if (!lock->is_held) {
        lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock->fd < 0)
            return error_set_uv(err, -errno, "open lock %s", path);
    }
    int how = (kind == IMAGE_LOCK_SHARED ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB), got;
    do
        got = flock(lock->fd, how);
    while (got < 0 && errno == EINTR);
    if (got == 0) {
        lock->is_held = true;
        return 0;
    }
    int why = errno;
    close(lock->fd);
    lock->is_held = false;
    if (why == EWOULDBLOCK)
        return error_set(err, ERR_AGAIN, "lock %s is held by another process", path);
    return error_set_uv(err, -why, "lock %s", path);
}

void image_lock_drop(struct image_lock *lock)
{
    if (lock->is_held)
        close(lock->fd);
    lock->is_held = false;
}
