/* raft/log/disk_memory.c – see disk_memory.h. */
#include "raft/log/disk_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/random.h"

enum { SECTOR = 512, FILES_COUNT = 64 };

/* @now and @medium have the same capacity, zero beyond their sizes. */
struct inode {
    uint8_t *now, *medium;
    uint8_t *dirty; /* a byte for each sector */
    uint64_t now_size, medium_size, capacity;
};

struct name {
    char *path;
    struct inode *inode;
};

struct names {
    struct name *items;
    size_t count;
};

/* A change of names that waits for the sync of its directory: @path now means @inode, or nothing. A rename is one such for each path, and
 * both happen or neither. */
struct change {
    char *path;
    struct inode *inode;
    bool joins_next;
};

struct raft_disk_memory {
    struct random_seeded seeded;
    struct random random;
    struct names now, medium;
    struct change *changes;
    size_t changes_count;
    struct inode **inodes;
    size_t inodes_count;
    struct handle {
        struct inode *inode;
        char *path;
        bool is_lock;
    } files[FILES_COUNT];
    raft_disk_memory_fn hook;
    void *hook_ctx;
    uint64_t capacity_bytes;
};

/* --- names --- */

static struct name *find(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i].path, path) == 0)
            return &names->items[i];
    return NULL;
}

/* @path means @inode from now on; NULL: nothing. */
static void set_name(struct names *names, const char *path, struct inode *inode)
{
    struct name *name = find(names, path);
    if (name && inode) {
        name->inode = inode;
    } else if (name && names->items) {
        free(name->path);
        *name = names->items[--names->count];
    } else if (inode) {
        names->items = mem_resize(names->items, (names->count + 1) * sizeof *names->items);
        names->items[names->count++] = (struct name){mem_string(path), inode};
    }
}

static void deinit_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].path);
    free(names->items);
    *names = (struct names){0};
}

static void change(struct raft_disk_memory *memory, const char *path, struct inode *inode, bool joins_next)
{
    set_name(&memory->now, path, inode);
    memory->changes = mem_resize(memory->changes, (memory->changes_count + 1) * sizeof *memory->changes);
    memory->changes[memory->changes_count++] = (struct change){mem_string(path), inode, joins_next};
}

static bool is_in(const char *path, const char *dir)
{
    size_t length = strlen(dir);
    return strncmp(path, dir, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/');
}

/* --- contents --- */

static bool names_have(const struct names *names, const struct inode *inode)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i].inode == inode)
            return true;
    return false;
}

static bool is_used(const struct raft_disk_memory *memory, const struct inode *inode)
{
    for (int i = 0; i < FILES_COUNT; i++)
        if (memory->files[i].inode == inode)
            return true;
    for (size_t i = 0; i < memory->changes_count; i++)
        if (memory->changes[i].inode == inode)
            return true;
    return names_have(&memory->now, inode) || names_have(&memory->medium, inode);
}

static void free_inode(struct inode *inode)
{
    free(inode->now);
    free(inode->medium);
    free(inode->dirty);
    free(inode);
}

/* Files that nothing leads to any more. */
static void sweep(struct raft_disk_memory *memory)
{
    for (size_t i = memory->inodes_count; i > 0; i--) {
        struct inode *inode = memory->inodes[i - 1];
        if (is_used(memory, inode))
            continue;
        free_inode(inode);
        memory->inodes[i - 1] = memory->inodes[--memory->inodes_count];
    }
}

static struct inode *new_inode(struct raft_disk_memory *memory)
{
    struct inode *inode = mem_alloc(sizeof *inode);
    memory->inodes = mem_resize(memory->inodes, (memory->inodes_count + 1) * sizeof *memory->inodes);
    memory->inodes[memory->inodes_count++] = inode;
    return inode;
}

static uint8_t *grow_zeroed(uint8_t *data, size_t from, size_t to)
{
    data = mem_resize(data, to);
    memset(data + from, 0, to - from);
    return data;
}

static void make_room(struct inode *inode, uint64_t size)
{
    if (size <= inode->capacity)
        return;
    uint64_t capacity = inode->capacity ? inode->capacity : 4096;
    while (capacity < size)
        capacity *= 2;
    inode->now = grow_zeroed(inode->now, inode->capacity, capacity);
    inode->medium = grow_zeroed(inode->medium, inode->capacity, capacity);
    inode->dirty = grow_zeroed(inode->dirty, inode->capacity / SECTOR, capacity / SECTOR);
    inode->capacity = capacity;
}

static void mark_dirty(struct inode *inode, uint64_t from, uint64_t size)
{
    for (uint64_t sector = from / SECTOR; size > 0 && sector <= (from + size - 1) / SECTOR; sector++)
        inode->dirty[sector] = 1;
}

