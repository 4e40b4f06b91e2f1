/* tests/unit/raft/log/test_crash.c – a run on a real file system is recorded, write by write and sync by sync; then it is taken to have
 * crashed after each of them, and inside each write at every 512 bytes, and recovered. */
#include <stdlib.h>

#include "base/file.h"
#include "tests/unit/raft/log/model.h"

enum { FLUSHES = 60, TORN = 512, HANDLES = 256 };

/* What happened, in order. @acknowledged and @appended: the model's states that a recovery may show after it. */
struct happening {
    enum kind { CREATED, WROTE, SYNCED, ALLOCATED, RENAMED, UNLINKED } kind;
    char *path, *to; /* below the directory */
    uint8_t *data;
    uint64_t size, offset;
    size_t acknowledged, appended;
};

static struct recording {
    struct raft_disk host;
    struct model *model;
    struct happening *items;
    size_t count;
    const char *dir;
    char *open[HANDLES];
} recording;

static char *below(const char *path)
{
    return mem_string(path + strlen(recording.dir));
}

static struct happening *record(enum kind kind, const char *path)
{
    recording.items = mem_resize(recording.items, (recording.count + 1) * sizeof *recording.items);
    struct happening *item = &recording.items[recording.count++];
    *item = (struct happening){.kind = kind, .path = below(path)};
    item->acknowledged = recording.model->acknowledged;
    item->appended = recording.model->count - 1;
    return item;
}

static int rec_open(void *self, const char *path, enum raft_disk_open how, int *file)
{
    int failed = recording.host.open(self, path, how, file);
    if (failed == 0) {
        assert_true(*file < HANDLES);
        free(recording.open[*file]);
        recording.open[*file] = mem_string(path);
        if (how == RAFT_DISK_CREATE)
            record(CREATED, path);
    }
    return failed;
}

static int64_t rec_pwritev(void *self, int file, const struct bytes *parts, size_t count, uint64_t offset)
{
    int64_t wrote = recording.host.pwritev(self, file, parts, count, offset);
    assert_true(count == 1 && wrote == (int64_t)parts[0].size);
    struct happening *item = record(WROTE, recording.open[file]);
    item->data = mem_copy(parts[0].data, parts[0].size);
    item->size = parts[0].size;
    item->offset = offset;
    return wrote;
}

static int rec_sync(void *self, int file)
{
    record(SYNCED, recording.open[file]);
    return recording.host.sync(self, file);
}

static int rec_allocate(void *self, int file, uint64_t size)
{
    record(ALLOCATED, recording.open[file])->size = size;
    return recording.host.allocate(self, file, size);
}

static int rec_rename(void *self, const char *from, const char *to)
{
    record(RENAMED, from)->to = below(to);
    for (int i = 0; i < HANDLES; i++) {
        if (!recording.open[i] || strcmp(recording.open[i], from) != 0)
            continue;
        free(recording.open[i]);
        recording.open[i] = mem_string(to);
    }
    return recording.host.rename(self, from, to);
}

static int rec_unlink(void *self, const char *path)
{
    record(UNLINKED, path);
    return recording.host.unlink(self, path);
}

static void make_temporary(char *template)
{
    uv_fs_t req;
    assert_int_equal(uv_fs_mkdtemp(NULL, &req, template, NULL), 0);
    memcpy(template, req.path, strlen(template));
    uv_fs_req_cleanup(&req);
}

static char *temporary(void)
{
    const char *base = getenv("TMPDIR");
    char *dir = mem_format("%s/skep-raft-crash-XXXXXX", base ? base : "/tmp");
    make_temporary(dir);
    return dir;
}

static int no_sync(void *self, int file)
{
    (void)self, (void)file;
    return 0;
}

static int no_sync_dir(void *self, const char *path)
{
    (void)self, (void)path;
    return 0;
}

/* The host's disk, in a hurry: for replaying, where nobody pulls the plug. */
static struct raft_disk hurried_disk(void)
{
    struct raft_disk disk = raft_disk_host();
    disk.sync = no_sync;
    disk.sync_dir = no_sync_dir;
    return disk;
}

/* Do @item again below @dir, a write only up to @limit bytes, or without its first @hole. */
static void redo(const struct raft_disk *disk, const char *dir, const struct happening *item, uint64_t limit, uint64_t hole)
{
    cleanup_free char *path = mem_format("%s%s", dir, item->path), *to = item->to ? mem_format("%s%s", dir, item->to) : NULL;
    int file = -1;

    switch (item->kind) {
    case CREATED:
        assert_ok(raft_disk_open(disk, path, RAFT_DISK_CREATE, &file, err));
        break;
    case WROTE:
        assert_ok(raft_disk_open(disk, path, RAFT_DISK_WRITE, &file, err));
        if (limit > hole)
            assert_ok(raft_disk_write(disk, file, path, bytes_of(item->data + hole, limit - hole), item->offset + hole, err));
        break;
    case ALLOCATED:
        assert_ok(raft_disk_open(disk, path, RAFT_DISK_WRITE, &file, err));
        assert_ok(raft_disk_allocate(disk, file, path, item->size, err));
        break;
    case RENAMED:
        assert_int_equal(disk->rename(disk->self, path, to), 0);
        break;
    case UNLINKED:
        disk->unlink(disk->self, path); /* of what is not there: it was asked for all the same */
        break;
    case SYNCED:
        break;
    }
    raft_disk_close(disk, &file);
}

