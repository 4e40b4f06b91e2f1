/* runtime/image/tool/tree_linux.c – see tree.h. */
#include "runtime/image/tool/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#define OPAQUE_NAME        "trusted.overlay.opaque"
#define REMOVE_DEPTH_COUNT 2048 /* no path of a layer has more parts: see check_depth */

struct directory_time {
    char *path;
    int64_t mtime_s;
    long mtime_ns;
};

struct tree {
    int root;
    int parent; /* the directory the last entry was in, -1: none; most entries lie beside the one before */
    char parent_path[LAYER_PATH_SIZE_BYTES];
    int file;
    int64_t file_size;
    const struct tree_meta *file_meta;
    char file_path[LAYER_PATH_SIZE_BYTES + LAYER_NAME_SIZE_BYTES + 2];
    struct directory_time *times;
    size_t time_count, time_capacity;
};

static int fail(struct error *err, int errnum, const struct layer_path *path, const char *what)
{
    const char *hint = errnum == EPERM && geteuid() != 0 ? " (unpacking needs root)" : "";
    int code = error_set_uv(err, -errnum, "entry \"%s%s%s\": %s%s", path->parent, *path->parent ? "/" : "", path->name, what, hint);
    /* Whatever the kernel finds wrong with a name is the archive's fault. */
    if (errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP || errnum == EXDEV || errnum == ENAMETOOLONG || errnum == EEXIST ||
        errnum == EISDIR || errnum == EINVAL || errnum == EMLINK)
        code = err->code = ERR_INVALID;
    return code;
}

static int open_in_root(int root, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    long fd;
    do
        fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
    while (fd < 0 && errno == EAGAIN); /* a rename elsewhere raced the check */
    return (int)fd;
}

const bool tree_wants_windows_meta = false;

int tree_open(const char *path, bool is_base, struct tree **out, struct error *err)
{
    (void)is_base;
    int root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return error_set_uv(err, -errno, "open %s", path);
    int probe = open_in_root(root, ".", O_PATH | O_DIRECTORY);
    if (probe < 0) {
        int why = errno;
        close(root);
        return error_set(err, ERR_UNSUPPORTED, "unpacking needs openat2(2), Linux 5.6 or later: %s", strerror(why));
    }
    close(probe);
    struct tree *tree = mem_alloc(sizeof *tree);
    *tree = (struct tree){.root = root, .parent = -1, .file = -1};
    *out = tree;
    return 0;
}

static void drop_parent(struct tree *tree)
{
    if (tree->parent >= 0)
        close(tree->parent);
    tree->parent = -1;
}

void tree_close(struct tree *tree)
{
    if (!tree)
        return;
    drop_parent(tree);
    if (tree->file >= 0)
        close(tree->file);
    close(tree->root);
    for (size_t i = 0; i < tree->time_count; i++)
        free(tree->times[i].path);
    free(tree->times);
    free(tree);
}

/* Through links of its own a layer could nest deeper than any path can name; then nobody could remove it. */
static bool is_too_deep(int directory)
{
    char link[64], path[LAYER_PATH_SIZE_BYTES];
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, path, sizeof path);
    return length < 0 ? errno == ENAMETOOLONG : (size_t)length + NAME_MAX + 2 > sizeof path;
}

/* Makes each missing part of @path in turn. */
static int make_parents(struct tree *tree, const struct layer_path *path, struct error *err)
{
    char part[LAYER_PATH_SIZE_BYTES];
    int at = open_in_root(tree->root, ".", O_PATH | O_DIRECTORY);
    for (const char *end = path->parent; at >= 0 && *end;) {
        const char *start = end;
        end += strcspn(end, "/");
        snprintf(part, sizeof part, "%.*s", (int)(end - start), start);
        int made = mkdirat(at, part, 0755), why = errno;
        close(at);
        if (made < 0 && why != EEXIST)
            return fail(err, why, path, "make its directory");
        snprintf(part, sizeof part, "%.*s", (int)(end - path->parent), path->parent);
        at = open_in_root(tree->root, part, O_PATH | O_DIRECTORY);
        if (at >= 0 && is_too_deep(at)) {
            close(at);
            return fail(err, ENAMETOOLONG, path, "open its directory");
        }
        end += *end == '/';
    }
    if (at < 0)
        return fail(err, errno, path, "open its directory");
    close(at);
    return 0;
}