static void write_at(struct inode *inode, const void *data, uint64_t size, uint64_t offset)
{
    if (size == 0)
        return;
    make_room(inode, offset + size);
    memcpy(inode->now + offset, data, size);
    mark_dirty(inode, offset, size);
    if (inode->now_size < offset + size)
        inode->now_size = offset + size;
}

static void resize(struct inode *inode, uint64_t size)
{
    make_room(inode, size);
    if (size < inode->now_size) {
        memset(inode->now + size, 0, inode->now_size - size);
        mark_dirty(inode, size, inode->now_size - size);
    }
    inode->now_size = size;
}

static void bring_down(struct inode *inode, uint64_t sector)
{
    memcpy(inode->medium + sector * SECTOR, inode->now + sector * SECTOR, SECTOR);
    inode->dirty[sector] = 0;
}

static void clean(struct inode *inode)
{
    if (inode->capacity > 0)
        memset(inode->dirty, 0, inode->capacity / SECTOR);
}

static void sync_inode(struct inode *inode)
{
    for (uint64_t sector = 0; sector < inode->capacity / SECTOR; sector++)
        if (inode->dirty[sector])
            bring_down(inode, sector);
    inode->medium_size = inode->now_size;
}

uint64_t raft_disk_memory_used(const struct raft_disk_memory *memory)
{
    uint64_t used = 0;
    for (size_t i = 0; i < memory->inodes_count; i++)
        if (names_have(&memory->now, memory->inodes[i]))
            used += memory->inodes[i]->now_size;
    return used;
}

static bool has_room(const struct raft_disk_memory *memory, const struct inode *inode, uint64_t size)
{
    uint64_t more = size > inode->now_size ? size - inode->now_size : 0;
    return more == 0 || memory->capacity_bytes == UINT64_MAX || raft_disk_memory_used(memory) + more <= memory->capacity_bytes;
}

/* --- the table --- */

static int ask(struct raft_disk_memory *memory, enum raft_disk_op op, const char *path, uint64_t size)
{
    return memory->hook ? memory->hook(memory->hook_ctx, op, path, size) : 0;
}

static struct handle *handle_of(struct raft_disk_memory *memory, int file)
{
    return file >= 0 && file < FILES_COUNT && memory->files[file].path ? &memory->files[file] : NULL;
}

static int take_handle(struct raft_disk_memory *memory, struct inode *inode, const char *path, bool is_lock, int *file)
{
    for (int i = 0; i < FILES_COUNT; i++) {
        if (memory->files[i].path)
            continue;
        memory->files[i] = (struct handle){inode, mem_string(path), is_lock};
        *file = i;
        return 0;
    }
    return UV_EMFILE;
}

static int memory_make_dir(void *self, const char *path)
{
    (void)self, (void)path; /* every directory is there */
    return UV_EEXIST;
}

static int memory_open(void *self, const char *path, enum raft_disk_open how, int *file)
{
    struct raft_disk_memory *memory = self;
    int failed = ask(memory, RAFT_DISK_OP_OPEN, path, 0);
    if (failed < 0)
        return failed;
    struct name *name = find(&memory->now, path);
    if (!name && how != RAFT_DISK_CREATE)
        return UV_ENOENT;
    if (!name)
        change(memory, path, new_inode(memory), false);
    struct inode *inode = find(&memory->now, path)->inode;
    if (how == RAFT_DISK_CREATE)
        resize(inode, 0);
    return take_handle(memory, inode, path, false, file);
}

static void memory_close(void *self, int file)
{
    struct raft_disk_memory *memory = self;
    struct handle *handle = handle_of(memory, file);
    if (!handle)
        return; /* a crash closed it */
    free(handle->path);
    *handle = (struct handle){0};
    sweep(memory);
}

static int memory_size(void *self, int file, uint64_t *size)
{
    struct handle *handle = handle_of(self, file);
    if (!handle)
        return UV_EBADF;
    *size = handle->inode->now_size;
    return 0;
}

static int64_t memory_pwritev(void *self, int file, const struct bytes *parts, size_t count, uint64_t offset)
{
    struct raft_disk_memory *memory = self;
    struct handle *handle = handle_of(memory, file);
    uint64_t size = 0;

    if (!handle)
        return UV_EBADF;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    int failed = ask(memory, RAFT_DISK_OP_WRITE, handle->path, size);
    if (failed < 0)
        return failed;
    if (!has_room(memory, handle->inode, offset + size))
        return UV_ENOSPC;
    for (size_t i = 0; i < count; offset += parts[i++].size)
        write_at(handle->inode, parts[i].data, parts[i].size, offset);
    return (int64_t)size;
}