static void copy_dir(const struct raft_disk *disk, const char *from, const char *to)
{
    struct raft_names names;
    assert_ok(file_remove_tree(to, err));
    assert_ok(file_make_dirs(to, 0700, err));
    assert_ok(raft_disk_list(disk, from, &names, err));
    for (size_t i = 0; i < names.count; i++) {
        cleanup_free char *source = mem_format("%s/%s", from, names.items[i]), *target = mem_format("%s/%s", to, names.items[i]);
        cleanup_buf struct buf content = {0};
        assert_ok(file_read(source, 16 * MIB, &content, err));
        assert_ok(file_write_volatile(target, buf_bytes(&content), 0600, err));
    }
    raft_names_deinit(&names);
}

/* Open what is at @dir: a state that @item allows. Go on from there, and find that too. */
static void recover(struct raft_log_options options, const char *dir, const struct model *model, const struct happening *item,
                    const char *where)
{
    struct raft_log *log;
    struct raft_log_state state = {0};

    options.dir = dir;
    struct error failure = {0};
    if (raft_log_open(&options, &log, &state, &failure) < 0)
        fail_msg("%s: %s", where, failure.message);
    model_find(model, &state, item->acknowledged, item->appended, where);
    uint64_t last = state.last_index, term = state.hard.term + 1;
    raft_log_state_deinit(&state);
    assert_ok(append_range(log, last + 1, last + 2, term, &(struct raft_hard_state){term, 1, last + 1}, err));
    assert_ok(raft_log_flush(log, err));
    raft_log_abandon(log);
    assert_ok(raft_log_open(&options, &log, &state, err));
    assert_int_equal(state.last_index, last + 2);
    assert_int_equal(state.hard.commit, last + 1);
    assert_false(state.recovery.is_torn);
    raft_log_state_deinit(&state);
    raft_log_abandon(log);
}

static size_t crash_everywhere(const struct raft_log_options *options, const struct model *model)
{
    struct raft_disk disk = hurried_disk();
    cleanup_free char *master = temporary(), *scratch = temporary();
    struct raft_log_options hurried = *options;
    size_t points = 0;
    char where[128];

    hurried.disk = &disk;
    for (size_t i = 0; i < recording.count; i++) {
        const struct happening *item = &recording.items[i];
        for (uint64_t part = 0; item->kind == WROTE && part < item->size; part += TORN) {
            for (int is_hole = 0; is_hole < 2; is_hole++) { /* what came before @part is there; or only what comes behind it */
                snprintf(where, sizeof where, "write %zu %s at %llu bytes", i, is_hole ? "begins" : "torn", (unsigned long long)part);
                copy_dir(&disk, master, scratch);
                redo(&disk, scratch, item, is_hole ? item->size : part, is_hole ? part : 0);
                recover(hurried, scratch, model, item, where);
                points++;
            }
        }
        redo(&disk, master, item, item->size, 0);
        snprintf(where, sizeof where, "after operation %zu", i);
        copy_dir(&disk, master, scratch);
        recover(hurried, scratch, model, item, where);
        points++;
    }
    assert_ok(file_remove_tree(master, err));
    assert_ok(file_remove_tree(scratch, err));
    return points;
}

static void run_and_crash(const struct raft_keys *keys, uint64_t seed)
{
    struct random_seeded seeded;
    struct model model;
    struct raft_log *log;
    struct raft_log_state state = {0};
    cleanup_free char *dir = temporary();

    random_seeded_init(&seeded, seed);
    struct random random = random_from_seeded(&seeded);
    model_init(&model);
    recording = (struct recording){.host = raft_disk_host(), .model = &model, .dir = dir};
    struct raft_disk disk = recording.host;
    disk.open = rec_open;
    disk.pwritev = rec_pwritev;
    disk.sync = rec_sync;
    disk.allocate = rec_allocate;
    disk.rename = rec_rename;
    disk.unlink = rec_unlink;
    struct raft_log_options options = {.dir = dir,
                                       .disk = &disk,
                                       .keys = keys,
                                       .segment_size_bytes = RAFT_SEGMENT_SIZE_MIN_BYTES,
                                       .reserve_size_bytes = 4096,
                                       .tail_keep_count = 20};
    assert_ok(raft_log_open(&options, &log, &state, err));
    raft_log_state_deinit(&state);
    assert_ok(model_run(&model, log, &random, FLUSHES, err));
    raft_log_abandon(log);
    size_t points = crash_everywhere(&options, &model);
    print_message("%d operations, %d crash points\n", (int)recording.count, (int)points);
    assert_true(points > 300);
    for (size_t i = 0; i < recording.count; i++) {
        free(recording.items[i].path);
        free(recording.items[i].to);
        free(recording.items[i].data);
    }
    free(recording.items);
    for (int i = 0; i < HANDLES; i++)
        free(recording.open[i]);
    model_deinit(&model);
    assert_ok(file_remove_tree(dir, err));
}

static void every_crash_point_recovers_to_an_allowed_state(void **state)
{
    (void)state;
    run_and_crash(NULL, 11);
}

static void so_it_does_when_encrypted(void **state)
{
    (void)state;
    struct raft_keys keys = {0};
    use_key(&keys, 1, 7);
    run_and_crash(&keys, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_crash_point_recovers_to_an_allowed_state),
        cmocka_unit_test(so_it_does_when_encrypted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