/* Opens the directory that @path lies in. */
static int enter(struct tree *tree, const struct layer_path *path, struct error *err)
{
    if (tree->parent >= 0 && strcmp(tree->parent_path, path->parent) == 0)
        return 0;
    drop_parent(tree);
    tree->parent = open_in_root(tree->root, path->parent, O_RDONLY | O_DIRECTORY);
    if (tree->parent < 0 && errno == ENOENT) {
        int failed = make_parents(tree, path, err);
        if (failed < 0)
            return failed;
        tree->parent = open_in_root(tree->root, path->parent, O_RDONLY | O_DIRECTORY);
    }
    if (tree->parent < 0)
        return fail(err, errno, path, "open its directory");
    if (is_too_deep(tree->parent)) {
        drop_parent(tree);
        return fail(err, ENAMETOOLONG, path, "open its directory");
    }
    snprintf(tree->parent_path, sizeof tree->parent_path, "%s", path->parent);
    return 0;
}

static int remove_at(int directory, const char *name, unsigned depth);

static int empty_directory(int directory, unsigned depth)
{
    DIR *listing = fdopendir(directory);
    if (!listing) {
        close(directory);
        return -1;
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(listing)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = remove_at(dirfd(listing), entry->d_name, depth + 1);
    int why = errno;
    closedir(listing);
    errno = why;
    return result;
}

/* A name and all that is below it. */
static int remove_at(int directory, const char *name, unsigned depth)
{
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    if (depth > REMOVE_DEPTH_COUNT) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int below = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0 || empty_directory(below, depth) < 0)
        return -1;
    return unlinkat(directory, name, AT_REMOVEDIR);
}

