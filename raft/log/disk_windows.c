/* raft/log/disk_windows.c – the host's disk: see disk.h. Through libuv, but where Windows has a way of its own to be sure.
 *
 * Files are opened so that others may read, rename and remove them meanwhile, as on the other systems. A directory cannot be synced: NTFS
 * keeps names in its journal, and what must be in its place when we return is renamed with write-through. */
#include "raft/log/disk.h"

#include <uv.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/system_windows.h"

static int finish(uv_fs_t *req, int result)
{
    uv_fs_req_cleanup(req);
    return result;
}

static int64_t finish_count(uv_fs_t *req)
{
    int64_t result = req->result;
    uv_fs_req_cleanup(req);
    return result;
}

static int failure(void)
{
    return uv_translate_sys_error((int)GetLastError());
}

static int host_make_dir(void *self, const char *path)
{
    uv_fs_t req;
    (void)self;
    return finish(&req, uv_fs_mkdir(NULL, &req, path, 0700, NULL));
}

static int open_file(const char *path, int flags, int *file)
{
    uv_fs_t req;
    *file = finish(&req, uv_fs_open(NULL, &req, path, flags, 0600, NULL));
    return *file < 0 ? *file : 0;
}

static int host_open(void *self, const char *path, enum raft_disk_open how, int *file)
{
    (void)self;
    int flags = how == RAFT_DISK_READ    ? UV_FS_O_RDONLY
                : how == RAFT_DISK_WRITE ? UV_FS_O_RDWR
                                         : UV_FS_O_RDWR | UV_FS_O_CREAT | UV_FS_O_TRUNC;
    return open_file(path, flags, file);
}

static void host_close(void *self, int file)
{
    uv_fs_t req;
    (void)self;
    finish(&req, uv_fs_close(NULL, &req, file, NULL));
}

static int host_size(void *self, int file, uint64_t *size)
{
    uv_fs_t req;
    (void)self;
    int failed = uv_fs_fstat(NULL, &req, file, NULL);
    if (failed == 0)
        *size = req.statbuf.st_size;
    return finish(&req, failed);
}

static int64_t host_pwritev(void *self, int file, const struct bytes *parts, size_t count, uint64_t offset)
{
    uv_buf_t vectors[16];
    uv_fs_t req;
    unsigned used = 0;
    (void)self;

    for (; used < count && used < sizeof vectors / sizeof *vectors; used++) {
        bool is_whole = parts[used].size <= GIB;
        vectors[used] = uv_buf_init((char *)(uintptr_t)parts[used].data, (unsigned)(is_whole ? parts[used].size : GIB));
        if (!is_whole) {
            used++;
            break;
        }
    }
    uv_fs_write(NULL, &req, file, vectors, used, (int64_t)offset, NULL);
    return finish_count(&req);
}

static int64_t host_pread(void *self, int file, void *data, size_t size, uint64_t offset)
{
    uv_buf_t room = uv_buf_init(data, (unsigned)(size > GIB ? GIB : size));
    uv_fs_t req;
    (void)self;
    uv_fs_read(NULL, &req, file, &room, 1, (int64_t)offset, NULL);
    return finish_count(&req);
}

static int host_sync(void *self, int file)
{
    uv_fs_t req;
    (void)self;
    return finish(&req, uv_fs_fdatasync(NULL, &req, file, NULL)); /* never tried again */
}

static int host_truncate(void *self, int file, uint64_t size)
{
    uv_fs_t req;
    (void)self;
    return finish(&req, uv_fs_ftruncate(NULL, &req, file, (int64_t)size, NULL));
}

/* A file that grows is given its clusters, which read as zeros. */
static int host_allocate(void *self, int file, uint64_t size)
{
    uint64_t now = 0;
    int failed = host_size(self, file, &now);
    return failed < 0 || now >= size ? failed : host_truncate(self, file, size);
}

static int host_rename(void *self, const char *from, const char *to)
{
    (void)self;
    return file_replace(from, to);
}

static int host_unlink(void *self, const char *path)
{
    uv_fs_t req;
    (void)self;
    return finish(&req, uv_fs_unlink(NULL, &req, path, NULL));
}

static int host_sync_dir(void *self, const char *path)
{
    (void)self;
    cleanup_free wchar_t *wide = wide_path(path);
    return GetFileAttributesW(wide) == INVALID_FILE_ATTRIBUTES ? failure() : 0;
}

static int host_list(void *self, const char *path, raft_disk_list_fn fn, void *ctx)
{
    uv_dirent_t entry;
    uv_fs_t req;
    (void)self;
    int failed = uv_fs_scandir(NULL, &req, path, 0, NULL);
    while (failed >= 0 && uv_fs_scandir_next(&req, &entry) == 0)
        if (entry.name[0] != '.')
            fn(ctx, entry.name);
    return finish(&req, failed < 0 ? failed : 0);
}

/* Open to nobody else, which ends with the process. */
static int host_lock(void *self, const char *path, int *file)
{
    (void)self;
    return open_file(path, UV_FS_O_RDWR | UV_FS_O_CREAT | UV_FS_O_EXLOCK, file);
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