static int64_t memory_pread(void *self, int file, void *data, size_t size, uint64_t offset)
{
    struct handle *handle = handle_of(self, file);
    if (!handle)
        return UV_EBADF;
    int failed = ask(self, RAFT_DISK_OP_READ, handle->path, size);
    if (failed < 0)
        return failed;
    if (offset >= handle->inode->now_size)
        return 0;
    uint64_t left = handle->inode->now_size - offset;
    size_t got = left < size ? (size_t)left : size;
    memcpy(data, handle->inode->now + offset, got);
    return (int64_t)got;
}

static int memory_sync(void *self, int file)
{
    struct handle *handle = handle_of(self, file);
    if (!handle)
        return UV_EBADF;
    int failed = ask(self, RAFT_DISK_OP_SYNC, handle->path, 0);
    if (failed < 0)
        clean(handle->inode);
    else
        sync_inode(handle->inode);
    return failed;
}

static int memory_allocate(void *self, int file, uint64_t size)
{
    struct handle *handle = handle_of(self, file);
    if (!handle)
        return UV_EBADF;
    int failed = ask(self, RAFT_DISK_OP_ALLOCATE, handle->path, size);
    if (failed < 0)
        return failed;
    if (!has_room(self, handle->inode, size))
        return UV_ENOSPC;
    if (size > handle->inode->now_size)
        resize(handle->inode, size);
    return 0;
}

static int memory_truncate(void *self, int file, uint64_t size)
{
    struct handle *handle = handle_of(self, file);
    if (!handle)
        return UV_EBADF;
    int failed = ask(self, RAFT_DISK_OP_TRUNCATE, handle->path, size);
    if (failed == 0)
        resize(handle->inode, size);
    return failed;
}

static int memory_rename(void *self, const char *from, const char *to)
{
    struct raft_disk_memory *memory = self;
    int failed = ask(memory, RAFT_DISK_OP_RENAME, to, 0);
    struct name *name = find(&memory->now, from);
    if (failed < 0 || !name)
        return failed < 0 ? failed : UV_ENOENT;
    change(memory, to, name->inode, true);
    change(memory, from, NULL, false);
    sweep(memory);
    return 0;
}

static int memory_unlink(void *self, const char *path)
{
    struct raft_disk_memory *memory = self;
    int failed = ask(memory, RAFT_DISK_OP_UNLINK, path, 0);
    if (failed < 0 || !find(&memory->now, path))
        return failed < 0 ? failed : UV_ENOENT;
    change(memory, path, NULL, false);
    sweep(memory);
    return 0;
}

static int memory_sync_dir(void *self, const char *path)
{
    struct raft_disk_memory *memory = self;
    size_t kept = 0;

    int failed = ask(memory, RAFT_DISK_OP_SYNC_DIR, path, 0);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < memory->changes_count; i++) {
        struct change *one = &memory->changes[i];
        if (!is_in(one->path, path)) {
            memory->changes[kept++] = *one;
            continue;
        }
        set_name(&memory->medium, one->path, one->inode);
        free(one->path);
    }
    memory->changes_count = kept;
    sweep(memory);
    return 0;
}

static int memory_list(void *self, const char *path, raft_disk_list_fn fn, void *ctx)
{
    struct raft_disk_memory *memory = self;
    int failed = ask(memory, RAFT_DISK_OP_LIST, path, 0);
    for (size_t i = 0; failed == 0 && i < memory->now.count; i++)
        if (is_in(memory->now.items[i].path, path))
            fn(ctx, memory->now.items[i].path + strlen(path) + 1);
    return failed;
}

static int memory_lock(void *self, const char *path, int *file)
{
    struct raft_disk_memory *memory = self;
    int failed = ask(memory, RAFT_DISK_OP_LOCK, path, 0);
    for (int i = 0; failed == 0 && i < FILES_COUNT; i++)
        if (memory->files[i].is_lock && strcmp(memory->files[i].path, path) == 0)
            failed = UV_EBUSY;
    if (failed < 0)
        return failed;
    if (!find(&memory->now, path))
        change(memory, path, new_inode(memory), false);
    return take_handle(memory, find(&memory->now, path)->inode, path, true, file);
}

struct raft_disk raft_disk_memory_disk(struct raft_disk_memory *memory)
{
    return (struct raft_disk){.make_dir = memory_make_dir,
                              .open = memory_open,
                              .close = memory_close,
                              .size = memory_size,
                              .pwritev = memory_pwritev,
                              .pread = memory_pread,
                              .sync = memory_sync,
                              .allocate = memory_allocate,
                              .truncate = memory_truncate,
                              .rename = memory_rename,
                              .unlink = memory_unlink,
                              .sync_dir = memory_sync_dir,
                              .list = memory_list,
                              .lock = memory_lock,
                              .self = memory};
}