static bool is_whiteout(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

/* Makes room for a new entry that is no directory. */
static int clear_place(struct tree *tree, const struct layer_path *path, struct error *err)
{
    if (path->name[0] == '\0')
        return error_set(err, ERR_INVALID, "the layer's root must be a directory");
    int failed = enter(tree, path, err);
    if (failed < 0)
        return failed;
    return remove_at(tree->parent, path->name, 0) < 0 ? fail(err, errno, path, "replace what was there") : 0;
}

static bool attribute_is_kept(const char *name)
{
    if (strcmp(name, "security.capability") == 0)
        return true;
    return text_starts(name, "user.") && !text_starts(name, "user.overlay.");
}

static int set_attributes(int fd, const struct layer_path *path, const struct tree_meta *meta, struct error *err)
{
    for (size_t i = 0; i < meta->attribute_count; i++) {
        const struct tree_attribute *attribute = &meta->attributes[i];
        if (!attribute_is_kept(attribute->name))
            continue;
        if (fsetxattr(fd, attribute->name, attribute->value, attribute->size, 0) < 0 && errno != ENOTSUP)
            return fail(err, errno, path, attribute->name);
    }
    return 0;
}

static struct timespec time_of(const struct tree_meta *meta)
{
    return (struct timespec){.tv_sec = meta->mtime_s, .tv_nsec = meta->mtime_ns};
}

static int check_owner(const struct layer_path *path, const struct tree_meta *meta, struct error *err)
{
    if (meta->uid >= 0 && meta->uid < UINT32_MAX && meta->gid >= 0 && meta->gid < UINT32_MAX)
        return 0;
    return error_set(err, ERR_INVALID, "entry \"%s/%s\": no such user or group can be: %lld:%lld", path->parent, path->name,
                     (long long)meta->uid, (long long)meta->gid);
}

/* The owner first: changing it drops setuid bits and capabilities. */
static int set_meta(int fd, const struct layer_path *path, const struct tree_meta *meta, struct error *err)
{
    int failed = check_owner(path, meta, err);
    if (failed < 0)
        return failed;
    if (fchown(fd, (uid_t)meta->uid, (gid_t)meta->gid) < 0)
        return fail(err, errno, path, "set its owner");
    if (fchmod(fd, meta->mode & 07777) < 0)
        return fail(err, errno, path, "set its mode");
    return set_attributes(fd, path, meta, err);
}

static int set_meta_at(struct tree *tree, const struct layer_path *path, const struct tree_meta *meta, bool has_mode, struct error *err)
{
    int failed = check_owner(path, meta, err);
    if (failed < 0)
        return failed;
    if (fchownat(tree->parent, path->name, (uid_t)meta->uid, (gid_t)meta->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, errno, path, "set its owner");
    if (has_mode && fchmodat(tree->parent, path->name, meta->mode & 07777, 0) < 0)
        return fail(err, errno, path, "set its mode");
    struct timespec times[2] = {time_of(meta), time_of(meta)};
    return utimensat(tree->parent, path->name, times, AT_SYMLINK_NOFOLLOW) < 0 ? fail(err, errno, path, "set its time") : 0;
}

static void remember_time(struct tree *tree, const struct layer_path *path, const struct tree_meta *meta)
{
    if (tree->time_count == tree->time_capacity) {
        tree->time_capacity = tree->time_capacity ? tree->time_capacity * 2 : 64;
        tree->times = mem_resize(tree->times, tree->time_capacity * sizeof *tree->times);
    }
    char *name = mem_format("%s%s%s", path->parent, *path->parent && *path->name ? "/" : "", path->name);
    tree->times[tree->time_count++] = (struct directory_time){name, meta->mtime_s, meta->mtime_ns};
}

static int make_opaque(int fd, const struct layer_path *path, struct error *err)
{
    return fsetxattr(fd, OPAQUE_NAME, "y", 1, 0) < 0 ? fail(err, errno, path, "make its directory opaque") : 0;
}

/* A directory stays when it is there already; in the place of a whiteout it hides what is below. */
static int make_directory(struct tree *tree, const struct layer_path *path, bool *was_whiteout, struct error *err)
{
    struct stat status;
    *was_whiteout = false;
    if (fstatat(tree->parent, path->name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(status.st_mode))
            return 0;
        *was_whiteout = is_whiteout(&status);
        if (unlinkat(tree->parent, path->name, 0) < 0)
            return fail(err, errno, path, "replace what was there");
    }
    return mkdirat(tree->parent, path->name, 0700) < 0 ? fail(err, errno, path, "make a directory") : 0;
}

int tree_directory(struct tree *tree, const struct layer_path *path, const struct tree_meta *meta, struct error *err)
{
    bool was_whiteout = false, is_root = path->name[0] == '\0';
    int failed = enter(tree, path, err);
    if (failed == 0 && !is_root)
        failed = make_directory(tree, path, &was_whiteout, err);
    if (failed < 0)
        return failed;
    int fd = openat(tree->parent, is_root ? "." : path->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(err, errno, path, "open it");
    failed = set_meta(fd, path, meta, err);
    if (failed == 0 && was_whiteout)
        failed = make_opaque(fd, path, err);
    close(fd);
    remember_time(tree, path, meta);
    return failed;
}

int tree_symlink(struct tree *tree, const struct layer_path *path, const char *target, const struct tree_meta *meta, struct error *err)
{
    int failed = clear_place(tree, path, err);
    if (failed < 0)
        return failed;
    if (symlinkat(target, tree->parent, path->name) < 0)
        return fail(err, errno, path, "make a symbolic link");
    return set_meta_at(tree, path, meta, false, err);
}

int tree_hard_link(struct tree *tree, const struct layer_path *path, const struct layer_path *target, struct error *err)
{
    struct stat status;
    if (strcmp(path->parent, target->parent) == 0 && strcmp(path->name, target->name) == 0)
        return error_set(err, ERR_INVALID, "entry \"%s/%s\": a hard link to itself", path->parent, path->name);
    int failed = clear_place(tree, path, err);
    if (failed < 0)
        return failed;
    int directory = open_in_root(tree->root, target->parent, O_PATH | O_DIRECTORY);
    if (directory < 0)
        return fail(err, errno, path, "find what it is a hard link to");
    int linked = fstatat(directory, target->name, &status, AT_SYMLINK_NOFOLLOW), why = errno;
    if (linked == 0 && S_ISDIR(status.st_mode)) {
        linked = -1;
        why = EISDIR;
    } else if (linked == 0) {
        linked = linkat(directory, target->name, tree->parent, path->name, 0);
        why = errno;
    }
    close(directory);
    return linked < 0 ? fail(err, why, path, "make a hard link") : 0;
}

static bool is_harmless(enum tree_node_kind kind, unsigned device_major, unsigned device_minor)
{
    static const unsigned char harmless[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (kind == TREE_CHARACTER && device_major == harmless[i][0] && device_minor == harmless[i][1])
            return true;
    return false;
}

static bool is_under_dev(const struct layer_path *path)
{
    return strcmp(path->parent, "dev") == 0 || text_starts(path->parent, "dev/");
}

int tree_node(struct tree *tree, const struct layer_path *path, enum tree_node_kind kind, unsigned device_major, unsigned device_minor,
              const struct tree_meta *meta, struct error *err)
{
    bool is_device = kind != TREE_FIFO;
    if (kind == TREE_CHARACTER && device_major == 0 && device_minor == 0)
        return tree_whiteout(tree, path, err);
    if (is_device && is_under_dev(path))
        return 0;
    if (is_device && !is_harmless(kind, device_major, device_minor))
        return error_set(err, ERR_INVALID, "entry \"%s/%s\": a %s device %u:%u has no place in an image", path->parent, path->name,
                         kind == TREE_BLOCK ? "block" : "character", device_major, device_minor);
    int failed = clear_place(tree, path, err);
    if (failed < 0)
        return failed;
    if (mknodat(tree->parent, path->name, (is_device ? S_IFCHR : S_IFIFO) | 0600, is_device ? makedev(device_major, device_minor) : 0) < 0)
        return fail(err, errno, path, "make a node");
    return set_meta_at(tree, path, meta, true, err);
}

/* A name that this layer itself has made stays: a whiteout speaks of the layers below. A directory of its own then hides them. */
int tree_whiteout(struct tree *tree, const struct layer_path *path, struct error *err)
{
    struct stat status;
    if (path->name[0] == '\0')
        return error_set(err, ERR_INVALID, "a whiteout of the layer's root");
    int failed = enter(tree, path, err);
    if (failed < 0)
        return failed;
    if (mknodat(tree->parent, path->name, S_IFCHR | 0600, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST)
        return fail(err, errno, path, "make a whiteout");
    if (fstatat(tree->parent, path->name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode))
        return 0;
    int fd = openat(tree->parent, path->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(err, errno, path, "open it");
    failed = make_opaque(fd, path, err);
    close(fd);
    return failed;
}

int tree_opaque(struct tree *tree, const struct layer_path *path, struct error *err)
{
    int failed = enter(tree, path, err);
    return failed < 0 ? failed : make_opaque(tree->parent, path, err);
}

int tree_file_begin(struct tree *tree, const struct layer_path *path, int64_t size_bytes, const struct tree_meta *meta, struct error *err)
{
    int failed = clear_place(tree, path, err);
    if (failed < 0)
        return failed;
    tree->file = openat(tree->parent, path->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (tree->file < 0)
        return fail(err, errno, path, "make a file");
    tree->file_size = size_bytes;
    tree->file_meta = meta;
    snprintf(tree->file_path, sizeof tree->file_path, "%s%s%s", path->parent, *path->parent ? "/" : "", path->name);
    return 0;
}

int tree_file_write(struct tree *tree, const void *data, size_t size, int64_t offset, struct error *err)
{
    const char *from = data;
    while (size > 0) {
        ssize_t wrote = pwrite(tree->file, from, size, offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return error_set_uv(err, -errno, "entry \"%s\": write", tree->file_path);
        from += wrote;
        offset += wrote;
        size -= (size_t)wrote;
    }
    return 0;
}

int tree_file_end(struct tree *tree, struct error *err)
{
    const struct tree_meta *meta = tree->file_meta;
    struct layer_path shown = {.name = ""};
    snprintf(shown.parent, sizeof shown.parent, "%.*s", (int)sizeof shown.parent - 1, tree->file_path);
    int failed =
        ftruncate(tree->file, tree->file_size) < 0 ? fail(err, errno, &shown, "set its size") : set_meta(tree->file, &shown, meta, err);
    struct timespec times[2] = {time_of(meta), time_of(meta)};
    if (failed == 0 && futimens(tree->file, times) < 0)
        failed = fail(err, errno, &shown, "set its time");
    close(tree->file);
    tree->file = -1;
    return failed;
}

int tree_finish(struct tree *tree, struct error *err)
{
    drop_parent(tree);
    for (size_t i = 0; i < tree->time_count; i++) {
        const struct directory_time *time = &tree->times[i];
        int fd = open_in_root(tree->root, time->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd < 0)
            continue; /* a later entry put something else there */
        struct timespec times[2] = {{.tv_sec = time->mtime_s, .tv_nsec = time->mtime_ns},
                                    {.tv_sec = time->mtime_s, .tv_nsec = time->mtime_ns}};
        futimens(fd, times);
        close(fd);
    }
    return syncfs(tree->root) < 0 ? error_set_uv(err, -errno, "write the layer to disk") : 0;
}
