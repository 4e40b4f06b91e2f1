/* base/file_tree_posix.c – removes a tree of any depth with a bounded number of open directories and no path longer than one name.
 *
 * Depth first, each directory by its descriptor. What lies DEPTH_MAX levels down is not entered but moved up, to beside the tree's first
 * level, where it is found again: so a tree of any depth is taken down in slices. Nobody else works on the tree meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { DEPTH_MAX = 32, MOVE_ATTEMPTS = 1000 };

struct removal {
    const char *path; /* for messages */
    int top;
    dev_t device;
    unsigned moved; /* so many were moved up */
    struct error *err;
};

static int failed(const struct removal *r, const char *name)
{
    return error_set_uv(r->err, -errno, "remove %s: %s", r->path, name);
}

/* A name that is taken at the top is passed over; an empty directory there may be replaced. */
static int move_up(struct removal *r, int dir, const char *name)
{
    for (int i = 0; i < MOVE_ATTEMPTS; i++) {
        char goal[32];
        snprintf(goal, sizeof goal, ".removed-%u", r->moved++);
        if (renameat(dir, name, r->top, goal) == 0)
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
            break;
    }
    return failed(r, name);
}

static int empty(struct removal *r, int dir, unsigned depth);

static int remove_dir(struct removal *r, int parent, const char *name, unsigned depth)
{
    struct stat st;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno == EBUSY)
        return error_set(r->err, ERR_PRECONDITION, "remove %s: something is mounted at %s", r->path, name);
    if (errno == ENOTDIR) /* no directory after all */
        errno = EPERM;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return failed(r, name);
    if (depth == DEPTH_MAX)
        return move_up(r, parent, name);
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fstat(dir, &st) < 0) {
        int result = failed(r, name);
        if (dir >= 0)
            close(dir);
        return result;
    }
    if (st.st_dev != r->device) {
        close(dir);
        return error_set(r->err, ERR_PRECONDITION, "remove %s: something is mounted at %s", r->path, name);
    }
    int result = empty(r, dir, depth);
    return result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? failed(r, name) : result;
}

static int remove_entry(struct removal *r, int parent, const char *name, unsigned depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR || errno == EPERM) /* POSIX says EPERM of a directory, Linux EISDIR */
        return remove_dir(r, parent, name, depth);
    if (errno == EBUSY)
        return error_set(r->err, ERR_PRECONDITION, "remove %s: something is mounted at %s", r->path, name);
    return failed(r, name);
}

static bool is_self_or_parent(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Takes @dir. Read again until nothing is found: entries come and go while it is read, and may be passed over. */
static int empty(struct removal *r, int dir, unsigned depth)
{
    DIR *stream = fdopendir(dir);
    if (stream == NULL) {
        int result = failed(r, ".");
        close(dir);
        return result;
    }
    int result = 0;
    bool found = true;
    while (found && result == 0) {
        const struct dirent *entry;
        found = false;
        rewinddir(stream);
        errno = 0;
        while (result == 0 && (entry = readdir(stream)) != NULL)
            if (!is_self_or_parent(entry->d_name)) {
                found = true;
                result = remove_entry(r, dirfd(stream), entry->d_name, depth + 1);
                errno = 0;
            }
        if (result == 0 && errno != 0)
            result = failed(r, ".");
    }
    closedir(stream);
    return result;
}

int file_remove_tree(const char *path, struct error *err)
{
    struct removal r = {.path = path, .err = err};
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_set_uv(err, -errno, "remove %s", path);
    if (!S_ISDIR(st.st_mode))
        return file_remove(path, err);
    r.device = st.st_dev;
    r.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (r.top < 0)
        return error_set_uv(err, -errno, "remove %s", path);
    if (empty(&r, r.top, 0) < 0) /* r.top is the stream's now, and open as long as anything can be moved to it */
        return err ? err->code : ERR_IO;
    return rmdir(path) < 0 && errno != ENOENT ? error_set_uv(err, -errno, "remove %s", path) : 0;
}