/* --- life and death --- */

struct raft_disk_memory *raft_disk_memory_new(uint64_t seed)
{
    struct raft_disk_memory *memory = mem_alloc(sizeof *memory);
    random_seeded_init(&memory->seeded, seed);
    memory->random = random_from_seeded(&memory->seeded);
    memory->capacity_bytes = UINT64_MAX;
    return memory;
}

static void drop_handles(struct raft_disk_memory *memory)
{
    for (int i = 0; i < FILES_COUNT; i++)
        free(memory->files[i].path);
    memset(memory->files, 0, sizeof memory->files);
}

static void drop_changes(struct raft_disk_memory *memory)
{
    for (size_t i = 0; i < memory->changes_count; i++)
        free(memory->changes[i].path);
    memory->changes_count = 0;
}

void raft_disk_memory_free(struct raft_disk_memory *memory)
{
    if (!memory)
        return;
    drop_handles(memory);
    drop_changes(memory);
    free(memory->changes);
    deinit_names(&memory->now);
    deinit_names(&memory->medium);
    for (size_t i = 0; i < memory->inodes_count; i++)
        free_inode(memory->inodes[i]);
    free(memory->inodes);
    free(memory);
}

static void crash_inode(struct raft_disk_memory *memory, struct inode *inode, enum raft_crash how)
{
    if (how == RAFT_CRASH_LOSES_NONE)
        sync_inode(inode);
    if (how == RAFT_CRASH_LOSES_SOME) {
        if (random_below(&memory->random, 2))
            inode->medium_size = inode->now_size;
        for (uint64_t sector = 0; sector < inode->capacity / SECTOR; sector++)
            if (inode->dirty[sector] && random_below(&memory->random, 2))
                bring_down(inode, sector);
    }
    clean(inode);
    if (inode->capacity > 0) {
        memset(inode->medium + inode->medium_size, 0, inode->capacity - inode->medium_size);
        memcpy(inode->now, inode->medium, inode->capacity);
    }
    inode->now_size = inode->medium_size;
}

void raft_disk_memory_crash(struct raft_disk_memory *memory, enum raft_crash how)
{
    size_t kept = how == RAFT_CRASH_LOSES_ALL    ? 0
                  : how == RAFT_CRASH_LOSES_NONE ? memory->changes_count
                                                 : (size_t)random_below(&memory->random, memory->changes_count + 1);
    while (kept > 0 && memory->changes[kept - 1].joins_next)
        kept--;
    for (size_t i = 0; i < kept; i++)
        set_name(&memory->medium, memory->changes[i].path, memory->changes[i].inode);
    drop_changes(memory);
    drop_handles(memory);
    for (size_t i = 0; i < memory->inodes_count; i++)
        crash_inode(memory, memory->inodes[i], how);
    deinit_names(&memory->now);
    for (size_t i = 0; i < memory->medium.count; i++)
        set_name(&memory->now, memory->medium.items[i].path, memory->medium.items[i].inode);
    sweep(memory);
}

void raft_disk_memory_hook(struct raft_disk_memory *memory, raft_disk_memory_fn fn, void *ctx)
{
    memory->hook = fn;
    memory->hook_ctx = ctx;
}

void raft_disk_memory_set_capacity(struct raft_disk_memory *memory, uint64_t size_bytes)
{
    memory->capacity_bytes = size_bytes;
}

bool raft_disk_memory_flip(struct raft_disk_memory *memory, const char *path, uint64_t bit)
{
    struct name *name = find(&memory->now, path);
    if (!name || bit / 8 >= name->inode->now_size)
        return false;
    name->inode->now[bit / 8] ^= (uint8_t)(1u << bit % 8);
    name->inode->medium[bit / 8] ^= (uint8_t)(1u << bit % 8);
    return true;
}

void raft_disk_memory_put(struct raft_disk_memory *memory, const char *path, struct bytes content)
{
    if (!find(&memory->now, path))
        set_name(&memory->now, path, new_inode(memory));
    struct inode *inode = find(&memory->now, path)->inode;
    set_name(&memory->medium, path, inode);
    resize(inode, 0);
    write_at(inode, content.data, content.size, 0);
    sync_inode(inode);
}

bool raft_disk_memory_get(const struct raft_disk_memory *memory, const char *path, struct bytes *content)
{
    const struct name *name = find(&memory->now, path);
    if (name)
        *content = bytes_of(name->inode->now, name->inode->now_size);
    return name != NULL;
}
