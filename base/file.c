/* base/file.c – see file.h. */
#include "base/file.h"

#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/random.h"

enum { PROGRAM_PATH_SIZE = 4096 };

static int finish(uv_fs_t *req, int result)
{
    uv_fs_req_cleanup(req);
    return result;
}

static int fs_open(const char *path, int flags, int mode)
{
    uv_fs_t req;
    return finish(&req, uv_fs_open(NULL, &req, path, flags, mode, NULL));
}

static void fs_close(uv_file file)
{
    uv_fs_t req;
    finish(&req, uv_fs_close(NULL, &req, file, NULL));
}

static int fs_sync(uv_file file)
{
    uv_fs_t req;
    return finish(&req, uv_fs_fsync(NULL, &req, file, NULL));
}

static const char *last_separator(const char *path)
{
    const char *slash = strrchr(path, '/'), *backslash = strrchr(path, '\\');
    return backslash && (!slash || backslash > slash) ? backslash : slash;
}

/* The directory that holds @path: "." where the path names none. Freed by the caller. */
static char *directory_of(const char *path)
{
    const char *slash = last_separator(path);
    if (!slash)
        return mem_string(".");
    return slash == path ? mem_string("/") : mem_string_n(path, (size_t)(slash - path));
}

int file_read(const char *path, size_t max_bytes, struct buf *out, struct error *err)
{
    int file = fs_open(path, UV_FS_O_RDONLY, 0);
    if (file < 0)
        return error_set_uv(err, file, "open %s", path);
    size_t start = out->size;
    for (;;) {
        uv_buf_t room = uv_buf_init((char *)buf_reserve(out, 16 * KIB), 16 * KIB);
        uv_fs_t req;
        int got = finish(&req, uv_fs_read(NULL, &req, file, &room, 1, -1, NULL));
        if (got < 0) {
            fs_close(file);
            return error_set_uv(err, got, "read %s", path);
        }
        if (got == 0)
            break;
        out->size += (size_t)got;
        if (out->size - start > max_bytes) {
            fs_close(file);
            return error_set(err, ERR_LIMIT, "read %s: larger than %zu bytes", path, max_bytes);
        }
    }
    out->data[out->size] = 0;
    fs_close(file);
    return 0;
}

int file_sync_dir(const char *path, struct error *err)
{
    int dir = fs_open(path, UV_FS_O_RDONLY, 0);
    if (dir < 0)
        return dir == UV_EISDIR || dir == UV_EPERM || dir == UV_EACCES ? 0 : error_set_uv(err, dir, "open %s", path);
    int synced = fs_sync(dir);
    fs_close(dir);
    /* Some file systems cannot sync a directory, and Windows has no such thing: their rename is as durable as it gets. */
    if (synced < 0 && synced != UV_EINVAL && synced != UV_EPERM && synced != UV_ENOTSUP)
        return error_set_uv(err, synced, "sync %s", path);
    return 0;
}

static int write_all(uv_file file, struct bytes content)
{
    while (content.size > 0) {
        uv_buf_t part = uv_buf_init((char *)(uintptr_t)content.data, (unsigned)(content.size > GIB ? GIB : content.size));
        uv_fs_t req;
        int wrote = finish(&req, uv_fs_write(NULL, &req, file, &part, 1, -1, NULL));
        if (wrote < 0)
            return wrote;
        content = bytes_of(content.data + wrote, content.size - (size_t)wrote);
    }
    return 0;
}

static int write_and_rename(const char *path, struct bytes content, int mode, bool durable, struct error *err)
{
    struct random random = random_system();
    cleanup_free char *temporary = mem_format("%s.%08x.tmp", path, (unsigned)random_u64(&random));
    int file = fs_open(temporary, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL, mode);
    if (file < 0)
        return error_set_uv(err, file, "create %s", temporary);
    int failed = write_all(file, content);
    if (failed == 0 && durable)
        failed = fs_sync(file);
    fs_close(file);
    if (failed == 0)
        failed = file_replace(temporary, path);
    if (failed < 0) {
        uv_fs_t req;
        finish(&req, uv_fs_unlink(NULL, &req, temporary, NULL));
        return error_set_uv(err, failed, "write %s", path);
    }
    if (!durable)
        return 0;
    cleanup_free char *dir = directory_of(path);
    return file_sync_dir(dir, err);
}

int file_write(const char *path, struct bytes content, int mode, struct error *err)
{
    return write_and_rename(path, content, mode, true, err);
}

int file_write_volatile(const char *path, struct bytes content, int mode, struct error *err)
{
    return write_and_rename(path, content, mode, false, err);
}

int file_rename(const char *from, const char *to, struct error *err)
{
    int failed = file_replace(from, to);
    if (failed < 0)
        return error_set_uv(err, failed, "rename %s to %s", from, to);
    cleanup_free char *dir = directory_of(to);
    return file_sync_dir(dir, err);
}

int file_remove(const char *path, struct error *err)
{
    uv_fs_t req;
    int failed = finish(&req, uv_fs_unlink(NULL, &req, path, NULL));
    return failed < 0 && failed != UV_ENOENT ? error_set_uv(err, failed, "remove %s", path) : 0;
}

int file_make_dirs(const char *path, int mode, struct error *err)
{
    cleanup_free char *part = mem_string(path);
    for (char *c = part + 1;; c++) {
        char was = *c;
        if (was != '/' && was != '\\' && was != '\0')
            continue;
        *c = '\0';
        uv_fs_t req;
        int failed = finish(&req, uv_fs_mkdir(NULL, &req, part, mode, NULL));
        if (failed < 0 && failed != UV_EEXIST && !file_exists(part))
            return error_set_uv(err, failed, "make directory %s", part);
        if (was == '\0')
            return 0;
        *c = was;
    }
}

bool file_exists(const char *path)
{
    uv_fs_t req;
    return finish(&req, uv_fs_stat(NULL, &req, path, NULL)) == 0;
}

char *file_beside_program(const char *name)
{
    char path[PROGRAM_PATH_SIZE];
    size_t size = sizeof path;
    const char *slash = uv_exepath(path, &size) == 0 ? last_separator(path) : NULL;
    return slash ? mem_format("%.*s/%s", (int)(slash - path), path, name) : mem_string(name);
}
